"""The examples do what their READMEs say, also when they are killed in the middle."""

from __future__ import annotations

import itertools
import json
import os
import signal
import wave
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from conftest import ROOT, STREAMS, Published
from PIL import Image
from stack import Process, Stack, wait_for

from kvs_connect import Fragment, FragmentConsumer

EXAMPLES = ROOT / "examples"


def through_a_kill(start: Callable[[], Process], has_begun: Callable[[], Any], is_done: Callable[[], Any]) -> Process:
    """Kills a program when it has begun, starts it again, and asks it to end when it is done."""
    program = start()
    wait_for("the example to begin", lambda: program.expect_alive() or has_begun())
    program.kill()
    program = start()
    wait_for("the example to be done", lambda: program.expect_alive() or is_done())
    wait_for("the example to listen to signals", lambda: catches(program.popen.pid, signal.SIGTERM))
    program.popen.send_signal(signal.SIGTERM)
    assert program.popen.wait(60) == 0, program.text()
    return program


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_each_is_short_and_has_a_readme() -> None:
    folders = [folder for folder in EXAMPLES.iterdir() if folder.is_dir() and folder.name not in ("tests", "__pycache__")]
    index = (EXAMPLES / "README.md").read_text("utf-8")
    for folder in folders:
        assert (folder / "README.md").is_file(), folder
        assert f"({folder.name}/README.md)" in index, folder
        for program in [*folder.glob("*.py"), *folder.glob("**/*.java")]:
            lines = program.read_text("utf-8").count("\n")
            assert lines < 40, f"{program} has {lines} lines"
    assert len(folders) >= 7


def test_frames_to_jpeg(published: Published, tmp_path: Path) -> None:
    key_frames = sum(entry.key for fragment in published.fragments for entry in fragment.index)

    def pictures() -> list[Path]:
        return list(tmp_path.glob("*/*.jpg"))

    through_a_kill(
        lambda: published.start("frames-to-jpeg/frames_to_jpeg.py", published.bootstrap, tmp_path),
        pictures,
        lambda: len(pictures()) >= key_frames,
    )
    assert len(pictures()) == key_frames
    assert {path.parent.name for path in pictures()} == set(STREAMS)
    first = min(pictures())
    with Image.open(first) as picture:
        assert picture.size == (320, 180)
    stream = [fragment for fragment in published.fragments if fragment.stream == first.parent.name]
    assert first.name.startswith(f"{min(one.first_frame_utc for one in stream if one.first_frame_utc):%Y%m%dT%H%M%S.%f}")


