"""What is killed loses nothing: the worker, a consumer, and with transactions nothing counts twice either."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from conftest import wait_published
from stack import Process, Stack, wait_for

from kvs_connect import FragmentConsumer

HERE = Path(__file__).parent
KILLS = 2


def lines(file: Path) -> list[str]:
    # The last one may be half written.
    return file.read_text().split("\n")[:-1] if file.exists() else []


def results_of(bootstrap: str, topic: str) -> list[str]:
    """Returns the committed records of a topic with one partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    found: list[str] = []
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                return found
            found.append((message.value() or b"").decode())
    finally:
        consumer.close()


@dataclass
class Many:
    """A topic with enough fragments to be killed in the midst of them."""

    bootstrap: str
    topic: str
    fragments: list[str]


@pytest.fixture(scope="module")
def many(stack: Stack, clip: Path) -> Many:
    streams = ["many-0", "many-1"]
    simulator = stack.start_simulator(dict.fromkeys(streams, clip), "--repeat", "6", "--pace", "max")
    stack.connect("many", simulator, streams)
    wait_published(stack.bootstrap, "many.fragments", 2 * 6 * 6)
    fragments = [f"{stream} {row['fragmentNumber']}" for stream in streams for row in stack.held(simulator, stream)]
    return Many(stack.bootstrap, "many.fragments", fragments)


def test_a_worker_that_is_killed_loses_nothing(stack: Stack, clip: Path, name: str) -> None:
    simulator = stack.start_simulator({f"{name}-{number}": clip for number in range(2)}, "--repeat", "8", "--fragments-per-second", "12")
    streams = [f"{name}-{number}" for number in range(2)]
    stack.connect(name, simulator, streams)
    total = 2 * 8 * 6
    wait_for("the topic", lambda: name + ".fragments" in topics(stack))
    found: dict[str, list[tuple[str, int | None]]] = {stream: [] for stream in streams}
    with FragmentConsumer(f"{name}.fragments", stack.bootstrap, idle_timeout_s=120) as consumer:
        for count, fragment in enumerate(consumer, 1):
            found[fragment.stream].append((fragment.number, fragment.sequence))
            assert len(fragment.payload) == fragment.size_bytes
            if count == total // 4:
                stack.kill_worker()
                stack.start_worker()
            if count == total:
                break
    for stream in streams:
        held = [row["fragmentNumber"] for row in stack.held(simulator, stream)]
        assert found[stream] == list(zip(held, range(len(held)), strict=True))


def topics(stack: Stack) -> set[str]:
    from confluent_kafka.admin import AdminClient

    return set(AdminClient({"bootstrap.servers": stack.bootstrap}).list_topics(timeout=30).topics)


def kill_while_it_works(
    start: Callable[[], Process], count: Callable[[], int], total: int, is_complete: Callable[[], bool] | None = None
) -> None:
    """Starts a program again and again, kills it when it has got somewhere, and lets it finish in the end."""
    for kill in range(1, KILLS + 1):
        process = start()
        wanted = total * kill // (KILLS + 1)

        def is_far_enough(process: Process = process, wanted: int = wanted) -> bool:
            process.expect_alive()
            return count() >= wanted

        wait_for(f"{wanted} of {total}", is_far_enough)
        process.kill()
        assert count() < total, "the program was done before it was killed"
    process = start()
    try:

        def is_done() -> bool:
            process.expect_alive()
            return is_complete() if is_complete else count() >= total

        wait_for("all of it", is_done)
    finally:
        process.kill()


def test_a_consumer_that_is_killed_loses_no_fragment(many: Many, name: str, tmp_path: Path) -> None:
    expected = set(many.fragments)
    file = tmp_path / "numbers"

    def start() -> Process:
        program = HERE / "program_appends.py"
        return Process([sys.executable, program, many.bootstrap, many.topic, name, file, "fragments"], tmp_path / "log")

    kill_while_it_works(start, lambda: len(set(lines(file))), len(expected))
    found = Counter(lines(file))
    assert set(found) == expected
    # What was finished and not yet committed comes again, and nothing else.
    assert max(found.values()) <= 1 + KILLS


def test_a_consumer_that_is_killed_loses_no_picture(many: Many, name: str, tmp_path: Path) -> None:
    with FragmentConsumer(many.topic, many.bootstrap, streams="many-0", until_end=True) as consumer:
        expected = {f"{frame.stream} {frame.fragment_number} {frame.index}" for frame in consumer.frames("gray")}
    assert len(expected) == 6 * 48
    file = tmp_path / "pictures"

    def start() -> Process:
        program = HERE / "program_appends.py"
        return Process([sys.executable, program, many.bootstrap, many.topic, name, file, "pictures"], tmp_path / "log")

    kill_while_it_works(start, lambda: len(set(lines(file))), len(expected))
    assert set(lines(file)) == expected


def test_results_and_offsets_are_one(many: Many, name: str, tmp_path: Path, create_topic: Callable[[str, int], None]) -> None:
    expected = Counter(many.fragments)
    results = f"{name}.results"
    create_topic(results, 1)
    file = tmp_path / "progress"

    def start() -> Process:
        program = HERE / "program_copies.py"
        return Process([sys.executable, program, many.bootstrap, many.topic, name, results, file], tmp_path / "log")

    def is_complete() -> bool:
        return len(results_of(many.bootstrap, results)) >= sum(expected.values())

    kill_while_it_works(start, lambda: len(lines(file)), sum(expected.values()), is_complete)
    assert Counter(results_of(many.bootstrap, results)) == expected
