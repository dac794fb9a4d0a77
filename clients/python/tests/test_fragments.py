"""Fragments: their fields, their payload wherever it is, where to begin, when to end."""

from __future__ import annotations

import hashlib
import re
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import Published, wait_published

from kvs_connect import (
    Fragment,
    FragmentConsumer,
    FrameConsumer,
    NotARecordError,
    PayloadAbsentError,
    PayloadDamagedError,
    PayloadMissingError,
)


def read(published: Published, topic: Any = "plain.fragments", **options: Any) -> list[Fragment]:
    with FragmentConsumer(topic, published.bootstrap, **{"until_end": True, **options}) as consumer:
        return list(consumer)


def test_all_fragments_come_once_in_their_order(published: Published) -> None:
    fragments = read(published)
    for stream in published.files:
        own = [fragment for fragment in fragments if fragment.stream == stream]
        assert [fragment.number for fragment in own] == published.numbers(stream)
        assert [fragment.sequence for fragment in own] == list(range(len(own)))


def test_a_fragment_says_what_its_record_has(published: Published) -> None:
    rows = published.stack.held(published.simulator, "clip")
    fragments = read(published, streams="clip")
    for fragment, row in zip(fragments, rows, strict=True):
        assert hashlib.sha256(fragment.payload).hexdigest() == row["sha256"]
        assert fragment.size_bytes == len(fragment.payload) == row["sizeBytes"]
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        assert fragment.producer_utc == epoch + timedelta(milliseconds=row["producerTimestampMs"])
        assert fragment.server_utc == epoch + timedelta(milliseconds=row["serverTimestampMs"])
        assert fragment.first_frame_utc is not None
        assert fragment.first_frame_utc.tzinfo is timezone.utc
        video, audio = fragment.tracks
        assert (video.kind, video.width, video.height, video.codec_id) == ("video", 160, 120, "V_MPEG4/ISO/AVC")
        assert (audio.kind, audio.sample_rate_hz, audio.channels, audio.bit_depth) == ("audio", 8000, 1, 16)
        assert sum(entry.track == video.number for entry in fragment.index) == 8
        assert fragment.tag("AWS_KINESISVIDEO_FRAGMENT_NUMBER", fragment.number) == fragment.number
    assert [fragment.discontinuity for fragment in fragments] == [True] + [False] * 5
    assert all(fragment.random_access for fragment in fragments)


@pytest.mark.parametrize("topic", ["parts.fragments", "objects.fragments", "objects.metadata"])
def test_payloads_elsewhere_are_the_same(published: Published, topic: str) -> None:
    expected = {(fragment.stream, fragment.number): bytes(fragment.payload) for fragment in read(published)}
    with FragmentConsumer(topic, published.bootstrap, until_end=True) as consumer:
        found = {(fragment.stream, fragment.number): bytes(fragment.payload) for fragment in consumer}
    assert found == expected


