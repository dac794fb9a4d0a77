"""A record of the frames topic.

**Contract.** A `FrameRecord` has the record's fields, and `encoded` returns what a decoder needs of it, or raises an error where the
connector has left it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kvs_connect.codecs import coding_of_record
from kvs_connect.errors import PayloadAbsentError
from kvs_connect.frame import EncodedFrame
from kvs_connect.model import Position, utc_of_us
from kvs_connect.pickling import Picklable

__all__ = ["FrameRecord"]


@dataclass(eq=False, slots=True)
class FrameRecord(Picklable):
    """A frame as its record has it. `raw` has all fields of the schema but the data."""

    stream: str
    fragment_number: str
    sequence: int | None
    previous_sequence: int | None
    index: int
    track: int
    track_name: str | None
    kind: str
    codec: str
    format: str
    media_type: str | None
    key: bool
    random_access: bool
    discontinuity: bool
    pts_ns: int
    utc_us: int | None
    duration_ns: int | None
    config_id: str
    config: bytes | None
    payload_mode: str
    data: memoryview = field(repr=False)
    position: Position
    raw: dict[str, Any] = field(repr=False)

    @property
    def utc(self) -> datetime | None:
        """When the frame was taken, by the producer's clock."""
        return utc_of_us(self.utc_us)

    @classmethod
    def of_record(cls, raw: dict[str, Any], data: memoryview | None, position: Position) -> FrameRecord:
        """Returns a frame from its fields."""
        get = raw.get
        return cls(
            stream=raw["stream_name"],
            fragment_number=raw["fragment_number"],
            sequence=get("sequence"),
            previous_sequence=get("previous_sequence"),
            index=raw["frame_index"],
            track=raw["track"],
            track_name=get("track_name"),
            kind=raw["kind"],
            codec=raw["codec"],
            format=raw["format"],
            media_type=get("media_type"),
            key=raw["key"],
            random_access=raw["random_access"],
            discontinuity=raw["discontinuity"],
            pts_ns=raw["pts_ns"],
            utc_us=get("utc"),
            duration_ns=get("duration_ns"),
            config_id=raw["config_id"],
            config=get("config"),
            payload_mode=get("payload_mode", "inline"),
            data=memoryview(b"") if data is None else data,
            position=position,
            raw=raw,
        )

    def encoded(self, config: bytes | None) -> EncodedFrame:
        """Returns the frame as a decoder takes it, with the configuration that its track has had last."""
        if self.payload_mode == "none":
            raise PayloadAbsentError(
                self.stream,
                self.fragment_number,
                f"{self.position.topic} has frames without their data, as the connector has frames.payload.mode=none",
            )
        return EncodedFrame(
            stream=self.stream,
            fragment_number=self.fragment_number,
            sequence=self.sequence,
            index=self.index,
            track=self.track,
            track_name=self.track_name,
            kind=self.kind,
            coding=coding_of_record(self.raw, config),
            key=self.key,
            pts_ns=self.pts_ns,
            utc_us=self.utc_us,
            duration_ns=self.duration_ns,
            data=self.data,
            position=self.position,
        )
