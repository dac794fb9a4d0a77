"""Which records are finished while pictures are decoded, where a decoder makes nothing of some frames, and says nothing."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from kvs_connect.frame import Coding, EncodedFrame
from kvs_connect.holds import Holds
from kvs_connect.model import Position
from kvs_connect.pipeline import Pipeline, _Track

PICTURES_A_GROUP = 8


def open_groups(groups: int) -> list[list[tuple[bytes, int, bool]]]:
    """Returns H.265 whose groups of pictures, but for the first, begin with pictures that need the group before: data, time, key."""
    encoder = av.CodecContext.create("libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base, encoder.framerate = (
        160,
        120,
        "yuv420p",
        Fraction(1, 10),
        Fraction(10),
    )
    size = PICTURES_A_GROUP
    encoder.options = {
        "x265-params": f"keyint={size}:min-keyint={size}:scenecut=0:bframes=2:b-adapt=0:open-gop=1:repeat-headers=1:log-level=none"
    }
    noise = np.random.default_rng(7).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    packets = []
    for number in range(groups * size):
        picture = av.VideoFrame.from_ndarray(np.roll(noise, number * 3, axis=1), format="rgb24")
        picture.pts, picture.time_base = number, Fraction(1, 10)
        packets += encoder.encode(picture)
    found: list[list[tuple[bytes, int, bool]]] = []
    for packet in packets + encoder.encode(None):
        assert packet.pts is not None
        if packet.is_keyframe:
            found.append([])
        found[-1].append((bytes(packet), packet.pts, packet.is_keyframe))
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_a_picture_that_never_comes_holds_no_offset_back(threads: int) -> None:
    """Pictures before their key frame are left out, without a word, where decoding begins with them."""
    groups = open_groups(8)[1:]
    coding = Coding("hevc", None)
    holds = Holds()
    track = _Track(coding, Pipeline("gray", None, None, 1, False, threads, lambda error: pytest.fail(str(error))), holds)
    shown: list[int] = []
    positions = [Position("topic", 0, offset) for offset in range(len(groups))]
    for position, group in zip(positions, groups, strict=True):
        holds.hold(position)
        for index, (data, pts, key) in enumerate(group):
            frame = EncodedFrame("s", str(position.offset), None, index, 1, None, "video", coding, key, pts, None, None, data, position)
            shown += [one.pts_ns for one in track.push(frame)]
        holds.release(position)
    # The newest is needed by what comes next, and the one before may have pictures that are still held back.
    assert holds.finished[: len(positions) - 2] == positions[:-2]
    shown += [one.pts_ns for one in track.flush()]
    assert holds.finished == positions
    first = groups[0][0][1]
    assert shown == sorted(pts for group in groups for _, pts, _ in group if pts >= first)
    assert any(pts < first for _, pts, _ in groups[0]), "some cannot be decoded"
