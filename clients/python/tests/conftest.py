"""Fixtures: one Kafka, one worker and the topics that most tests read, for the whole session.

The programs are named by KVS_CONNECT_BIN, KVS_SIMULATOR_BIN and KVS_KAFKA (the connector's `dev/kafka/kafka`). Without them the
tests that need them are skipped; so are those on real recordings without KVS_RECORDINGS.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from media import make_av1, make_clip
from stack import Stack, running, wait_for

from kvs_connect import FragmentConsumer, TopicMissingError

PROGRAMS = ("KVS_CONNECT_BIN", "KVS_SIMULATOR_BIN", "KVS_KAFKA")


@dataclass
class Published:
    """What the shared topics have: each stream, and the file that it was played from."""

    stack: Stack
    simulator: str
    files: dict[str, Path]

    @property
    def bootstrap(self) -> str:
        return self.stack.bootstrap

    def file(self, stream: str) -> Path:
        if stream not in self.files:
            pytest.skip("KVS_RECORDINGS is not set: real recordings are needed")
        return self.files[stream]

    def numbers(self, stream: str) -> list[str]:
        return [row["fragmentNumber"] for row in self.stack.held(self.simulator, stream)]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    missing = [name for name in PROGRAMS if not os.environ.get(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not set: the connector's programs are needed")
    connect, simulator, kafka = (Path(os.environ[name]) for name in PROGRAMS)
    with running(tmp_path_factory.mktemp("stack"), connect, simulator, kafka) as stack:
        yield stack


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("media") / "clip.mkv")


def recordings() -> dict[str, Path]:
    folder = os.environ.get("KVS_RECORDINGS")
    if not folder:
        return {}
    getmedia = Path(folder)
    files = [*sorted(getmedia.glob("*.mkv")), *sorted((getmedia.parent / "odd").glob("*.mkv"))]
    # One is without frames: a fragment of nothing.
    return {file.stem.replace("_", "-"): file for file in files}


@pytest.fixture(scope="session")
def published(stack: Stack, clip: Path) -> Published:
    files = {"clip": clip, "av1": make_av1(clip.with_name("av1.mkv")), **recordings()}
    simulator = stack.start_simulator(files)
    streams = list(files)
    # The service, and the simulator with it, allows three sessions of a stream.
    stack.connect("plain", simulator, streams, metadata_topic="plain.metadata", frames_topic="plain.frames")
    stack.connect(
        "parts",
        simulator,
        streams,
        payload_mode="chunked",
        payload_chunk_topic="parts.chunks",
        payload_chunk_max_bytes="20000",
        frames_topic="parts.frames",
        frames_format="mkv",
    )
    stack.connect(
        "objects",
        simulator,
        streams,
        payload_mode="reference",
        payload_store_url=f"file://{stack.folder}/objects",
        metadata_topic="objects.metadata",
        value_format="json",
        frames_topic="objects.frames",
        frames_payload_mode="none",
    )
    shared = Published(stack, simulator, files)
    total = sum(len(shared.numbers(stream)) for stream in streams)
    for name in ("plain", "parts", "objects"):
        wait_published(stack.bootstrap, f"{name}.fragments", total)
    return shared


def wait_published(bootstrap: str, topic: str, count: int, **settings: Any) -> None:
    """Waits until a topic has so many fragments."""

    def is_there() -> bool:
        try:
            with FragmentConsumer(topic, bootstrap, until_end=True, **settings) as consumer:
                return sum(1 for _ in consumer) >= count
        except TopicMissingError:
            return False

    wait_for(f"{count} fragments in {topic}", is_there)


@pytest.fixture
def name(request: pytest.FixtureRequest, counter: Iterator[int]) -> str:
    """A name that no other test has, for groups and topics."""
    return f"{request.node.name.partition('[')[0]}-{next(counter)}"


@pytest.fixture(scope="session")
def counter() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def create_topic(stack: Stack) -> Callable[[str, int], None]:
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    def create(topic: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": stack.bootstrap})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)

        def is_known() -> bool:
            found = admin.list_topics(timeout=30).topics.get(topic)
            return found is not None and len(found.partitions) == partitions

        wait_for(f"topic {topic}", is_known)

    return create
