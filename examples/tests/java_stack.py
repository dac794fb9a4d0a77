"""Fixtures of the examples in Java: two streams with a schema registry, and examples that run with a stand-in for Maven.

The commands are those of each README, word for word. In place of Maven they find a script that has the libraries already, those of
`dev/sdks`, so that nothing is downloaded while tests run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import ROOT
from media import make_clip
from stack import Process, Stack

from kvs_connect import Fragment

PLAYS = 20
"""Each stream lasts 96 seconds or more: whenever it begins, it goes on until its first minute is over, and ten seconds longer."""

MAVEN = """#!/bin/sh
set -eu
for word; do
  case $word in
    -DoutputDirectory=*)
      mkdir -p "$(dirname "${word#*=}")"
      ln -s "$LIBRARIES" "${word#*=}" ;;
    -Dexec.args=*)
      javac -cp "$LIBRARIES/*" -d target/classes *.java
      exec java -cp "target/classes:$LIBRARIES/*" "$(sed -n 's/.*<exec.mainClass>\\(.*\\)<.*/\\1/p' pom.xml)" ${word#*=} ;;
  esac
done
"""
"""Does for the libraries at hand what the goals in the READMEs do."""


@dataclass
class Streams:
    """What `java.fragments` and `java.metadata` have, as the simulator and the package for Python say it."""

    stack: Stack
    registry: str
    held: dict[str, list[dict[str, Any]]]
    fragments: list[Fragment]

    @property
    def bootstrap(self) -> str:
        return self.stack.bootstrap

    def copy(self, topic: str, to: str, left_out: Fragment | None = None) -> None:
        """Copies a topic, but for the record of a fragment, to one that has a partition for each stream."""
        of = {one.number: list(self.held).index(one.stream) for one in self.fragments if one is not left_out}
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(to, len(self.held), 1)])[to].result(60)
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for message in messages(self.bootstrap, topic):
            number = (message.key() or b"").decode()
            if number in of:
                producer.produce(to, message.value(), number, of[number])
        assert producer.flush(60) == 0


@pytest.fixture(scope="session")
def streams(stack: Stack, registry: str, read: Callable[[str, int], list[Fragment]], tmp_path_factory: pytest.TempPathFactory) -> Streams:
    # The second one has sound, whose frames are key frames all.
    files = {"java-door": ROOT / "dev/demo/clip.mkv", "java-hall": make_clip(tmp_path_factory.mktemp("java") / "clip.mkv")}
    simulator = stack.start_simulator(files, "--repeat", str(PLAYS), "--pace", "max")
    topics = {"topic": "java.fragments", "metadata_topic": "java.metadata"}
    stack.connect("java", simulator, list(files), schema_registry_url=registry, **topics)
    held = {stream: stack.held(simulator, stream) for stream in files}
    fragments = read("java.metadata", sum(len(rows) for rows in held.values()))
    for topic in topics.values():
        abort_copies(stack.bootstrap, topic)
    return Streams(stack, registry, held, fragments)


def messages(bootstrap: str, topic: str) -> list[Message]:
    """Returns the committed records of a topic as they are."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "messages", "enable.partition.eof": True})
    partitions = [TopicPartition(topic, partition, 0) for partition in consumer.list_topics(topic, 60).topics[topic].partitions]
    consumer.assign(partitions)
    found, ends = [], 0
    while ends < len(partitions):
        message = consumer.poll(60)
        assert message is not None, f"{topic} cannot be read"
        error = message.error()
        if error is None:
            found.append(message)
            continue
        assert error.code() == KafkaError._PARTITION_EOF, error
        ends += 1
    consumer.close()
    return found


def abort_copies(bootstrap: str, topic: str) -> None:
    """Leaves records of an aborted transaction, which nobody is to see."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"aborts-{topic}"})
    producer.init_transactions(60)
    producer.begin_transaction()
    for message in messages(bootstrap, topic)[:5]:
        producer.produce(topic, message.value(), message.key(), message.partition() or 0)
    producer.flush(60)
    producer.abort_transaction(60)


def jars(name: str) -> Path:
    """Returns the folder of libraries of `dev/sdks NAME`."""
    run = subprocess.run([ROOT / "dev/sdks", name], check=True, text=True, stdout=subprocess.PIPE)
    return Path(run.stdout.strip())


def assert_same_versions(example: str, libraries: Path) -> None:
    """Holds the versions that a pom.xml names against the libraries with which its example is tested."""
    pom = (ROOT / "examples" / example / "pom.xml").read_text("utf-8")
    for name, value in re.findall(r"<([a-z]+\.version)>(.*?)<", pom):
        pom = pom.replace(f"${{{name}}}", value)
    named = re.findall(r"<dependency>.*?<artifactId>(.*?)</artifactId><version>(.*?)</version>(<scope>runtime</scope>)?", pom)
    assert named
    for artifact, version, is_runtime in named:
        # What is for the user's eyes alone, such as where logs go, is not in the folder.
        assert is_runtime or (libraries / f"{artifact}-{version}.jar").is_file(), f"{artifact} {version} is not what is tested"


class Example:
    """A copy of an example's folder, in which the commands of its README run."""

    def __init__(self, name: str, libraries: Path, streams: Streams, folder: Path) -> None:
        self.folder = folder / name
        shutil.copytree(ROOT / "examples" / name, self.folder, ignore=shutil.ignore_patterns("target"))
        for file in self.folder.iterdir():
            file.write_text(file.read_text("utf-8").replace("kvs.fragments", "java.fragments").replace("kvs.metadata", "java.metadata"))
        programs, temporary = folder / "programs", folder / "temporary"
        programs.mkdir()
        temporary.mkdir()
        (programs / "mvn").write_text(MAVEN)
        (programs / "mvn").chmod(0o755)
        self._head = f'set -eu\nPATH="{programs}:$PATH"\ncd "{self.folder}"\n'
        self._environment = {
            "BOOTSTRAP_SERVERS": streams.stack.bootstrap,
            "SCHEMA_REGISTRY_URL": streams.registry,
            "LIBRARIES": str(libraries),
            # Flink unpacks its planner there.
            "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary}",
        }
        self._started: list[Process] = []

    def commands(self, part: str) -> str:
        """Returns the block of commands of the README that has this part in it."""
        blocks = re.findall(r"^```sh\n(.*?)^```", (self.folder / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
        found: list[str] = [block for block in blocks if part in block]
        assert len(found) == 1, f"{len(found)} blocks have {part}"
        # The folder is another one here, and so are the addresses.
        return re.sub(r"^(cd|\. stack/env).*\n", "", found[0], flags=re.MULTILINE)

    def start(self, commands: str) -> Process:
        """Starts commands in the example's folder. They are stopped at the end of the test, if not before."""
        log = self.folder.parent / f"output-{len(self._started)}.log"
        process = Process(["bash", "-c", self._head + commands], log, self._environment)
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()


@pytest.fixture
def example(streams: Streams, tmp_path: Path) -> Iterator[Callable[[str, str], Example]]:
    """Returns what copies an example that runs with the libraries of `dev/sdks NAME`."""
    copies: list[Example] = []

    def copy(name: str, sdk: str) -> Example:
        libraries = jars(sdk)
        assert_same_versions(name, libraries)
        copies.append(Example(name, libraries, streams, tmp_path))
        return copies[-1]

    yield copy
    for one in copies:
        one.close()
