"""Samples from frames of audio.

**Contract.** `SampleDecoder` returns for each frame its samples, channels × samples, as float32 from -1 to 1 or as int16, without
what a codec puts out before the first and after the last sample that is to be played, and the time of the first of them.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.codec.context import Flags2
from av.error import FFmpegError
from numpy.typing import NDArray

from kvs_connect.decoding import context_for, media_error, packet_of
from kvs_connect.errors import MediaError
from kvs_connect.frame import AudioType, Coding, EncodedFrame, Frame

__all__ = ["SampleDecoder"]

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_PCM_OF_A_RECORD = "the record does not say the sample rate and the channels"
_ELSEWHERE = "which frames of PCM do not have: read the fragments' topic, whose tracks have them"
_SECOND_NS = 1_000_000_000


class SampleDecoder:
    """A decoder for the frames of one track of audio."""

    def __init__(self, coding: Coding, sample_type: AudioType) -> None:
        self._sample_type = sample_type
        if coding.codec.startswith("A_PCM/"):
            raise MediaError(f"{_PCM_OF_A_RECORD} of this PCM ({coding.codec}), {_ELSEWHERE}")
        self._context = cast(AudioCodecContext, context_for(coding))
        # Some decoders drop the delay by themselves and say nothing of it; the times would be wrong.
        self._context.flags2 |= Flags2.skip_manual
        if coding.codec.startswith("pcm_"):
            if not coding.sample_rate_hz or not coding.channels:
                raise MediaError(f"{_PCM_OF_A_RECORD} of {coding.codec}, {_ELSEWHERE}")
            if coding.channels not in _LAYOUTS:
                raise MediaError(f"there is no layout of {coding.channels} channels of {coding.codec}")
            self._context.sample_rate = coding.sample_rate_hz
            self._context.layout = AudioLayout(_LAYOUTS[coding.channels])
        self._held: dict[int, EncodedFrame] = {}
        self._count = 0
        self._delay_ns = coding.delay_ns
        self._to_drop: int | None = None

    def decode(self, frame: EncodedFrame) -> list[Frame]:
        """Returns the samples that are complete now that this frame is known."""
        packet = packet_of(frame)
        packet.pts = self._count
        self._held[self._count] = frame
        self._count += 1
        try:
            decoded = self._context.decode(packet)
        except FFmpegError as error:
            self._held.pop(self._count - 1)
            raise media_error(frame, f"it cannot be decoded: {error.strerror}") from error
        return [one for samples in decoded for one in self._frames(samples)]

    def flush(self) -> list[Frame]:
        """Returns the samples that are left. The decoder is of no use any more."""
        try:
            return [one for samples in self._context.decode(None) for one in self._frames(samples)]
        except FFmpegError as error:
            raise MediaError(f"the end cannot be decoded: {error.strerror}") from error

    def _frames(self, decoded: AudioFrame) -> list[Frame]:
        encoded = self._held.pop(decoded.pts, None) if decoded.pts is not None else None
        if encoded is not None and decoded.pts is not None:
            # A decoder that has made nothing of a frame will not do it any more.
            while self._held and (earliest := next(iter(self._held))) < decoded.pts:
                del self._held[earliest]
        if encoded is None and self._held:
            # Samples come in the order of their frames.
            encoded = self._held.pop(next(iter(self._held)))
        if encoded is None:
            return []
        rate_hz = decoded.sample_rate
        samples = _converted(decoded, self._sample_type)
        if self._to_drop is None:
            self._to_drop = round(self._delay_ns * rate_hz / _SECOND_NS)
        dropped = min(self._to_drop, samples.shape[1])
        self._to_drop -= dropped
        kept = samples[:, dropped : samples.shape[1] - round(encoded.discard_ns * rate_hz / _SECOND_NS)]
        if kept.shape[1] == 0:
            return []
        shift_ns = round(dropped * _SECOND_NS / rate_hz) - self._delay_ns
        frame = Frame.of(encoded)
        frame.pts_ns += shift_ns
        frame.utc_us = None if frame.utc_us is None else frame.utc_us + shift_ns // 1000
        frame.duration_ns = round(kept.shape[1] * _SECOND_NS / rate_hz)
        frame.samples = kept
        frame.sample_rate_hz = rate_hz
        return [frame]


def _converted(decoded: AudioFrame, sample_type: AudioType) -> NDArray[Any]:
    samples: NDArray[Any] = decoded.to_ndarray()
    if not decoded.format.is_planar:
        samples = samples.reshape(-1, len(decoded.layout.channels)).T
    kind = samples.dtype
    if sample_type == "int16":
        if kind == np.int16:
            return samples
        if kind == np.int32:
            return (samples >> 16).astype(np.int16)
        if kind == np.uint8:
            return (samples.astype(np.int16) - 128) << 8
        return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    if kind == np.int16:
        return samples.astype(np.float32) / np.float32(32768)
    if kind == np.int32:
        # A float64 holds them all; the quotient is rounded once.
        return (samples / 2147483648.0).astype(np.float32)
    if kind == np.uint8:
        return (samples.astype(np.float32) - 128) / np.float32(128)
    return samples.astype(np.float32, copy=False)
