"""What is committed, and when; rebalances; transactions; offsets in a database; asyncio; batches."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import media
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from conftest import Published
from stack import wait_for
from test_kills import results_of

from kvs_connect import (
    AsyncFragmentConsumer,
    AsyncFrameConsumer,
    ConfigurationError,
    Fragment,
    FragmentConsumer,
    FrameConsumer,
    TransactionFailedError,
    batched,
)

PARTITIONS = 3


def committed(published: Published, group: str, topic: str = "plain.fragments") -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": published.bootstrap, "group.id": group})
    try:
        found = consumer.committed([TopicPartition(topic, partition) for partition in range(PARTITIONS)], timeout=60)
        return {one.partition: one.offset for one in found if one.offset >= 0}
    finally:
        consumer.close()


def read_with(published: Published, group: str, **options: object) -> list[Fragment]:
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=group, until_end=True, **options) as consumer:  # type: ignore[arg-type]
        return list(consumer)


def test_only_what_is_finished_is_committed(published: Published, name: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", commit_interval_s=0) as consumer:
        first, second, third = itertools.islice(consumer, 3)
        partition = first.position.partition
    # The third one was handed out, and nothing says that the caller was done with it.
    assert committed(published, name)[partition] == third.position.offset
    assert second.position.offset < third.position.offset
    again = read_with(published, name, streams="clip")
    assert again[0].number == third.number
    assert len(again) == 4


def test_a_program_that_fails_gets_its_fragment_again(published: Published, name: str) -> None:
    numbers = []
    with pytest.raises(ZeroDivisionError):
        with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", commit_interval_s=0) as consumer:
            for fragment in consumer:
                numbers.append(fragment.number)
                if len(numbers) == 2:
                    _ = 1 / 0
    assert [fragment.number for fragment in read_with(published, name, streams="clip")] == published.numbers("clip")[1:]


def test_commit_says_that_all_is_finished(published: Published, name: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
        list(itertools.islice(consumer, 2))
        consumer.commit()
    assert [fragment.number for fragment in read_with(published, name, streams="clip")] == published.numbers("clip")[2:]


@pytest.mark.parametrize(("kind", "topic"), [(FragmentConsumer, "plain.fragments"), (FrameConsumer, "plain.frames")])
def test_a_picture_that_was_not_finished_comes_again(
    published: Published, name: str, kind: type[FragmentConsumer] | type[FrameConsumer], topic: str
) -> None:
    """Pictures come later than their fragments are read: what a decoder still has is not finished."""
    whole = []
    with kind(topic, published.bootstrap, streams="clip", until_end=True) as consumer:
        whole = [(frame.pts_ns, media.digest(frame.image)) for frame in consumer.frames()]
    for taken in (1, 7, 9, 20):
        group = f"{name}-{taken}"
        with kind(topic, published.bootstrap, group_id=group, streams="clip", commit_interval_s=0.1) as consumer:
            found = [(frame.pts_ns, media.digest(frame.image)) for frame in itertools.islice(consumer.frames(), taken)]
        with kind(topic, published.bootstrap, group_id=group, streams="clip", until_end=True) as consumer:
            found += [(frame.pts_ns, media.digest(frame.image)) for frame in consumer.frames()]
        assert set(found) == set(whole), taken
        # The last of the first run may not have been finished; its whole group of pictures comes again, and no more than two.
        assert len(found) <= len(whole) + 2 * media.PICTURES_A_GROUP
        with kind(topic, published.bootstrap, group_id=group, streams="clip", until_end=True) as consumer:
            assert list(consumer.frames()) == []


def test_a_loop_over_pictures_that_is_left_holds_no_offset_back(published: Published, name: str) -> None:
    """The next loop over the same consumer begins with the records that were not finished, and everything is committed in the end."""
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
        whole = {frame.pts_ns for frame in consumer.frames("gray")}
    found: list[int] = []
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True) as consumer:
        for taken in (3, 12, 5):
            found += [frame.pts_ns for frame in itertools.islice(consumer.frames("gray"), taken)]
        left = consumer.frames("gray")
        found.append(next(left).pts_ns)
        # A loop over the fragments, too.
        fragment = next(consumer)
        assert next(left, None) is None
        assert fragment.start_ns is not None
        assert fragment.start_ns <= found[-1]
        numbers = [fragment.number, *(one.number for one in consumer)]
    assert numbers == published.numbers("clip")[-len(numbers) :]
    assert {pts_ns for pts_ns in whole if pts_ns < fragment.start_ns} <= set(found)
    assert read_with(published, name, streams="clip") == []


def test_a_rebalance_loses_nothing(published: Published, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A second member joins while the first works, and the first one leaves while the second works."""
    topic, expected = "plain.fragments", {(stream, number) for stream in published.files for number in published.numbers(stream)}
    # Only rebalances and the end commit anything.
    settings: dict[str, Any] = {"group_id": name, "commit_interval_s": 3600.0, "config": {"heartbeat.interval.ms": 300}}
    finished: list[tuple[str, str]] = []
    seen: list[tuple[str, str]] = []
    failures: list[BaseException] = []

    def second() -> None:
        try:
            with FragmentConsumer(topic, published.bootstrap, idle_timeout_s=120, **settings) as consumer:
                for fragment in consumer:
                    seen.append((fragment.stream, fragment.number))
                    if {*seen, *finished} == expected:
                        consumer.stop()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=second)
    with FragmentConsumer(topic, published.bootstrap, **settings) as consumer:
        for fragment in itertools.islice(iter(lambda: consumer.take(60), None), len(expected) // 2):
            consumer.finish(fragment)
            finished.append((fragment.stream, fragment.number))
        thread.start()

        # It takes part in the rebalance, and finishes nothing more: what it holds comes to the other one.
        def has_less() -> bool:
            consumer.take(0.1)
            return bool(failures) or len(consumer._partitions.assigned) < PARTITIONS

        wait_for("the other one's share", has_less)
    thread.join(240)
    assert not thread.is_alive()
    assert failures == []
    assert {*seen, *finished} == expected
    # What was finished is committed before its partition goes elsewhere, unless Kafka refuses that in the midst of a rebalance.
    if "could not be committed" not in caplog.text:
        assert not set(seen) & set(finished)


def test_a_transaction_that_fails_is_done_again(published: Published, name: str, create_topic: Callable[[str, int], None]) -> None:
    results = f"{name}.results"
    create_topic(results, 1)
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    handed_out = []
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True) as consumer:
        for fragment in consumer:
            handed_out.append(fragment.number)
            try:
                with consumer.transaction(producer) as transaction:
                    producer.produce(results, fragment.number)
                    if len(handed_out) in (1, 3):
                        raise ZeroDivisionError
                assert transaction.is_committed
            except ZeroDivisionError:
                assert not transaction.is_committed
    numbers = published.numbers("clip")
    assert handed_out == [numbers[0], *numbers[:2], numbers[1], *numbers[2:]]
    assert results_of(published.bootstrap, results) == numbers
    assert read_with(published, name, streams="clip") == []