def test_chunks_of_a_fragment_that_is_read_alone(published: Published) -> None:
    """The last fragment first: its parts are sought, and so are those of the first one after it."""
    with FragmentConsumer("parts.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
        fragments = list(consumer)
        for fragment in (fragments[-1], fragments[0], fragments[3]):
            assert hashlib.sha256(fragment.payload).hexdigest() == fragment.payload_sha256


def test_metadata_have_the_fields_and_no_payload(published: Published) -> None:
    fragments = read(published, "plain.fragments", streams="clip")
    metadata = read(published, "plain.metadata", streams="clip")
    json = read(published, "objects.metadata", streams="clip")
    for fragment, binary, text in zip(fragments, metadata, json, strict=True):
        for other in (binary, text):
            for field in ("number", "sequence", "first_frame_utc", "last_frame_utc", "producer_utc", "tracks", "index", "tags"):
                assert getattr(other, field) == getattr(fragment, field), field
        with pytest.raises(PayloadAbsentError, match="metadata"):
            _ = binary.payload


def test_a_damaged_object_is_not_handed_out(published: Published) -> None:
    (fragment, *_) = read(published, "objects.fragments", streams="clip")
    assert fragment.payload_uri is not None
    folder = published.stack.folder / "objects"
    (object_file,) = folder.rglob(f"{fragment.number}.mkv")
    original = object_file.read_bytes()
    try:
        object_file.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(PayloadDamagedError, match="SHA-256"):
            _ = fragment.payload
        object_file.unlink()
        with pytest.raises(PayloadMissingError, match="cannot be read"):
            _ = fragment.payload
    finally:
        object_file.write_bytes(original)
    assert bytes(fragment.payload) == original


def test_media_in_an_object_store(published: Published) -> None:
    """A store that speaks S3's protocol as far as it is needed: one object, fetched by obstore."""
    pytest.importorskip("obstore")
    from kvs_connect.payload import PayloadResolver

    (fragment, *_) = read(published, streams="clip")
    media = bytes(fragment.payload)
    fragment.payload_mode, fragment._media = "reference", None
    fragment.payload_sha256 = hashlib.sha256(media).hexdigest()
    fragment.payload_uri = "s3://videos/a/door.mkv"

    class Store(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_there = self.path == "/videos/a/door.mkv"
            self.send_response(200 if is_there else 404)
            self.send_header("Content-Length", str(len(media) if is_there else 0))
            self.send_header("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")
            self.send_header("ETag", '"x"')
            self.end_headers()
            self.wfile.write(media if is_there else b"")

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {"endpoint": f"http://127.0.0.1:{server.server_port}", "skip_signature": "true", "region": "us-east-1"}
        resolver = PayloadResolver({}, {"config": config, "client_options": {"allow_http": True}})
        assert bytes(resolver.resolve(fragment)) == media
        fragment.payload_uri = "s3://videos/a/lost.mkv"
        with pytest.raises(PayloadMissingError, match=r"s3://videos/a/lost\.mkv"):
            resolver.resolve(fragment)
        server.shutdown()


def test_whole_values_in_objects(published: Published, clip: Path, name: str) -> None:
    """What kafka-large-message-serde reads: the record has nothing but the object's URI."""
    stack = published.stack
    simulator = stack.start_simulator({name: clip})
    settings = {"payload_mode": "reference", "payload_reference_format": "bakdata", "payload_store_url": f"file://{stack.folder}/values"}
    stack.connect(name, simulator, [name], **settings)
    wait_published(published.bootstrap, f"{name}.fragments", 6)
    fragments = read(published, f"{name}.fragments")
    assert [fragment.sequence for fragment in fragments] == list(range(6))
    expected = [row["sha256"] for row in stack.held(simulator, name)]
    assert [hashlib.sha256(fragment.payload).hexdigest() for fragment in fragments] == expected


def test_topics_by_list_and_by_pattern(published: Published) -> None:
    both = read(published, ["plain.fragments", "parts.fragments"], streams={"clip"})
    assert sorted({fragment.position.topic for fragment in both}) == ["parts.fragments", "plain.fragments"]
    pattern = read(published, re.compile(r"(plain|objects)\.fragments"), streams=lambda stream: stream == "clip")
    assert sorted({fragment.position.topic for fragment in pattern}) == ["objects.fragments", "plain.fragments"]
    assert len(both) == len(pattern) == 12


def test_a_pattern_with_a_group(published: Published, name: str) -> None:
    found = read(published, re.compile(r"(plain|objects)\.fragments"), streams="clip", group_id=name)
    assert len(found) == 12


def test_where_to_begin(published: Published, name: str) -> None:
    every = read(published, streams="clip")
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=every[3].record_timestamp_ms)
    later = read(published, streams="clip", start=at)
    expected = [fragment.number for fragment in every if fragment.record_timestamp_ms >= every[3].record_timestamp_ms]
    assert [fragment.number for fragment in later] == expected
    assert read(published, start="latest") == []
    assert len(read(published, streams="clip", start="committed", group_id=name)) == 6
    assert read(published, streams="clip", start="committed", group_id=name) == []
    assert len(read(published, streams="clip", start="earliest", group_id=name)) == 6


def test_an_idle_topic_ends_when_asked_to(published: Published) -> None:
    assert len(read(published, streams="clip", until_end=False, idle_timeout_s=2)) == 6


def test_a_topic_of_something_else_is_said(published: Published) -> None:
    with pytest.raises(NotARecordError, match="FrameConsumer"):
        read(published, "plain.frames")
    with pytest.raises(NotARecordError, match="it begins with"):
        read(published, "parts.chunks")
    with FrameConsumer("plain.fragments", published.bootstrap, until_end=True) as consumer:
        with pytest.raises(NotARecordError, match="FragmentConsumer"):
            next(consumer)
