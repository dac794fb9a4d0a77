"""What needs no Kafka: offsets, framing, schemas, content encodings, files."""

from __future__ import annotations

import asyncio
import bz2
import io
import json
import os
import random
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fastavro
import pytest

from kvs_connect import MediaError, NotARecordError, Position, RegistryError, Track, batched, bounded
from kvs_connect.aio import _AsyncIterator
from kvs_connect.audio import SampleDecoder
from kvs_connect.bounded import NotReturnedError, within
from kvs_connect.encodings import decoded
from kvs_connect.files import replacing
from kvs_connect.frame import Coding
from kvs_connect.framing import Decoder, bundled_schemas
from kvs_connect.model import fragment_of_record
from kvs_connect.offsets import OffsetTracker
from kvs_connect.registry import Registry

REPOSITORY = Path(__file__).parents[3]
SCHEMAS = Path(__file__).parents[1] / "src" / "kvs_connect" / "schemas"


def test_the_schemas_are_those_of_the_connector() -> None:
    if not (REPOSITORY / "schemas" / "fragment.avsc").exists():
        pytest.skip("this is not the connector's repository, whose schemas the package's are compared with")
    for folder in (".", "earlier"):
        theirs = {file.name: file.read_bytes() for file in (REPOSITORY / "schemas" / folder).glob("*.avsc")}
        ours = {file.name: file.read_bytes() for file in (SCHEMAS / folder).glob("*.avsc")}
        assert ours == theirs


def test_offsets_wait_for_what_is_not_finished() -> None:
    tracker, partition = OffsetTracker(), ("t", 0)
    assert tracker.next_offset(partition) is None
    positions = [Position("t", 0, offset) for offset in (5, 6, 9)]
    for position in positions:
        tracker.hand_out(position)
    assert tracker.next_offset(partition) == 5
    # Another stream's record in the same partition is finished first.
    tracker.finish(positions[1])
    assert tracker.next_offset(partition) == 5
    tracker.finish(positions[0])
    assert tracker.next_offset(partition) == 9
    assert tracker.uncommitted() == {partition: 9}
    tracker.mark_committed({partition: 9})
    assert tracker.uncommitted() == {}
    tracker.finish(positions[2])
    assert tracker.uncommitted() == {partition: 10}
    assert tracker.handed_out() == {partition: 10}
    assert tracker.rewind() == {partition: 9}
    assert tracker.handed_out() == {}
    tracker.forget(partition)
    tracker.finish(positions[2])
    assert tracker.next_offset(partition) is None


