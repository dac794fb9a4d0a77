"""The media of a fragment whose record does not have them.

**Contract.** `PayloadResolver.resolve` returns media whose size and hash are those of the record, or raises a `PayloadError`
that says what to do. Chunks are read by a consumer of their own, which belongs to no group; of what it reads on the way, parts of
other fragments are kept for a while, since those are asked for next.
"""

from __future__ import annotations

import hashlib
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from kvs_connect.arguments import check_mapping
from kvs_connect.connection import ask, failure_of, kafka_logger
from kvs_connect.errors import (
    ConfigurationError,
    MissingExtraError,
    PayloadAbsentError,
    PayloadDamagedError,
    PayloadMissingError,
)
from kvs_connect.model import Fragment, PayloadChunks
from kvs_connect.offsets import PartitionKey

__all__ = ["PayloadResolver", "fetch_object"]

_KEPT_MAX_BYTES = 64 << 20
_READERS_MAX = 16
_CHUNK_WAIT_S = 60.0
_FragmentKey = tuple[str, str]


class PayloadResolver:
    """Fetches media from where a record says that they are."""

    def __init__(self, kafka: Mapping[str, Any], store_options: Mapping[str, Any] | None = None) -> None:
        self._kafka = kafka
        self.store_options = dict(store_options or {})
        self._chunks: OrderedDict[PartitionKey, _ChunkReader] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, in another process for example, has readers of its own.
        return PayloadResolver, (self._kafka, self.store_options)

    def resolve(self, fragment: Fragment) -> memoryview:
        """Returns the media of a fragment."""
        mode = fragment.payload_mode
        if mode == "reference" and fragment.payload_uri:
            return _checked(fragment, fetch_object(fragment, fragment.payload_uri, self.store_options))
        if mode == "chunked" and fragment.payload_chunks:
            return _checked(fragment, self._reader(fragment.payload_chunks).read(fragment, fragment.payload_chunks.count))
        if mode == "none":
            raise PayloadAbsentError(
                fragment.stream,
                fragment.number,
                "its media are in no topic, as the connector has payload.mode=none. Set it to inline, reference or chunked, "
                "or read the connector's frames.topic with FrameConsumer",
            )
        raise PayloadAbsentError(
            fragment.stream,
            fragment.number,
            f"{fragment.position.topic} has metadata, without the media: read the connector's topic of fragments",
        )

    def close(self) -> None:
        """Closes what has been opened."""
        while self._chunks:
            self._chunks.popitem()[1].close()

    def _reader(self, chunks: PayloadChunks) -> _ChunkReader:
        partition = (chunks.topic, chunks.partition)
        reader = self._chunks.pop(partition, None) or _ChunkReader(self._kafka, partition)
        self._chunks[partition] = reader
        if len(self._chunks) > _READERS_MAX:
            self._chunks.popitem(last=False)[1].close()
        return reader


def fetch_object(fragment: Fragment | None, uri: str, store_options: Mapping[str, Any]) -> memoryview:
    """Returns an object in a folder, S3, Google Cloud Storage or Azure."""
    stream, number = (fragment.stream, fragment.number) if fragment else ("", "")
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme == "file":
        try:
            return memoryview(Path(urllib.parse.unquote(parts.path)).read_bytes())
        except OSError as error:
            raise PayloadMissingError(
                stream,
                number,
                f"{uri} cannot be read: {error.strerror}. Is the connector's folder mounted here?",
                is_passing=not isinstance(error, FileNotFoundError),
            ) from error
    try:
        import obstore.store
    except ImportError as error:
        raise MissingExtraError("obstore", "stores") from error
    try:
        store: Any = obstore.store.from_url(f"{parts.scheme}://{parts.netloc}", **store_options)
        return memoryview(store.get(urllib.parse.unquote(parts.path.lstrip("/"))).bytes())
    # The library has an exception for each service, and they have no base; an object that is not there is a FileNotFoundError.
    except Exception as error:
        raise PayloadMissingError(
            stream,
            number,
            f"{uri} cannot be read: {error}. The store's credentials are those of its usual environment variables; "
            "endpoint and region go into store_options",
            is_passing=not isinstance(error, FileNotFoundError),
        ) from error


def _checked(fragment: Fragment, media: memoryview) -> memoryview:
    if len(media) != fragment.size_bytes:
        raise PayloadDamagedError(fragment.stream, fragment.number, f"its media have {len(media)} bytes instead of {fragment.size_bytes}")
    if fragment.payload_sha256 and hashlib.sha256(media).hexdigest() != fragment.payload_sha256.lower():
        raise PayloadDamagedError(
            fragment.stream, fragment.number, f"the SHA-256 of its media is not {fragment.payload_sha256}, as its record says"
        )
    return media


