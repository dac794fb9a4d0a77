"""Media for the tests: a clip with B-frames and sound, made here, and what PyAV alone makes of a file."""

from __future__ import annotations

import hashlib
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

EBML = b"\x1a\x45\xdf\xa3"
PICTURES_A_GROUP = 8
GROUPS = 6


def make_clip(path: Path) -> Path:
    """Writes a clip of H.264 with B-frames and of 16-bit PCM, whose every group of pictures becomes a fragment."""
    random = np.random.default_rng(7)
    noise = random.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    options = {"g": str(PICTURES_A_GROUP), "bf": "2", "keyint_min": str(PICTURES_A_GROUP), "sc_threshold": "0", "threads": "1"}
    with av.open(str(path), "w", format="matroska", options={"cluster_time_limit": "60000"}) as container:
        video = container.add_stream("libx264", rate=10, options=options)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(PICTURES_A_GROUP * GROUPS):
            picture = av.VideoFrame.from_ndarray(np.roll(noise, number * 3, axis=1), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(video.encode(picture))
            wave = np.sin(np.arange(800) * (number + 1) / 40) * 12000
            samples = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 8000, number * 800, Fraction(1, 8000)
            container.mux(audio.encode(samples))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def make_av1(path: Path) -> Path:
    """Writes a clip of AV1, whose every group of pictures becomes a fragment."""
    noise = np.random.default_rng(8).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    options = {"g": str(PICTURES_A_GROUP), "preset": "12", "svtav1-params": "lp=1:scd=0"}
    with av.open(str(path), "w", format="matroska", options={"cluster_time_limit": "60000"}) as container:
        video = container.add_stream("libsvtav1", rate=10, options=options)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for number in range(PICTURES_A_GROUP * 3):
            picture = av.VideoFrame.from_ndarray(np.roll(noise, number * 3, axis=1), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    return path


def digest(image: NDArray[Any] | None) -> str:
    assert image is not None
    return hashlib.sha256(image.tobytes()).hexdigest()


def pictures(path: Path) -> list[str]:
    """Returns a hash of each picture of a file, as PyAV decodes it."""
    found = []
    for document in _documents(path):
        with av.open(io.BytesIO(document), "r") as container:
            if container.streams.video:
                found += [digest(picture.to_ndarray(format="rgb24")) for picture in container.decode(video=0)]
    return found


def samples(path: Path) -> NDArray[Any]:
    """Returns the samples of a file's first track of audio, from -1 to 1, as PyAV decodes it."""
    found = []
    for document in _documents(path):
        with av.open(io.BytesIO(document), "r") as container:
            if not container.streams.audio:
                continue
            for frame in container.decode(audio=0):
                array: NDArray[Any] = frame.to_ndarray()
                if not frame.format.is_planar:
                    array = array.reshape(-1, len(frame.layout.channels)).T
                scale = {np.dtype(np.int16): 32768.0, np.dtype(np.int32): 2147483648.0}.get(array.dtype, 1.0)
                found.append((array / scale).astype(np.float32))
    return np.concatenate(found, axis=1)


def l16_samples(path: Path, track: int) -> NDArray[np.int16]:
    """Returns what the simple blocks of a track hold, read by hand: little-endian samples."""
    data, at, found = path.read_bytes(), 0, []
    while (at := data.find(b"\xa3", at)) >= 0:
        size, head = _vint(data, at + 1)
        body = at + 1 + head
        if size == 1028 and data[body] == 0x80 | track and body + size <= len(data):
            found.append(np.frombuffer(data[body + 4 : body + size], "<i2"))
            at = body + size
        else:
            at += 1
    return np.concatenate(found)


def _vint(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    length = 9 - first.bit_length()
    return int.from_bytes(data[at : at + length], "big") & ((1 << (7 * length)) - 1), length


def _documents(path: Path) -> list[bytes]:
    """Returns the file, or the documents in it where PyAV reads only the first one: the second has another track."""
    data = path.read_bytes()
    if path.stem != "two-segments":
        return [data]
    second = data.index(EBML, len(EBML))
    return [data[:second], data[second:]]
