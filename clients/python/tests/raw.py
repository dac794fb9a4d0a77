"""Records as they are in Kafka: read from one topic, and written to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import Message, Producer
from conftest import Published

from kvs_connect import FragmentConsumer


def messages_of(published: Published, stream: str, topic: str = "plain.fragments") -> list[Message]:
    """Returns the records of a stream as they are in Kafka."""
    found: list[Message] = []
    with FragmentConsumer(topic, published.bootstrap, until_end=True, streams=stream) as consumer:
        decode = consumer._decode

        def kept(message: Message, position: Any) -> Any:
            found.append(message)
            return decode(message, position)

        consumer._decode = kept  # type: ignore[method-assign]
        list(consumer)
    return found


def send(published: Published, topic: str, messages: list[Message], partition: Callable[[int], int] = lambda _: 0) -> None:
    producer = Producer({"bootstrap.servers": published.bootstrap})
    for number, message in enumerate(messages):
        producer.produce(topic, message.value(), partition=partition(number), headers=message.headers())
    assert producer.flush(60) == 0
