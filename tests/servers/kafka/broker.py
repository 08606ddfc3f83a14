"""One Kafka node, broker and controller in one JVM."""

from __future__ import annotations

import base64
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.base import Server
from tests.servers.cache import built, fingerprint
from tests.servers.java import SMALL_JVM, class_archive, fetch_jars, find_java
from tests.servers.ports import free_port
from tests.servers.process import ServerError, ServerProcess
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority

if TYPE_CHECKING:
    from confluent_kafka import Message

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JAVA = 17

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "DIRECT",
    "listener.security.protocol.map": (
        "DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL"
    ),
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
    # one replica of everything and few partitions: the defaults ask for three nodes, or take seconds to make
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "num.partitions": "1",
    # no wait for more members of a new consumer group
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "true",
    # a broker that was killed may not come back before its last life's session has run out
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",
}
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";'


def build_kafka() -> Path:
    """The folder of Kafka's jars, fetched if they are not in the cache."""
    return built("kafka", fingerprint([POM]), lambda folder: fetch_jars(POM, folder))


class KafkaBroker(Server):
    """A real single-node Kafka; `settings` are lines of server.properties.

    With `authority` there is a fourth door, `tls_bootstrap`, whose certificate is made anew at each start.
    It has three doors to the same topics: `bootstrap`; `proxied_bootstrap`, where all of a client's traffic goes
    through `proxy` (Kafka sends clients to the address that it advertises, so a proxy has to be known to it); and
    `sasl_bootstrap`, which asks for `user` and `password` (SASL_PLAINTEXT, mechanism PLAIN), or for a name and a
    password of `set_password` (SCRAM-SHA-256).
    """

    name = "kafka"

    def __init__(
        self,
        settings: dict[str, str] | None = None,
        *,
        heap: str = "512m",
        jvm: list[str] | None = None,
        authority: Authority | None = None,
    ) -> None:
        self._java = find_java(JAVA)
        self._jars = build_kafka()
        self._jvm = class_archive(self.name, self._java, self._jars, _rehearse) if jvm is None else jvm
        super().__init__()
        self.host, self.user, self.password = "127.0.0.1", "tester", secrets.token_urlsafe(12)
        self._ports = dict.fromkeys(("DIRECT", "PROXIED", "SASL", "CONTROLLER"), 0)
        self.authority = authority
        if authority is not None:
            self._ports["TLS"] = 0
        self._proxy: Proxy | None = None
        self._settings = {**SETTINGS, **(settings or {})}
        self._heap = heap

    @property
    def bootstrap(self) -> str:
        """The direct address, for `bootstrap.servers`."""
        return f"{self.host}:{self._ports['DIRECT']}"

    @property
    def proxied_bootstrap(self) -> str:
        """The address behind `proxy`."""
        return f"{self.host}:{self.proxy.port}"

    @property
    def sasl_bootstrap(self) -> str:
        """The address that asks for a password."""
        return f"{self.host}:{self._ports['SASL']}"

    @property
    def tls_bootstrap(self) -> str:
        """The address that speaks TLS; `localhost`, as librdkafka compares names and not addresses."""
        return f"localhost:{self._ports['TLS']}"

    @property
    def proxy(self) -> Proxy:
        """The proxy behind `proxied_bootstrap`."""
        if self._proxy is None:
            raise ServerError("kafka was never started")
        return self._proxy

    def choose_ports(self) -> None:
        """Four ports and the proxy's."""
        self._ports = {name: free_port() for name in self._ports}
        if self._proxy is not None:
            self._proxy.close()
        self._proxy = Proxy(self.host, self._ports["PROXIED"])

    def prepare(self) -> None:
        """Writes server.properties; formats the storage if there is none."""
        tls: dict[str, str] = {}
        if self.authority is not None:
            made = self.authority.issue(self.directory)
            tls = {
                "listener.name.tls.ssl.keystore.type": "PEM",
                "listener.name.tls.ssl.keystore.certificate.chain": _property(made.certificate.read_text()),
                "listener.name.tls.ssl.keystore.key": _property(_pkcs8(made.key)),
            }
        advertised = {**self._ports, "PROXIED": self.proxy.port}
        lines = {
            **self._settings,
            **tls,
            "log.dirs": str(self.directory / "data"),
            "controller.quorum.voters": f"1@{self.host}:{self._ports['CONTROLLER']}",
            "listeners": ",".join(f"{name}://{self.host}:{port}" for name, port in self._ports.items()),
            "advertised.listeners": ",".join(
                f"{name}://{'localhost' if name == 'TLS' else self.host}:{port}"
                for name, port in advertised.items()
                if name != "CONTROLLER"
            ),
            "listener.name.sasl.plain.sasl.jaas.config": JAAS.format(user=self.user, password=self.password),
            "listener.name.sasl.scram-sha-256.sasl.jaas.config": SCRAM,
        }
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (self.directory / "server.properties").write_text(text)
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        # Not with a hyphen at its start, which the tool takes for an option.
        cluster = "k" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")[1:]
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(self.directory / "server.properties"),
        ]
        done = subprocess.run(
            self._java_command(self._jvm) + tool, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ServerError(
                f"the storage could not be formatted:\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
            )

    def _java_command(self, options: list[str]) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return [str(self._java), f"-Xmx{self._heap}", *SMALL_JVM, *options, log4j, "-cp", f"{self._jars}/*"]

    def command(self) -> list[str]:
        """The JVM with the broker."""
        return [*self._java_command(self._jvm), "kafka.Kafka", str(self.directory / "server.properties")]

    def ready(self, process: ServerProcess) -> bool:
        """Its own word for it."""
        return "Kafka Server started" in process.output()

    def ensure_running(self) -> None:
        """The broker and its proxy, whatever a test did to them."""
        super().ensure_running()
        self.proxy.start()

    def close(self) -> None:
        """Ends the broker and its proxy."""
        super().close()
        if self._proxy is not None:
            self._proxy.close()

    def create_topic(self, topic: str, partitions: int = 1, **config: str) -> None:
        """Makes a topic; `config` with underscores for dots (`max_message_bytes="1000"`)."""
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        made = admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])
        made[topic].result(60)

    def set_password(self, user: str, password: str) -> None:
        """Makes a user of SCRAM-SHA-256, or changes its password; connections that stand are not ended."""
        from confluent_kafka.admin import (  # type: ignore[attr-defined]
            AdminClient,
            ScramCredentialInfo,
            ScramMechanism,
            UserScramCredentialUpsertion,
        )

        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.alter_user_scram_credentials([change])[user].result(60)

    def messages(self, topic: str, *, isolation: str = "read_committed") -> list[Message]:
        """Every message of a topic that can be read now, in order within each partition; [] without the topic."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "group.id": secrets.token_hex(8),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
        }
        consumer = Consumer(settings)
        try:
            known = consumer.list_topics(timeout=60).topics
            open_ends = set(known[topic].partitions) if topic in known else set()
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in open_ends])
            found = []
            while open_ends:
                for message in consumer.consume(1000, timeout=0.1):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        open_ends.discard(message.partition())
                    elif error.fatal():
                        raise ServerError(str(error))
            return found
        finally:
            consumer.close()


def _property(text: str) -> str:
    """A text of several lines as the value of one property."""
    return text.replace("\n", "\\n")


def _pkcs8(key: Path) -> str:
    """A key in the only form that Kafka reads from PEM."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    loaded = load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _rehearse(option: str) -> None:
    """One short life, so that the JVM records which classes a broker loads."""
    with KafkaBroker(jvm=[]) as broker:
        broker.stop()
        broker._jvm = [option]
        broker.start()
        broker.stop()


def prepare_kafka() -> Path:
    """Fetches and prepares all that a start needs; the folder of jars."""
    broker = KafkaBroker()
    broker.close()
    return build_kafka()
