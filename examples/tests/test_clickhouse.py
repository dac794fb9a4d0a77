"""ClickHouse takes what the metadata topic has, and answers the queries."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, STREAMS, Published

FOLDER = ROOT / "examples/clickhouse"


def test_clickhouse(published: Published) -> None:
    python = os.environ.get("KVS_CLICKHOUSE_PYTHON")
    if not python:
        pytest.skip("KVS_CLICKHOUSE_PYTHON is not set: a Python with chdb is needed")
    program = Path(__file__).with_name("program_clickhouse.py")
    fragments = published.fragments
    arguments: list[str | Path] = [python, program, FOLDER, published.bootstrap, published.registry, str(len(fragments))]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=240, check=False)
    assert said.returncode == 0, said.stderr
    minutes, missing, pauses = json.loads(said.stdout)
    assert sum(row["fragments"] for row in minutes) == len(fragments)
    assert sum(row["frames"] for row in minutes) == sum(len(one.index) for one in fragments)
    assert sum(row["key_frames"] for row in minutes) == sum(entry.key for one in fragments for entry in one.index)
    last = len(fragments) // len(STREAMS) - 1
    assert missing == [{"stream_name": stream, "first": 0, "last": last, "missing": 0} for stream in STREAMS]
    times = {stream: [one.server_utc for one in fragments if one.stream == stream] for stream in STREAMS}
    assert {row["stream_name"] for row in pauses} == set(times)
    for row in pauses:
        found = sorted(one for one in times[row["stream_name"]] if one)
        longest = max(later - earlier for earlier, later in itertools.pairwise(found))
        assert row["longest_pause_ms"] == longest.total_seconds() * 1000