def test_a_producer_that_is_fenced_is_said(published: Published, name: str, create_topic: Callable[[str, int], None]) -> None:
    results = f"{name}.results"
    create_topic(results, 1)
    settings = {"bootstrap.servers": published.bootstrap, "transactional.id": name}
    producer = Producer(settings)
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
        next(consumer)
        with pytest.raises(TransactionFailedError):
            with consumer.transaction(producer):
                Producer(settings).init_transactions(60)
                producer.produce(results, "x")
        # Its fragment comes again.
        assert next(consumer).number == published.numbers("clip")[0]
    assert results_of(published.bootstrap, results) == []


def test_results_without_a_topic_are_said(published: Published, name: str) -> None:
    settings = {"bootstrap.servers": published.bootstrap, "transactional.id": name, "topic.metadata.propagation.max.ms": 0}
    producer = Producer(settings)
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
        next(consumer)
        with pytest.raises(TransactionFailedError, match="Does its topic exist"):
            with consumer.transaction(producer):
                producer.produce(f"{name}.nowhere", "x")
        assert next(consumer).number == published.numbers("clip")[0]


def test_a_transaction_has_whole_records(published: Published, name: str) -> None:
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True) as consumer:
        frames = consumer.frames()
        next(frames)
        with pytest.raises(ConfigurationError, match="whole records"):
            consumer.transaction(producer)
        frames.close()
    with FragmentConsumer("plain.fragments", published.bootstrap) as consumer:
        with pytest.raises(ConfigurationError, match="group_id"):
            consumer.transaction(producer)


