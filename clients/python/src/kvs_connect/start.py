"""Where a partition is begun.

**Contract.** `start_offsets` returns an offset of Kafka's client for each partition. Offsets that the caller stores come first, then,
for a partition that comes with a later rebalance, what the group has committed, then `start`. What is asked for as the newest or as
a time is looked up at once: nothing that is written meanwhile is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, TopicPartition

from kvs_connect.connection import ask
from kvs_connect.errors import ConfigurationError

__all__ = ["Offsets", "Start", "bounds", "check_start", "start_ms", "start_offsets"]

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
) -> list[TopicPartition]:
    """Returns the partitions with the offsets at which to begin."""
    stored = (offsets(partitions) if callable(offsets) else offsets) or {}
    found = {key: stored[key] for key in partitions if stored.get(key) is not None}
    rest = [key for key in partitions if key not in found]
    if has_group and offsets is None and (is_later or start == "committed"):
        asked = [TopicPartition(*key) for key in rest]
        committed = ask(lambda: consumer.committed(asked, timeout=timeout_s), "consumer group", timeout_s) if rest else []
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


def start_ms(start: datetime) -> int:
    """Returns a time as Kafka has it, rounded up: a record of the millisecond before is not wanted.

    >>> start_ms(datetime(1970, 1, 1, microsecond=1001, tzinfo=timezone.utc))
    2
    """
    return -((_EPOCH - start) // timedelta(milliseconds=1))


def bounds(consumer: Consumer, partition: PartitionKey, timeout_s: float) -> tuple[int, int]:
    """Returns the offsets of a partition's first record, and behind its last one."""
    asked = TopicPartition(*partition)
    found = ask(lambda: consumer.get_watermark_offsets(asked, timeout=timeout_s), f"topic {partition[0]}", timeout_s)
    return (0, OFFSET_END) if found is None else found


def _end(consumer: Consumer, partition: TopicPartition, timeout_s: float) -> int:
    return bounds(consumer, (partition.topic, partition.partition), timeout_s)[1]
