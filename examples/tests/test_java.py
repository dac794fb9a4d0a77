"""The consumer in Java sees each fragment once, with its numbers and its media, when it is run as its README says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition
from stack import wait_for

if TYPE_CHECKING:
    from java_stack import Example, Streams

pytest_plugins = ["java_stack"]

GROUP = "java-example"
LINE = re.compile(r"^(\S+) (\d+) (\S+): (\d+) bytes, (\d+) frames, (\d+) of them key frames$", re.MULTILINE)


def has_read_all(bootstrap: str, topic: str) -> bool:
    """Whether the group has committed the ends of all partitions, which it does when it has printed what is before them."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP})
    try:
        partitions = [TopicPartition(topic, partition) for partition in consumer.list_topics(topic, 60).topics[topic].partitions]
        ends = [consumer.get_watermark_offsets(partition, 60)[1] for partition in partitions]
        return [partition.offset for partition in consumer.committed(partitions, 60)] == ends
    finally:
        consumer.close()


def test_each_fragment_once(streams: Streams, example: Callable[[str, str], Example]) -> None:
    consumer = example("java-consumer", "registry-java")
    program = consumer.start(consumer.commands("target/media"))

    def is_done() -> bool:
        program.expect_alive()
        return has_read_all(streams.bootstrap, "java.fragments")

    wait_for("all to be read", is_done)
    program.kill()

    printed = [
        (stream, number, datetime.fromisoformat(utc.replace("Z", "+00:00")), int(size), int(frames), int(keys))
        for stream, number, utc, size, frames, keys in LINE.findall(program.text())
    ]
    expected = [
        (one.stream, one.number, one.producer_utc, one.size_bytes, len(one.index), sum(entry.key for entry in one.index))
        for one in streams.fragments
    ]
    assert sorted(printed) == sorted(expected)
    saved = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (consumer.folder / "target/media").iterdir()}
    held = [(stream, row) for stream, rows in streams.held.items() for row in rows]
    assert len(printed) == len(held)
    assert saved == {f"{stream}-{row['fragmentNumber']}.mkv": row["sha256"] for stream, row in held}
