"""Flink's SQL over the metadata says what the simulator has, and finds a record that is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from stack import wait_for

if TYPE_CHECKING:
    from java_stack import Example, Streams

pytest_plugins = ["java_stack"]

COMMANDS = "RunSql.java target/fragments.sql"
WAIT_S = 900
"""Flink starts a cluster for each query, which takes its time on a busy machine."""


def run(example: Example, commands: str) -> list[list[tuple[str, ...]]]:
    """Returns the rows of each query, in their order."""
    program = example.start(commands)
    wait_for("Flink to end", lambda: program.popen.poll() is not None, WAIT_S)
    text = program.text()
    assert program.popen.returncode == 0, text[-8000:]
    results = re.findall(r"^Empty set$|^(?:[|+].*\n)+(?=\d+ rows? in set)", text, re.MULTILINE)
    return [[tuple(cell.strip() for cell in line.strip("|").split("|")) for line in one.splitlines()[3:-1]] for one in results]


def test_queries(streams: Streams, example: Callable[[str, str], Example]) -> None:
    flink = example("flink-sql", "flink")
    minutes, holes, encoders = run(flink, flink.commands(COMMANDS))

    kinds = {stream: {track.number: track.kind for track in one.tracks} for one in streams.fragments for stream in [one.stream]}
    frames: Counter[tuple[str, str]] = Counter()
    key_frames: Counter[tuple[str, str]] = Counter()
    for one in streams.fragments:
        frames[one.stream, one.number] += len(one.index)
        key_frames[one.stream, one.number] += sum(entry.key and kinds[one.stream][entry.track] == "video" for entry in one.index)
    assert frames.total() > key_frames.total() > 0
    fragments: Counter[tuple[str, str]] = Counter()
    sums: dict[str, Counter[tuple[str, str]]] = {"size": Counter(), "frames": Counter(), "keys": Counter()}
    for stream, rows in streams.held.items():
        for row in rows:
            made = datetime.fromtimestamp(row["producerTimestampMs"] // 60_000 * 60, timezone.utc)
            minute = (stream, f"{made:%Y-%m-%d %H:%M}:00.000")
            fragments[minute] += 1
            sums["size"][minute] += row["sizeBytes"]
            sums["frames"][minute] += frames[stream, row["fragmentNumber"]]
            sums["keys"][minute] += key_frames[stream, row["fragmentNumber"]]
    assert len(fragments) > len(streams.held), "all is in one minute"
    expected = [(*minute, str(count), *(str(of[minute]) for of in sums.values())) for minute, count in fragments.items()]
    assert sorted(minutes) == sorted(expected)
    assert holes == []
    tags = Counter((one.stream, one.tag("ENCODER")) for one in streams.fragments)
    assert sorted(encoders) == sorted((stream, encoder, str(count)) for (stream, encoder), count in tags.items())


def test_a_hole_is_found(streams: Streams, example: Callable[[str, str], Example]) -> None:
    of_door = [one for one in streams.fragments if one.stream == "java-door"]
    (left_out,) = (one for one in of_door if one.sequence == 7)
    streams.copy("java.metadata", "java.hole", left_out)
    flink = example("flink-sql", "flink")
    file = flink.folder / "fragments.sql"
    table, _, holes, *_ = file.read_text("utf-8").replace("java.metadata", "java.hole").split(";\n")
    file.write_text(f"{table};\n{holes};\n")
    assert run(flink, flink.commands(COMMANDS)) == [[("java-door", "0", str(len(of_door) - 1), "1")]]


def test_live(streams: Streams, example: Callable[[str, str], Example]) -> None:
    streams.copy("java.metadata", "java.live")
    flink = example("flink-sql", "flink")
    file = flink.folder / "fragments.sql"
    text = file.read_text("utf-8").replace("java.metadata", "java.live")
    # No partition is without a stream. One that a slow machine reads late must not count as such.
    assert text.count("'30 s'") == 1
    file.write_text(text.replace("'30 s'", "'1 h'"))
    first_steps = flink.commands(COMMANDS).partition("java ")[0]
    program = flink.start(first_steps + flink.commands("streaming"))

    first = {stream: min(row["producerTimestampMs"] // 60_000 for row in rows) for stream, rows in streams.held.items()}
    counts = {stream: sum(row["producerTimestampMs"] // 60_000 == first[stream] for row in rows) for stream, rows in streams.held.items()}

    def rows() -> dict[str, int]:
        program.expect_alive()
        found = re.findall(r"^\| \+I \| +(\S+) \| +\S+ \S+ \| +(\d+) \|", program.text(), re.MULTILINE)
        # Later windows come after the first one.
        return {stream: int(count) for stream, count in reversed(found)}

    wait_for("a window of each stream", lambda: len(rows()) == len(streams.held), WAIT_S)
    assert rows() == counts
