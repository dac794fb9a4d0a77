"""Files: MKV as it is, MP4 with every picture, WAV; whole or not there."""

from __future__ import annotations

import os
import signal
import stat
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import media
import numpy as np
import pytest
from conftest import Published
from test_decoding import broken, fragments_of

from kvs_connect import (
    ConfigurationError,
    Fragment,
    MediaError,
    NoAudioError,
    PayloadAbsentError,
    decode_frames,
    save,
    to_mp4,
    to_wav,
)
from kvs_connect.wav import WavWriter

VIDEO = ["clip", "av1", "h264-bframes", "output-get-media", "kinesis-video-renderer-example-output", "zlib-video", "h264-anamorphic"]


def test_a_saved_fragment_is_what_the_service_has(published: Published, tmp_path: Path) -> None:
    fragments = fragments_of(published, "clip")
    assert fragments[0].save(tmp_path / "one.mkv").read_bytes() == bytes(fragments[0].payload)
    assert len(media.pictures(tmp_path / "one.mkv")) == 8
    save(fragments, tmp_path / "all.mkv")
    assert media.pictures(tmp_path / "all.mkv") == media.pictures(published.file("clip"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.mkv", "one.mkv"]


@pytest.mark.parametrize("stream", VIDEO)
def test_an_mp4_has_every_picture_at_its_time(published: Published, tmp_path: Path, stream: str) -> None:
    expected = media.pictures(published.file(stream))
    fragments = fragments_of(published, stream)
    path = to_mp4(fragments, tmp_path / "film.mp4")
    assert media.pictures(path) == expected
    frames = list(decode_frames(fragments))
    with av.open(str(path), "r") as container:
        times = [float(picture.time or 0) for picture in container.decode(video=0)]
    assert times == pytest.approx([(frame.pts_ns - frames[0].pts_ns) / 1e9 + times[0] for frame in frames], abs=0.001)
    assert len(media.pictures(fragments[0].to_mp4(tmp_path / "one.mp4"))) == sum(
        frame.fragment_number == fragments[0].number for frame in frames
    )


def test_an_mp4_of_a_call(published: Published, tmp_path: Path) -> None:
    published.file("connect-shape-3frag")
    fragments = fragments_of(published, "connect-shape-3frag")
    path = to_mp4(fragments, tmp_path / "call.mp4", tracks="AUDIO_FROM_CUSTOMER")
    with av.open(str(path), "r") as container:
        (audio,) = container.streams.audio
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ("aac", 8000)
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 24576


def test_an_mp4_of_another_run(published: Published, tmp_path: Path) -> None:
    fragments = fragments_of(published, "clip")
    again = [broken(fragment, sequence=6 + number, discontinuity=number == 0) for number, fragment in enumerate(fragments)]
    path = to_mp4([*fragments, *again], tmp_path / "twice.mp4")
    assert media.pictures(path) == media.pictures(published.file("clip")) * 2


@pytest.mark.parametrize(("stream", "width"), [("clip", 2), ("pcm-s24le", 3), ("opus-only", 2), ("hand-headerstrip-aac", 2)])
def test_a_wav_has_every_sample(published: Published, tmp_path: Path, stream: str, width: int) -> None:
    expected = media.samples(published.file(stream))
    path = to_wav(fragments_of(published, stream), tmp_path / "sound.wav")
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getnframes()) == (width, expected.shape[1])
        data = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, width)
    whole = np.zeros((len(data), 4), np.uint8)
    whole[:, 4 - width :] = data
    found = whole.view("<i4")[:, 0] / 2147483648.0
    np.testing.assert_allclose(found, np.clip(expected[0], -1, 1), atol=1 / 32768 if width == 2 else 1e-7)


def test_a_wav_of_a_call(published: Published, tmp_path: Path) -> None:
    file = published.file("connect-shape-3frag")
    fragments = fragments_of(published, "connect-shape-3frag")
    with pytest.raises(NoAudioError, match="AUDIO_TO_CUSTOMER"):
        fragments[0].to_wav(tmp_path / "x.wav")
    to_wav(fragments, tmp_path / "call.wav", track="AUDIO_FROM_CUSTOMER")
    with wave.open(str(tmp_path / "call.wav")) as sound:
        assert sound.getframerate() == 8000
        assert sound.readframes(1 << 20) == media.l16_samples(file, 2).tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["call.wav"]


