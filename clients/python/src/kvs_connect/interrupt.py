"""Ends a wait for a record that is done in another thread.

**Contract.** While `Interrupt.is_set`, who waits for a record gives up soon, and an iterator raises `WaitInterrupted`, which is no end:
it goes on when it is asked again.
"""

from __future__ import annotations

__all__ = ["Interrupt", "WaitInterrupted"]


class WaitInterrupted(Exception):
    """The wait was ended, and nothing has come."""


class Interrupt:
    """Whether waits are to end: as long as somebody wants it, all of whom are in one thread."""

    def __init__(self) -> None:
        self._wanted_by = 0

    @property
    def is_set(self) -> bool:
        """Whether somebody wants waits to end."""
        return self._wanted_by > 0

    def begin(self) -> None:
        """Ends waits from now on."""
        self._wanted_by += 1

    def end(self) -> None:
        """Allows waits again."""
        self._wanted_by -= 1
