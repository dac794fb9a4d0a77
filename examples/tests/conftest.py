"""One stack for all examples: Kafka, a schema registry, twenty cameras, and a worker that has published all of their fragments.

The programs are named by KVS_CONNECT_BIN, KVS_SIMULATOR_BIN, KVS_KAFKA and KVS_REGISTRY, the connector's `dev/kafka/kafka` and
`dev/registry/registry`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "clients/python/src"), str(ROOT / "clients/python/tests")]

from stack import Process, Stack, http, running, wait_for  # noqa: E402

from kvs_connect import Fragment, FragmentConsumer, TopicMissingError  # noqa: E402

STREAMS = [f"camera-{number:02}" for number in range(20)]
PLAYS = 3
CLIP_FRAGMENTS = 6
CLIP = ROOT / "dev/demo/clip.mkv"


@dataclass
class Published:
    """What the topics have, and how an example is started."""

    stack: Stack
    registry: str
    fragments: list[Fragment]

    @property
    def bootstrap(self) -> str:
        return self.stack.bootstrap

    def environment(self) -> dict[str, str]:
        path = str(ROOT / "clients/python/src")
        return {"PYTHONPATH": path, "SCHEMA_REGISTRY_URL": self.registry, "BOOTSTRAP_SERVERS": self.bootstrap}

    def start(self, program: str, *arguments: str | Path) -> Process:
        """Starts an example, with a log of its own. It is stopped at the end of the session, if not before."""
        log = self.stack.folder / f"{Path(program).stem}-{len(self.stack._processes)}.log"
        process = Process([sys.executable, ROOT / "examples" / program, *arguments], log, self.environment())
        self.stack._processes.append(process)
        return process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs other tests while Kafka waits for consumers that were killed, those of their groups before that."""

    def turn(item: pytest.Item) -> int:
        if item.path.name == "test_restarts.py":
            return 1 if item.name == "test_they_are_killed" else 3
        return 0 if item.path.name == "test_bad_input.py" else 2

    items.sort(key=turn)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    connect, simulator, kafka = (Path(os.environ[name]) for name in ("KVS_CONNECT_BIN", "KVS_SIMULATOR_BIN", "KVS_KAFKA"))
    with running(tmp_path_factory.mktemp("stack"), connect, simulator, kafka) as stack:
        yield stack


@pytest.fixture(scope="session")
def registry(stack: Stack) -> str:
    url = stack.start_registry(Path(os.environ["KVS_REGISTRY"]))
    part_ids(url)
    return url


def part_ids(url: str) -> None:
    """Has a registry count contents, whose ids records have, further than versions: it does when several register at once."""
    with ThreadPoolExecutor(8) as several:
        for number in range(100):
            schema = json.dumps({"type": "fixed", "name": f"R{number}", "size": 1})
            posts = [several.submit(http, "POST", f"{url}/subjects/unrelated-{number}/versions", {"schema": schema}) for _ in range(8)]
            for post in posts:
                post.result()
            artifact = url.replace("/apis/ccompat/v7", f"/apis/registry/v2/groups/default/artifacts/unrelated-{number}/meta")
            _, meta = http("GET", artifact)
            if meta["contentId"] != meta["globalId"]:
                return
    raise AssertionError("the registry's ids of contents and of versions stay the same")


@pytest.fixture(scope="session")
def read(stack: Stack, registry: str) -> Callable[[str, int], list[Fragment]]:
    """Returns what a topic has when it has so many fragments."""

    def read(topic: str, count: int) -> list[Fragment]:
        def arrived() -> list[Fragment]:
            try:
                with FragmentConsumer(topic, stack.bootstrap, schema_registry=registry, until_end=True) as consumer:
                    fragments = list(consumer)
            except TopicMissingError:
                return []
            return fragments if len(fragments) >= count else []

        found: list[Fragment] = wait_for(f"{count} fragments in {topic}", arrived)
        return found

    return read


@pytest.fixture(scope="session")
def published(stack: Stack, registry: str, read: Callable[[str, int], list[Fragment]]) -> Published:
    simulator = stack.start_simulator(dict.fromkeys(STREAMS, CLIP), "--repeat", str(PLAYS), "--pace", "max")
    topics = {"topic": "kvs.fragments", "metadata_topic": "kvs.metadata", "frames_topic": "kvs.frames"}
    stack.connect("cameras", simulator, STREAMS, schema_registry_url=registry, **topics)
    fragments = read("kvs.metadata", len(STREAMS) * PLAYS * CLIP_FRAGMENTS)
    return Published(stack, registry, fragments)