def interrupted() -> Iterator[Fragment]:
    raise KeyboardInterrupt
    yield


def test_no_half_file(published: Published, tmp_path: Path) -> None:
    fragments = fragments_of(published, "clip")
    for name in ("film.mp4", "film.mkv", "film.wav"):
        (tmp_path / name).write_bytes(b"before")
    lost = broken(fragments[3], payload_mode="none", _media=None, _resolve=None)
    for write, name in ((save, "film.mkv"), (to_mp4, "film.mp4"), (to_wav, "film.wav")):
        for before in (0, 3):
            with pytest.raises(PayloadAbsentError, match="fragment"):
                write([*fragments[:before], lost], tmp_path / name)
        with pytest.raises(KeyboardInterrupt):
            write(interrupted(), tmp_path / name)
        with pytest.raises((ConfigurationError, MediaError), match="there is no"):
            write([], tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("write", "name"), [(save, "film.mkv"), (to_mp4, "film.mp4"), (to_wav, "film.wav")])
def test_a_file_keeps_who_may_read_it(published: Published, tmp_path: Path, write: Any, name: str) -> None:
    fragments = fragments_of(published, "clip")
    path = tmp_path / name
    mask = os.umask(0o027)
    try:
        assert stat.S_IMODE(write(fragments, path).stat().st_mode) == 0o640
        path.chmod(0o604)
        seen: list[int] = []

        def watched() -> Iterator[Fragment]:
            for fragment in fragments:
                seen.extend(stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir())
                yield fragment

        assert stat.S_IMODE(write(watched(), path).stat().st_mode) == 0o604
        # Nobody reads it while it is written.
        assert set(seen) == {0o604, 0o600}
    finally:
        os.umask(mask)


def test_what_a_block_raises_is_not_replaced_by_what_ending_the_file_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def close(_: object) -> None:
        raise OSError("the disk is full")

    samples = np.zeros((1, 8), np.int16)
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch, WavWriter(tmp_path / "x.wav", 2) as file:
        file.write(samples, 8000)
        patch.setattr(wave.Wave_write, "close", close)
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.wav"])
def test_a_full_disk_is_said_with_the_files_name(published: Published, tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource")
    fragments = fragments_of(published, "clip")
    write: Any = {"film.mkv": save, "film.mp4": to_mp4, "film.wav": to_wav}[name]
    (tmp_path / name).write_bytes(b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OSError, match="File too large") as raised:
            write(fragments, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert raised.value.filename == str(tmp_path / name)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"before")]


def test_damaged_media_are_said(published: Published, tmp_path: Path) -> None:
    fragment = fragments_of(published, "clip")[0]
    for payload in (b"x" * len(fragment.payload), bytes(200) + bytes(fragment.payload[200:]), b""):
        damaged = broken(fragment, _media=memoryview(payload))
        with pytest.raises(MediaError) as raised:
            damaged.to_mp4(tmp_path / "damaged.mp4")
        assert raised.value.number == fragment.number
    assert list(tmp_path.iterdir()) == []


def test_files_are_of_one_stream(published: Published, tmp_path: Path) -> None:
    fragments = fragments_of(published, "clip")
    with pytest.raises(ConfigurationError, match="one file"):
        save([fragments[0], broken(fragments[1], stream="other")], tmp_path / "x.mkv")
    with pytest.raises(MediaError, match="no frame"):
        to_mp4([], tmp_path / "x.mp4")
    with pytest.raises(ConfigurationError, match="no fragment"):
        to_wav([], tmp_path / "x.wav")
    assert list(tmp_path.iterdir()) == []


def test_pillow(published: Published) -> None:
    image = pytest.importorskip("PIL.Image")
    (fragment, *_) = fragments_of(published, "clip")
    frames = list(fragment.frames())
    for index in (0, 5, -1):
        picture = fragment.to_pillow(index)
        assert isinstance(picture, image.Image)
        np.testing.assert_array_equal(np.asarray(picture), frames[index].image)
    with pytest.raises(IndexError, match="no picture 8"):
        fragment.to_pillow(8)
