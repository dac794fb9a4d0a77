"""What a topic has now, for a read_committed reader, and how far a group is."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition


def messages(bootstrap: str, topic: str) -> list[Message]:
    """Returns the committed messages; none if there is no such topic yet."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tests", "enable.partition.eof": True})
    try:
        known = consumer.list_topics(timeout=60).topics.get(topic)
        partitions = list(known.partitions) if known else []
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        found: list[Message] = []
        at_end: set[int | None] = set()
        while len(at_end) < len(partitions):
            message = consumer.poll(1.0)
            error = message.error() if message else None
            if message and error is None:
                found.append(message)
            elif message and error and error.code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition())
        return found
    finally:
        consumer.close()


def values(bootstrap: str, topic: str) -> list[bytes]:
    """Returns the committed values."""
    return [value for message in messages(bootstrap, topic) if (value := message.value()) is not None]


def committed(bootstrap: str, group: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Returns the offsets that a group has committed."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        found = consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=60)
        return {one.partition: one.offset for one in found if one.offset >= 0}
    finally:
        consumer.close()
