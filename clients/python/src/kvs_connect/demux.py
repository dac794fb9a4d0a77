"""The frames of a fragment, as a decoder takes them.

**Contract.** `encoded_frames` yields the frames of chosen tracks in the fragment's order, cut from its payload by the index of its
record, without copying them unless a content encoding has to be undone. A frame that cannot be had is passed to `report`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from kvs_connect.codecs import coding_of_track
from kvs_connect.encodings import decoded
from kvs_connect.errors import MediaError
from kvs_connect.frame import Coding, EncodedFrame, Tracks
from kvs_connect.model import Fragment, Track

__all__ = ["chosen", "encoded_frames"]

_DISCARD_PADDING = 0x75A2
# What a BlockGroup may have behind its block: duration, references, padding, codec state, priority.
_BEHIND_BLOCK = {0x9B, 0xFB, 0xFA, 0xA4, _DISCARD_PADDING}


def chosen(tracks: Tracks, number: int, name: str | None, kind: str) -> bool:
    """Whether a track is one of those that are asked for, by number, name or kind.

    >>> chosen(("video", "AUDIO_FROM_CUSTOMER"), 2, "AUDIO_FROM_CUSTOMER", "audio")
    True
    >>> chosen("video", 2, "AUDIO_FROM_CUSTOMER", "audio")
    False
    """
    if tracks is None:
        return True
    wanted: Collection[str | int] = (tracks,) if isinstance(tracks, str | int) else tracks
    return number in wanted or kind in wanted or (name is not None and name in wanted)


def encoded_frames(fragment: Fragment, tracks: Tracks, report: Callable[[MediaError], None]) -> Iterator[EncodedFrame]:
    """Yields the frames of the chosen tracks."""
    wanted: dict[int, tuple[Track, Coding]] = {}
    for track in fragment.tracks:
        if chosen(tracks, track.number, track.name, track.kind):
            try:
                wanted[track.number] = track, coding_of_track(track)
            except MediaError as error:
                report(_located(error, fragment, track.number, -1))
    if not any(entry.track in wanted for entry in fragment.index):
        return
    payload = fragment.payload
    for index, entry in enumerate(fragment.index):
        if entry.track not in wanted:
            continue
        track, coding = wanted[entry.track]
        end = entry.offset + entry.size_bytes
        try:
            if entry.offset < 0 or end > len(payload):
                raise MediaError("the index has it where its fragment has ended")
            data = decoded(track, payload[entry.offset : end])
        except MediaError as error:
            report(_located(error, fragment, track.number, index))
            continue
        yield EncodedFrame(
            stream=fragment.stream,
            fragment_number=fragment.number,
            sequence=fragment.sequence,
            index=index,
            track=track.number,
            track_name=track.name,
            kind=track.kind,
            coding=coding,
            key=entry.key,
            pts_ns=entry.timestamp_ns,
            utc_us=fragment.frame_utc_us(entry),
            duration_ns=entry.duration_ns or track.default_duration_ns,
            data=data,
            position=fragment.position,
            discard_ns=_discard_ns(payload, end) if coding.delay_ns else 0,
        )


def _located(error: MediaError, fragment: Fragment, track: int, index: int) -> MediaError:
    located = MediaError(error.reason, fragment.stream, fragment.number, track, index)
    located.__cause__ = error
    return located


def _discard_ns(payload: memoryview, at: int) -> int:
    """Returns the DiscardPadding of the block that ends here, which the index does not have."""
    for _ in range(len(_BEHIND_BLOCK)):
        if at + 4 > len(payload):
            break
        identifier, id_bytes = payload[at], 1
        if identifier == _DISCARD_PADDING >> 8:
            identifier, id_bytes = int.from_bytes(payload[at : at + 2], "big"), 2
        size = payload[at + id_bytes]
        # None of them is longer than a number: one byte of size.
        if identifier not in _BEHIND_BLOCK or size < 0x80:
            break
        at += id_bytes + 1
        size &= 0x7F
        if identifier == _DISCARD_PADDING:
            return max(0, int.from_bytes(payload[at : at + size], "big", signed=True))
        at += size
    return 0
