"""Batches for detectors, over streams.

**Contract.** `batched` yields lists of at most `size`, as soon as they are full or their first item has waited for `max_wait_s`. Of
frames or records of a consumer, none counts as finished before the caller has asked for the batch after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from kvs_connect.arguments import check_seconds, check_size
from kvs_connect.frame_stream import FrameStream
from kvs_connect.records import RecordConsumer

__all__ = ["batched"]

T = TypeVar("T")


def batched(source: Iterable[T], size: int, max_wait_s: float | None = None) -> Iterator[list[T]]:
    """Yields batches of frames, or of whatever else.

    Of a `FrameStream` or a consumer a batch comes when its time is up, even if nothing arrives. Any other iterable cannot be
    interrupted: the time is then looked at when its next item has come.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    check_size("size", size)
    check_seconds("max_wait_s", max_wait_s, or_none=True)
    if isinstance(source, FrameStream | RecordConsumer):
        return cast("Iterator[list[T]]", _of_consumer(source, size, max_wait_s))
    return _of_iterable(source, size, max_wait_s)


def _of_consumer(source: FrameStream | RecordConsumer[Any], size: int, max_wait_s: float | None) -> Iterator[list[Any]]:
    is_ended = False
    while not is_ended:
        batch: list[Any] = []
        due: float | None = None
        while len(batch) < size and not is_ended:
            left_s = None if due is None else due - time.monotonic()
            item = source.take(None if left_s is None else max(0.0, left_s))
            if item is not None:
                batch.append(item)
                if due is None and max_wait_s is not None:
                    due = time.monotonic() + max_wait_s
            elif source.is_ended:
                is_ended = True
            elif batch:
                break
        if batch:
            yield batch
        if isinstance(source, FrameStream):
            source.finish()
        else:
            for record in batch:
                source.finish(record)
    consumer = source._consumer if isinstance(source, FrameStream) else source
    consumer.commit_finished()


def _of_iterable(
    source: Iterable[T], size: int, max_wait_s: float | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[T]]:
    batch: list[T] = []
    due = 0.0
    for item in source:
        if not batch and max_wait_s is not None:
            due = clock() + max_wait_s
        batch.append(item)
        if len(batch) >= size or (max_wait_s is not None and clock() >= due):
            yield batch
            batch = []
    if batch:
        yield batch
