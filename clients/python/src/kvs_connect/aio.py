"""The consumers for asyncio.

**Contract.** What blocks runs in one thread that belongs to the consumer, so that the loop goes on. An `await` that is cancelled loses
nothing: what it was about to return comes next. Nor does it count as handed out: what is committed, or goes into a transaction, is
what the caller has had. Whatever else the caller wants of the consumer ends the wait for a record, and does not wait with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kvs_connect.consumer import FragmentConsumer, FrameConsumer
from kvs_connect.errors import ConfigurationError
from kvs_connect.frame import Frame
from kvs_connect.frame_record import FrameRecord
from kvs_connect.interrupt import WaitInterrupted
from kvs_connect.model import Fragment
from kvs_connect.offsets import PartitionKey

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from kvs_connect.transaction import Transaction

__all__ = ["AsyncFragmentConsumer", "AsyncFrameConsumer"]

T = TypeVar("T")
_Self = TypeVar("_Self", bound="_AsyncConsumer[Any]")


class _AsyncIterator(Generic[T]):
    """An iterator whose next item is computed in a thread."""

    def __init__(self, source: Iterator[T], run: Callable[..., asyncio.Future[Any]]) -> None:
        self._source = source
        self._run = run
        self._pending: asyncio.Future[list[T]] | None = None
        self._waiting = 0

    def __aiter__(self) -> _AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            pending = self._pending = self._pending or self._run(self._next)
            self._waiting += 1
            try:
                items = await asyncio.shield(pending)
            except WaitInterrupted:
                self._forget(pending)
                continue
            except asyncio.CancelledError:
                # The thread cannot be interrupted. Its result is left for the next one, even if it has come at the same moment.
                if pending.cancelled():
                    self._forget(pending)
                raise
            except BaseException:
                self._forget(pending)
                raise
            finally:
                self._waiting -= 1
            # Of several tasks, one has it.
            if self._forget(pending):
                if not items:
                    raise StopAsyncIteration
                item: T = items[0]
                return item

    async def settle(self) -> list[T]:
        """Waits until nothing is computed any more, which has been interrupted. Returns what has come and nobody waits for."""
        pending = self._pending
        if pending is None:
            return []
        try:
            items = await asyncio.shield(pending)
        except WaitInterrupted:
            self._forget(pending)
            return []
        except asyncio.CancelledError:
            if not pending.cancelled():
                raise
            self._forget(pending)
            return []
        except Exception:
            # Whoever asks for the next item is told.
            return []
        return items if self._pending is pending and not self._waiting else []

    def give_back(self) -> None:
        """Drops what has come."""
        self._pending = None

    def _forget(self, pending: asyncio.Future[list[T]]) -> bool:
        is_latest = self._pending is pending
        if is_latest:
            self._pending = None
        return is_latest

    def _next(self) -> list[T]:
        # StopIteration does not pass through a future.
        for item in self._source:
            return [item]
        return []


class _AsyncConsumer(Generic[T]):
    _kind: type[FragmentConsumer] | type[FrameConsumer]

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._arguments = arguments
        self._settings = settings
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="kvs-connect")
        self._opened: FragmentConsumer | FrameConsumer | None = None
        self._own: _AsyncIterator[T] | None = None
        self._frames: _AsyncIterator[Frame] | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._closing: asyncio.Future[None] | None = None

    async def __aenter__(self: _Self) -> _Self:
        self._check_not_closed()
        opening = self._executor.submit(lambda: self._kind(*self._arguments, **self._settings))
        try:
            self._opened = await asyncio.shield(asyncio.wrap_future(opening))
        except Exception:
            # Nothing is open: another attempt may be made.
            raise
        except BaseException:
            # The thread cannot be interrupted. What it opens, and nobody waits for, leaves its group at once.
            self._is_closed = True
            self._executor.submit(_close_if_opened, opening)
            self._executor.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Commits what is finished and leaves the group."""
        if not self._is_closed:
            if self._opened is not None:
                self._opened.stop()
                self._closing = self._run(self._opened.close)
            self._is_closed = True
            self._executor.shutdown(wait=False)
        # Whoever was cancelled here may wait again; whoever has been told of an error is not told twice.
        closing, self._closing = self._closing, None
        if closing is not None:
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                self._closing = closing
                raise

    def __aiter__(self) -> AsyncIterator[T]:
        if self._own is None:
            self._own = _AsyncIterator(iter(self._consumer), self._run)  # type: ignore[arg-type]
        return self._own

    def frames(self, *arguments: Any, **options: Any) -> AsyncIterator[Frame]:
        """Returns the frames of all records, as the consumer's own `frames` does."""
        self._frames = _AsyncIterator(self._consumer.frames(*arguments, **options), self._run)
        return self._frames

    def audio(self, *arguments: Any, **options: Any) -> AsyncIterator[Frame]:
        """Returns the samples of all records, as the consumer's own `audio` does."""
        self._frames = _AsyncIterator(self._consumer.audio(*arguments, **options), self._run)
        return self._frames

    async def commit(self) -> None:
        """Commits that all records handed out so far are finished."""
        await self._call(self._consumer.commit)

    async def offsets(self) -> dict[PartitionKey, int]:
        """Returns where to go on after all that was handed out."""
        found: dict[PartitionKey, int] = await self._call(self._consumer.offsets)
        return found

    def stop(self) -> None:
        """Ends the iteration soon."""
        if self._opened is not None:
            self._opened.stop()

    @asynccontextmanager
    async def transaction(self, producer: Producer, *, timeout_s: float = 60.0) -> AsyncIterator[Transaction]:
        """Does what the consumer's own `transaction` does."""
        consumer = self._consumer
        transaction = await self._call(lambda: consumer.transaction(producer, timeout_s=timeout_s))
        try:
            await asyncio.shield(self._call(transaction.__enter__))
        except asyncio.CancelledError as error:
            # It is begun all the same, and then aborted: calls are made one after the other.
            await asyncio.shield(self._call(transaction.__exit__, type(error), error, error.__traceback__))
            raise
        try:
            yield transaction
        except BaseException as error:
            await asyncio.shield(self._call(transaction.__exit__, type(error), error, error.__traceback__))
            raise
        await asyncio.shield(self._call(transaction.__exit__, None, None, None))

    async def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Calls something of the consumer's in its thread, which waits for no record meanwhile."""
        consumer = self._consumer
        async with self._turn:
            consumer._interrupt.begin()
            try:
                if self._own is not None:
                    for record in await self._own.settle():
                        # Nobody has had it: it comes again, and does not count before.
                        self._own.give_back()
                        await self._run(consumer.hand_back, record)
                if self._frames is not None:
                    await self._frames.settle()
                done = self._run(call, *arguments)
            except BaseException:
                consumer._interrupt.end()
                raise
            # Not earlier: another task may be asking for the next record, and be before this call in the thread's queue.
            done.add_done_callback(lambda _: consumer._interrupt.end())
        return await done

    @property
    def _consumer(self) -> FragmentConsumer | FrameConsumer:
        self._check_not_closed()
        if self._opened is None:
            raise ConfigurationError("the consumer is opened by `async with`")
        return self._opened

    def _check_not_closed(self) -> None:
        if self._is_closed:
            raise ConfigurationError("this consumer is closed")

    def _run(self, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        try:
            return asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
        except RuntimeError:
            # The executor takes no more.
            self._check_not_closed()
            raise


def _close_if_opened(opening: Future[Any]) -> None:
    if opening.exception() is None:
        opening.result().close()


class AsyncFragmentConsumer(_AsyncConsumer[Fragment]):
    """`FragmentConsumer` for asyncio: `async with`, `async for`. The arguments are the same."""

    _kind = FragmentConsumer


class AsyncFrameConsumer(_AsyncConsumer[FrameRecord]):
    """`FrameConsumer` for asyncio: `async with`, `async for`. The arguments are the same."""

    _kind = FrameConsumer
