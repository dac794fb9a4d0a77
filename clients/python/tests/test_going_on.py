"""What a program goes on after: errors that pass, silence of one stream among others, new partitions."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import media
import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError
from conftest import Published
from raw import messages_of, send
from stack import wait_for
from test_consumer import committed

from kvs_connect import (
    ConfigurationError,
    FragmentConsumer,
    Frame,
    KvsConnectError,
    NoAudioError,
    PayloadMissingError,
    RegistryError,
    TopicMissingError,
    decode_frames,
    payload,
    registry,
    to_mp4,
    topic_look,
    unwanted,
)
from kvs_connect.framing import Decoder, bundled_schemas
from kvs_connect.payload import PayloadResolver
from kvs_connect.pipeline import Pipeline
from kvs_connect.registry import Registry


@pytest.fixture
def clip_topic(published: Published, name: str, create_topic: Callable[[str, int], None]) -> tuple[str, list[Message]]:
    """A topic of one partition with the records of the clip, and these."""
    topic = f"{name}.topic"
    create_topic(topic, 1)
    clip = messages_of(published, "clip")
    send(published, topic, clip)
    return topic, clip


class Flaky:
    """A registry that does not respond to the first request."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self.failed = 0

    def get_schema(self, schema_id: int) -> Any:
        if not self.failed:
            self.failed += 1
            raise OSError("connection refused")
        return Schema(json.dumps(self._schema), "AVRO")


@pytest.mark.parametrize("way", ["plain", "transaction", "frames"])
def test_a_record_that_can_be_read_later_comes_again(
    published: Published, name: str, create_topic: Callable[[str, int], None], way: str
) -> None:
    topic = f"{name}-{way}"
    create_topic(topic, 1)
    clip = messages_of(published, "clip")
    values = [message.value() or b"" for message in clip]
    schema = bundled_schemas()[values[0][2:10].hex()]
    producer = Producer({"bootstrap.servers": published.bootstrap})
    for value, message in zip(values, clip, strict=True):
        producer.produce(topic, b"\0\0\0\0\x07" + value[10:], headers=message.headers())
    producer.flush()
    own = Producer({"bootstrap.servers": published.bootstrap, "transactional.id": name})
    registry = Flaky(schema)
    found: list[int | None] = []
    with FragmentConsumer(topic, published.bootstrap, group_id=name, until_end=True, schema_registry=registry) as consumer:

        def read() -> Iterator[int | None]:
            if way == "frames":
                for frame in consumer.frames("gray"):
                    yield frame.sequence
            for fragment in consumer:
                if way == "transaction":
                    with consumer.transaction(own):
                        yield fragment.sequence
                else:
                    yield fragment.sequence

        with pytest.raises(RegistryError):
            found += read()
        found += read()
    assert registry.failed == 1
    assert sorted(set(found), key=str) == list(range(len(clip)))
    assert committed(published, name, topic)[0] >= len(clip)


