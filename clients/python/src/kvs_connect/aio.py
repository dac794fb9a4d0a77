"""The consumers for asyncio.

**Contract.** What blocks runs in one thread that belongs to the consumer, so that the loop goes on. An `await` that is cancelled loses
nothing: what it was about to return comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kvs_connect.consumer import FragmentConsumer, FrameConsumer
from kvs_connect.errors import ConfigurationError
from kvs_connect.frame import Frame
from kvs_connect.frame_record import FrameRecord
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

    def __aiter__(self) -> _AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._pending is None:
            self._pending = self._run(self._next)
        try:
            items = await asyncio.shield(self._pending)
        except asyncio.CancelledError:
            # The thread cannot be interrupted. Its result is left for the next one, even if it has come at the same moment.
            if self._pending.cancelled():
                self._pending = None
            raise
        except BaseException:
            self._pending = None
            raise
        self._pending = None
        if not items:
            raise StopAsyncIteration
        return items[0]

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

    async def __aenter__(self: _Self) -> _Self:
        self._opened = await self._run(lambda: self._kind(*self._arguments, **self._settings))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Commits what is finished and leaves the group."""
        if self._opened is not None:
            self._opened.stop()
            await asyncio.shield(self._run(self._opened.close))
        self._executor.shutdown(wait=False)

    def __aiter__(self) -> AsyncIterator[T]:
        if self._own is None:
            self._own = _AsyncIterator(iter(self._consumer), self._run)  # type: ignore[arg-type]
        return self._own

    def frames(self, *arguments: Any, **options: Any) -> AsyncIterator[Frame]:
        """Returns the frames of all records, as the consumer's own `frames` does."""
        return _AsyncIterator(self._consumer.frames(*arguments, **options), self._run)

    def audio(self, *arguments: Any, **options: Any) -> AsyncIterator[Frame]:
        """Returns the samples of all records, as the consumer's own `audio` does."""
        return _AsyncIterator(self._consumer.audio(*arguments, **options), self._run)

    async def commit(self) -> None:
        """Commits that all records handed out so far are finished."""
        await self._run(self._consumer.commit)

    def offsets(self) -> dict[PartitionKey, int]:
        """Returns where to go on after all that was handed out."""
        return self._consumer.offsets()

    def stop(self) -> None:
        """Ends the iteration soon."""
        self._consumer.stop()

    @asynccontextmanager
    async def transaction(self, producer: Producer, *, timeout_s: float = 60.0) -> AsyncIterator[Transaction]:
        """Does what the consumer's own `transaction` does."""
        transaction = self._consumer.transaction(producer, timeout_s=timeout_s)
        try:
            await asyncio.shield(self._run(transaction.__enter__))
        except asyncio.CancelledError as error:
            # The thread goes on to begin it, and then aborts it: there is one thread.
            await asyncio.shield(self._run(transaction.__exit__, type(error), error, error.__traceback__))
            raise
        try:
            yield transaction
        except BaseException as error:
            await asyncio.shield(self._run(transaction.__exit__, type(error), error, error.__traceback__))
            raise
        await asyncio.shield(self._run(transaction.__exit__, None, None, None))

    @property
    def _consumer(self) -> FragmentConsumer | FrameConsumer:
        if self._opened is None:
            raise ConfigurationError("the consumer is opened by `async with`")
        return self._opened

    def _run(self, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)


class AsyncFragmentConsumer(_AsyncConsumer[Fragment]):
    """`FragmentConsumer` for asyncio: `async with`, `async for`. The arguments are the same."""

    _kind = FragmentConsumer


class AsyncFrameConsumer(_AsyncConsumer[FrameRecord]):
    """`FrameConsumer` for asyncio: `async with`, `async for`. The arguments are the same."""

    _kind = FrameConsumer
