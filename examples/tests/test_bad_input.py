"""Pictures that cannot be decoded are said and skipped, and the rest of the stream and the other streams go on."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from conftest import CLIP, CLIP_FRAGMENTS, Published
from stack import Process, wait_for
from topics import values

from kvs_connect import Fragment

TOPIC = "bad.fragments"


def damaged(path: Path) -> Path:
    """Writes the clip with a second key frame that no decoder takes."""
    data = bytearray(CLIP.read_bytes())
    with av.open(str(CLIP)) as container:
        keys = [bytes(packet) for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
    at = data.index(keys[1])
    data[at + 4 : at + len(keys[1])] = b"\xff" * (len(keys[1]) - 4)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def fragments(
    published: Published, read: Callable[[str, int], list[Fragment]], tmp_path_factory: pytest.TempPathFactory
) -> list[Fragment]:
    streams = {"whole": CLIP, "broken": damaged(tmp_path_factory.mktemp("bad") / "broken.mkv")}
    simulator = published.stack.start_simulator(streams, "--pace", "max")
    published.stack.connect("bad", simulator, list(streams), schema_registry_url=published.registry, topic=TOPIC)
    return read(TOPIC, len(streams) * CLIP_FRAGMENTS)


def stop(program: Process) -> None:
    program.popen.send_signal(signal.SIGINT)
    assert program.popen.wait(120) == 0, program.text()
    assert "stream broken, fragment " in program.text()
    assert "it cannot be decoded" in program.text()
    assert "Traceback" not in program.text()


def test_frames_to_jpeg(published: Published, fragments: list[Fragment], tmp_path: Path) -> None:
    program = published.start("frames-to-jpeg/frames_to_jpeg.py", published.bootstrap, tmp_path, TOPIC)
    wanted = {"whole": CLIP_FRAGMENTS, "broken": CLIP_FRAGMENTS - 1}

    def found() -> Counter[str]:
        program.expect_alive()
        return Counter(path.parent.name for path in tmp_path.glob("*/*.jpg"))

    wait_for("the pictures that can be decoded", lambda: found() == wanted)
    stop(program)


def test_detector(published: Published, fragments: list[Fragment]) -> None:
    program = published.start("detector/detector.py", published.bootstrap, TOPIC)

    def found() -> Counter[str]:
        program.expect_alive()
        return Counter(json.loads(line)["stream"] for line in program.text().splitlines() if line.endswith("}"))

    wait_for("a picture a second", lambda: found()["whole"] == CLIP_FRAGMENTS and found()["broken"] >= CLIP_FRAGMENTS - 1)
    stop(program)


def test_motion_score(published: Published, fragments: list[Fragment]) -> None:
    program = published.start("motion-score/motion_score.py", published.bootstrap, TOPIC, "bad.motion")
    pictures = {one.number: len(one.index) for one in fragments}
    broken = sorted((one for one in fragments if one.stream == "broken"), key=lambda one: one.sequence or 0)[1]

    def found() -> Counter[str]:
        program.expect_alive()
        return Counter(json.loads(value)["fragment"] for value in values(published.bootstrap, "bad.motion"))

    whole = {number: count - 1 for number, count in pictures.items() if number != broken.number}
    wait_for("the scores of whole fragments", lambda: whole.items() <= found().items())
    assert found()[broken.number] < pictures[broken.number] - 1
    stop(program)


def test_metadata_to_parquet(published: Published, fragments: list[Fragment], tmp_path: Path) -> None:
    """Rows are never left out in silence: what is no record ends the program."""
    program = published.start("metadata-to-parquet/metadata_to_parquet.py", published.bootstrap, tmp_path, "kvs.frames")
    assert program.popen.wait(120) == 1
    assert "NotARecordError: kvs.frames, partition" in program.text()
    assert not list(tmp_path.iterdir())