def test_media_that_can_be_fetched_later_come_again(published: Published, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures go on as if nothing had happened: none is missing, none comes twice."""
    with FragmentConsumer("parts.fragments", published.bootstrap, until_end=True, streams="clip") as consumer:
        expected = [media.digest(frame.image) for frame in consumer.frames()]
    resolve = PayloadResolver.resolve
    failed: list[int] = []

    def flaky(self: PayloadResolver, fragment: Any) -> Any:
        if fragment.sequence in (0, 2) and fragment.sequence not in failed:
            failed.append(fragment.sequence)
            raise PayloadMissingError(fragment.stream, fragment.number, "the store is down", is_passing=True)
        return resolve(self, fragment)

    monkeypatch.setattr(PayloadResolver, "resolve", flaky)
    found: list[str] = []
    with FragmentConsumer("parts.fragments", published.bootstrap, group_id=name, until_end=True, streams="clip") as consumer:
        frames = consumer.frames()
        for _ in range(2):
            with pytest.raises(PayloadMissingError):
                found.extend(media.digest(frame.image) for frame in frames)
        found += [media.digest(frame.image) for frame in frames]
    assert (failed, found) == ([0, 2], expected)


def test_a_stream_that_falls_silent_beside_a_busy_one(published: Published, clip_topic: tuple[str, list[Message]]) -> None:
    """Its last pictures come, and its offsets are committed, although there is always something to read."""
    topic, _ = clip_topic
    busy = "output-get-media" if "output-get-media" in published.files else "clip"
    others = itertools.cycle(messages_of(published, busy))
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.1):
            send(published, topic, [next(others)])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        with FragmentConsumer(topic, published.bootstrap, streams=["clip", busy]) as consumer:
            pictures = 0
            for frame in consumer.frames("gray", flush_after_s=0.5, keyframes_only=False):
                pictures += frame.stream == "clip" and frame.sequence is not None
                if pictures >= 48:
                    break
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("stream", ["clip", "opus-only", "hand-headerstrip-aac"])
def test_a_pause_changes_nothing(published: Published, stream: str) -> None:
    """What decoders hold back is yielded at a pause: samples and pictures are the same, and every nth is counted on."""
    published.file(stream)
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, streams=stream) as consumer:
        fragments = list(consumer)
    kinds = {track.kind for track in fragments[0].tracks}

    def frames(is_paused: bool) -> Iterator[Frame]:
        # Every fifth picture in the clip, which is not one of each group.
        every: int | timedelta = 5 if "video" in kinds else 1
        pipeline = Pipeline("gray" if "video" in kinds else None, "int16", None, every, False, 1, lambda error: pytest.fail(str(error)))
        for fragment in fragments:
            yield from pipeline.push(fragment)
            if is_paused:
                yield from pipeline.flush_idle(0)
        yield from pipeline.flush()

    def contents(is_paused: bool) -> list[tuple[int, str]]:
        return sorted((one.pts_ns, media.digest(one.samples if one.image is None else one.image)) for one in frames(is_paused))

    assert contents(True) == contents(False)


def test_partitions_that_are_added_are_read_without_a_group(
    published: Published, clip_topic: tuple[str, list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_look, "_EVERY_S", 0.5)
    topic, clip = clip_topic
    with FragmentConsumer(topic, published.bootstrap, idle_timeout_s=240) as consumer:
        assert len(list(itertools.islice(consumer, len(clip)))) == len(clip)
        admin = AdminClient({"bootstrap.servers": published.bootstrap})
        admin.create_partitions([NewPartitions(topic, 2)])[topic].result(60)
        wait_for("the partition", lambda: len(admin.list_topics(topic, timeout=30).topics[topic].partitions) == 2)
        send(published, topic, clip, lambda _: 1)
        added = list(itertools.islice(consumer, len(clip)))
    assert [fragment.position.partition for fragment in added] == [1] * len(clip)


@pytest.mark.parametrize("group", [False, True])
def test_a_topic_that_is_deleted_while_it_is_read_is_said(
    published: Published, name: str, clip_topic: tuple[str, list[Message]], monkeypatch: pytest.MonkeyPatch, group: bool
) -> None:
    monkeypatch.setattr(topic_look, "_EVERY_S", 1.0)
    topic, clip = clip_topic
    with FragmentConsumer(topic, published.bootstrap, group_id=name if group else None, idle_timeout_s=240) as consumer:
        assert len(list(itertools.islice(consumer, len(clip)))) == len(clip)
        admin = AdminClient({"bootstrap.servers": published.bootstrap})
        admin.delete_topics([topic])[topic].result(60)
        with pytest.raises(TopicMissingError) as raised:
            next(consumer)
    assert raised.value.topic == topic


def test_chunks_that_cannot_be_read_now_and_records_that_are_none(
    published: Published, name: str, create_topic: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk topic with foreign records in it, and one of which nothing can be read: that may pass, and is not skipped."""
    topic = f"{name}.chunks"
    create_topic(topic, 1)
    with FragmentConsumer("parts.fragments", published.bootstrap, until_end=True, streams="clip") as consumer:
        fragment = next(consumer)
        assert fragment.payload_chunks is not None
        expected = bytes(fragment.payload)
    half = len(expected) // 2
    producer = Producer({"bootstrap.servers": published.bootstrap})
    producer.produce(topic, b"foreign")
    producer.produce(topic, b"foreign", headers=[("kvs.stream", b"clip"), ("kvs.fragment.number", b"1"), ("kvs.chunk.index", b"x")])
    for index, part in enumerate((expected[:half], expected[half:])):
        numbers: list[tuple[str, str | bytes | None]] = [
            ("kvs.stream", b"clip"),
            ("kvs.fragment.number", fragment.number.encode()),
            ("kvs.chunk.index", b"%d" % index),
        ]
        producer.produce(topic, part, headers=numbers)
    producer.flush()
    placed = replace(fragment.payload_chunks, topic=topic, partition=0, count=2)
    resolver = PayloadResolver({"bootstrap.servers": published.bootstrap}, None)
    assert bytes(resolver.resolve(replace(fragment, payload_chunks=placed, _media=None))) == expected
    monkeypatch.setattr(payload, "_CHUNK_WAIT_S", 0.0)
    monkeypatch.setattr(payload._ChunkReader, "_seek", lambda self, start_ms: None)
    lost = replace(fragment, number="7", payload_chunks=placed, _media=None)
    with pytest.raises(PayloadMissingError) as raised:
        resolver.resolve(lost)
    assert raised.value.is_passing
    resolver.close()


@pytest.mark.parametrize(
    ("found", "is_passing"),
    [
        (OSError("connection refused"), True),
        (SchemaRegistryError(404, 40403, "Schema not found"), False),
        (SchemaRegistryError(404, -1, "there is no /schemas/ids/1 here"), True),
        (SchemaRegistryError(503, 50301, "starting"), True),
        (Schema('syntax = "proto3"; message A {}', "PROTOBUF"), False),
        (Schema("not JSON", "AVRO"), False),
        (Schema('"string"', "AVRO"), False),
        (Schema('{"type":"record","name":"x","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}', "AVRO"), False),
    ],
    ids=lambda found: str(found)[:40],
)
def test_what_a_registry_will_not_have_later_either_may_be_skipped(found: Any, is_passing: bool) -> None:
    class Client:
        def get_schema(self, schema_id: int) -> Any:
            if isinstance(found, Exception):
                raise found
            return found

    with pytest.raises(KvsConnectError) as raised:
        # More entries than there is memory for, if anybody reads them.
        Decoder(Registry(Client())).decode(b"\0\0\0\0\1" + b"\x80\x80\x80\x80\x80\x80\x80\x01\0")
    assert raised.value.is_passing == is_passing


def test_a_registry_is_asked_once_a_minute_for_an_id_that_it_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def get_schema(self, schema_id: int) -> Any:
            self.asked.append(schema_id)
            raise SchemaRegistryError(404, 40403, "Schema not found")

    client, now = Client(), 1_000.0
    monkeypatch.setattr(registry, "time", SimpleNamespace(monotonic=lambda: now))
    asks = Registry(client)

    def ask(schema_id: int) -> None:
        with pytest.raises(RegistryError, match="Schema not found") as raised:
            asks.schema(schema_id)
        assert not raised.value.is_passing

    for _ in range(3):
        ask(1)
    assert client.asked == [1]
    now += 61.0
    ask(1)
    assert client.asked == [1, 1]
    # Of endless ids, those that were learned last are known.
    for schema_id in range(2, 3_000):
        ask(schema_id)
    asked = len(client.asked)
    ask(2_999)
    assert len(client.asked) == asked
    ask(1)
    assert len(client.asked) == asked + 1


@pytest.mark.parametrize("every", [20, timedelta(seconds=2)])
def test_what_every_takes_does_not_depend_on_how_often_a_stream_breaks_off(published: Published, every: int | timedelta) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, streams="clip") as consumer:
        fragments = list(consumer)
    broken = [replace(fragment, discontinuity=True, _media=fragment._media) for fragment in fragments]
    taken = [[frame.pts_ns for frame in decode_frames(run, "gray", every=every)] for run in (fragments, broken)]
    # 48 pictures of a tenth of a second each.
    assert len(taken[0]) == 3
    assert taken[1] == taken[0]


