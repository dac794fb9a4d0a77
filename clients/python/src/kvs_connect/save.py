"""Files from fragments: MKV as they are, MP4, WAV.

**Contract.** Each function takes fragments of one stream in their order, and writes a file that is complete or not there. Video is
never coded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from kvs_connect.arguments import tracks_of
from kvs_connect.codecs import coding_of_track
from kvs_connect.demux import chosen
from kvs_connect.errors import ConfigurationError, NoAudioError
from kvs_connect.files import replacing
from kvs_connect.frame import Tracks
from kvs_connect.frame_stream import decode_frames
from kvs_connect.model import Fragment, Track
from kvs_connect.mp4 import Mp4Writer
from kvs_connect.wav import WavWriter

__all__ = ["save", "to_mp4", "to_wav"]


def save(fragments: Iterable[Fragment], path: str | Path) -> Path:
    """Writes the media of fragments, one document behind the other, as GetMedia sends them (MKV)."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        for fragment in _not_empty(_of_one_stream(fragments)):
            file.write(fragment.payload)
    return Path(path)


def to_mp4(fragments: Iterable[Fragment], path: str | Path, *, tracks: Tracks = None) -> Path:
    """Writes fragments to an MP4 file, in which the first one begins at 0.

    What follows a discontinuity follows at once. PCM, which players do not expect in MP4, becomes AAC.
    """
    with replacing(path) as temporary, Mp4Writer(temporary, tracks) as writer:
        for fragment in _of_one_stream(fragments):
            writer.write(fragment)
    return Path(path)


def to_wav(fragments: Iterable[Fragment], path: str | Path, *, track: int | str | None = None) -> Path:
    """Writes a track of audio to a WAV file of 16 bits, or 24 if the track has more than 16.

    `track` is a number, a name or a kind, and may be left out if there is one track of audio.
    """
    tracks_of(track, "track")
    source = _not_empty(_of_one_stream(fragments))
    first = next(source)
    wanted = _audio_track(first, track)
    is_wide = coding_of_track(wanted).codec.startswith(("pcm_s", "pcm_f", "flac")) and (wanted.bit_depth or 16) > 16

    def all_fragments() -> Iterator[Fragment]:
        yield first
        yield from source

    sample_type = "float32" if is_wide else "int16"
    with replacing(path) as temporary, WavWriter(temporary, 3 if is_wide else 2) as file:
        for frame in decode_frames(all_fragments(), None, audio=sample_type, tracks=wanted.number):  # type: ignore[arg-type]
            assert frame.samples is not None and frame.sample_rate_hz is not None
            file.write(frame.samples, frame.sample_rate_hz)
        if file.is_empty:
            raise NoAudioError("there is no sample in these fragments", first.stream, first.number, wanted.number)
    return Path(path)


def _of_one_stream(fragments: Iterable[Fragment]) -> Iterator[Fragment]:
    if not isinstance(fragments, Iterable):
        raise ConfigurationError(f"fragments={fragments!r} has to be a list of fragments, or a consumer")
    return _each_of_one_stream(fragments)


def _not_empty(fragments: Iterator[Fragment]) -> Iterator[Fragment]:
    first = next(fragments, None)
    if first is None:
        raise ConfigurationError("there is no fragment to write")
    return chain([first], fragments)


def _each_of_one_stream(fragments: Iterable[Fragment]) -> Iterator[Fragment]:
    stream = None
    for fragment in fragments:
        stream = stream or fragment.stream
        if fragment.stream != stream:
            raise ConfigurationError(f"fragments of {stream} and of {fragment.stream} do not go into one file")
        yield fragment


def _audio_track(fragment: Fragment, wanted: int | str | None) -> Track:
    audio = [one for one in fragment.tracks if one.kind == "audio"]
    found = audio if wanted is None else [one for one in audio if chosen(wanted, one.number, one.name, one.kind)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"track={one.name or one.number!r}" for one in audio)
    if not audio:
        reason = "there is no track of audio"
    elif len(found) > 1:
        reason = f"there are several tracks of audio, choose one: {names}"
    else:
        reason = f"there is no track of audio with track={wanted!r}, but {names}"
    raise NoAudioError(reason, fragment.stream, fragment.number)
