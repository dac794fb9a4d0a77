"""asyncio: what an await that was cancelled was about to return is not the caller's, and nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient
from conftest import Published
from raw import messages_of, send
from stack import wait_for
from test_consumer import committed
from test_kills import results_of

from kvs_connect import AsyncFragmentConsumer, ConfigurationError, Fragment, FragmentConsumer, TopicMissingError

GROUP: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}


class Slow:
    """A topic with one partition, to which a test sends a record at a time; and a consumer that has had the first of them."""

    def __init__(self, published: Published, name: str) -> None:
        self.bootstrap = published.bootstrap
        self.topic = f"{name}.topic"
        self.consumer = AsyncFragmentConsumer(self.topic, self.bootstrap, group_id=name, config=GROUP)
        self._published = published
        self._messages: list[Message] = messages_of(published, "clip")
        self.sent = 0

    def send(self) -> None:
        send(self._published, self.topic, [self._messages[self.sent]])
        self.sent += 1

    async def cancelled(self) -> AsyncIterator[Fragment]:
        """Returns the fragments behind the first one; an await for the second one was cancelled, and it has come since."""
        source = aiter(self.consumer)
        assert (await anext(source)).position.offset == 0
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(anext(source), 0.3)
            raise AssertionError("there is no second fragment yet")
        await asyncio.to_thread(self.send)
        # In the consumer's thread; nobody waits for it.
        tracker = self.consumer._consumer._tracker
        await asyncio.to_thread(wait_for, "the second fragment", lambda: tracker.is_pending((self.topic, 0)))
        return source


@pytest.fixture
def slow(published: Published, name: str, create_topic: Callable[[str, int], None]) -> Slow:
    create_topic(f"{name}.topic", 1)
    found = Slow(published, name)
    found.send()
    return found


def test_a_commit_has_what_the_caller_has_had(published: Published, name: str, slow: Slow) -> None:
    async def main() -> None:
        async with slow.consumer as consumer:
            source = await slow.cancelled()
            await consumer.commit()
            assert await asyncio.to_thread(committed, published, name, slow.topic) == {0: 1}
            assert (await anext(source)).position.offset == 1
            await consumer.commit()
            assert await asyncio.to_thread(committed, published, name, slow.topic) == {0: 2}

    asyncio.run(main())


def test_offsets_are_of_what_the_caller_has_had(slow: Slow) -> None:
    async def main() -> None:
        async with slow.consumer as consumer:
            source = await slow.cancelled()
            assert await consumer.offsets() == {(slow.topic, 0): 1}
            assert (await anext(source)).position.offset == 1
            assert await consumer.offsets() == {(slow.topic, 0): 2}

    asyncio.run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_has_what_the_caller_has_had(slow: Slow, name: str, create_topic: Callable[[str, int], None], fails: bool) -> None:
    results = f"{name}.results"
    create_topic(results, 1)
    producer = Producer({"bootstrap.servers": slow.bootstrap, "transactional.id": name})
    producer.init_transactions(60)

    async def main() -> list[int]:
        found: list[int] = []
        async with slow.consumer as consumer:
            source = await slow.cancelled()
            with contextlib.suppress(ZeroDivisionError):
                async with consumer.transaction(producer):
                    producer.produce(results, "0")
                    if fails:
                        raise ZeroDivisionError
            while not found or found[-1] < 2:
                fragment = await anext(source)
                found.append(fragment.position.offset)
                async with consumer.transaction(producer):
                    producer.produce(results, str(fragment.position.offset))
                if slow.sent < 3:
                    await asyncio.to_thread(slow.send)
        return found

    assert asyncio.run(main()) == ([0, 1, 2] if fails else [1, 2])
    assert results_of(slow.bootstrap, results) == ["0", "1", "2"]


def test_nothing_waits_for_a_record(slow: Slow) -> None:
    """There is none any more, and each of these would wait for it for ever."""

    async def main() -> None:
        async with slow.consumer as consumer:
            source = aiter(consumer)
            await anext(source)
            for cancelled in (True, False):
                waiting: asyncio.Task[Any] = asyncio.create_task(anext(source))  # type: ignore[arg-type]
                await asyncio.sleep(0)
                if cancelled:
                    waiting.cancel()
                for _ in range(3):
                    await asyncio.gather(consumer.commit(), consumer.offsets(), consumer.commit())
            assert not waiting.done()
            # The task that has waited all the time has what comes.
            await asyncio.to_thread(slow.send)
            assert (await waiting).position.offset == 1

    asyncio.run(asyncio.wait_for(main(), 120))


def test_frames_go_on_after_a_commit_while_they_are_waited_for(published: Published, name: str) -> None:
    async def main() -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        async with AsyncFragmentConsumer(
            "plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True
        ) as consumer:
            source = consumer.frames("gray")
            while True:
                waiting: asyncio.Task[Any] = asyncio.create_task(anext(source))  # type: ignore[arg-type]
                await asyncio.sleep(0)
                if len(found) % 3 == 0:
                    waiting.cancel()
                await consumer.commit()
                try:
                    frame: Any = await waiting
                except asyncio.CancelledError:
                    try:
                        frame = await anext(source)
                    except StopAsyncIteration:
                        return found
                except StopAsyncIteration:
                    return found
                found.append((frame.fragment_number, frame.index))

    found = asyncio.run(asyncio.wait_for(main(), 300))
    assert len(found) == len(set(found)) == 6 * 8
    assert list(dict.fromkeys(number for number, _ in found)) == published.numbers("clip")


def test_a_consumer_that_was_cancelled_while_it_was_opened_leaves_its_group(published: Published, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": published.bootstrap})

    async def read() -> int:
        for timeout_s in (0.002, 0.02):
            consumer = AsyncFragmentConsumer("plain.fragments", published.bootstrap, group_id=name)
            try:
                await asyncio.wait_for(consumer.__aenter__(), timeout_s)
            except asyncio.TimeoutError:
                with pytest.raises(ConfigurationError, match="closed"):
                    await consumer.__aenter__()
            await consumer.close()
        return await asyncio.to_thread(lambda: len(admin.list_topics(timeout=30).topics))

    asyncio.run(read())
    wait_for(
        "the group to have no member",
        lambda: not admin.describe_consumer_groups([name])[name].result(60).members,
    )


def test_a_consumer_that_could_not_be_opened_may_be_opened_later(
    published: Published, name: str, create_topic: Callable[[str, int], None]
) -> None:
    async def use() -> None:
        consumer = AsyncFragmentConsumer(name, published.bootstrap, until_end=True)
        with pytest.raises(TopicMissingError):
            await consumer.__aenter__()
        await asyncio.to_thread(create_topic, name, 1)
        async with consumer:
            assert [fragment async for fragment in consumer] == []

    asyncio.run(use())


def test_whoever_was_cancelled_while_a_consumer_closes_may_wait_for_it_again(
    published: Published, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_close, is_closing = threading.Event(), threading.Event()
    close = FragmentConsumer.close

    def slow(consumer: FragmentConsumer) -> None:
        is_closing.set()
        assert may_close.wait(60)
        close(consumer)

    async def use() -> None:
        consumer = await AsyncFragmentConsumer("plain.fragments", published.bootstrap, group_id=name).__aenter__()
        opened = consumer._consumer
        monkeypatch.setattr(FragmentConsumer, "close", slow)
        closing = asyncio.create_task(consumer.close())
        await asyncio.to_thread(is_closing.wait, 60)
        closing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await closing
        assert not opened._is_closed
        asyncio.get_running_loop().call_soon(may_close.set)
        await consumer.close()
        assert opened._is_closed

    asyncio.run(use())


def test_a_consumer_that_is_closed_says_so(published: Published, name: str) -> None:
    async def use() -> None:
        async with AsyncFragmentConsumer("plain.fragments", published.bootstrap, group_id=name) as consumer:
            source = aiter(consumer)
            await anext(source)
            await consumer.close()
            await consumer.close()
            consumer.stop()
            for call in (consumer.commit, consumer.offsets, consumer.__aenter__, lambda: anext(source), lambda: anext(aiter(consumer))):
                with pytest.raises(ConfigurationError, match="closed"):
                    await call()

    asyncio.run(use())
