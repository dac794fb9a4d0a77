"""What is raised while partitions are assigned: whoever catches it and goes on reads them from where they are to be begun."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import Producer
from conftest import Published
from test_consumer import committed
from test_kills import results_of

from kvs_connect import ConfigurationError, FragmentConsumer, KafkaFailedError, partitions
from kvs_connect.start import start_offsets

GROUP: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
STRATEGIES = ["cooperative-sticky", "range"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_offsets_that_a_database_gives_at_the_second_attempt(published: Published, name: str, strategy: str) -> None:
    numbers = published.numbers("clip")
    config = {**GROUP, "partition.assignment.strategy": strategy}
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
        stored = {fragment.position[:2]: fragment.position.offset + 1 for fragment, _ in zip(consumer, range(3), strict=False)}
    attempts = 0

    def offsets(partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        nonlocal attempts
        attempts += 1
        if attempts <= 3:
            raise OSError("the database is locked")
        return stored

    found = []
    with FragmentConsumer(
        "plain.fragments", published.bootstrap, group_id=name, offsets=offsets, streams="clip", until_end=True, config=config
    ) as consumer:
        while not consumer.is_ended:
            with contextlib.suppress(OSError):
                found += [fragment.number for fragment in consumer]
    assert attempts == 4
    assert found == numbers[3:]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_assignment_that_fails_is_made_again(
    published: Published,
    name: str,
    create_topic: Callable[[str, int], None],
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
) -> None:
    """And what is aborted afterwards is read again."""
    results = f"{name}.results"
    create_topic(results, 1)
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    producer.init_transactions(60)
    failures, aborted = 2, 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise KafkaFailedError("consumer group", -185, "the brokers do not respond")
        return start_offsets(*arguments, **options)

    monkeypatch.setattr(partitions, "start_offsets", failing)
    config = {**GROUP, "partition.assignment.strategy": strategy}
    with FragmentConsumer(
        "plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True, config=config
    ) as consumer:
        while not consumer.is_ended:
            with contextlib.suppress(KafkaFailedError, ZeroDivisionError):
                for fragment in consumer:
                    with consumer.transaction(producer):
                        producer.produce(results, fragment.number)
                        if aborted < 3 and fragment.number == published.numbers("clip")[3]:
                            aborted += 1
                            raise ZeroDivisionError
    assert (failures, aborted) == (0, 3)
    assert results_of(published.bootstrap, results) == published.numbers("clip")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_partitions_that_were_never_begun_go_to_another_member(published: Published, name: str, strategy: str) -> None:
    config = {**GROUP, "partition.assignment.strategy": strategy}

    def locked(partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        raise OSError("the database is locked")

    def take_nothing(consumer: FragmentConsumer) -> None:
        with contextlib.suppress(OSError):
            assert consumer.take(0.5) is None

    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, offsets=locked, config=config) as first:
        while not first._partitions.waiting:
            take_nothing(first)
        with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, offsets={}, config=config) as second:
            while not second._partitions.assigned:
                take_nothing(first)
                second.take(0.1)
            while first._partitions.waiting and len(first._partitions.waiting) + len(second._partitions.assigned) != 3:
                take_nothing(first)
                second.take(0.1)
            assert not second._partitions.assigned & set(first._partitions.waiting)
            assert not first._partitions.assigned


def test_what_is_committed_in_a_loop_over_pictures_has_come(published: Published, name: str) -> None:
    """A decoder has read on by then."""
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True) as consumer:
        frames = consumer.frames("gray")
        first = next(frames)
        consumer.commit()
        with pytest.raises(ConfigurationError, match="offsets are of whole records"):
            consumer.offsets()
        position = frames._pipeline.held()[0]
        assert committed(published, name).get(position.partition, 0) <= position.offset
        rest = list(frames)
    assert (first.index, len(rest)) == (0, 6 * 8 - 1)