def fields_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a value for each field of a schema of fragments."""
    track = {"number": 1, "uid": 7, "kind": "video", "kind_value": 1, "codec_id": "V_VP8"}
    frame = {"track": 1, "timestamp_ns": 2_000_000, "duration_ns": None, "key": True, "offset": 3, "size_bytes": 4}
    known: dict[str, Any] = {
        "stream_name": "door",
        "fragment_number": "9" * 47,
        "producer_timestamp": 1_700_000_000_123,
        "server_timestamp": 1_700_000_000_456,
        "start_ns": 1_000_000,
        "duration_ns": 5,
        "complete": True,
        "tracks": [track],
        "frames": [frame],
        "tags": [{"name": "place", "value": "Tür", "binary": None, "track_uid": None}],
        "content_type": "video/webm",
        "size_bytes": 7,
        "payload": b"payload",
        "sequence": 3,
    }
    return {field["name"]: known[field["name"]] for field in schema["fields"] if field["name"] in known}


@pytest.mark.parametrize("fingerprint", ["fe7f620bbf316df9", "1df7d63da57567ef", "4f4a67913c2b6703"])
def test_fragments_of_every_version(fingerprint: str) -> None:
    schema = bundled_schemas()[fingerprint]
    value = io.BytesIO()
    value.write(b"\xc3\x01" + bytes.fromhex(fingerprint))
    fastavro.schemaless_writer(value, fastavro.parse_schema(schema), fields_of(schema))
    fields, payload = Decoder().decode(value.getvalue())
    fragment = fragment_of_record(fields, payload, Position("t", 0, 0))
    assert bytes(fragment.payload) == b"payload"
    assert (fragment.stream, fragment.number) == ("door", "9" * 47)
    assert fragment.sequence == (None if fingerprint.startswith("4f4a") else 3)
    assert fragment.random_access is (fingerprint.startswith("4f4a") or False)
    assert fragment.producer_utc is not None
    assert fragment.producer_utc.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert fragment.frame_utc_us(fragment.index[0]) == 1_700_000_000_123_000 + 1000
    assert fragment.tags[0].value == "Tür"


def test_the_payload_is_not_copied() -> None:
    schema = bundled_schemas()["fe7f620bbf316df9"]
    value = io.BytesIO()
    value.write(b"\xc3\x01" + bytes.fromhex("fe7f620bbf316df9"))
    fastavro.schemaless_writer(value, fastavro.parse_schema(schema), fields_of(schema))
    record = value.getvalue()
    _, payload = Decoder().decode(record)
    assert payload is not None
    assert payload.obj is record
    with pytest.raises(NotARecordError, match="cut off"):
        Decoder().decode(record[:-1])
    # A length that does not end: it is not read to its end.
    with pytest.raises(NotARecordError, match="no number"):
        Decoder().decode(record[: len(record) - len(payload) - 1] + b"\xff" * 100_000)
    for hostile in (b'{"a":' + b"[" * 200_000 + b"}", b'{"a":' + b"1" * 10_000 + b"}", b'{"data":5,"frame_index":1}'):
        with pytest.raises(NotARecordError):
            Decoder().decode(hostile)


def test_a_registry_that_fails_is_said() -> None:
    class Broken:
        def get_schema(self, schema_id: int) -> None:
            raise OSError("connection refused")

    with pytest.raises(RegistryError, match="connection refused") as raised:
        Decoder(Registry(Broken())).decode(b"\0\0\0\0\7abc")
    assert raised.value.schema_id == 7


def test_a_schema_of_a_registry_that_has_grown() -> None:
    """A field behind the payload: the record is read all the same."""
    schema = json.loads(json.dumps(bundled_schemas()["fe7f620bbf316df9"]))
    schema["fields"].append({"name": "later", "type": "string", "default": ""})

    class Grown:
        schema_str = json.dumps(schema)

        def get_schema(self, schema_id: int) -> Grown:
            return self

    value = io.BytesIO()
    value.write(b"\0\0\0\0\7")
    fastavro.schemaless_writer(value, fastavro.parse_schema(schema), {**fields_of(schema), "later": "x"})
    fields, payload = Decoder(Registry(Grown())).decode(value.getvalue())
    assert fields["later"] == "x"
    assert payload is not None
    assert bytes(payload) == b"payload"


def track_with(*encodings: dict[str, Any]) -> Track:
    raw = {"number": 1, "uid": 1, "kind": "video", "codec_id": "V_VP8", "content_encodings": list(encodings)}
    return Track.of_record(raw)


def encoding(order: int, algorithm: str, settings: bytes | None = None, scope: int = 1, kind: str = "compression") -> dict[str, Any]:
    return {"order": order, "scope": scope, "type": kind, "algorithm": algorithm, "settings": settings}


def test_content_encodings_are_undone_from_the_last_to_the_first() -> None:
    data = b"frame of a camera"
    both = track_with(encoding(0, "header_stripping", b"frame"), encoding(1, "zlib"))
    assert decoded(both, memoryview(zlib.compress(data[5:]))) == data
    assert decoded(track_with(encoding(0, "bzlib")), memoryview(bz2.compress(data))) == data
    assert decoded(track_with(encoding(0, "zlib", scope=2)), memoryview(data)) == data
    with pytest.raises(MediaError, match="decompressed"):
        decoded(track_with(encoding(0, "zlib")), memoryview(b"no zlib"))
    with pytest.raises(MediaError, match="encryption aes"):
        decoded(track_with(encoding(0, "aes", kind="encryption")), memoryview(data))
    with pytest.raises(MediaError, match="cut off"):
        decoded(track_with(encoding(0, "zlib")), memoryview(zlib.compress(data)[:-3]))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".mkv")
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"


def test_what_has_the_name_of_a_file_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("folder", IsADirectoryError), ("pipe", FileExistsError)):
        with pytest.raises(kind, match=name):
            with replacing(tmp_path / name):
                pass
    (tmp_path / "target").write_bytes(b"before")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    longest = tmp_path / ("x" * 250 + ".mkv")
    for path in (tmp_path / "link", longest):
        with replacing(path) as temporary:
            temporary.write_bytes(b"whole")
        assert path.read_bytes() == b"whole"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"whole"


def test_a_call_that_does_not_return(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_SAY_EVERY_S", 0.1)
    end = threading.Event()
    with pytest.raises(NotReturnedError):
        within(1.0, "commit_transaction", end.wait)
    end.set()
    assert "commit_transaction has not returned" in caplog.text
    with pytest.raises(ZeroDivisionError):
        within(60.0, "a call", lambda: 1 // 0)
    assert within(60.0, "a call", lambda: None) is None


def test_batches_of_anything() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched(range(3), 3, max_wait_s=0)) == [[0], [1], [2]]
    assert list(batched([], 3)) == []


def test_a_result_that_comes_at_the_moment_of_a_cancellation_is_not_lost() -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()

        def numbers() -> Iterator[int]:
            for number in range(300):
                time.sleep(random.random() * 0.002)
                yield number

        with ThreadPoolExecutor(1) as executor:
            source = _AsyncIterator(numbers(), lambda call, *arguments: loop.run_in_executor(executor, call, *arguments))
            found: list[int] = []
            while True:
                try:
                    found.append(await asyncio.wait_for(source.__anext__(), 0.001))
                except (TimeoutError, asyncio.TimeoutError):  # noqa: PERF203
                    continue
                except StopAsyncIteration:
                    return found

    assert asyncio.run(run()) == list(range(300))


@pytest.mark.parametrize("codec", ["pcm_s16le", "A_PCM/INT/LIT", "A_PCM/FLOAT/IEEE"])
def test_pcm_of_a_record_of_frames_is_to_be_read_elsewhere(codec: str) -> None:
    with pytest.raises(MediaError, match=r"does not say the sample rate .* read the fragments' topic"):
        SampleDecoder(Coding(codec, None), "float32")
