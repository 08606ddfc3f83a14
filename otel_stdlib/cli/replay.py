"""``otel-stdlib replay``: sends dead letters again."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from otel_stdlib.cli.given import GivenSource, Parsed, parse_record
from otel_stdlib.cli.handlers import find_handler, refuse_transactions
from otel_stdlib.cli.spool import add_place, roots
from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.letterfile import replace_lines
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.threads import sleep
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.spool.frame import Frame

__all__ = ["Replay", "add_parser"]

_RECORD = b',"record":'
#: Letters that are sent before the file is written anew: a kill sends so many again, under the same uids.
_ROUND = 1_000
_TURN = 0.05
#: A file that is being read is not turned over.
_NEVER = 1 << 60


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``replay``."""
    parser = commands.add_parser("replay", help="send dead letters again")
    parser.add_argument("config", help="a YAML file for logging.config.dictConfig")
    parser.add_argument(
        "files", nargs="*", type=Path, default=[], help="dead-letter files; left out: the handler's own"
    )
    parser.add_argument("--to", help="the handler's name, where the file has several")
    add_place(parser)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds, 60 when left out")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    handler = find_handler(arguments.config, arguments.to)
    refuse_transactions(handler, "replay")
    for path in arguments.files:
        if not path.is_file():
            raise ConfigError(f"there is no file {str(path)!r}")
    files = arguments.files or list(_own_files(handler, roots(arguments)))
    if not files:
        print(f"no dead letters for {handler.outlet_name}")
        return 0
    replay = Replay(handler, monotonic() + arguments.timeout)
    try:
        for path in files:
            replay.send(path)
    finally:
        replay.close()
    print(f"{replay.sent} delivered, {replay.refused} refused again, {replay.left} left")
    return 1 if replay.left or replay.refused else 0


def _own_files(handler: DestinationHandler, places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        path = DeadLetterFile.for_target(place, handler.identity).path
        yield from (each for each in (Path(f"{path}.1"), Path(f"{path}")) if each.exists())


class Replay:
    """Sends letters to one destination through the delivery engine. Used by one thread.

    Letters go from their file when the destination has them. Those that it refuses again are
    written into it as new letters first, with the new reason. A kill in between sends a letter once
    more, under the same uid, and a destination with a position of its own does not store it twice.

    Args:
        deadline: monotonic seconds at which it gives up; what is not sent stays where it is.
    """

    def __init__(self, handler: DestinationHandler, deadline: float) -> None:
        self._identity = handler.identity
        self._policy = handler.policy
        self._deadline = deadline
        self._counters = Counters()
        self._destination = handler.make_destination()
        #: Letters that stay: their destination is away, or they are none of ours.
        self.left = 0

    @property
    def sent(self) -> int:
        """Records that the destination has now."""
        return self._counters.get("stored") + self._counters.get("duplicate")

    @property
    def refused(self) -> int:
        """Records that it refused again."""
        return self._counters.get("rejected")

    def close(self) -> None:
        """Close the destination."""
        self._destination.close()

    def send(self, path: Path) -> None:
        """Send the letters that are in a file now.

        Raises:
            OSError: the file cannot be read or written.
        """
        with open(path, "rb") as file:
            lines = file.readlines()
        by_origin: dict[Origin, list[tuple[Frame, bytes]]] = {}
        for line in lines:
            parsed = _parse(line)
            if parsed is None:
                print(f"{path}: a line that is no dead letter stays", file=sys.stderr)
                self.left += 1
            else:
                by_origin.setdefault(parsed.origin, []).append((parsed.frame, line))
        dead = DeadLetterFile(path, self._identity, _NEVER)
        server = Attempts(self._destination, self._policy, dead, Status(self._counters), None, wait_out=False)
        for origin, letters in by_origin.items():
            letters.sort(key=lambda letter: letter[0].lsn)
            for start in range(0, len(letters), _ROUND):
                part = letters[start : start + _ROUND]
                if self._deliver(server, origin, [frame for frame, _ in part]):
                    done = {line for _, line in part}
                    replace_lines(path, lambda line, done=done: line not in done)  # type: ignore[misc]
                    self._destination.forget(origin)
                else:
                    self.left += len(part)

    def _deliver(self, server: Attempts, origin: Origin, frames: Sequence[Frame]) -> bool:
        lane = Lane(GivenSource(origin, frames), self._policy, random.random, None)
        while not lane.finished():
            if monotonic() >= self._deadline:
                return False
            if not server.serve(lane, monotonic()):
                sleep(_TURN)
        return True


def _parse(line: bytes) -> Parsed | None:
    # Inside of a JSON string the quotes would have backslashes.
    head, found, record = line.strip().partition(_RECORD)
    if not found:
        return None
    try:
        letter = orjson.loads(head + b"}")
        parsed = parse_record(
            record[:-1], letter["uid"].encode("ascii"), letter["event_time_ns"] // 1_000_000, "replay"
        )
        if parsed is None:
            return None
        frame = parsed.frame._replace(time_ns=int(letter["event_time_ns"]), level=int(letter["level"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Parsed(parsed.origin, frame)
