"""Undoes what Matroska calls content encodings.

**Contract.** `decoded` returns a frame as its codec has it, `decoded_config` the track's configuration; both return what they were
given where nothing was done to it. Encrypted media and compressions that hardly anyone uses are a `MediaError`.
"""

from __future__ import annotations

import bz2
import zlib
from typing import Any

from kvs_connect.errors import MediaError
from kvs_connect.model import Track

__all__ = ["decoded", "decoded_config"]

_FRAMES = 1
_CONFIG = 2
_INFLATED_MAX_BYTES = 256 << 20


def decoded(track: Track, data: memoryview) -> memoryview | bytes:
    """Returns a frame with its encodings undone, the highest order first."""
    return _undone(track, _FRAMES, data) if track.content_encodings else data


def decoded_config(track: Track) -> bytes | None:
    """Returns the track's codec private data with its encodings undone."""
    if track.codec_private is None or not track.content_encodings:
        return track.codec_private
    return bytes(_undone(track, _CONFIG, track.codec_private))


def _undone(track: Track, scope: int, data: memoryview | bytes) -> memoryview | bytes:
    for encoding in sorted(track.content_encodings, key=lambda one: -int(one["order"])):
        if encoding["scope"] & scope:
            data = _undo(track, encoding, data)
    return data


def _undo(track: Track, encoding: dict[str, Any], data: memoryview | bytes) -> bytes:
    algorithm = encoding["algorithm"]
    try:
        if algorithm == "zlib":
            return _bounded(zlib.decompressobj(), data, track)
        if algorithm == "bzlib":
            return _bounded(bz2.BZ2Decompressor(), data, track)
        if algorithm == "header_stripping":
            return b"".join((encoding["settings"] or b"", data))
    except (zlib.error, OSError, EOFError) as error:
        raise MediaError(f"a frame cannot be decompressed: {error}", track=track.number) from error
    raise MediaError(f"frames with {encoding['type']} {algorithm} cannot be read here", track=track.number)


def _bounded(decompressor: Any, data: memoryview | bytes, track: Track) -> bytes:
    """A few kilobytes can claim to be gigabytes."""
    inflated: bytes = decompressor.decompress(data, _INFLATED_MAX_BYTES)
    if not decompressor.eof:
        raise MediaError("a frame is cut off, or too large once decompressed", track=track.number)
    return inflated
