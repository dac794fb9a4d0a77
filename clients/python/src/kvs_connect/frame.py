"""A frame: as it is stored, and as the caller gets it.

**Contract.** `EncodedFrame` is what a decoder needs of a frame, the same whether it comes from a fragment or from the frames topic.
`Frame` is what `frames()` yields: a picture, samples or the stored bytes, with its times.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kvs_connect.model import Position, utc_of_us
from kvs_connect.pickling import Picklable

__all__ = ["AudioType", "EncodedFrame", "Every", "Frame", "PictureFormat", "Tracks"]

PictureFormat = Literal["rgb24", "bgr24", "gray"]
"""How pictures are laid out: height × width × 3 in RGB or, as OpenCV has it, BGR; or height × width."""
AudioType = Literal["float32", "int16"]
"""The samples' type: from -1 to 1, or whole numbers."""
Every = int | timedelta
"""Which pictures: each Nth, or one in this time of the stream."""
Tracks = str | int | Collection[str | int] | None
"""Tracks by number, name or kind (`video`, `audio`)."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How the frames of a track are coded. Another value means another decoder."""

    codec: str
    """As FFmpeg has it."""
    config: bytes | None = field(repr=False)
    config_id: str = ""
    sample_rate_hz: int | None = None
    channels: int | None = None
    delay_ns: int = 0
    """What a decoder puts out first and is not to be played."""


@dataclass(slots=True, eq=False)
class EncodedFrame:
    """A frame as a decoder takes it."""

    stream: str
    fragment_number: str
    sequence: int | None
    index: int
    track: int
    track_name: str | None
    kind: str
    coding: Coding
    key: bool
    pts_ns: int
    utc_us: int | None
    duration_ns: int | None
    data: memoryview | bytes
    position: Position
    discard_ns: int = 0
    """What of its end is not to be played."""


@dataclass(slots=True, eq=False)
class Frame(Picklable):
    """A picture, or samples, or a frame as it is stored.

    `image` is set for pictures, `samples` (channels × samples) and `sample_rate_hz` for audio, and `data` where nothing is decoded.
    `pts_ns` is by the stream's clock, `utc` by that of the producer. `index` is the frame's in its fragment.
    """

    stream: str
    fragment_number: str
    sequence: int | None
    index: int
    track: int
    track_name: str | None
    kind: str
    codec: str
    key: bool
    pts_ns: int
    utc_us: int | None
    duration_ns: int | None
    position: Position
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    samples: NDArray[Any] | None = field(default=None, repr=False)
    sample_rate_hz: int | None = None
    data: memoryview | bytes | None = field(default=None, repr=False)
    config: bytes | None = field(default=None, repr=False)
    is_corrupt: bool = False

    @property
    def utc(self) -> datetime | None:
        """When the frame was taken, by the producer's clock."""
        return utc_of_us(self.utc_us)

    @classmethod
    def of(cls, frame: EncodedFrame) -> Frame:
        """Returns a frame with all that is known before it is decoded."""
        return cls(
            frame.stream,
            frame.fragment_number,
            frame.sequence,
            frame.index,
            frame.track,
            frame.track_name,
            frame.kind,
            frame.coding.codec,
            frame.key,
            frame.pts_ns,
            frame.utc_us,
            frame.duration_ns,
            frame.position,
        )
