"""The frames of what a consumer reads, or of fragments at hand.

**Contract.** `FrameStream` yields frames as the pipeline has them, and lets the consumer commit a record when the caller has finished
with all its frames: it has asked for the next frame behind them, or said so (`finish`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from kvs_connect.errors import ConfigurationError, KvsConnectError
from kvs_connect.frame import AudioType, Every, Frame, PictureFormat, Tracks
from kvs_connect.frame_record import FrameRecord
from kvs_connect.interrupt import WaitInterrupted
from kvs_connect.model import Fragment, Position
from kvs_connect.offsets import PartitionKey
from kvs_connect.pipeline import Pipeline

if TYPE_CHECKING:
    from kvs_connect.records import RecordConsumer

__all__ = ["FrameStream", "decode_frames"]

_TICK_S = 1.0


def decode_frames(
    records: Iterable[Fragment | FrameRecord],
    decode: PictureFormat | None = "rgb24",
    *,
    audio: AudioType | None = None,
    tracks: Tracks = None,
    every: Every = 1,
    keyframes_only: bool = False,
    threads: int = 1,
    on_error: Callable[[KvsConnectError], None] | None = None,
) -> Iterator[Frame]:
    """Yields the frames of fragments, or of records of frames, of one stream or of several, by decoders that go on.

    An error is raised, or passed to `on_error`, and what it is about is skipped.
    """
    if not (on_error is None or callable(on_error)):
        raise ConfigurationError(f"on_error={on_error!r} has to be a function")
    pipeline = Pipeline(decode, audio, tracks, every, keyframes_only, threads, on_error or _raise)
    for record in records:
        yield from pipeline.push(record)
    yield from pipeline.flush()


def _raise(error: KvsConnectError) -> None:
    raise error


class FrameStream:
    """The frames of a consumer's records. Made by `frames()` of a consumer."""

    def __init__(self, consumer: RecordConsumer[Any], pipeline: Pipeline, flush_after_s: float) -> None:
        self._consumer = consumer
        self._pipeline = pipeline
        self._flush_after_s = flush_after_s
        self._ready: Iterator[Frame] = iter(())
        self._finished: list[Position] = []
        self._is_flushed = False
        self._looked = time.monotonic()
        self._record: Position | None = None
        consumer._frames = self

    @property
    def is_ended(self) -> bool:
        """Whether no more frames come."""
        return self._is_flushed

    def take(self, timeout_s: float | None = None) -> Frame | None:
        """Returns the next frame, or None when there is none within this time, or none any more (`is_ended`).

        Unlike iteration it does not finish the frames before: `finish` does.
        """
        with self._consumer._one_user:
            return self._take(timeout_s)

    def _take(self, timeout_s: float | None) -> Frame | None:
        if not self._is_flushed:
            self._consumer._check_open()
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                frame = next(self._ready, None)
            except KvsConnectError as error:
                if error.is_passing and self._record is not None:
                    self._consumer._take_back(self._record)
                raise
            if frame is not None:
                # What was shown before this one, and not only before its record.
                self._finished += self._pipeline.take_finished()
                return frame
            self._finished += self._pipeline.take_finished()
            if self._is_flushed:
                return None
            left_s = _TICK_S if until is None else until - time.monotonic()
            record = self._consumer.take(max(0.0, min(_TICK_S, left_s)))
            self._record = None if record is None else record.position
            if record is not None:
                self._ready = chain(self._idle(), self._pipeline.push(record))
            elif self._consumer.is_ended:
                self._ready = self._pipeline.flush()
                self._is_flushed = True
            elif left_s <= 0 or self._consumer._interrupt.is_set:
                return None
            else:
                self._ready = self._idle()

    def _idle(self) -> Iterator[Frame]:
        """Yields, from time to time, what decoders still have of streams that have fallen silent, also while others go on."""
        now = time.monotonic()
        if now - self._looked < _TICK_S:
            return iter(())
        self._looked = now
        return self._pipeline.flush_idle(self._flush_after_s)

    def finish(self) -> None:
        """Says that the caller has finished with all frames that it has taken."""
        for position in self._finished:
            self._consumer._tracker.finish(position)
        self._finished.clear()

    def close(self) -> None:
        """Leaves the consumer to itself, which goes back to the first record that is not finished: its frames come again."""
        if self._consumer._frames is not self:
            return
        self._consumer._frames = None
        unfinished = [*self._finished, *self._pipeline.take_finished(), *self._pipeline.held()]
        self._ready, self._is_flushed = iter(()), True
        self._finished.clear()
        self._consumer._go_back_to(unfinished)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = self.take()
        # A record has become free since the call before, so that all its frames were yielded before this one.
        self.finish()
        if frame is None:
            if not self._is_flushed:
                raise WaitInterrupted
            self._consumer.commit_finished()
            raise StopIteration
        return frame

    def _forget(self, partitions: Collection[PartitionKey]) -> None:
        self._ready = iter(())
        self._finished = [one for one in self._finished if one[:2] not in set(partitions)]
        self._pipeline.forget(partitions)
