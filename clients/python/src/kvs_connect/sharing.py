"""How workers share partitions without a group.

**Contract.** Each partition that is chosen has exactly one worker, which depends on nothing but the choice and the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from kvs_connect.arguments import partitions_of

__all__ = ["share_of"]


def share_of(partitions: Any, worker: int, count: int) -> Callable[[str, int], bool]:
    """Returns what says whether a partition is this worker's. `partitions` are those that are shared, as a consumer's argument.

    >>> mine = share_of([4, 6, 8], worker=1, count=2)
    >>> [number for number in range(9) if mine("kvs.fragments", number)]
    [6]
    """
    chosen = partitions_of(partitions)
    if isinstance(chosen, Collection):
        own = sorted(chosen)[worker::count]
        return lambda topic, partition: partition in own
    return lambda topic, partition: partition % count == worker and (chosen is None or chosen(topic, partition))
