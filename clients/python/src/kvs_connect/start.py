"""Where a partition is begun.

**Contract.** `start_offsets` returns an offset of Kafka's client for each partition. Offsets that the caller stores come first, then,
for a partition that comes with a later rebalance, what the group has committed, then `start`. What is asked for as the newest or as
a time is looked up at once: nothing that is written meanwhile is missed. Offsets that an open transaction is about to commit are
waited for, and that is said: to go on before them would read its records again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from kvs_connect.arguments import check_offsets
from kvs_connect.connection import ask
from kvs_connect.errors import ConfigurationError, KafkaFailedError

__all__ = ["Offsets", "Start", "bounds", "check_start", "start_ms", "start_offsets"]

logger = logging.getLogger("kvs_connect")

_ATTEMPT_S = 5.0
_SAY_AFTER_S = 4.0
_SAY_EVERY_S = 30.0
_OPEN_MAX_S = 240.0
"""Brokers end a transaction a minute after its begin, unless its producer has another transaction.timeout.ms. A consumer that does
not ask for records for five minutes loses its partitions."""
_WITHHELD = {KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT}
_WITHHELD_TEXT = (
    "the brokers have withheld the group's offsets for %.0f s, as they do while a transaction is open that is about to commit some: that "
    "of a program that was killed, for example. They give them when it is over: after its transaction.timeout.ms (a minute), or at "
    "once when a producer with its transactional.id has called init_transactions(), as a program best does before it makes its consumer"
)

Start = Literal["earliest", "latest", "committed"] | datetime
"""Where to begin: a name, or the time of the first record that is wanted."""

PartitionKey = tuple[str, int]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
Offsets = Mapping[PartitionKey, int] | Callable[[Sequence[PartitionKey]], Mapping[PartitionKey, int]]
"""Where to go on, by topic and partition, or a function that is asked for it at each assignment of partitions."""


def check_start(start: Start) -> None:
    """Raises a `ConfigurationError` for what is no start."""
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise ConfigurationError(f"start={start} has no time zone: datetime.now(timezone.utc) has one")
    elif start not in ("earliest", "latest", "committed"):
        raise ConfigurationError(f"start={start!r} is none of 'earliest', 'latest', 'committed' and a datetime")


def start_offsets(
    consumer: Consumer,
    partitions: Sequence[PartitionKey],
    *,
    start: Start,
    offsets: Offsets | None,
    has_group: bool,
    is_later: bool,
    timeout_s: float,
    is_stopped: Callable[[], bool],
) -> list[TopicPartition]:
    """Returns the partitions with the offsets at which to begin. `is_stopped` says whether nobody waits for them any more."""
    stored = (offsets(partitions) if callable(offsets) else offsets) or {}
    check_offsets(stored, of_function=callable(offsets))
    found = {key: stored[key] for key in partitions if stored.get(key) is not None}
    rest = [key for key in partitions if key not in found]
    if has_group and offsets is None and (is_later or start == "committed"):
        committed = _committed(consumer, rest, timeout_s, is_stopped) if rest else []
        found |= {(one.topic, one.partition): one.offset for one in committed if one.offset >= 0}
        rest = [key for key in rest if key not in found]
    if isinstance(start, datetime) and rest:
        wanted = [TopicPartition(*key, start_ms(start)) for key in rest]
        # Where there is no record from that time on, the client has OFFSET_END.
        for one in ask(lambda: consumer.offsets_for_times(wanted, timeout=timeout_s), f"topic {rest[0][0]}", timeout_s):
            found[one.topic, one.partition] = _end(consumer, one, timeout_s) if one.offset < 0 else one.offset
    elif start == "latest":
        found |= {key: _end(consumer, TopicPartition(*key), timeout_s) for key in rest}
    else:
        found |= dict.fromkeys(rest, OFFSET_BEGINNING)
    return [TopicPartition(*key, found[key]) for key in partitions]


def _committed(
    consumer: Consumer, partitions: Sequence[PartitionKey], timeout_s: float, is_stopped: Callable[[], bool]
) -> list[TopicPartition]:
    """Returns what the group has committed. The client waits for what an open transaction is about to commit, and then says
    only that time is out."""
    asked = [TopicPartition(*key) for key in partitions]
    began, say_at_s = time.monotonic(), _SAY_AFTER_S

    def attempt() -> list[TopicPartition]:
        nonlocal say_at_s
        if is_stopped():
            return []
        try:
            return consumer.committed(asked, timeout=min(_ATTEMPT_S, timeout_s))
        except KafkaException as exception:
            waited_s = time.monotonic() - began
            if exception.args[0].code() in _WITHHELD and waited_s >= say_at_s and _responds(consumer, partitions[0][0]):
                say_at_s = waited_s + _SAY_EVERY_S
                logger.warning(_WITHHELD_TEXT, waited_s)
            raise

    while True:
        try:
            return ask(attempt, "consumer group", timeout_s)
        except KafkaFailedError as error:
            failed = error
        is_over = time.monotonic() - began >= _OPEN_MAX_S
        if failed.code not in _WITHHELD or is_over or not _responds(consumer, partitions[0][0]):
            raise failed


def _responds(consumer: Consumer, topic: str) -> bool:
    try:
        consumer.list_topics(topic, timeout=_ATTEMPT_S)
    except KafkaException:
        return False
    return True


def start_ms(start: datetime) -> int:
    """Returns a time as Kafka has it, rounded up: a record of the millisecond before is not wanted.

    >>> start_ms(datetime(1970, 1, 1, microsecond=1001, tzinfo=timezone.utc))
    2
    >>> start_ms(datetime(1969, 12, 31, tzinfo=timezone.utc))
    0
    """
    # To Kafka, times before 1970 are names of offsets.
    return max(0, -((_EPOCH - start) // timedelta(milliseconds=1)))


def bounds(consumer: Consumer, partition: PartitionKey, timeout_s: float) -> tuple[int, int]:
    """Returns the offsets of a partition's first record, and behind its last one."""
    asked = TopicPartition(*partition)
    found = ask(lambda: consumer.get_watermark_offsets(asked, timeout=timeout_s), f"topic {partition[0]}", timeout_s)
    return (0, OFFSET_END) if found is None else found


def _end(consumer: Consumer, partition: TopicPartition, timeout_s: float) -> int:
    return bounds(consumer, (partition.topic, partition.partition), timeout_s)[1]