class _ChunkReader:
    """Reads a partition of a chunk topic, from the time of the first fragment on that is asked for."""

    def __init__(self, kafka: Mapping[str, Any], partition: PartitionKey) -> None:
        self._consumer = Consumer(
            {**kafka, "group.id": "kvs-connect-chunks", "enable.partition.eof": True},
            logger=kafka_logger,
        )
        self._partition = partition
        self._kept: OrderedDict[_FragmentKey, dict[int, bytes]] = OrderedDict()
        self._kept_bytes = 0
        self._read_until_ms: int | None = None

    def read(self, fragment: Fragment, count: int) -> memoryview:
        """Returns the parts of a fragment, put together."""
        key = (fragment.stream, fragment.number)
        # What comes next is usually right behind what was read last. If it is not, it is sought by its time, and if the
        # chunks' times are others than the record's, in all that there is.
        starts: list[int | None] = [fragment.record_timestamp_ms, 0]
        if self._read_until_ms is not None and fragment.record_timestamp_ms >= self._read_until_ms:
            starts.insert(0, None)
        for start_ms in starts:
            if self._is_complete(key, count):
                break
            if start_ms is not None:
                self._seek(start_ms)
            if not self._read_until(key, count):
                raise PayloadMissingError(
                    fragment.stream,
                    fragment.number,
                    f"nothing could be read of {self._partition[0]}, partition {self._partition[1]}, for {_CHUNK_WAIT_S:.0f} s",
                    is_passing=True,
                )
        parts = self._kept.get(key, {})
        if not self._is_complete(key, count):
            topic, partition = self._partition
            raise PayloadMissingError(
                fragment.stream,
                fragment.number,
                f"{topic}, partition {partition}, has {len(parts)} of its {count} chunks: the topic's retention has to be as "
                "long as that of the fragments",
            )
        self._forget(key)
        return memoryview(b"".join(parts[index] for index in range(count)))

    def close(self) -> None:
        self._consumer.close()

    def _seek(self, start_ms: int) -> None:
        wanted = [TopicPartition(*self._partition, start_ms)]
        found = ask(lambda: self._consumer.offsets_for_times(wanted, timeout=_CHUNK_WAIT_S), f"topic {self._partition[0]}", _CHUNK_WAIT_S)
        self._consumer.assign(found)
        self._read_until_ms = start_ms

    def _read_until(self, key: _FragmentKey, count: int) -> bool:
        """Reads until the fragment is complete, or the partition's end. Returns whether it has come so far."""
        until = time.monotonic() + _CHUNK_WAIT_S
        while not self._is_complete(key, count) and time.monotonic() < until:
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return True
                if not error.retriable():
                    raise failure_of(error, f"topic {self._partition[0]}")
                continue
            until = time.monotonic() + _CHUNK_WAIT_S
            self._keep(message)
        return self._is_complete(key, count)

    def _keep(self, message: Any) -> None:
        headers = {name: value.decode(errors="replace") for name, value in message.headers() or [] if value is not None}
        self._read_until_ms = message.timestamp()[1]
        try:
            key = (headers["kvs.stream"], headers["kvs.fragment.number"])
            index = int(headers["kvs.chunk.index"])
        except (KeyError, ValueError):
            # It is none of the connector's.
            return
        value = message.value() or b""
        parts = self._kept.setdefault(key, {})
        self._kept_bytes += len(value) - len(parts.get(index, b""))
        parts[index] = value
        while self._kept_bytes > _KEPT_MAX_BYTES and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _is_complete(self, key: _FragmentKey, count: int) -> bool:
        parts = self._kept.get(key, {})
        return all(index in parts for index in range(count))

    def _forget(self, key: _FragmentKey) -> None:
        self._kept_bytes -= sum(map(len, self._kept.pop(key).values()))


def check_store_options(options: Mapping[str, Any] | None) -> None:
    """Raises a `ConfigurationError` unless the options are those of obstore's `from_url`."""
    check_mapping("store_options", options)
    unknown = set(options or ()) - {"config", "client_options", "retry_config", "credential_provider"}
    if unknown:
        raise ConfigurationError(
            f"store_options has {', '.join(sorted(unknown))}; it takes config, client_options, retry_config and "
            "credential_provider, as obstore.store.from_url does"
        )
