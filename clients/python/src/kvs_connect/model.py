"""What a fragment's record says.

**Contract.** A `Fragment` has the record's fields under names of this package, times as aware datetimes in UTC with the
record's precision, and its media when they are asked for: `payload` is a view into the record where they are in it, and is
fetched on first use where they are elsewhere. Nothing here talks to Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kvs_connect.errors import PayloadAbsentError
from kvs_connect.pickling import Picklable

if TYPE_CHECKING:
    from PIL.Image import Image

    from kvs_connect.frame import AudioType, Every, Frame, PictureFormat, Tracks

__all__ = ["Fragment", "IndexEntry", "PayloadChunks", "Position", "Tag", "Track"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_of_us(micros: int | None) -> datetime | None:
    """Returns a time from microseconds since 1970, without the rounding of a float.

    >>> print(utc_of_us(1_700_000_000_000_001))
    2023-11-14 22:13:20.000001+00:00
    """
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


class Position(NamedTuple):
    """Where a record is in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Track:
    """A track of a fragment. None means that the track does not say it. `raw` has all fields of the schema."""

    number: int
    uid: int
    kind: str
    codec_id: str
    codec_private: bytes | None
    name: str | None
    language: str | None
    media_type: str | None
    width: int | None
    height: int | None
    sample_rate_hz: float | None
    channels: int | None
    bit_depth: int | None
    codec_delay_ns: int | None
    default_duration_ns: int | None
    content_encodings: tuple[dict[str, Any], ...]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of_record(cls, raw: dict[str, Any]) -> Track:
        """Returns a track from its fields in the record."""
        get = raw.get
        return cls(
            number=raw["number"],
            uid=raw["uid"],
            kind=raw["kind"],
            codec_id=raw["codec_id"],
            codec_private=get("codec_private"),
            name=get("name"),
            language=get("language"),
            media_type=get("media_type"),
            width=get("width"),
            height=get("height"),
            sample_rate_hz=get("sampling_frequency_hz"),
            channels=get("channels"),
            bit_depth=get("bit_depth"),
            codec_delay_ns=get("codec_delay_ns"),
            default_duration_ns=get("default_duration_ns"),
            content_encodings=tuple(get("content_encodings") or ()),
            raw=raw,
        )


class Tag(NamedTuple):
    """A tag that the producer has written into the fragment."""

    name: str
    value: str
    binary: bytes | None
    track_uid: int | None


class IndexEntry(NamedTuple):
    """A frame in the fragment's index: where it is in the payload, and when it is presented by the cluster's clock."""

    track: int
    timestamp_ns: int
    duration_ns: int | None
    key: bool
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PayloadChunks:
    """Where the parts of a payload are."""

    topic: str
    partition: int
    count: int
    max_size_bytes: int


Resolve = Callable[["Fragment"], memoryview]


@dataclass(eq=False, slots=True)
class Fragment(Picklable):
    """A fragment of a stream, as its record has it.

    `sequence` counts a stream's fragments without holes; None in records of earlier versions. `random_access` says whether a
    decoder can begin here, `discontinuity` that this fragment does not continue the one before.
    """

    stream: str
    number: str
    sequence: int | None
    stream_arn: str | None
    server_utc: datetime | None
    producer_utc: datetime | None
    first_frame_utc: datetime | None
    last_frame_utc: datetime | None
    start_ns: int | None
    duration_ns: int
    random_access: bool
    discontinuity: bool
    complete: bool
    tracks: tuple[Track, ...]
    index: tuple[IndexEntry, ...] = field(repr=False)
    tags: tuple[Tag, ...] = field(repr=False)
    content_type: str
    size_bytes: int
    payload_mode: str
    payload_uri: str | None
    payload_sha256: str | None
    payload_chunks: PayloadChunks | None
    behind_ms: int | None
    continuation_token: str | None
    headers: tuple[tuple[str, bytes | None], ...] = field(repr=False)
    position: Position
    record_timestamp_ms: int
    first_frame_us: int | None = field(repr=False)
    _media: memoryview | None = field(repr=False)
    _resolve: Resolve | None = field(repr=False)

    @property
    def payload(self) -> memoryview:
        """The media, a whole MKV document, which `bytes(fragment.payload)` copies.

        Raises a `PayloadError` if the media are not to be had.
        """
        if self._media is None:
            if self._resolve is None:
                raise PayloadAbsentError(self.stream, self.number, "there is nobody to fetch its media")
            self._media = self._resolve(self)
        return self._media

    def tag(self, name: str, default: str | None = None) -> str | None:
        """Returns the value of the first tag with this name."""
        return next((tag.value for tag in self.tags if tag.name == name), default)

    def track(self, track: int | str) -> Track | None:
        """Returns the track with this number or name."""
        return next((one for one in self.tracks if track in (one.number, one.name)), None)

    def frame_utc_us(self, entry: IndexEntry) -> int | None:
        """Returns when a frame of the index was taken, in microseconds since 1970."""
        if self.first_frame_us is None or self.start_ns is None:
            return None
        return self.first_frame_us + (entry.timestamp_ns - self.start_ns) // 1000

    def frames(
        self,
        decode: PictureFormat | None = "rgb24",
        *,
        audio: AudioType | None = None,
        tracks: Tracks = None,
        every: Every = 1,
        keyframes_only: bool = False,
    ) -> Iterator[Frame]:
        """Yields the fragment's frames, by a decoder that begins and ends with it.

        For a whole stream use `FragmentConsumer.frames`, whose decoders go on from one fragment to the next.
        """
        from kvs_connect.frame_stream import decode_frames

        return decode_frames([self], decode, audio=audio, tracks=tracks, every=every, keyframes_only=keyframes_only)

    def to_pillow(self, index: int = 0) -> Image:
        """Returns the fragment's picture with this number, in the order in which they are shown; -1 is the last."""
        from kvs_connect.pillow import picture_of

        return picture_of(self, index)

    def save(self, path: str | Path) -> Path:
        """Writes the media to a file as they are, which a player plays (MKV)."""
        from kvs_connect.save import save

        return save([self], path)

    def to_mp4(self, path: str | Path, *, tracks: Tracks = None) -> Path:
        """Writes the fragment to an MP4 file, without coding its video again."""
        from kvs_connect.save import to_mp4

        return to_mp4([self], path, tracks=tracks)

    def to_wav(self, path: str | Path, *, track: int | str | None = None) -> Path:
        """Writes a track of audio to a WAV file."""
        from kvs_connect.save import to_wav

        return to_wav([self], path, track=track)


