"""``otel-stdlib pipe``: from a Kafka topic to any destination, as one member of a consumer group."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from otel_stdlib.cli.bridge import Bridge, Delivery
from otel_stdlib.cli.handlers import find_handler, refuse_transactions
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.spool.place import choose_root

__all__ = ["add_parser"]

_GROUP = "otel_stdlib-pipe"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``pipe``."""
    parser = commands.add_parser("pipe", help="deliver the records of a Kafka topic to another destination")
    parser.add_argument("source", help="kafka://host:port[,host:port]/topic[?group=NAME&setting=value]")
    parser.add_argument(
        "target", help="a YAML file for logging.config.dictConfig, or elasticsearch://host:port/index"
    )
    parser.add_argument("--to", help="the handler's name, where the file has several")
    parser.add_argument("--directory", help="the folder for dead letters: as the spool option 'directory'")
    parser.add_argument("--idle", type=float, help="end after so many seconds without a record")
    parser.set_defaults(run=_pipe)


def _pipe(arguments: argparse.Namespace) -> int:
    settings, topic = read_source(arguments.source)
    handler = _target(arguments.target, arguments.to)
    refuse_transactions(handler, "pipe")
    letters = DeadLetterFile.for_target(choose_root(arguments.directory, "pipe"), handler.identity)
    bridge = Bridge(settings, topic, Delivery(handler.make_destination(), handler.policy, letters))
    stop = _stop_on_signals(bridge)
    # From here on SIGTERM ends it in order: who starts it may wait for this line.
    print(f"reading {topic} in the group {settings['group.id']}", file=sys.stderr, flush=True)
    try:
        bridge.run(idle=arguments.idle)
    finally:
        bridge.close()
        for number, before in stop.items():
            signal.signal(number, before)
    print(f"{bridge.delivered} records delivered, {bridge.rejected} rejected", file=sys.stderr)
    return 0


def read_source(url: str) -> tuple[dict[str, Any], str]:
    """The consumer's settings and the topic, from a ``kafka://`` address.

    Raises:
        ConfigError: it is none.
    """
    parts = urlsplit(url)
    topic = unquote(parts.path.strip("/"))
    if parts.scheme != "kafka" or not parts.netloc or not topic or "@" in parts.netloc:
        raise ConfigError("the source must be kafka://host:port/topic?group=name, without credentials")
    settings: dict[str, Any] = dict(parse_qsl(parts.query))
    group = settings.pop("group", _GROUP)
    return {**settings, "bootstrap.servers": parts.netloc, "group.id": group}, topic


def _target(target: str, to: str | None) -> DestinationHandler:
    parts = urlsplit(target)
    if parts.scheme in ("elasticsearch", "elasticsearch+https"):
        from otel_stdlib.handlers.elasticsearch.handler import ElasticsearchHandler

        scheme = "https" if parts.scheme.endswith("https") else "http"
        index = unquote(parts.path.strip("/"))
        options: dict[str, Any] = {"index_pattern": index} if index else {}
        return ElasticsearchHandler(hosts=[f"{scheme}://{parts.netloc}"], **options)
    return find_handler(target, to)


def _stop_on_signals(bridge: Bridge) -> dict[int, Any]:
    def stop(_number: int, _frame: object) -> None:
        bridge.stopping = True

    try:
        return {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread
        return {}
