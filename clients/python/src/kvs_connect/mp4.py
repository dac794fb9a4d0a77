"""MP4 from the frames of fragments.

**Contract.** `Mp4Writer` copies frames of video as they are, with times that grow in the order of decoding, as MP4 wants them, and
pictures at the times that they have. With B-frames these are two orders, of which a fragment has only the second.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.stream import Stream
from numpy.typing import NDArray

from kvs_connect.arguments import tracks_of
from kvs_connect.audio import SampleDecoder
from kvs_connect.decoding import packet_of
from kvs_connect.demux import chosen, encoded_frames
from kvs_connect.errors import KvsConnectError, MediaError
from kvs_connect.frame import Coding, EncodedFrame, Tracks
from kvs_connect.model import Fragment

__all__ = ["Mp4Writer"]

_TIME_BASE = Fraction(1, 1_000_000)
# Sound that begins later than the sound before it ends is moved by silence, and by no more than so much of it.
_JITTER_S = 0.1
_PAUSE_MAX_S = 24 * 3600


class _Track:
    """A track of the file."""

    def __init__(self, coding: Coding, stream: Stream, decoder: SampleDecoder | None) -> None:
        self.coding = coding
        self.stream = stream
        self.decoder = decoder
        self.last_dts_us: int | None = None
        self.shift_us: int | None = None
        self.samples_written = 0


class Mp4Writer:
    """Writes fragments of one stream to a file."""

    def __init__(self, path: Path, tracks: Tracks) -> None:
        self._wanted = tracks_of(tracks)
        self._container = av.open(str(path), "w", format="mp4")
        self._tracks: dict[int, _Track] | None = None
        self._origin_ns = 0
        self._start_ns = 0
        self._end_ns = 0

    def write(self, fragment: Fragment) -> None:
        """Appends a fragment."""
        try:
            self._append(fragment)
        except FFmpegError as error:
            # A disk that is full is no fault of the media.
            if isinstance(error, OSError):
                raise
            raise MediaError(f"FFmpeg does not take its media: {error.strerror}", fragment.stream, fragment.number) from error

    def _append(self, fragment: Fragment) -> None:
        if not fragment.index or fragment.start_ns is None:
            return
        frames = [frame for frame in encoded_frames(fragment, self._wanted, _raise) if frame.kind in ("video", "audio")]
        if self._tracks is None:
            self._tracks = self._added(fragment, frames)
            self._origin_ns = fragment.start_ns
        elif fragment.discontinuity or fragment.start_ns < self._start_ns:
            self._origin_ns += fragment.start_ns - self._end_ns
        by_track: dict[int, list[EncodedFrame]] = {}
        for frame in frames:
            if len(frame.data):
                by_track.setdefault(frame.track, []).append(frame)
        for number, of_track in by_track.items():
            track = self._tracks.get(number)
            if track is None or track.coding != of_track[0].coding:
                raise MediaError(
                    "its tracks are others than those of the fragments before: write a file for each run, from one "
                    "discontinuity to the next",
                    fragment.stream,
                    fragment.number,
                    number,
                )
            if track.decoder is not None:
                self._write_samples(track, of_track)
            else:
                self._write_packets(track, of_track)
        self._start_ns = fragment.start_ns
        # Sound of one fragment may reach into the next one.
        self._end_ns = max(self._end_ns if not fragment.discontinuity else 0, fragment.start_ns + fragment.duration_ns)

    def _added(self, fragment: Fragment, frames: list[EncodedFrame]) -> dict[int, _Track]:
        """Adds the fragment's tracks to the file."""
        codings = {frame.track: frame.coding for frame in frames}
        found: dict[int, _Track] = {}
        with av.open(io.BytesIO(fragment.payload)) as source:
            # FFmpeg has a stream for each track that it knows, in the order of the document.
            known = [track for track in fragment.tracks if track.kind in ("video", "audio")]
            streams = [stream for stream in source.streams if stream.type in ("video", "audio")]
            for track, template in zip(known, streams, strict=True):
                if track.number not in codings or not chosen(self._wanted, track.number, track.name, track.kind):
                    continue
                coding = codings[track.number]
                if coding.codec.startswith("pcm_"):
                    encoded = self._container.add_stream("aac", rate=coding.sample_rate_hz, layout=_layout(coding))
                    found[track.number] = _Track(coding, encoded, SampleDecoder(coding, "float32"))
                    continue
                try:
                    # Nothing is coded: some codecs, such as AV1, have an encoder of another name here, or none.
                    copied: Any = self._container.add_stream_from_template(template, opaque=True)
                except (ValueError, FFmpegError) as error:
                    raise MediaError(
                        f"MP4 has no {track.codec_id}: choose other tracks, or save() as MKV",
                        fragment.stream,
                        fragment.number,
                        track.number,
                    ) from error
                copied.time_base = _TIME_BASE
                found[track.number] = _Track(coding, copied, None)
        if not found:
            raise MediaError("it has no such track of video or audio", fragment.stream, fragment.number)
        return found

    def _write_packets(self, track: _Track, frames: list[EncodedFrame]) -> None:
        times_us = [(frame.pts_ns - self._origin_ns) // 1000 for frame in frames]
        in_order = sorted(times_us)
        if track.shift_us is None:
            # How much earlier a frame is decoded than shown, so that none is shown before.
            track.shift_us = max(0, *(shown - own for shown, own in zip(in_order, times_us, strict=True)), 0)
        for frame, pts_us, slot_us in zip(frames, times_us, in_order, strict=True):
            dts_us = min(slot_us - track.shift_us, pts_us)
            if track.last_dts_us is not None:
                dts_us = max(dts_us, track.last_dts_us + 1)
            track.last_dts_us = dts_us
            packet = packet_of(frame)
            packet.stream = track.stream
            packet.time_base = _TIME_BASE
            packet.dts = dts_us
            packet.pts = max(pts_us, dts_us)
            packet.is_keyframe = frame.key
            if frame.duration_ns:
                packet.duration = frame.duration_ns // 1000
            self._container.mux(packet)

    def _write_samples(self, track: _Track, frames: list[EncodedFrame]) -> None:
        assert track.decoder is not None and isinstance(track.stream, AudioStream)
        for frame in frames:
            for decoded in track.decoder.decode(frame):
                assert decoded.samples is not None and decoded.sample_rate_hz is not None
                rate_hz = decoded.sample_rate_hz
                at = (decoded.pts_ns - self._origin_ns) * rate_hz // 1_000_000_000
                if at - track.samples_written > _PAUSE_MAX_S * rate_hz:
                    raise MediaError(
                        f"there is nothing for {(at - track.samples_written) // rate_hz // 3600} hours before it, which would be silence "
                        "in the file: write a file for what is before, and one for what is behind",
                        frame.stream,
                        frame.fragment_number,
                        frame.track,
                    )
                # Clocks differ a little, and a pause is a pause.
                while at - track.samples_written > rate_hz * _JITTER_S:
                    silence = np.zeros((decoded.samples.shape[0], min(rate_hz, at - track.samples_written)), np.float32)
                    self._encode(track, silence, rate_hz)
                self._encode(track, decoded.samples, rate_hz)

    def _encode(self, track: _Track, samples: NDArray[Any], rate_hz: int) -> None:
        assert isinstance(track.stream, AudioStream)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=_layout(track.coding))
        frame.sample_rate = rate_hz
        frame.time_base = Fraction(1, rate_hz)
        frame.pts = track.samples_written
        track.samples_written += samples.shape[1]
        self._container.mux(track.stream.encode(frame))

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            for track in (self._tracks or {}).values():
                if track.decoder is not None and isinstance(track.stream, AudioStream):
                    self._container.mux(track.stream.encode(None))
            if not self._tracks:
                self._container.close()
                raise MediaError("there is no frame to write")
        self._container.close()


def _layout(coding: Coding) -> str:
    return "mono" if coding.channels == 1 else "stereo" if coding.channels == 2 else f"{coding.channels} channels"


def _raise(error: KvsConnectError) -> None:
    raise error