def test_a_loop_over_pictures_that_is_left_goes_on_with_the_group_that_was_left(published: Published, name: str) -> None:
    def consumer() -> FragmentConsumer:
        return FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", until_end=True)

    numbers = published.numbers("clip")
    with consumer() as first:
        of_fourth = (frame for frame in first.frames("gray") if frame.fragment_number == numbers[3])
        assert len(list(itertools.islice(of_fourth, 6))) == 6
        first.commit()
    with consumer() as second:
        assert next(second.frames("gray")).fragment_number == numbers[3]


def test_who_was_too_slow_joins_again_before_it_commits(published: Published, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit of a static member that is none any more would be its end."""
    with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name, streams="clip", commit_interval_s=0) as consumer:
        commits: list[int] = []
        monkeypatch.setattr(consumer._committer, "commit_if_due", lambda: commits.append(1))
        next(consumer)
        assert commits
        commits.clear()
        consumer._poll_interval_s = 0.0
        next(consumer)
        assert not commits


def test_an_mp4_has_silence_where_a_call_pauses(published: Published, tmp_path: Path) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, streams="clip") as consumer:
        fragments = list(consumer)
    pause_ns = 10_000_000_000

    def later(fragment: Any) -> Any:
        index = tuple(entry._replace(timestamp_ns=entry.timestamp_ns + pause_ns) for entry in fragment.index)
        return replace(fragment, start_ns=fragment.start_ns + pause_ns, index=index)

    to_mp4([*fragments[:2], *map(later, fragments[2:])], tmp_path / "pause.mp4")
    with av.open(str(tmp_path / "pause.mp4")) as container:
        ends = {}
        for kind in ("video", "audio"):
            container.seek(0)
            ends[kind] = max(getattr(frame, "time", None) or 0.0 for frame in container.decode(**{kind: 0}))
    # Both end together, 10 s later than without the pause.
    assert ends["video"] == pytest.approx(14.7, abs=0.05)
    assert ends["audio"] == pytest.approx(ends["video"], abs=0.2)


def test_a_stream_whose_name_is_mistyped_is_said(
    published: Published, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clp", until_end=True) as consumer:
        assert list(consumer) == []
    assert "there is no record of clp: the topic has " in caplog.text
    caplog.clear()
    monkeypatch.setattr(unwanted, "QUIET_AFTER_S", 0.0)
    with FragmentConsumer("plain.fragments", published.bootstrap, streams={"clp", "clip"}) as consumer:
        consumer.take(5)
        consumer.stop()
    with FragmentConsumer("plain.fragments", published.bootstrap, streams=lambda name: name == "clp") as consumer:
        wait_for("a line in the log", lambda: consumer.take(0.1) or "no record of the streams that are wanted for" in caplog.text)
    assert "while others come: the topic has " in caplog.text


def test_arguments_that_cannot_be_are_said(published: Published, tmp_path: Path) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
        fragment = next(consumer)
    for threads in ("four", -1):
        with pytest.raises(ConfigurationError, match="threads="):
            list(decode_frames([fragment], threads=threads))  # type: ignore[arg-type]
    for write in (fragment.to_mp4, fragment.to_wav, fragment.save):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            write(tmp_path / "nowhere" / "x.mp4")
    with pytest.raises(NoAudioError, match=r"no track of audio with track='sound', but track=2"):
        fragment.to_wav(tmp_path / "x.wav", track="sound")
    fragment.to_wav(tmp_path / "x.wav", track="audio")
