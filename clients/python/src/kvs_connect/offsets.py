"""How far the caller has finished in each partition.

**Contract.** `OffsetTracker.next_offset` is never higher than a record that has been handed out and not finished. Records are
handed out in the order of their offsets; they may be finished in any order, as several streams in one partition are. `is_torn` says
that a partition was taken away whose records the caller has, and has not settled: results that are made of those must not count,
for another consumer reads them again.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvs_connect.model import Position

__all__ = ["OffsetTracker"]

PartitionKey = tuple[str, int]


class OffsetTracker:
    """Knows which records have been handed out, and which of them are finished.

    >>> tracker = OffsetTracker()
    >>> for offset in (3, 4):
    ...     tracker.hand_out(Position("kvs.fragments", 0, offset))
    >>> tracker.finish(Position("kvs.fragments", 0, 4))
    >>> tracker.next_offset(("kvs.fragments", 0))
    3
    >>> tracker.finish(Position("kvs.fragments", 0, 3))
    >>> tracker.next_offset(("kvs.fragments", 0))
    5
    """

    def __init__(self) -> None:
        self._pending: dict[PartitionKey, dict[int, None]] = {}
        self._next: dict[PartitionKey, int] = {}
        self._committed: dict[PartitionKey, int] = {}
        self._restart: dict[PartitionKey, int] = {}
        self._unsettled: set[PartitionKey] = set()
        self.is_torn = False

    def hand_out(self, position: Position) -> None:
        """Notes that a record goes to the caller."""
        partition = position[:2]
        self._pending.setdefault(partition, {})[position.offset] = None
        self._next[partition] = position.offset + 1
        self._restart.setdefault(partition, position.offset)

    def has(self, position: Position) -> None:
        """Notes that the caller has a record, and makes results of it."""
        self._unsettled.add(position[:2])

    def take_back(self, position: Position) -> None:
        """Notes that a record that was handed out, and all behind it in its partition, are going to be read again."""
        pending = self._pending.get(position[:2])
        if pending is not None:
            self._pending[position[:2]] = {offset: None for offset in pending if offset < position.offset}
            self._next[position[:2]] = position.offset

    def settle(self) -> None:
        """Notes that the caller has stored its results together with the offsets of what it has."""
        self._unsettled.clear()

    def finish(self, position: Position) -> None:
        """Notes that the caller needs a record no more. One of a partition that was forgotten is nobody's business."""
        pending = self._pending.get(position[:2])
        if pending is not None:
            pending.pop(position.offset, None)

    def finish_all(self) -> None:
        """Notes that all that was handed out is finished."""
        for pending in self._pending.values():
            pending.clear()

    def next_offset(self, partition: PartitionKey) -> int | None:
        """Returns the offset at which to go on; None if nothing of the partition has been handed out."""
        pending = self._pending.get(partition)
        # Dictionaries keep the order of insertion, and records come in the order of their offsets.
        return next(iter(pending)) if pending else self._next.get(partition)

    def handed_out(self) -> dict[PartitionKey, int]:
        """Returns for each partition the offset behind the last record that was handed out."""
        return dict(self._next)

    def uncommitted(self, partitions: Iterable[PartitionKey] | None = None) -> dict[PartitionKey, int]:
        """Returns the offsets that have moved on since they were committed."""
        moved = {}
        for partition in self._next if partitions is None else partitions:
            offset = self.next_offset(partition)
            if offset is not None and offset > self._committed.get(partition, -1):
                moved[partition] = offset
        return moved

    def is_pending(self, partition: PartitionKey) -> bool:
        """Whether something of a partition is handed out and not finished."""
        return bool(self._pending.get(partition))

    def mark_committed(self, offsets: dict[PartitionKey, int]) -> None:
        """Notes what has been committed."""
        self._committed.update(offsets)
        self._restart.update(offsets)

    def rewind(self) -> dict[PartitionKey, int]:
        """Takes back all that was handed out and not committed. Returns where each partition is to be read again."""
        restart = {partition: self._restart[partition] for partition in self._next}
        self._pending.clear()
        self._next.clear()
        self._unsettled.clear()
        self.is_torn = False
        return restart

    def forget(self, partition: PartitionKey) -> None:
        """Forgets a partition: it belongs to another consumer now, or is read again."""
        self.is_torn |= partition in self._unsettled
        self._unsettled.discard(partition)
        self._pending.pop(partition, None)
        self._next.pop(partition, None)
        self._committed.pop(partition, None)
        self._restart.pop(partition, None)
