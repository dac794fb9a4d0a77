"""Consumers of fragments and of frames: what most programs begin with.

**Contract.** `FragmentConsumer` reads topics of fragments or of metadata, `FrameConsumer` topics of frames. Both read what is
committed, find the records' form by themselves, and commit an offset when the caller has finished with its record.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import Message

from kvs_connect.arguments import check_seconds
from kvs_connect.errors import NotARecordError
from kvs_connect.frame import AudioType, Every, PictureFormat, Tracks
from kvs_connect.frame_record import FrameRecord
from kvs_connect.frame_stream import FrameStream
from kvs_connect.model import Fragment, Position, fragment_of_record
from kvs_connect.payload import fetch_object
from kvs_connect.pipeline import Pipeline
from kvs_connect.records import Record, RecordConsumer
from kvs_connect.selection import headers_of

__all__ = ["FragmentConsumer", "FrameConsumer"]

_BAKDATA_HEADER = "__large.message.backed.value"


class _MediaConsumer(RecordConsumer[Record]):
    def frames(
        self,
        decode: PictureFormat | None = "rgb24",
        *,
        audio: AudioType | None = None,
        tracks: Tracks = None,
        every: Every = 1,
        keyframes_only: bool = False,
        threads: int = 1,
        flush_after_s: float = 10.0,
    ) -> FrameStream:
        """Returns an iterator over the frames of all records: pictures, samples, or frames as they are stored.

        Args:
            decode: how pictures are laid out; None yields frames of video as they are stored.
            audio: the type of samples; None yields no audio, unless `tracks` asks for it, and then as it is stored.
            tracks: numbers, names or kinds of tracks. Without it video, with `audio` also audio.
            every: each Nth picture, or one in this time.
            keyframes_only: only pictures that need no other one, each at once.
            threads: how many threads each decoder has; 0 is FFmpeg's own choice, one for each core.
            flush_after_s: a decoder holds pictures back; those of a stream that has been silent for this long are yielded, where
                its fragments begin with key frames.
        """
        self._check_open()
        check_seconds("flush_after_s", flush_after_s)
        pipeline = Pipeline(decode, audio, tracks, every, keyframes_only, threads, self._report)
        self._leave_frames()
        return FrameStream(self, pipeline, flush_after_s)

    def audio(self, sample_type: AudioType = "float32", *, tracks: Tracks = "audio") -> FrameStream:
        """Returns an iterator over the samples of all records."""
        return self.frames(None, audio=sample_type, tracks=tracks)


class FragmentConsumer(_MediaConsumer[Fragment]):
    """Reads fragments: an iterator and a context manager.

    Args:
        topic: a topic, several, or a compiled pattern that matches whole names; of fragments or of metadata.
        bootstrap_servers: Kafka's brokers.
        group_id: the consumer group, which shares the partitions among its members and remembers what is finished. Without one
            all partitions are read, and nothing is remembered.
        streams: the streams that are wanted: a name, several, or a function.
        start: `committed` goes on where the group has finished, at first with the earliest record. `earliest`, `latest` and a
            datetime begin there, whatever was committed; they are for a consumer that is alone in its group. Partitions that come
            with a later rebalance go on where the group has finished.
        offsets: where to begin, from a database in which you store `offsets()` with your results, or a function that is asked for it
            at each assignment; nothing is committed to Kafka then.
        partitions: without a group, which partitions are read: numbers, or a function of topic and number.
        schema_registry: the registry's URL, settings of Confluent's client, or a client; for records that were written with one.
        config: further settings of Confluent's client, such as security.protocol.
        until_end: ends where the topic ended at the start.
        idle_timeout_s: ends when nothing has come for this long.
        connect_timeout_s: how long the first contact to the brokers may take.
        commit_interval_s: how often finished offsets are committed.
        store_options: keyword arguments of `obstore.store.from_url`, for payloads in an object store.
        on_error: what happens to a record or frame that cannot be read: `raise`, `skip` with a line in the log, or a function.
    """

    def _decode(self, message: Message, position: Position) -> Fragment | None:
        value = message.value()
        if value is None:
            return None
        headers = headers_of(message)
        backed = dict(headers).get(_BAKDATA_HEADER)
        if backed == b"\x01":
            # The whole value is in an object, as kafka-large-message-serde has it.
            value = bytes(fetch_object(None, value.decode(), self._resolver.store_options))
        decoded = self._decoder.decode(value, *position)
        fields = decoded.fields
        if "fragment_number" not in fields or "tracks" not in fields:
            raise NotARecordError(*position, _not_this(fields, "fragments or metadata"))
        if fields.get("sequence") is None and backed is not None:
            sequence = dict(headers).get("kvs.sequence")
            fields["sequence"] = None if sequence is None else int(sequence)
        return fragment_of_record(
            fields,
            decoded.media,
            position,
            record_timestamp_ms=message.timestamp()[1],
            headers=headers,
            resolve=self._resolver.resolve,
        )


class FrameConsumer(_MediaConsumer[FrameRecord]):
    """Reads frames of a connector's `frames.topic`; the arguments are those of `FragmentConsumer`."""

    def _decode(self, message: Message, position: Position) -> FrameRecord | None:
        value = message.value()
        if value is None:
            return None
        decoded = self._decoder.decode(value, *position)
        if "frame_index" not in decoded.fields:
            raise NotARecordError(*position, _not_this(decoded.fields, "frames"))
        return FrameRecord.of_record(decoded.fields, decoded.media, position)


def _not_this(fields: dict[str, Any], wanted: str) -> str:
    if "frame_index" in fields:
        found = "frames, which FrameConsumer reads"
    elif "kind" in fields:
        found = "notifications"
    else:
        found = "fragments, which FragmentConsumer reads" if "tracks" in fields else "other records"
    return f"this is no topic of {wanted}: it has {found}"