def fragment_of_record(
    fields: dict[str, Any],
    media: memoryview | None,
    position: Position,
    *,
    record_timestamp_ms: int = 0,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    resolve: Resolve | None = None,
) -> Fragment:
    """Returns the fragment of a record of fragments or of metadata."""
    get = fields.get
    server_ms, producer_ms = get("server_timestamp"), get("producer_timestamp")
    first_us, last_us = get("first_frame_utc"), get("last_frame_utc")
    if first_us is None and producer_ms is not None and get("start_ns") is not None:
        # Records of earlier versions have the time of the first frame only here, in milliseconds.
        first_us = producer_ms * 1000
    mode = get("payload_mode", "inline")
    chunks = get("payload_chunks")
    return Fragment(
        stream=fields["stream_name"],
        number=fields["fragment_number"],
        sequence=get("sequence"),
        stream_arn=get("stream_arn"),
        server_utc=None if server_ms is None else utc_of_us(server_ms * 1000),
        producer_utc=None if producer_ms is None else utc_of_us(producer_ms * 1000),
        first_frame_utc=utc_of_us(first_us),
        last_frame_utc=utc_of_us(last_us),
        start_ns=get("start_ns"),
        duration_ns=get("duration_ns", 0),
        # Records of the earliest version do not say it, and their index does.
        random_access=get("random_access", _begins_with_key_frame(fields)),
        discontinuity=get("discontinuity", False),
        complete=get("complete", True),
        tracks=tuple(map(Track.of_record, fields["tracks"])),
        index=tuple(
            IndexEntry(
                entry["track"],
                entry["timestamp_ns"],
                entry.get("duration_ns"),
                entry["key"],
                entry["offset"],
                entry["size_bytes"],
            )
            for entry in fields["frames"]
        ),
        tags=tuple(Tag(tag["name"], tag["value"], tag.get("binary"), tag.get("track_uid")) for tag in fields["tags"]),
        content_type=get("content_type", ""),
        size_bytes=get("size_bytes", 0),
        payload_mode=mode,
        payload_uri=get("payload_uri"),
        payload_sha256=get("payload_sha256"),
        payload_chunks=None
        if chunks is None
        else PayloadChunks(chunks["topic"], chunks["partition"], chunks["count"], chunks["max_size_bytes"]),
        behind_ms=get("millis_behind_now"),
        continuation_token=get("continuation_token"),
        headers=headers,
        position=position,
        record_timestamp_ms=record_timestamp_ms,
        first_frame_us=first_us,
        _media=media if mode == "inline" else None,
        _resolve=resolve,
    )


def _begins_with_key_frame(fields: dict[str, Any]) -> bool:
    video = {track["number"] for track in fields["tracks"] if track["kind"] == "video"}
    first = next((entry for entry in fields["frames"] if entry["track"] in video), None)
    return bool(first["key"] if first else fields["frames"])
