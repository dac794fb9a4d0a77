"""The examples that run until they are stopped: killed in the middle and started again, they lose nothing and double nothing.

They are killed together, so that Kafka waits only once for consumers that do not come back.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, STREAMS, Published
from PIL import Image
from stack import Process, wait_for
from topics import committed, messages, values


@dataclass
class Restarted:
    """An example that was killed and runs again."""

    killed: Process
    running: Process
    folder: Path

    def stop(self, what: str, is_done: Callable[[], Any]) -> None:
        """Asks the example to end when it has done its work, as Docker does."""
        wait_for(what, while_alive(self.running, is_done))
        # All may have been done before the kill.
        wait_for("its handler of signals", lambda: catches(self.running, signal.SIGTERM))
        self.running.popen.send_signal(signal.SIGTERM)
        assert self.running.popen.wait(120) == 0, self.running.text()
        assert "Traceback" not in self.running.text()


def while_alive(process: Process, condition: Callable[[], Any]) -> Callable[[], Any]:
    """Makes a condition that fails at once when the process has ended."""

    def checked() -> Any:
        process.expect_alive()
        return condition()

    return checked


@pytest.fixture(scope="session")
def restarted(published: Published, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Restarted]:
    folder = tmp_path_factory.mktemp("restarted")
    programs: dict[str, tuple[str, list[Path], Callable[[Process], Any]]] = {
        "frames-to-jpeg": ("frames_to_jpeg.py", [folder], lambda _: any(folder.glob("*/*.jpg"))),
        "motion-score": ("motion_score.py", [], lambda _: messages(published.bootstrap, "kvs.motion")),
        "detector": ("detector.py", [], lambda process: "\n" in process.text()),
        "metadata-to-parquet": ("metadata_to_parquet.py", [folder], lambda _: last.is_file()),
    }
    # The first time, something is in the way of a batch's last file: the others are written, and nothing is committed.
    last = folder / f"kvs.metadata-{max(one.position.partition for one in published.fragments)}-000000000000.parquet"
    last.mkdir()

    def start(name: str) -> Process:
        program, arguments, _ = programs[name]
        return published.start(f"{name}/{program}", published.bootstrap, *arguments)

    killed = {"metadata-to-parquet": start("metadata-to-parquet")}
    for name, (_, _, has_begun) in programs.items():
        if name == "metadata-to-parquet":
            assert killed[name].popen.wait(240) == 1, killed[name].text()
            assert len(list(folder.glob("kvs.metadata-*.parquet"))) > 1
            last.rmdir()
        process = killed[name] = start(name)
        wait_for(f"{name} to begin", while_alive(process, partial(has_begun, process)))
        process.kill()
    return {name: Restarted(process, start(name), folder) for name, process in killed.items()}


def test_they_are_killed(restarted: dict[str, Restarted]) -> None:
    for name, example in restarted.items():
        assert example.killed.popen.returncode == -signal.SIGKILL, name


def test_frames_to_jpeg(published: Published, restarted: dict[str, Restarted]) -> None:
    example = restarted["frames-to-jpeg"]
    wanted = Counter(fragment.stream for fragment in published.fragments for entry in fragment.index if entry.key)

    def pictures() -> list[Path]:
        return list(example.folder.glob("*/*.jpg"))

    example.stop("a file for each key frame", lambda: len(pictures()) >= wanted.total())
    assert Counter(path.parent.name for path in pictures()) == wanted
    for path in pictures():
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (320, 180)
    first = min((one for one in published.fragments if one.stream == STREAMS[0]), key=lambda one: one.sequence or 0)
    assert first.first_frame_utc is not None
    assert min((example.folder / STREAMS[0]).iterdir()).name == f"{first.first_frame_utc:%Y%m%dT%H%M%S.%fZ}-0-0.jpg"


def test_metadata_to_parquet(published: Published, restarted: dict[str, Restarted]) -> None:
    example = restarted["metadata-to-parquet"]
    files = f"{example.folder}/*.parquet"

    def rows() -> int:
        return len(query(f"FROM read_parquet('{files}')")) if any(example.folder.glob("*.parquet")) else 0

    ends: dict[int, int] = {}
    for one in published.fragments:
        ends[one.position.partition] = max(one.position.offset + 1, ends.get(one.position.partition, 0))
    # All rows may be there before the kill, and come again.
    example.stop(
        "a row for each fragment",
        lambda: (
            rows() >= len(published.fragments) and committed(published.bootstrap, "metadata-to-parquet", "kvs.metadata", ends) == ends
        ),
    )
    columns = "stream_name, fragment_number, sequence, frames, duration_ns, size_bytes, producer_timestamp, server_timestamp"
    found = query(f"SELECT {columns} FROM read_parquet('{files}')")
    wanted = [
        (one.stream, one.number, one.sequence, len(one.index), one.duration_ns, one.size_bytes, one.producer_utc, one.server_utc)
        for one in published.fragments
    ]
    assert sorted(found) == sorted(wanted)
    text = (ROOT / "examples/metadata-to-parquet/queries.sql").read_text("utf-8")
    minutes, lags, gaps, doubled = answers(text, files)
    assert sum(row[2] for row in minutes) == len(published.fragments)
    assert sum(row[3] for row in minutes) == sum(len(one.index) for one in published.fragments)
    assert all(row[4] > 0 for row in minutes)
    assert [row[0] for row in lags] == STREAMS
    assert (gaps, doubled) == ([], [])
    # They see what is missing, and what is there twice.
    table = example.folder / "faulty.parquet"
    query(f"COPY (FROM read_parquet('{files}') WHERE sequence NOT IN (3, 4) OR stream_name <> '{STREAMS[1]}') TO '{table}'")
    assert answers(text, str(table))[2] == [(STREAMS[1], 3, 4, 2)]
    assert len(answers(text, files)[3]) == len(published.fragments) - 2


def query(statement: str) -> list[Any]:
    return duckdb.connect().execute(statement).fetchall()


def answers(queries: str, files: str) -> list[list[Any]]:
    statements = queries.replace("*.parquet", files).split(";\n")
    return [query(statement) for statement in statements if statement.strip()]


def test_motion_score(published: Published, restarted: dict[str, Restarted]) -> None:
    # The first picture of a fragment has none before it.
    wanted = Counter({fragment.number: len(fragment.index) - 1 for fragment in published.fragments})

    def scores() -> list[dict[str, Any]]:
        return [json.loads(value) for value in values(published.bootstrap, "kvs.motion")]

    restarted["motion-score"].stop("a score for each picture", lambda: len(scores()) >= wanted.total())
    assert Counter(one["fragment"] for one in scores()) == wanted
    assert max(Counter((one["fragment"], one["utc"]) for one in scores()).values()) == 1
    assert {one.key() for one in messages(published.bootstrap, "kvs.motion")} == {stream.encode() for stream in STREAMS}
    assert any(one["score"] > 0 for one in scores())


def test_detector(published: Published, restarted: dict[str, Restarted]) -> None:
    example = restarted["detector"]

    def results(process: Process) -> list[dict[str, Any]]:
        found = []
        for line in process.text().splitlines():
            # The killed program's last line may be half a line.
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def times() -> dict[str, list[datetime]]:
        found = defaultdict(list)
        for row in [*results(example.killed), *results(example.running)]:
            found[row["stream"]].append(datetime.fromisoformat(row["utc"]))
        return {stream: sorted(of_stream) for stream, of_stream in found.items()}

    # From the first frame to the last one of each stream.
    spans = {}
    for stream in STREAMS:
        of_stream = [one for one in published.fragments if one.stream == stream]
        spans[stream] = min(utc(one.first_frame_utc) for one in of_stream), max(utc(one.last_frame_utc) for one in of_stream)

    def is_done() -> bool:
        found = times()
        return all(stream in found and spans[stream][1] - found[stream][-1] < timedelta(seconds=1.5) for stream in STREAMS)

    example.stop("the pictures of the last second", is_done)
    for stream, found in times().items():
        moments = [spans[stream][0], *found]
        longest = max(later - earlier for earlier, later in itertools.pairwise(moments))
        assert longest < timedelta(seconds=1.5), f"{stream}: pictures of {longest} are lost"
    rows = iter(results(example.running))
    batches = [{row["stream"], *(one["stream"] for one in itertools.islice(rows, row["batch"] - 1))} for row in rows]
    assert max(len(streams) for streams in batches) > 1, "no batch has pictures of several streams"


def utc(time: datetime | None) -> datetime:
    assert time is not None
    return time


def catches(process: Process, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text("utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
