"""Arguments that cannot be meant are refused by name, before anything is asked of a broker."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer
from conftest import Published
from test_decoding import fragments_of

from kvs_connect import ConfigurationError, FragmentConsumer, decode_frames, save, to_mp4, to_wav
from kvs_connect.start import start_offsets

WRONG: list[tuple[str, list[Any]]] = [
    ("topic", [None, 5, b"a", "", [], [5], {"a": 1}, re.compile(b"a")]),
    ("bootstrap_servers", [None, 5, b"a", "", ["a:1"]]),
    ("group_id", ["", " ", 5, b"a"]),
    ("partitions", [0, "0", b"\0", True, ["0"], [-1], [True], [], {"a": 1}]),
    ("offsets", [[], 5, {"a": 1}, {("a",): 1}, {("a", "0"): 1}, {("a", 0): -5}, {("a", 0): 1.5}, {("a", 0): 2**63}]),
    ("until_end", ["no", 1, None]),
    ("idle_timeout_s", [0, -1, "1", float("nan")]),
    ("connect_timeout_s", [0, None, float("nan"), float("inf"), 1e10]),
    ("schema_registry", ["", "no url", {}, {"url": 5}]),
    ("store_options", [5, [1], {5: 1}]),
    ("config", ["x", 5, {5: 1}]),
]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *((name, value, name) for name, values in WRONG for value in values),
        ("config", {"error_cb": print}, "error_cb"),
        ("config", {"on_commit": print}, "on_commit"),
        ("config", {"max.poll.interval.ms": "abc"}, "max.poll.interval.ms='abc'"),
    ],
    ids=str,
)
def test_of_a_consumer(name: str, value: Any, told: str) -> None:
    # There is no broker: what is not refused at once waits for it.
    given: dict[str, Any] = {"topic": "x", "bootstrap_servers": "127.0.0.1:1", "connect_timeout_s": 1.0, name: value}
    with pytest.raises(ConfigurationError, match=told):
        FragmentConsumer(**given)


def test_of_frames_and_files(published: Published, tmp_path: Any) -> None:
    fragments = fragments_of(published, "clip")
    for tracks in (1.0, b"video", True, [1.0], {"video": 1}):
        with pytest.raises(ConfigurationError, match="tracks="):
            list(decode_frames(fragments, tracks=tracks))  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="tracks="):
            to_mp4(fragments, tmp_path / "x.mp4", tracks=tracks)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="track=True"):
        to_wav(fragments, tmp_path / "x.wav", track=True)
    for write in (save, to_mp4, to_wav):
        with pytest.raises(ConfigurationError, match="a list of fragments"):
            write(fragments[0], tmp_path / "x.mkv")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    # What can be asked only once is remembered.
    assert len(list(decode_frames(fragments, tracks=(one for one in [1])))) == len(list(decode_frames(fragments)))  # type: ignore[arg-type]
    assert to_mp4(fragments, tmp_path / "x.mp4", tracks=(one for one in [1, 2])).exists()  # type: ignore[arg-type]


def test_of_partitions(published: Published) -> None:
    def numbers(**settings: Any) -> set[int]:
        with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, **settings) as consumer:
            return {fragment.position.partition for fragment in consumer}

    everywhere = numbers()
    assert numbers(partitions=(one for one in sorted(everywhere, reverse=True))) == everywhere
    # Numbers of NumPy's are numbers.
    offsets: Any = {("plain.fragments", np.int64(partition)): np.int64(0) for partition in everywhere}
    with FragmentConsumer("plain.fragments", published.bootstrap, offsets=offsets) as consumer:
        assert consumer.take(60)
    assert numbers(partitions=np.array(sorted(everywhere))) == everywhere
    with pytest.raises(ConfigurationError, match=r"no partition 98, 99: topic plain\.fragments has"):
        numbers(partitions=[min(everywhere), 99, 98])


@pytest.mark.parametrize("before", [timedelta(milliseconds=1), timedelta(milliseconds=2), timedelta(milliseconds=3), timedelta(days=365)])
def test_a_start_before_all_times_is_the_beginning(published: Published, before: timedelta) -> None:
    def count(**settings: Any) -> int:
        with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, **settings) as consumer:
            return sum(1 for _ in consumer)

    start = datetime(1970, 1, 1, tzinfo=timezone.utc) - before
    assert count(start=start) == count(start=datetime.min.replace(tzinfo=timezone.utc)) == count()


def test_of_a_function_that_returns_offsets() -> None:
    with pytest.raises(ConfigurationError, match=r"offsets=\['a'\] has to be as offsets\(\) returns it"):
        start_offsets(
            None,  # type: ignore[arg-type]
            [("a", 0)],
            start="earliest",
            offsets=lambda _: ["a"],  # type: ignore[arg-type]
            has_group=False,
            is_later=False,
            timeout_s=1,
            is_stopped=lambda: False,
        )


def test_of_a_transaction(published: Published, name: str) -> None:
    producer = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name) as consumer:
        for timeout_s in (-5, 0, float("nan"), float("inf"), 1e12, None, "5"):
            with pytest.raises(ConfigurationError, match="timeout_s"):
                consumer.transaction(producer, timeout_s=timeout_s)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="producer=None"):
            consumer.transaction(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="closed"):
        consumer.transaction(producer)
