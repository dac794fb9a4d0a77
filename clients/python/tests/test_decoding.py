"""Pictures and samples: those of the source, none missing, with their times."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace as _replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import media
import numpy as np
import pytest
from conftest import Published
from stack import WAIT_S

from kvs_connect import (
    Fragment,
    FragmentConsumer,
    Frame,
    FrameConsumer,
    MediaError,
    NoAudioError,
    NoPicturesError,
    PayloadAbsentError,
    decode_frames,
)

SOURCES = [
    (FragmentConsumer, "plain.fragments"),
    (FragmentConsumer, "parts.fragments"),
    (FrameConsumer, "plain.frames"),
    (FrameConsumer, "parts.frames"),
]
VIDEO = [
    "clip",
    "av1",
    "kinesis-video-renderer-example-output",
    "output-get-media",
    "output-get-media-equal-timecode",
    "h264-bframes",
    "h264-anamorphic",
    "zlib-video",
    "two-segments",
]
AUDIO = [
    "clip",
    "h264-bframes",
    "hand-headerstrip-aac",
    "hand-lacing-xiph",
    "hand-scale-10ms-cluster-40s",
    "opus-only",
    "pcm-s24le",
    "two-segments",
    "zlib-video",
]


def fragments_of(published: Published, stream: str, topic: str = "plain.fragments") -> list[Fragment]:
    with FragmentConsumer(topic, published.bootstrap, streams=stream, until_end=True) as consumer:
        return list(consumer)


@pytest.fixture(scope="session")
def decoded(published: Published) -> Callable[[Any, str], dict[str, list[Frame]]]:
    """Returns all pictures of a topic by their streams, with hashes instead of images; each topic is decoded once."""
    cache: dict[str, dict[str, list[Any]]] = {}

    def of(kind: type[FragmentConsumer] | type[FrameConsumer], topic: str) -> dict[str, list[Any]]:
        if topic not in cache:
            found = defaultdict(list)
            with kind(topic, published.bootstrap, until_end=True, on_error="skip") as consumer:
                for frame in consumer.frames("rgb24"):
                    found[frame.stream].append((media.digest(frame.image), frame))
                    frame.image = None
            cache[topic] = found
        return cache[topic]

    return of


@pytest.mark.parametrize(("kind", "topic"), SOURCES)
@pytest.mark.parametrize("stream", VIDEO)
def test_pictures_are_those_of_the_source(published: Published, decoded: Any, kind: Any, topic: str, stream: str) -> None:
    expected = media.pictures(published.file(stream))
    if stream == "output-get-media-equal-timecode":
        # Its second fragment is cut off, which the service would not send and the simulator does not.
        assert len(expected) == 239
        expected = expected[:120]
    assert [hashed for hashed, _ in decoded(kind, topic)[stream]] == expected


@pytest.mark.parametrize(("kind", "topic"), SOURCES)
def test_pictures_have_the_times_of_their_frames(published: Published, decoded: Any, kind: Any, topic: str) -> None:
    for stream in ("clip", *(["h264-bframes"] if "h264-bframes" in published.files else [])):
        expected = []
        for fragment in fragments_of(published, stream):
            assert fragment.first_frame_utc is not None
            video = fragment.tracks[0].number
            entries = [(entry, number) for number, entry in enumerate(fragment.index) if entry.track == video]
            assert [entry for entry, _ in entries] != sorted(entry for entry, _ in entries) or stream != "clip", "has B-frames"
            for entry, number in sorted(entries, key=lambda one: one[0].timestamp_ns):
                since = timedelta(microseconds=(entry.timestamp_ns - (fragment.start_ns or 0)) // 1000)
                expected.append((fragment.number, number, entry.timestamp_ns, fragment.first_frame_utc + since, entry.key))
        frames = [frame for _, frame in decoded(kind, topic)[stream]]
        assert [(one.fragment_number, one.index, one.pts_ns, one.utc, one.key) for one in frames] == expected
        assert [one.pts_ns for one in frames] == sorted(one.pts_ns for one in frames)


@pytest.mark.parametrize("stream", AUDIO)
@pytest.mark.parametrize(("kind", "topic"), [SOURCES[0], SOURCES[3]])
def test_samples_are_those_of_the_source(published: Published, kind: Any, topic: str, stream: str) -> None:
    expected = media.samples(published.file(stream))
    with kind(topic, published.bootstrap, streams=stream, until_end=True, on_error="skip") as consumer:
        frames = list(consumer.audio("float32"))
    if kind is FrameConsumer and stream in ("pcm-s24le", "clip"):
        # A record of the frames topic does not say the sample rate of PCM.
        assert frames == []
        return
    found = np.concatenate([frame.samples for frame in frames], axis=1)
    if kind is FrameConsumer and stream == "opus-only":
        # Nor does it say what of the end is not to be played.
        found = found[:, : expected.shape[1]]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_times_of_samples_leave_out_what_is_not_played(published: Published) -> None:
    published.file("opus-only")
    frames = list(decode_frames(fragments_of(published, "opus-only"), None, audio="float32", tracks="audio"))
    ends = [frame.pts_ns + (frame.duration_ns or 0) for frame in frames]
    starts = [frame.pts_ns for frame in frames]
    assert abs(starts[0] - fragments_of(published, "opus-only")[0].index[0].timestamp_ns) < 1_000_000
    # Matroska's times are whole milliseconds here.
    assert all(abs(start - end) < 2_000_000 for end, start in zip(ends, starts[1:], strict=False))


@pytest.mark.parametrize(("kind", "topic"), SOURCES)
def test_amazon_connects_samples(published: Published, kind: Any, topic: str) -> None:
    file = published.file("connect-shape-3frag")
    for number, track in ((1, "AUDIO_TO_CUSTOMER"), (2, "AUDIO_FROM_CUSTOMER")):
        with kind(topic, published.bootstrap, streams="connect-shape-3frag", until_end=True) as consumer:
            frames = list(consumer.audio("int16", tracks=track))
        assert {(frame.sample_rate_hz, frame.track_name) for frame in frames} == {(8000, track)}
        found = np.concatenate([frame.samples for frame in frames], axis=1)
        np.testing.assert_array_equal(found[0], media.l16_samples(file, number))


def test_which_pictures(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    every = [frame.pts_ns for frame in decode_frames(fragments)]
    assert [frame.pts_ns for frame in decode_frames(fragments, every=5)] == every[::5]
    seconds = [frame.pts_ns for frame in decode_frames(fragments, every=timedelta(seconds=1))]
    assert seconds == every[::10]
    keys = list(decode_frames(fragments, "gray", keyframes_only=True))
    assert [frame.key for frame in keys] == [True] * 6
    assert {frame.image.shape for frame in keys if frame.image is not None} == {(120, 160)}
    rgb, bgr = (next(decode_frames(fragments, layout)).image for layout in ("rgb24", "bgr24"))
    assert rgb is not None
    assert bgr is not None
    np.testing.assert_array_equal(rgb[..., ::-1], bgr)


def test_frames_as_they_are_stored(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    stored = list(decode_frames(fragments, None))
    assert len(stored) == sum(len(fragment.index) for fragment in fragments)
    assert all(frame.image is None and frame.data for frame in stored)
    entry, first = fragments[0].index[0], stored[0]
    assert first.data == fragments[0].payload[entry.offset : entry.offset + entry.size_bytes]


def test_pictures_and_samples_together(published: Published) -> None:
    frames = list(decode_frames(fragments_of(published, "clip"), "rgb24", audio="int16"))
    assert sum(frame.image is not None for frame in frames) == 48
    assert sum(frame.samples.shape[1] for frame in frames if frame.samples is not None) == 38400


def test_a_hole_never_blends_two_decoders(published: Published) -> None:
    """Without its second fragment a stream has the pictures of the others, and the last of the first is not lost."""
    fragments = fragments_of(published, "clip")
    whole = [media.digest(frame.image) for frame in decode_frames(fragments)]
    found = [media.digest(frame.image) for frame in decode_frames([fragments[0], *fragments[2:]])]
    assert found == whole[:8] + whole[16:]


def broken(fragment: Fragment, **changes: Any) -> Fragment:
    return _replace(fragment, **changes)


def test_pictures_without_their_key_frame_are_left_out(published: Published, caplog: pytest.LogCaptureFixture) -> None:
    fragments = fragments_of(published, "clip")
    whole = [media.digest(frame.image) for frame in decode_frames(fragments)]
    without_key = tuple(entry for entry in fragments[2].index if not (entry.track == 1 and entry.key))
    headless = broken(fragments[2], index=without_key, random_access=False)
    found = [media.digest(frame.image) for frame in decode_frames([fragments[0], headless, *fragments[3:]])]
    # What it has is decoded with nothing in front of it only after a hole.
    assert found == whole[:8] + whole[24:]
    assert "cannot be decoded without the key frame" in caplog.text


@pytest.mark.parametrize("topic", ["plain.frames", "parts.frames"])
@pytest.mark.parametrize("is_told", [False, True])
def test_records_of_frames_after_a_hole(published: Published, topic: str, is_told: bool) -> None:
    """Frames without their key frame, behind others: nothing of them is shown, whether the hole is seen or told."""
    whole = [media.digest(frame.image) for frame in decode_frames(fragments_of(published, "clip"))]
    with FrameConsumer(topic, published.bootstrap, streams="clip", until_end=True) as consumer:
        records = [record for record in consumer if record.kind == "video"]
    by_fragment = [records[at : at + 8] for at in range(0, len(records), 8)]
    headless = by_fragment[2][1:]
    if is_told:
        headless = [_replace(headless[0], discontinuity=True, previous_sequence=0), *headless[1:]]
    rest = [record for fragment in by_fragment[3:] for record in fragment]
    found = [media.digest(frame.image) for frame in decode_frames([*by_fragment[0], *headless, *rest])]
    assert found == whole[:8] + whole[24:]


def test_a_discontinuity_begins_anew(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    whole = [media.digest(frame.image) for frame in decode_frames(fragments)]
    without_key = tuple(entry for entry in fragments[1].index if not (entry.track == 1 and entry.key))
    headless = broken(fragments[1], index=without_key, random_access=False, discontinuity=True)
    found = [media.digest(frame.image) for frame in decode_frames([fragments[0], headless, *fragments[2:]])]
    assert found == whole[:8] + whole[16:]
    again = [broken(fragment, sequence=6 + number, discontinuity=number == 0) for number, fragment in enumerate(fragments)]
    assert [media.digest(frame.image) for frame in decode_frames([*fragments, *again])] == whole + whole


def test_corrupt_media_are_said_and_skipped(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    payload = bytearray(fragments[1].payload)
    for entry in fragments[1].index:
        payload[entry.offset : entry.offset + entry.size_bytes] = bytes(entry.size_bytes)
    corrupt = [fragments[0], broken(fragments[1], _media=memoryview(bytes(payload))), *fragments[2:]]
    with pytest.raises(MediaError) as raised:
        list(decode_frames(corrupt))
    assert (raised.value.stream, raised.value.number, raised.value.track) == ("clip", fragments[1].number, 1)
    errors: list[Any] = []
    whole = [media.digest(frame.image) for frame in decode_frames(fragments)]
    found = [media.digest(frame.image) for frame in decode_frames(corrupt, on_error=errors.append)]
    assert found[-32:] == whole[-32:]
    assert found[:7] == whole[:7]
    assert errors


def test_an_empty_frame_does_not_end_the_stream(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    cases: list[tuple[str, dict[str, Any], int]] = [("video", {}, 1), ("audio", {"decode": None, "audio": "int16"}, 800)]
    for kind, options, of_a_frame in cases:
        track = next(one.number for one in fragments[1].tracks if one.kind == kind)
        last = max(number for number, entry in enumerate(fragments[1].index) if entry.track == track)
        index = list(fragments[1].index)
        index[last] = index[last]._replace(size_bytes=0)
        errors: list[Any] = []
        run = [fragments[0], broken(fragments[1], index=tuple(index)), *fragments[2:]]
        decoded = list(decode_frames(run, **options, on_error=errors.append))
        assert [(error.reason, error.index) for error in errors] == [("it has no data", last)]
        found = sum(1 if frame.samples is None else frame.samples.shape[1] for frame in decoded)
        assert found == (48 if kind == "video" else 38400) - of_a_frame


@pytest.mark.parametrize("threads", [0, 3])
def test_several_threads_decode_the_same_pictures(published: Published, threads: int) -> None:
    for stream in published.files:
        fragments = fragments_of(published, stream)
        errors: list[Any] = []
        expected = [(one.pts_ns, media.digest(one.image)) for one in decode_frames(fragments, on_error=errors.append)]
        found = [(one.pts_ns, media.digest(one.image)) for one in decode_frames(fragments, threads=threads, on_error=errors.append)]
        assert found == expected, stream


def test_a_program_ends_while_several_threads_decode(published: Published) -> None:
    program = Path(__file__).parent / "program_breaks_off.py"
    ended = subprocess.run([sys.executable, program, published.bootstrap], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "20 20 20\n", "")


def test_an_index_that_lies_is_said(published: Published) -> None:
    (fragment, *_) = fragments_of(published, "clip")
    far = fragment.index[0]._replace(offset=1 << 40)
    with pytest.raises(MediaError, match="has ended"):
        list(broken(fragment, index=(far, *fragment.index[1:])).frames())


def test_what_a_stream_does_not_have(published: Published) -> None:
    published.file("connect-shape-3frag")
    calls = "connect-shape-3frag"
    with pytest.raises(NoPicturesError, match=r"audio\(\)") as raised:
        list(decode_frames(fragments_of(published, calls)))
    assert raised.value.stream == calls
    with pytest.raises(NoPicturesError), FrameConsumer("plain.frames", published.bootstrap, streams=calls, until_end=True) as consumer:
        list(consumer.frames())
    with pytest.raises(NoAudioError):
        list(decode_frames(fragments_of(published, "output-get-media"), None, audio="int16", tracks="audio"))


def test_frames_without_their_data_are_said(published: Published) -> None:
    with FrameConsumer("objects.frames", published.bootstrap, streams="clip", until_end=True) as consumer:
        with pytest.raises(PayloadAbsentError, match=r"frames\.payload\.mode=none"):
            list(consumer.frames())
    with FrameConsumer("objects.frames", published.bootstrap, streams="clip", until_end=True) as consumer:
        assert sum(record.kind == "video" for record in consumer) == 48


def test_a_stream_that_falls_silent_keeps_nothing_back(published: Published) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip") as consumer:
        assert len(list(islice(consumer.frames("gray", flush_after_s=0.5), 48))) == 48


def test_a_fragments_own_frames(published: Published) -> None:
    fragments = fragments_of(published, "clip")
    whole = [media.digest(frame.image) for frame in decode_frames(fragments)]

    def each() -> Iterator[str]:
        for fragment in fragments:
            yield from (media.digest(frame.image) for frame in fragment.frames())

    assert list(each()) == whole
