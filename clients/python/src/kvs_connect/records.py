"""Reads records of topics, and commits what the caller has finished with.

**Contract.** A record's offset is committed only after the caller has finished with the record: it has asked for the next one, or
has said so (`commit`). A partition that goes to another consumer is committed first, so that nothing is lost and what was
finished is not read again. Waiting is said in the log, at the latest after half a minute, and a broker that never responds is an
error.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from kvs_connect import unclosed
from kvs_connect.arguments import (
    WAIT_MAX_S,
    check_flag,
    check_offsets,
    check_seconds,
    check_text,
    partitions_of,
    topics_of,
)
from kvs_connect.committer import Committer, on_commit
from kvs_connect.connection import Topics, client_settings, failure_of, find_topics, kafka_logger, poll_interval_s
from kvs_connect.errors import ConfigurationError, KvsConnectError, NotARecordError, TransactionFailedError
from kvs_connect.framing import FOREIGN_ERRORS, Decoder
from kvs_connect.interrupt import Interrupt, WaitInterrupted
from kvs_connect.model import Position
from kvs_connect.offsets import OffsetTracker, PartitionKey
from kvs_connect.one_user import OneUser
from kvs_connect.partitions import Limits, Partitions
from kvs_connect.payload import PayloadResolver, check_store_options
from kvs_connect.registry import Registry
from kvs_connect.selection import Streams, headers_of, stream_filter
from kvs_connect.silence import Silence
from kvs_connect.start import Offsets, Start, check_start, start_ms
from kvs_connect.unwanted import Unwanted

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from kvs_connect.frame_stream import FrameStream
    from kvs_connect.transaction import Transaction

__all__ = ["OnError", "RecordConsumer"]

logger = logging.getLogger("kvs_connect")

OnError = Literal["raise", "skip"] | Callable[[KvsConnectError], None]
"""What happens to a record or a frame that cannot be read: an error, a line in the log, or a call of yours."""

_POLL_S = 0.25
_READS_FURTHER = (
    "frames() has read further than the pictures that it has yielded: iterate over the consumer, and use Fragment.frames() for each one"
)
_Self = TypeVar("_Self", bound="RecordConsumer[Any]")
Record = TypeVar("Record")


class RecordConsumer(Generic[Record]):
    """What `FragmentConsumer` and `FrameConsumer` have in common; they say what the arguments mean."""

    _is_closed = True

    def __init__(
        self,
        topic: Topics,
        bootstrap_servers: str,
        *,
        group_id: str | None = None,
        streams: Streams = None,
        start: Start = "committed",
        offsets: Offsets | None = None,
        partitions: Collection[int] | Callable[[str, int], bool] | None = None,
        schema_registry: str | Mapping[str, Any] | Any | None = None,
        config: Mapping[str, Any] | None = None,
        until_end: bool = False,
        idle_timeout_s: float | None = None,
        connect_timeout_s: float = 30.0,
        commit_interval_s: float = 5.0,
        store_options: Mapping[str, Any] | None = None,
        on_error: OnError = "raise",
    ) -> None:
        topic = topics_of(topic)
        check_text("bootstrap_servers", bootstrap_servers)
        check_text("group_id", group_id, or_none=True)
        check_start(start)
        check_offsets(offsets)
        partitions = partitions_of(partitions)
        check_flag("until_end", until_end)
        check_store_options(store_options)
        check_seconds("idle_timeout_s", idle_timeout_s, or_none=True, above_0=True)
        check_seconds("connect_timeout_s", connect_timeout_s, above_0=True, max_s=WAIT_MAX_S)
        check_seconds("commit_interval_s", commit_interval_s)
        if not callable(on_error) and on_error not in ("raise", "skip"):
            raise ConfigurationError(f"on_error={on_error!r} is none of 'raise', 'skip' and a function")
        if group_id is not None and partitions is not None:
            raise ConfigurationError("partitions are chosen by the group if there is one: leave out group_id or partitions")
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id
        self._is_wanted = stream_filter(streams)
        self._unwanted = Unwanted(streams)
        self._not_before_ms = start_ms(start) if isinstance(start, datetime) else None
        self._offsets = offsets
        self._idle_timeout_s = idle_timeout_s
        self._on_error = on_error
        self._decoder = Decoder(None if schema_registry is None else Registry(schema_registry))
        self._tracker = OffsetTracker()
        self._errors: list[KafkaError] = []
        self._frames: FrameStream | None = None
        self._current: Position | None = None
        self._producers: list[Producer] = []
        self._interrupt = Interrupt()
        self._one_user = OneUser()
        self._given_up: KvsConnectError | None = None
        self._is_ended = self._is_stopped = False
        self._last_said = time.monotonic()
        self._silence = Silence(str(topic.pattern if isinstance(topic, re.Pattern) else topic), self._quiet_reason)
        kafka = client_settings(bootstrap_servers, config)
        is_cooperative = kafka.get("group.protocol") == "consumer"
        if not is_cooperative:
            # A rebalance then takes only those partitions from a consumer that go elsewhere.
            strategy = kafka.setdefault("partition.assignment.strategy", "cooperative-sticky")
            is_cooperative = "cooperative" in strategy
        if until_end:
            # The brokers say after this time that there is no more.
            kafka.setdefault("fetch.wait.max.ms", 50)
        self._polled = time.monotonic()
        self._poll_interval_s = poll_interval_s(kafka)
        self._resolver = PayloadResolver(kafka, store_options)
        own = {
            "group.id": group_id or f"kvs-connect-{random.getrandbits(64):x}",
            "enable.partition.eof": True,
            "error_cb": self._on_client_error,
            "on_commit": on_commit,
        }
        try:
            self._consumer = Consumer({**kafka, **own}, logger=kafka_logger)
        except KafkaException as exception:
            raise ConfigurationError(f"Kafka's client refuses the settings: {exception.args[0].str()}") from exception
        commits = group_id is not None and offsets is None
        self._committer = Committer(self._consumer, self._tracker, commit_interval_s, commits)
        self._partitions = Partitions(
            self._consumer,
            topic,
            group_id,
            is_cooperative=is_cooperative,
            chosen=partitions,
            limits=Limits(start, offsets, until_end, connect_timeout_s, lambda: self._is_stopped),
            tracker=self._tracker,
            committer=self._committer,
            on_taken=lambda keys: None if self._frames is None else self._frames._forget(keys),
        )
        self._is_closed = False
        unclosed.watch(self)
        try:
            self._partitions.follow(find_topics(self._consumer, topic, bootstrap_servers, connect_timeout_s, self._errors))
        except BaseException:
            self.close()
            raise

    # --- reading

    def take(self, timeout_s: float | None = None) -> Record | None:
        """Returns the next record, or None when there is none within this time, or none any more (`is_ended`).

        Unlike iteration it does not finish the record before: `finish` does.
        """
        with self._one_user:
            return self._take(timeout_s)

    def _take(self, timeout_s: float | None) -> Record | None:
        self._check_open()
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._check_ended() and not self._interrupt.is_set:
            # Whoever has not asked for so long is no member any more. A commit would be refused, and to a static member that is
            # fatal; the next poll joins again.
            if time.monotonic() - self._polled < self._poll_interval_s:
                self._committer.commit_if_due()
            self._begin_again()
            self._partitions.look_at_topics(self._silence.waited_s)
            wait_s = _POLL_S if until is None else max(0.0, min(_POLL_S, until - time.monotonic()))
            record = self._poll(wait_s)
            if record is not None:
                return record
            if until is not None and time.monotonic() >= until:
                break
        return None

    def finish(self, record: Any) -> None:
        """Says that the caller needs a record of `take` no more, so that its offset may be committed."""
        self._tracker.finish(record.position)

    @property
    def is_ended(self) -> bool:
        """Whether no more records come: the end, the idle timeout or `stop`."""
        return self._is_ended

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        with self._one_user:
            return self._next()

    def _next(self) -> Record:
        self._leave_frames()
        if self._current is not None:
            self._tracker.finish(self._current)
            self._current = None
        record = self._take(None)
        if record is None:
            if not self._is_ended:
                raise WaitInterrupted
            self.commit_finished()
            raise StopIteration
        self._current = record.position  # type: ignore[attr-defined]
        return record

    def stop(self) -> None:
        """Ends the iteration soon; may be called by another thread or a signal handler."""
        self._is_stopped = True

    # --- offsets

    def commit(self) -> None:
        """Commits, synchronously, that all records handed out so far are finished, the current one too.

        Of `frames()`, those records whose last frame has been yielded.
        """
        with self._one_user:
            self._check_open()
            if self._frames is None:
                self._tracker.finish_all()
            else:
                # Decoders have read further than what has come out of them.
                self._frames.finish()
            self.commit_finished()

    def commit_finished(self) -> None:
        """Commits, synchronously, what the caller has finished with."""
        with self._one_user:
            self._committer.commit(self._tracker.uncommitted(), is_sync=True)

    def offsets(self) -> dict[PartitionKey, int]:
        """Returns where to go on after all that was handed out, by topic and partition.

        Stored together with results, in one transaction of a database, and given back as the argument `offsets`, they
        make each result count exactly once.

        Raises:
            TransactionFailedError: with the argument `offsets`, where a partition has gone to another consumer since the last call,
                and its records are among those that you have had since. Roll back: the others are handed out again.
        """
        with self._one_user:
            return self._handed_out()

    def _handed_out(self) -> dict[PartitionKey, int]:
        self._check_open()
        if self._frames is not None:
            raise ConfigurationError(f"offsets are of whole records, and {_READS_FURTHER}")
        if self._offsets is not None:
            if self._tracker.is_torn:
                self.rewind()
                raise TransactionFailedError(
                    "partitions have gone to another consumer, which reads their records again: roll back what you have made since "
                    "offsets() was called last; the records of this consumer's partitions are handed out again"
                )
            self._tracker.settle()
        return self._tracker.handed_out()

    def transaction(self, producer: Producer, *, timeout_s: float = 60.0) -> Transaction:
        """Returns a context in which what `producer` sends and the offsets of what was handed out become one transaction.

        If the block raises, nothing of it counts, and its records are handed out again.
        """
        from kvs_connect.transaction import Transaction

        check_seconds("timeout_s", timeout_s, above_0=True, max_s=WAIT_MAX_S)
        if not hasattr(producer, "send_offsets_to_transaction"):
            raise ConfigurationError(f"producer={producer!r} has to be a confluent_kafka.Producer")
        with self._one_user:
            self._check_open()
        if self._group_id is None:
            raise ConfigurationError("a transaction needs a consumer with group_id, whose offsets it commits")
        if self._frames is not None:
            raise ConfigurationError(f"a transaction is of whole records, and {_READS_FURTHER}")
        self._committer.is_on = False
        return Transaction(self._consumer, self._tracker, producer, self._producers, self.rewind, self._give_up, timeout_s)

    def rewind(self) -> None:
        """Goes back to what was committed last: what has been handed out since is handed out again."""
        self._current = None
        restart = self._tracker.rewind()
        for partition, offset in restart.items():
            self._partitions.go_back(partition, offset)
        if self._frames is not None:
            self._frames._forget(restart)

    def hand_back(self, record: Any) -> None:
        """Hands a record of `__next__` out again that nobody has had: who has waited for it was cancelled."""
        self._current = None
        self._take_back(record.position)

    def _take_back(self, position: Position) -> None:
        """Hands a record out again that cannot be read now, and can be later: whoever catches the error and goes on has lost nothing."""
        self._tracker.take_back(position)
        self._partitions.go_back(position[:2], position.offset)

    def _go_back_to(self, positions: Collection[Position]) -> None:
        """Hands records out again, from the first of these in each partition on."""
        if self._is_closed:
            return
        first: dict[PartitionKey, int] = {}
        for position in positions:
            first[position[:2]] = min(position.offset, first.get(position[:2], position.offset))
        for partition, offset in first.items():
            self._take_back(Position(*partition, offset))

    def _leave_frames(self) -> None:
        """Closes what frames() has returned before: a loop over it was left."""
        if self._frames is not None:
            self._frames.close()

    # --- life

    def close(self) -> None:
        """Commits what is finished and leaves the group."""
        if self._is_closed or self._one_user.is_forked:
            # What is closed in a copy of the process is still open in the other one.
            return
        with self._one_user:
            try:
                self.commit_finished()
            finally:
                self._is_closed = self._is_ended = True
                self._partitions.close()
                self._consumer.close()
                self._resolver.close()

    def __del__(self) -> None:
        unclosed.drop(self)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # --- for subclasses and for streams of frames

    def _decode(self, message: Message, position: Position) -> Record | None:
        """Returns the record of a message; None if it is none that is wanted."""
        raise NotImplementedError

    def _report(self, error: KvsConnectError) -> None:
        """Raises an error or reports it, as `on_error` says."""
        if callable(self._on_error):
            self._on_error(error)
        elif self._on_error == "raise" or error.is_passing:
            raise error
        else:
            logger.warning("skipped: %s", error)

    # --- polling

    def _begin_again(self) -> None:
        """Begins partitions that could not be begun when they were assigned."""
        try:
            self._partitions.begin_waiting()
        except Exception:
            # The group is served all the same: another member may be waiting for a partition.
            record = self._poll(0.0)
            if record is not None:
                self._take_back(record.position)  # type: ignore[attr-defined]
            raise

    def _poll(self, wait_s: float) -> Record | None:
        began = time.monotonic()
        message = self._consumer.poll(wait_s)
        self._polled = time.monotonic()
        if self._errors and self._errors[-1].code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            raise failure_of(self._errors[-1], f"Kafka at {self._bootstrap_servers}")
        if message is None:
            self._silence.waited(time.monotonic() - began)
            return None
        error = message.error()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._partitions.has_ended((str(topic), int(partition or 0)))
            elif error.code() == KafkaError._MAX_POLL_EXCEEDED:
                logger.warning("%s. Work that takes so long needs a higher max.poll.interval.ms in config", error.str())
            elif error.fatal() or not (error.retriable() or error.code() in _PASSING):
                what = f"topic {topic}" if topic else f"consumer group {self._group_id}"
                raise failure_of(error, what)
            return None
        assert topic is not None and partition is not None and offset is not None
        if self._partitions.is_behind_end((topic, partition), offset):
            return None
        self._silence.broken()
        position = Position(topic, partition, offset)
        self._tracker.hand_out(position)
        record = self._read(message, position)
        if record is None:
            self._tracker.finish(position)
        else:
            self._tracker.has(position)
        return record

    def _read(self, message: Message, position: Position) -> Record | None:
        """Returns the record of a message, if it is one, and wanted."""
        if not (self._is_late_enough(message) and self._stream_is_wanted(message)):
            return None
        try:
            record = self._decode(message, position)
        except KvsConnectError as failure:
            self._reported(failure, position)
            return None
        except FOREIGN_ERRORS as error:
            reason = f"it is not what its schema says: {type(error).__name__}: {error}"
            self._reported(NotARecordError(*position, reason), position)
            return None
        if record is None or self._is_wanted is None:
            return record
        stream: str = record.stream  # type: ignore[attr-defined]
        if self._is_wanted(stream):
            self._unwanted.broken()
            return record
        self._unwanted.note(stream)
        return None

    def _reported(self, error: KvsConnectError, position: Position) -> None:
        try:
            self._report(error)
        except KvsConnectError as raised:
            if raised.is_passing:
                self._take_back(position)
            raise

    def _is_late_enough(self, message: Message) -> bool:
        # Records of several streams in a partition are not in the order of their times: older ones may follow.
        return self._not_before_ms is None or message.timestamp()[1] >= self._not_before_ms

    def _stream_is_wanted(self, message: Message) -> bool:
        if self._is_wanted is None:
            return True
        stream = dict(headers_of(message)).get("kvs.stream")
        # Without the header the record itself says it.
        if stream is None or self._is_wanted(name := stream.decode(errors="replace")):
            return True
        self._unwanted.note(name)
        return False

    def _check_ended(self) -> bool:
        is_idle = self._idle_timeout_s is not None and self._silence.waited_s >= self._idle_timeout_s
        is_read = self._partitions.is_read()
        if (is_read or is_idle) and not self._is_ended:
            self._unwanted.ended()
        self._is_ended = self._is_ended or self._is_stopped or is_idle or is_read
        return self._is_ended

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConfigurationError("this consumer is closed")
        if self._given_up is not None:
            raise self._given_up

    def _give_up(self, error: KvsConnectError) -> None:
        self._given_up = error

    # --- saying what is going on

    def _on_client_error(self, error: KafkaError) -> None:
        self._errors[:] = [*self._errors[-9:], error]
        now = time.monotonic()
        if now - self._last_said >= 10.0:
            self._last_said = now
            logger.warning("Kafka at %s: %s", self._bootstrap_servers, error.str())

    def _quiet_reason(self) -> str:
        return self._partitions.quiet_reason() or (self._errors[-1].str() if self._errors else "the brokers send nothing")


_PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
