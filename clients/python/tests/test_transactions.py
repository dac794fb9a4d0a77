"""Results and offsets together: partitions that go elsewhere in between, producers that are fenced, awaits that are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from conftest import Published
from raw import messages_of, send
from stack import wait_for
from test_kills import results_of

from kvs_connect import AsyncFragmentConsumer, FragmentConsumer, KvsConnectError, TransactionFailedError
from kvs_connect import transaction as transaction_module

SETTINGS: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}


def test_a_partition_that_goes_elsewhere_takes_its_results_along(
    published: Published, name: str, create_topic: Callable[[str, int], None]
) -> None:
    """A transaction of several fragments, in the midst of which another member joins the group."""
    topic, results = f"{name}.topic", f"{name}.results"
    create_topic(topic, 2)
    create_topic(results, 1)
    clip = messages_of(published, "clip")
    send(published, topic, clip * 2, lambda number: number % 2)
    expected = sorted(f"{partition} {offset}" for partition in (0, 1) for offset in range(len(clip)))

    def member() -> FragmentConsumer:
        return FragmentConsumer(topic, published.bootstrap, group_id=name, config=SETTINGS, idle_timeout_s=300)

    def producer(number: int) -> Producer:
        return Producer({"bootstrap.servers": published.bootstrap, "transactional.id": f"{name}-{number}"})

    def result(of: Any) -> str:
        return f"{of.position.partition} {of.position.offset}"

    stop = threading.Event()

    def second() -> None:
        own = producer(2)
        with member() as consumer:
            while not stop.is_set():
                fragment = consumer.take(0.2)
                if fragment is not None:
                    with consumer.transaction(own):
                        own.produce(results, result(fragment))

    thread = threading.Thread(target=second)
    own = producer(1)
    with member() as consumer:
        with consumer.transaction(own) as transaction:
            for _ in expected:
                fragment = consumer.take(120)
                assert fragment is not None
                own.produce(results, result(fragment))
            thread.start()

            def is_shared() -> bool:
                consumer.take(0.2)
                return len(consumer._partitions.assigned) == 1

            wait_for("a partition to go to the other member", is_shared)
        assert not transaction.is_committed
        while len(results_of(published.bootstrap, results)) < len(expected):
            fragment = consumer.take(0.5)
            if fragment is not None:
                with consumer.transaction(own):
                    own.produce(results, result(fragment))
        stop.set()
        thread.join()
    assert sorted(results_of(published.bootstrap, results)) == expected


def test_offsets_for_a_database_are_refused_where_a_partition_has_gone(published: Published, name: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, offsets={}, streams="clip", config=SETTINGS) as consumer:
        first = next(consumer)
        assert consumer.offsets()[first.position[:2]] == first.position.offset + 1
        second, third = next(consumer), next(consumer)
        consumer._partitions.take_away([("another", 0)])
        assert consumer.offsets()[third.position[:2]] == third.position.offset + 1
        next(consumer)
        consumer._partitions.take_away([second.position[:2]])
        with pytest.raises(TransactionFailedError, match="roll back"):
            consumer.offsets()
        assert consumer.offsets().get(second.position[:2]) is None


def test_every_transaction_of_a_fenced_producer_is_refused_and_nothing_is_passed_over(
    published: Published, name: str, create_topic: Callable[[str, int], None]
) -> None:
    results = f"{name}.results"
    create_topic(results, 1)
    settings = {"bootstrap.servers": published.bootstrap, "transactional.id": name}
    fenced = Producer(settings)
    numbers = published.numbers("clip")
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
        for fragment in itertools.islice(consumer, 1):
            with consumer.transaction(fenced):
                fenced.produce(results, fragment.number)
        newer = Producer(settings)
        newer.init_transactions(60)
        for _ in range(3):
            fragment = next(consumer)
            assert fragment.number == numbers[1]
            with pytest.raises(KvsConnectError) as raised:
                with consumer.transaction(fenced):
                    fenced.produce(results, fragment.number)
            assert isinstance(raised.value, TransactionFailedError)
        while len(results_of(published.bootstrap, results)) < len(numbers):
            fragment = next(consumer)
            with consumer.transaction(newer):
                newer.produce(results, fragment.number)
    assert results_of(published.bootstrap, results) == numbers


def test_what_a_transaction_needs_is_said(published: Published, name: str) -> None:
    settings = {"bootstrap.servers": published.bootstrap}
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
        next(consumer)
        nameless = Producer(settings)
        with pytest.raises(TransactionFailedError, match=r"give the producer a transactional\.id"):
            with consumer.transaction(nameless):
                pass
        producer = Producer({**settings, "transactional.id": name})
        assert next(consumer).number == published.numbers("clip")[0]
        with pytest.raises(TransactionFailedError, match="open already"):
            with consumer.transaction(producer), consumer.transaction(producer):
                pass


@pytest.mark.parametrize("hangs", [False, True])
def test_a_commit_of_which_nobody_knows_whether_it_counts(
    published: Published, name: str, create_topic: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    results = f"{name}.results"
    create_topic(results, 1)
    done, is_committed = threading.Event(), list[bool]()

    class Unlucky(Producer):
        """Commits, and its answer does not arrive."""

        def commit_transaction(self, *arguments: Any) -> None:
            if not is_committed:
                super().commit_transaction(60)
                is_committed.append(True)
            if hangs:
                done.wait()
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", False, True, False))

    monkeypatch.setattr(transaction_module, "_GRACE_S", 1.0)
    settings: dict[str, Any] = {"bootstrap.servers": published.bootstrap, "transactional.id": name}
    numbers = published.numbers("clip")
    unlucky = Unlucky(settings)
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", config=SETTINGS) as consumer:
        next(consumer)
        with pytest.raises(TransactionFailedError, match="not known whether the results count") as raised:
            with consumer.transaction(unlucky, timeout_s=10.0):
                unlucky.produce(results, numbers[0])
        assert raised.value.is_unknown
        for use in (consumer.take, consumer.commit, lambda: next(consumer)):
            with pytest.raises(TransactionFailedError, match="not known"):
                use()
    done.set()
    producer = Producer(settings)
    producer.init_transactions(60)
    with FragmentConsumer(
        "plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True, config=SETTINGS
    ) as again:
        for fragment in again:
            with again.transaction(producer):
                producer.produce(results, fragment.number)
    assert results_of(published.bootstrap, results) == numbers


def leave_open(published: Published, group: str, transactional_id: str) -> Producer:
    """Leaves what a program leaves that is killed while it commits its first two fragments."""
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(60)
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=group, streams="clip", config=SETTINGS) as consumer:
        fragments = [next(consumer) for _ in range(2)]
        consumer._committer.is_on = False
        producer.begin_transaction()
        topic, partition, offset = fragments[-1].position
        positions = [TopicPartition(topic, partition, offset + 1)]
        producer.send_offsets_to_transaction(positions, consumer._consumer.consumer_group_metadata(), 60)
    return producer


def test_offsets_of_an_open_transaction_are_waited_for(published: Published, name: str, caplog: pytest.LogCaptureFixture) -> None:
    killed = leave_open(published, name, name)
    found: list[str] = []

    def read() -> None:
        # Less time than the transaction is open.
        with FragmentConsumer(
            "plain.fragments",
            published.bootstrap,
            group_id=name,
            streams="clip",
            connect_timeout_s=1.0,
            idle_timeout_s=300,
            config=SETTINGS,
        ) as consumer:
            found.append(next(consumer).number)

    thread = threading.Thread(target=read)
    thread.start()
    wait_for("it to say what it waits for", lambda: "init_transactions()" in caplog.text or not thread.is_alive())
    killed.commit_transaction(60)
    thread.join()
    assert found == [published.numbers("clip")[2]]


def test_a_wait_for_an_open_transaction_can_be_stopped(published: Published, name: str, caplog: pytest.LogCaptureFixture) -> None:
    killed = leave_open(published, name, name)
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, connect_timeout_s=1.0, config=SETTINGS) as consumer:

        def stop() -> None:
            wait_for("it to say what it waits for", lambda: "init_transactions()" in caplog.text)
            consumer.stop()

        stopping = threading.Thread(target=stop)
        stopping.start()
        assert list(consumer) == []
        stopping.join()
    killed.abort_transaction(60)


def test_a_producer_that_is_ready_first_ends_what_a_killed_program_has_left(published: Published, name: str) -> None:
    leave_open(published, name, name)
    own = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    own.init_transactions(60)
    numbers = published.numbers("clip")
    with FragmentConsumer(
        "plain.fragments", published.bootstrap, group_id=name, streams="clip", connect_timeout_s=5.0, config=SETTINGS
    ) as consumer:
        assert next(consumer).number == numbers[0]
        with consumer.transaction(own) as transaction:
            pass
        assert transaction.is_committed
        assert next(consumer).number == numbers[1]


def test_a_transaction_that_is_cancelled_while_it_begins_is_not_left_open(published: Published, name: str) -> None:
    async def main() -> bool:
        producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
        async with AsyncFragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip") as consumer:
            await anext(aiter(consumer))

            async def block() -> None:
                async with consumer.transaction(producer):
                    await asyncio.sleep(300)

            for pause_s in (0.0, 0.001, 0.005, 0.02):
                task = asyncio.create_task(block())
                await asyncio.sleep(pause_s)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await anext(aiter(consumer))
            async with consumer.transaction(producer) as transaction:
                pass
            return transaction.is_committed

    assert asyncio.run(main())