def test_offsets_in_a_database(published: Published, name: str, tmp_path: Path) -> None:
    """Results and offsets in one transaction of a database: a program that fails anywhere counts everything once."""
    database = sqlite3.connect(tmp_path / "results.db")
    database.execute("CREATE TABLE results (stream TEXT, number TEXT)")
    database.execute("CREATE TABLE offsets (topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (topic, partition))")
    asked = []

    def stored(partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        asked.append(partitions)
        return {(topic, partition): offset for topic, partition, offset in database.execute("SELECT * FROM offsets")}

    def run(fail_after: int) -> None:
        with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, offsets=stored, until_end=True) as consumer:
            for count, fragment in enumerate(consumer):
                with database:
                    database.execute("INSERT INTO results VALUES (?, ?)", (fragment.stream, fragment.number))
                    rows = [(*partition, offset) for partition, offset in consumer.offsets().items()]
                    database.executemany("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", rows)
                    if count == fail_after:
                        raise ZeroDivisionError

    for fail_after in (4, 9):
        with pytest.raises(ZeroDivisionError):
            run(fail_after) if len(published.files) > 1 else run(fail_after // 3)
    run(-1)
    expected = sorted((stream, number) for stream in published.files for number in published.numbers(stream))
    assert sorted(database.execute("SELECT * FROM results")) == expected
    assert asked
    assert committed(published, name) == {}


def test_what_was_aborted_is_not_read(published: Published, name: str, create_topic: Callable[[str, int], None]) -> None:
    """Values of real fragments, the first one in a transaction that is aborted."""
    create_topic(name, 1)
    raw = Consumer({"bootstrap.servers": published.bootstrap, "group.id": name, "isolation.level": "read_committed"})
    raw.assign([TopicPartition("plain.fragments", partition, 0) for partition in range(PARTITIONS)])
    values: list[bytes] = []
    while len(values) < 2:
        message = raw.poll(1.0)
        if message is not None and message.error() is None:
            values.append(message.value() or b"")
    raw.close()
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    producer.init_transactions(60)
    for value, end in zip(values, (producer.abort_transaction, producer.commit_transaction), strict=True):
        producer.begin_transaction()
        producer.produce(name, value)
        # Aborted after the broker has it.
        producer.flush(60)
        end(60)
    with FragmentConsumer(name, published.bootstrap, until_end=True) as consumer:
        (fragment,) = consumer
    assert fragment.position.offset == 2


def test_an_offset_that_is_gone_passes_nothing_over(published: Published) -> None:
    far = {("plain.fragments", partition): 1 << 40 for partition in range(PARTITIONS)}
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip", offsets=far, idle_timeout_s=3) as consumer:
        assert [fragment.number for fragment in consumer] == published.numbers("clip")


def test_asyncio(published: Published) -> None:
    async def run() -> tuple[list[str], int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        async with AsyncFragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
            numbers = [fragment.number async for fragment in consumer]
        async with AsyncFrameConsumer("plain.frames", published.bootstrap, streams="clip", until_end=True) as frames:
            pictures = [frame async for frame in frames.frames("gray")]
        ticking.cancel()
        return numbers, len(pictures), ticks

    numbers, pictures, ticks = asyncio.run(run())
    assert numbers == published.numbers("clip")
    assert pictures == 48
    assert ticks > 2


def test_an_await_that_is_cancelled_loses_nothing(published: Published) -> None:
    async def run() -> list[str]:
        numbers: list[str] = []
        async with AsyncFragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
            source = aiter_of(consumer)
            while True:
                try:
                    fragment = await asyncio.wait_for(source.__anext__(), 0.001)
                except TimeoutError:
                    continue
                except asyncio.TimeoutError:
                    # Python 3.10 has two of them.
                    continue
                except StopAsyncIteration:
                    return numbers
                numbers.append(fragment.number)

    def aiter_of(consumer: AsyncFragmentConsumer):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return consumer.__aiter__()

    assert asyncio.run(run()) == published.numbers("clip")


def test_batches_over_streams(published: Published, name: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, on_error="skip") as consumer:
        every = [(frame.stream, frame.pts_ns) for frame in consumer.frames("gray")]
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, on_error="skip") as consumer:
        batches = list(batched(consumer.frames("gray"), 32))
    assert [len(batch) for batch in batches[:-1]] == [32] * (len(every) // 32)
    assert sorted((frame.stream, frame.pts_ns) for batch in batches for frame in batch) == sorted(every)
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip") as consumer:
        # A topic that stands still: the batch that is not full comes in spite of it.
        batches = list(itertools.islice(batched(consumer.frames("gray"), 32, max_wait_s=0.5), 2))
    assert len(batches[0]) == 32
    assert 0 < len(batches[1]) < 32


def test_a_batch_is_not_finished_before_the_next_is_asked_for(published: Published, name: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", commit_interval_s=0) as consumer:
        batches = batched(consumer.frames("gray"), 20)
        next(batches)
    assert committed(published, name) == {} or read_with(published, name, streams="clip")[0].number == published.numbers("clip")[0]
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=f"{name}-2", streams="clip", commit_interval_s=0) as consumer:
        fragments = batched(consumer, 2)
        next(fragments)
        next(fragments)
    assert [fragment.number for fragment in read_with(published, f"{name}-2", streams="clip")] == published.numbers("clip")[2:]
