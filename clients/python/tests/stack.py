"""The real stack that the tests run against: Kafka, the simulator, the connector's worker, a schema registry.

Each part is a process of its own in a process group of its own, which `close` ends, also when a test has failed. Where a
part listens is chosen by the operating system.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

WAIT_S = 240
"""How long a condition may take to come true: enough for a machine that is far slower."""


def wait_for(what: str, condition: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
    """Returns the condition's first true value, or fails with what was waited for."""
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {wait_s} s in vain for {what}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def http(method: str, url: str, body: object = None) -> tuple[int, Any]:
    """Returns the status and the JSON of a response; status 0 if nobody responds."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
            return response.status, json.loads(text) if text.startswith((b"{", b"[")) else text
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, None


class Process:
    """A process with its children, and a log of what it says."""

    def __init__(self, arguments: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def expect_alive(self) -> None:
        assert self.popen.poll() is None, f"{self.log.stem} has ended:\n{self.text()[-4000:]}"

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, with_signal)
        self.popen.wait(60)


class Stack:
    """Kafka and a worker for all tests, and as many simulators as they ask for."""

    def __init__(self, folder: Path, connect: Path, simulator: Path, kafka: Path) -> None:
        self.folder = folder
        self._connect = connect
        self._simulator = simulator
        self._kafka = kafka
        self._processes: list[Process] = []
        self.bootstrap = ""
        self._worker: Process | None = None
        self._listener = free_port()

    # --- the parts

    def start_kafka(self) -> None:
        data = self.folder / "kafka"
        data.mkdir()
        # Everything is allowed but what a test denies.
        (data / "extra.properties").write_text(
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n"
        )
        process = self._start([self._kafka, "start", data], "kafka.log")
        address = data / "bootstrap"

        def listens() -> bool:
            process.expect_alive()
            if not address.exists():
                return False
            host, port = address.read_text().strip().split(":")
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return True
            return False

        wait_for("Kafka", listens)
        self.bootstrap = address.read_text().strip()

    def start_registry(self, program: Path) -> str:
        """Returns the URL of Confluent's API of a real registry."""
        data = self.folder / "registry"
        process = self._start([program, "start", data], "registry.log")
        url = data / "url"

        def responds() -> bool:
            process.expect_alive()
            return url.exists()

        wait_for("the registry", responds)
        return url.read_text().strip()

    def start_simulator(self, streams: dict[str, Path], *options: str) -> str:
        """Returns the URL of a simulator with these streams, each played from its file."""
        arguments: list[str | Path] = [self._simulator, "serve", "--listen", f"127.0.0.1:{(port := free_port())}"]
        for name, file in streams.items():
            arguments += ["--stream", f"{name}={file}"]
        process = self._start([*arguments, "--unlimited-calls", *options], f"simulator-{port}.log")
        url = f"http://127.0.0.1:{port}"

        def responds() -> bool:
            process.expect_alive()
            return http("GET", f"{url}/simulator/health")[0] == 200

        wait_for("the simulator", responds)
        return url

    def start_worker(self) -> None:
        """Starts the worker, again if it has been killed."""
        settings = self.folder / "worker.toml"
        settings.write_text(
            f'bootstrap.servers = "{self.bootstrap}"\n'
            'group.id = "kvs-python"\n'
            'offset.storage.topic = "kvs-python-offsets"\noffset.storage.partitions = 4\n'
            "offset.storage.replication.factor = 1\n"
            'config.storage.topic = "kvs-python-configs"\nstatus.storage.topic = "kvs-python-status"\n'
            f'listeners = "http://127.0.0.1:{self._listener}"\n'
            "session.timeout.ms = 3000\nproducer.linger.ms = 0\n"
        )
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        sets: list[str | Path] = []
        for topic in ("config", "status"):
            sets += ["--set", f"{topic}.storage.replication.factor=1"]
        worker = self._start([self._connect, "run", "--worker", settings, *sets], "worker.log", credentials)
        self._worker = worker

        def responds() -> bool:
            worker.expect_alive()
            return http("GET", f"{self.rest}/connectors")[0] == 200

        wait_for("the worker", responds)

    def kill_worker(self) -> None:
        assert self._worker is not None
        self._worker.kill()

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self._listener}"

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()

    def _start(self, arguments: Sequence[str | Path], log: str, environment: dict[str, str] | None = None) -> Process:
        process = Process(arguments, self.folder / log, environment)
        self._processes.append(process)
        return process

    # --- what tests do with them

    def connect(self, name: str, simulator: str, streams: Sequence[str], **settings: str) -> None:
        """Creates a connector; a setting's dots are underscores here, as Python has it."""
        config = {
            "connector.class": "KinesisVideoSourceConnector",
            "kvs.region": "us-east-1",
            "kvs.endpoint": simulator,
            "kvs.streams": ",".join(streams),
            "kvs.start.position": "EARLIEST",
            "topic": f"{name}.fragments",
            "topic.creation.default.partitions": "3",
            "topic.creation.default.replication.factor": "1",
            **{key.replace("_", "."): value for key, value in settings.items()},
        }

        def created() -> bool:
            status, said = http("PUT", f"{self.rest}/connectors/{name}/config", config)
            # A worker that joins its group just now is asked again.
            assert status in (0, 200, 201, 409, 503), repr((status, said))
            return status in (200, 201)

        wait_for(f"connector {name} to be created", created)

    def held(self, simulator: str, stream: str) -> list[dict[str, Any]]:
        """Returns what the simulator has of a stream."""
        status, said = http("GET", f"{simulator}/simulator/streams/{stream}/fragments")
        assert status == 200, said
        rows: list[dict[str, Any]] = said["fragments"]
        return rows


@contextlib.contextmanager
def running(folder: Path, connect: Path, simulator: Path, kafka: Path) -> Iterator[Stack]:
    """Gives a stack with Kafka and a worker, and closes it, also when something has failed."""
    stack = Stack(folder, connect, simulator, kafka)
    try:
        stack.start_kafka()
        stack.start_worker()
        yield stack
    finally:
        stack.close()
