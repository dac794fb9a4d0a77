"""Which records decoders still need.

**Contract.** A record is finished when it was held and is released as often as it was held. Records of a partition that was taken away
are nobody's business any more: releasing them does nothing.
"""

from __future__ import annotations

from collections import Counter

from kvs_connect.model import Position
from kvs_connect.offsets import PartitionKey

__all__ = ["Holds"]


class Holds:
    """Which records are still needed, and which have become free."""

    def __init__(self) -> None:
        self._holds: Counter[Position] = Counter()
        self.finished: list[Position] = []

    def hold(self, position: Position) -> None:
        """Notes that a record is needed, once more."""
        self._holds[position] += 1

    def release(self, position: Position) -> None:
        """Takes one hold back."""
        # A record of a partition that was taken away is held no more.
        if position not in self._holds:
            return
        self._holds[position] -= 1
        if self._holds[position] == 0:
            del self._holds[position]
            self.finished.append(position)

    def held(self) -> list[Position]:
        """Returns the records that are needed."""
        return list(self._holds)

    def drop(self, position: Position) -> None:
        """Takes all holds back of a record that is going to be read again: it is not finished."""
        self._holds.pop(position, None)

    def forget(self, partition: PartitionKey) -> None:
        """Drops a partition that was taken away."""
        for position in [one for one in self._holds if one[:2] == partition]:
            del self._holds[position]
        self.finished = [one for one in self.finished if one[:2] != partition]
