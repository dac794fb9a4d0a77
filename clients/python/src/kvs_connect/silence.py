"""How long nothing has come, and when to say so.

**Contract.** Only time in which something was waited for counts: what the caller does meanwhile is no silence. It is said after
`QUIET_AFTER_S`, and then ever more rarely.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["Silence"]

logger = logging.getLogger("kvs_connect")

QUIET_AFTER_S = 30.0
_QUIET_MAX_S = 600.0


class Silence:
    """The silence of a consumer's topics."""

    def __init__(self, what: str, reason: Callable[[], str]) -> None:
        self._what = what
        self._reason = reason
        self.waited_s = 0.0
        self._say_at_s = QUIET_AFTER_S

    def broken(self) -> None:
        """Notes that something has come."""
        self.waited_s = 0.0
        self._say_at_s = QUIET_AFTER_S

    def waited(self, wait_s: float) -> None:
        """Notes that nothing has come for this long, and says it when it is time."""
        self.waited_s += wait_s
        if self.waited_s >= self._say_at_s:
            self._say_at_s = min(self._say_at_s * 2, self.waited_s + _QUIET_MAX_S)
            logger.warning("no record of %s for %.0f s: %s", self._what, self.waited_s, self._reason())