def test_metadata_to_parquet(published: Published, tmp_path: Path) -> None:
    files = str(tmp_path / "*.parquet")

    def rows() -> int:
        found = list(tmp_path.glob("*.parquet"))
        return duckdb.sql(f"SELECT count(*) FROM read_parquet('{files}')").fetchall()[0][0] if found else 0

    through_a_kill(
        lambda: published.start("metadata-to-parquet/metadata_to_parquet.py", published.bootstrap, tmp_path),
        rows,
        lambda: rows() >= len(published.fragments),
    )
    found = duckdb.sql(f"SELECT stream_name, fragment_number, sequence, size_bytes FROM read_parquet('{files}')").fetchall()
    assert sorted(found) == sorted((one.stream, one.number, one.sequence, one.size_bytes) for one in published.fragments)
    queries = (EXAMPLES / "metadata-to-parquet/queries.sql").read_text("utf-8").replace("*.parquet", files)
    rates, missing, lags, pauses = (duckdb.sql(query).fetchall() for query in queries.split(";") if query.strip())
    assert sum(row[2] for row in rates) == len(published.fragments)
    assert missing == [(stream, 0, len(published.fragments) // len(STREAMS) - 1, 0) for stream in STREAMS]
    assert len(lags) == len(pauses) == len(STREAMS)


def results(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Returns the committed values that a topic has now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "results", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    found: list[dict[str, Any]] = []
    at_end: set[int] = set()
    while len(at_end) < len(partitions):
        for message in consumer.consume(1000, 1.0):
            if message.error() is None:
                found.append({"stream": message.key().decode(), **json.loads(message.value())})
            elif message.error().code() == KafkaError._PARTITION_EOF:
                at_end.add(message.partition())
    consumer.close()
    return found


def test_motion_score(published: Published) -> None:
    expected = Counter({fragment.number: sum(1 for _ in fragment.index) - 1 for fragment in published.fragments})

    # The producer's open transaction is what the kill leaves behind.
    def found() -> list[dict[str, Any]]:
        return results(published.bootstrap, "kvs.motion")

    # The producer's open transaction is what the kill leaves behind.
    through_a_kill(
        lambda: published.start("motion-score/motion_score.py", published.bootstrap),
        found,
        lambda: len(found()) >= expected.total(),
    )
    scores = found()
    assert Counter(one["fragment"] for one in scores) == expected
    assert max(Counter((one["fragment"], one["utc"]) for one in scores).values()) == 1
    assert {one["stream"] for one in scores} == set(STREAMS)
    assert any(one["score"] > 0 for one in scores)


def test_detector(published: Published) -> None:
    log = published.stack.folder / "example.log"
    before = log.stat().st_size if log.exists() else 0

    def rows() -> list[dict[str, Any]]:
        lines = log.read_bytes()[before:].decode().splitlines()
        # The last one may be half written, and that of the killed program, too.
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    lasts = {stream: max(one.last_frame_utc for one in published.fragments if one.stream == stream) for stream in STREAMS}
    firsts = {stream: min(one.first_frame_utc for one in published.fragments if one.stream == stream) for stream in STREAMS}

    def times() -> dict[str, list[datetime]]:
        found = defaultdict(list)
        for row in rows():
            found[row["stream"]].append(datetime.fromisoformat(row["utc"]))
        return {stream: sorted(of_stream) for stream, of_stream in found.items()}

    def is_done() -> bool:
        found = times()
        return all(stream in found and lasts[stream] - found[stream][-1] < timedelta(seconds=1.5) for stream in STREAMS)

    through_a_kill(lambda: published.start("detector/detector.py", published.bootstrap), rows, is_done)
    assert max(row["batch"] for row in rows()) > 4
    for stream, found in times().items():
        moments = [firsts[stream], *found]
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        assert max(gaps) < timedelta(seconds=2.5), f"{stream}: pictures are lost: {max(gaps)}"


def test_connect_call(
    stack: Stack, registry: str, read: Callable[[str, int], list[Fragment]], published: Published, tmp_path: Path
) -> None:
    recordings = os.environ.get("KVS_RECORDINGS")
    if not recordings:
        pytest.skip("KVS_RECORDINGS is not set: real recordings are needed")
    simulator = stack.start_simulator({"call": Path(recordings, "connect_shape_3frag.mkv")})
    stack.connect("calls", simulator, ["call"], schema_registry_url=registry, topic="kvs.calls")
    fragments = read("kvs.calls", 3)
    contact = fragments[0].tag("ContactId")
    program = published.start("connect-call/connect_call.py", stack.bootstrap, "kvs.calls", tmp_path)
    assert program.popen.wait(120) == 0, program.text()
    assert {path.name for path in tmp_path.iterdir()} == {f"{contact}-customer.wav", f"{contact}-agent.wav"}
    for speaker, track in (("customer", "AUDIO_FROM_CUSTOMER"), ("agent", "AUDIO_TO_CUSTOMER")):
        with wave.open(str(tmp_path / f"{contact}-{speaker}.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            samples = file.readframes(file.getnframes())
        # L16 is what the tag says, and it is stored as it is.
        with FragmentConsumer("kvs.calls", stack.bootstrap, schema_registry=registry, until_end=True) as consumer:
            stored = b"".join(frame.samples.tobytes() for frame in consumer.audio("int16", tracks=track) if frame.samples is not None)
        assert samples == stored
