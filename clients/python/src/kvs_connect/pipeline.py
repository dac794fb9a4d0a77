"""From fragments, or records of frames, to pictures and samples.

**Contract.** Each track of each stream has one decoder, which goes on from fragment to fragment. It is flushed and replaced where the
stream does not continue: at a discontinuity, at a hole in what was read, at another configuration, and at the end. No picture is
missing, and none is made of two runs. A record is finished, so that its offset may be committed, when all its pictures have been
yielded and decoding could begin anew behind it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from av.error import FFmpegError
from av.video.frame import VideoFrame

from kvs_connect.arguments import check_every, is_whole, tracks_of
from kvs_connect.audio import SampleDecoder
from kvs_connect.decoding import PictureDecoder, media_error
from kvs_connect.demux import chosen, encoded_frames
from kvs_connect.errors import ConfigurationError, KvsConnectError, MediaError, NoAudioError, NoPicturesError
from kvs_connect.frame import AudioType, Coding, EncodedFrame, Every, Frame, PictureFormat, Tracks
from kvs_connect.holds import Holds
from kvs_connect.model import Fragment, Position
from kvs_connect.offsets import PartitionKey
from kvs_connect.sampling import Sampler

if TYPE_CHECKING:
    from kvs_connect.frame_record import FrameRecord

__all__ = ["Pipeline"]

logger = logging.getLogger("kvs_connect")

Report = Callable[[KvsConnectError], None]
Decoder = TypeVar("Decoder")


class _Track:
    """What is done with one track of a stream, until the stream breaks off."""

    def __init__(self, coding: Coding, options: Pipeline, holds: Holds, sampler: Sampler | None = None) -> None:
        self.coding = coding
        self._options = options
        self._holds = holds
        self._sampler = sampler or Sampler(options.every)
        self._pictures: PictureDecoder | None = None
        self._samples: SampleDecoder | None = None
        # Groups of pictures, each with the records that decoding it takes, and how many of its frames are still to come out.
        self._groups: deque[tuple[list[Position], dict[int, None]]] = deque()
        self._skipped = 0
        self._is_waiting = True
        self._is_undecodable = False

    def push(self, frame: EncodedFrame) -> Iterator[Frame]:
        options = self._options
        if self._is_undecodable:
            return
        if frame.kind == "audio" and options.audio is not None:
            if self._samples is None:
                self._samples = self._made(lambda: SampleDecoder(self.coding, options.audio or "float32"), frame)
            yield from self._samples.decode(frame)
        elif frame.kind == "video" and options.decode is not None:
            yield from self._push_video(frame)
        elif (frame.key or not options.keyframes_only) and self._sampler.takes(frame.pts_ns):
            stored = Frame.of(frame)
            stored.data = frame.data
            stored.config = frame.coding.config
            yield stored

    def _push_video(self, frame: EncodedFrame) -> Iterator[Frame]:
        if not frame.key and (self._is_waiting or self._options.keyframes_only):
            self._skipped += self._is_waiting
            return
        if self._is_waiting and self._skipped:
            logger.warning(
                "stream %s, track %s: %d frames before fragment %s cannot be decoded without the key frame before them",
                frame.stream,
                frame.track,
                self._skipped,
                frame.fragment_number,
            )
        self._is_waiting = False
        if self._pictures is None:
            self._pictures = self._made(lambda: PictureDecoder(self.coding, self._options.threads), frame)
        if self._options.keyframes_only:
            if self._sampler.takes(frame.pts_ns):
                decoded = self._pictures.decode(frame)
                for one, picture in [*decoded, *self._pictures.flush()]:
                    yield self._picture(one, picture)
            return
        if frame.key or not self._groups:
            self._groups.append(([], {}))
        records, pending = self._groups[-1]
        if frame.position not in records[-1:]:
            records.append(frame.position)
            self._holds.hold(frame.position)
        pending[id(frame)] = None
        try:
            decoded = self._pictures.decode(frame)
        except MediaError:
            pending.pop(id(frame))
            raise
        yield from self._shown(decoded)

    def _made(self, make: Callable[[], Decoder], frame: EncodedFrame) -> Decoder:
        """Makes a decoder. One that cannot be made is reported once, and not for each frame."""
        try:
            return make()
        except (MediaError, FFmpegError) as error:
            self._is_undecodable = True
            raise media_error(frame, error.reason if isinstance(error, MediaError) else str(error)) from error

    def _shown(self, decoded: list[tuple[EncodedFrame, VideoFrame]]) -> Iterator[Frame]:
        for frame, picture in decoded:
            if self._sampler.takes(frame.pts_ns):
                yield self._picture(frame, picture)
            for number, (_, pending) in enumerate(self._groups):
                if pending.pop(id(frame), 0) is None:
                    # Groups are shown one after the other: what a decoder has kept of an earlier one, it keeps for ever.
                    for earlier in range(number):
                        self._groups[earlier][1].clear()
                    break
        # The newest group is needed by what comes next.
        while len(self._groups) > 1 and not self._groups[0][1]:
            self._release(self._groups.popleft()[0])

    def _picture(self, frame: EncodedFrame, picture: VideoFrame) -> Frame:
        assert self._pictures is not None and self._options.decode is not None
        shown = Frame.of(frame)
        shown.image = self._pictures.image(picture, self._options.decode)
        shown.is_corrupt = picture.is_corrupt
        return shown

    def flush(self) -> Iterator[Frame]:
        """Yields what the decoder still has. The track begins anew with a key frame."""
        yield from self.rest()
        if self._samples is not None:
            samples, self._samples = self._samples, None
            yield from samples.flush()

    def rest(self) -> Iterator[Frame]:
        """Yields the pictures that are still held back, and gives their decoder back; the track goes on with a key frame.

        A decoder of samples stays: it holds nothing back, and after a new beginning the first samples would be others.
        """
        if self._pictures is None:
            return
        try:
            yield from self._shown(self._pictures.flush())
        finally:
            self._pictures = None
            for records, _ in self._groups:
                self._release(records)
            self._groups.clear()
            self._is_waiting, self._skipped = True, 0

    def _release(self, records: Iterable[Position]) -> None:
        for position in records:
            self._holds.release(position)


class _Stream:
    """What is known of a stream in a topic."""

    def __init__(self, partition: PartitionKey) -> None:
        self.partition = partition
        self.tracks: dict[int, _Track] = {}
        # What `every` leaves out does not depend on how often the stream breaks off.
        self.samplers: dict[int, Sampler] = {}
        self.sequence: int | None = None
        self.configs: dict[tuple[int, str], bytes] = {}
        self.is_checked = False
        self.has_random_access = True
        self.last_push = time.monotonic()


class Pipeline:
    """Decoders for all tracks of all streams."""

    def __init__(
        self,
        decode: PictureFormat | None,
        audio: AudioType | None,
        tracks: Tracks,
        every: Every,
        keyframes_only: bool,
        threads: int,
        report: Report,
    ) -> None:
        if decode not in ("rgb24", "bgr24", "gray", None):
            raise ConfigurationError(f"decode={decode!r} is none of 'rgb24', 'bgr24', 'gray' and None")
        if audio not in ("float32", "int16", None):
            raise ConfigurationError(f"audio={audio!r} is none of 'float32', 'int16' and None")
        check_every(every)
        if not is_whole(threads) or threads < 0:
            raise ConfigurationError(f"threads={threads!r} has to be a number of threads, or 0 for one for each core")
        self.decode, self.audio, self.every, self.keyframes_only, self.threads = decode, audio, every, keyframes_only, threads
        wanted = tracks_of(tracks)
        if wanted is None and (decode or audio):
            wanted = [kind for kind, is_wanted in (("video", decode), ("audio", audio)) if is_wanted]
        self._wanted = wanted
        self._report = report
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._holds = Holds()

    def push(self, record: Fragment | FrameRecord) -> Iterator[Frame]:
        """Yields what can be shown now that this record is known."""
        key = (record.position.topic, record.stream)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(record.position[:2])
        stream.last_push = time.monotonic()
        before = stream.sequence
        self._holds.hold(record.position)
        try:
            if isinstance(record, Fragment):
                yield from self._push_fragment(stream, record)
            else:
                yield from self._push_frame(stream, record)
        except KvsConnectError as error:
            if error.is_passing:
                # None of its frames has been decoded: it may be pushed again.
                self._holds.drop(record.position)
                stream.sequence = before
            raise
        finally:
            self._holds.release(record.position)

    def flush(self) -> Iterator[Frame]:
        """Yields what all decoders still have."""
        for stream in self._streams.values():
            yield from self._flush(stream)

    def flush_idle(self, idle_s: float) -> Iterator[Frame]:
        """Yields what the decoders of streams still have from which nothing has come for a while.

        Only of streams whose every fragment begins with a key frame: the next one of another stream needs its decoder.
        """
        now = time.monotonic()
        for stream in self._streams.values():
            if stream.has_random_access and now - stream.last_push >= idle_s:
                for track in stream.tracks.values():
                    yield from self._reported(track.rest())

    def take_finished(self) -> list[Position]:
        """Returns the records that are needed no more."""
        finished, self._holds.finished = self._holds.finished, []
        return finished

    def held(self) -> list[Position]:
        """Returns the records that are still needed."""
        return self._holds.held()

    def forget(self, partitions: Collection[PartitionKey]) -> None:
        """Drops what was read of partitions that go to another consumer, or are read again."""
        for partition in partitions:
            self._holds.forget(partition)
        gone = set(partitions)
        self._streams = {key: stream for key, stream in self._streams.items() if stream.partition not in gone}

    # --- fragments

    def _push_fragment(self, stream: _Stream, fragment: Fragment) -> Iterator[Frame]:
        is_hole = None not in (stream.sequence, fragment.sequence) and fragment.sequence != (stream.sequence or 0) + 1
        if fragment.discontinuity or is_hole:
            yield from self._flush(stream)
        stream.sequence = fragment.sequence
        stream.has_random_access &= fragment.random_access
        if not stream.is_checked and fragment.index:
            # Once: a track may come and go, but what never was there is a mistake.
            stream.is_checked = True
            try:
                self._check_tracks(fragment)
            except MediaError as error:
                self._report(error)
                return
        try:
            for frame in encoded_frames(fragment, self._wanted, self._report):
                yield from self._push_encoded(stream, frame)
        except KvsConnectError as error:
            if isinstance(error, MediaError):
                raise
            # Its media are not to be had.
            self._report(error)
            yield from self._flush(stream)

    def _check_tracks(self, fragment: Fragment) -> None:
        tracks = [one for one in fragment.tracks if chosen(self._wanted, one.number, one.name, one.kind)]
        kinds = {one.kind for one in tracks}
        has = ", ".join(f"{one.number} ({one.name or one.kind})" for one in fragment.tracks) or "none"
        if self.decode and not self.audio and "video" not in kinds:
            hint = "audio(), or frames(decode=None, audio='float32'), yields samples; streams= leaves the stream out"
            reason = f"there is no such track of video; its tracks are {has}. {hint}"
            raise NoPicturesError(reason, fragment.stream, fragment.number)
        if self.audio and not self.decode and "audio" not in kinds:
            raise NoAudioError(f"there is no such track of audio; its tracks are {has}", fragment.stream, fragment.number)

    # --- records of frames

    def _push_frame(self, stream: _Stream, record: FrameRecord) -> Iterator[Frame]:
        is_hole = stream.sequence is not None and record.sequence is not None and record.previous_sequence != stream.sequence
        if is_hole:
            yield from self._flush(stream)
        self._check_record(stream, record)
        stream.sequence = record.sequence
        if not chosen(self._wanted, record.track, record.track_name, record.kind):
            return
        if record.config is not None:
            stream.configs[record.track, record.config_id] = record.config
        track = stream.tracks.get(record.track)
        if record.discontinuity and track is not None:
            yield from self._flush_track(stream, record.track)
        try:
            frame = record.encoded(stream.configs.get((record.track, record.config_id)))
        except KvsConnectError as error:
            self._report(error)
            return
        stream.has_random_access &= frame.key or frame.kind == "video"
        yield from self._push_encoded(stream, frame)

    def _check_record(self, stream: _Stream, record: FrameRecord) -> None:
        """A record tells of one track only: a whole fragment without pictures tells that there are none."""
        if stream.is_checked or not self.decode or self.audio:
            return
        if record.kind == "video":
            stream.is_checked = True
        elif stream.sequence is not None and stream.sequence != record.sequence:
            stream.is_checked = True
            reason = "there is no frame of video. audio() yields samples; streams= leaves the stream out"
            self._report(NoPicturesError(reason, record.stream, record.fragment_number))

    # --- both

    def _push_encoded(self, stream: _Stream, frame: EncodedFrame) -> Iterator[Frame]:
        track = stream.tracks.get(frame.track)
        if track is not None and track.coding != frame.coding:
            yield from self._flush_track(stream, frame.track)
            track = None
        if track is None:
            sampler = stream.samplers.setdefault(frame.track, Sampler(self.every))
            track = stream.tracks[frame.track] = _Track(frame.coding, self, self._holds, sampler)
        try:
            yield from track.push(frame)
        except MediaError as error:
            self._report(error)

    def _flush(self, stream: _Stream) -> Iterator[Frame]:
        for number in list(stream.tracks):
            yield from self._flush_track(stream, number)

    def _flush_track(self, stream: _Stream, number: int) -> Iterator[Frame]:
        return self._reported(stream.tracks.pop(number).flush())

    def _reported(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        try:
            yield from frames
        except MediaError as error:
            self._report(error)
