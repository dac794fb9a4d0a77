"""Which pictures of a track are wanted.

**Contract.** `Sampler.takes` is asked of each picture once, in the order in which they are shown.
"""

from __future__ import annotations

from datetime import timedelta

from kvs_connect.frame import Every

__all__ = ["Sampler"]


class Sampler:
    """Chooses each Nth picture, or one in some time.

    >>> sampler = Sampler(timedelta(seconds=1))
    >>> [pts_ns for pts_ns in (0, 400_000_000, 1_100_000_000, 1_900_000_000, 2_000_000_000) if sampler.takes(pts_ns)]
    [0, 1100000000, 2000000000]
    >>> sampler.takes(5_000_000)
    True
    """

    def __init__(self, every: Every) -> None:
        self._every = every
        self._count = 0
        self._due_ns: int | None = None

    def takes(self, pts_ns: int) -> bool:
        """Returns whether the picture with this time is wanted."""
        if isinstance(self._every, int):
            self._count += 1
            return (self._count - 1) % self._every == 0
        interval_ns = self._every // timedelta(microseconds=1) * 1000
        if self._due_ns is not None and pts_ns < self._due_ns - interval_ns:
            # The stream's clock was set back.
            self._due_ns = None
        if self._due_ns is not None and pts_ns < self._due_ns:
            return False
        due_ns = pts_ns if self._due_ns is None else self._due_ns
        self._due_ns = due_ns + ((pts_ns - due_ns) // interval_ns + 1) * interval_ns
        return True
