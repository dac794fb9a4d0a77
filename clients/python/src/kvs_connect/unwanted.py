"""Records of other streams than those that are asked for: a name may be mistyped.

**Contract.** It is said in the log when nothing but such records has come for `QUIET_AFTER_S`, and at the end of the topic if there
was nothing else, with the names of streams that there are.
"""

from __future__ import annotations

import logging
import time

from kvs_connect.selection import Streams
from kvs_connect.silence import QUIET_AFTER_S

__all__ = ["Unwanted"]

logger = logging.getLogger("kvs_connect")

_NAMED_MAX = 10


class Unwanted:
    """What has come of other streams since there was something of those that are wanted."""

    def __init__(self, streams: Streams) -> None:
        if streams is None or callable(streams):
            self._wanted = "the streams that are wanted"
        else:
            names = [streams] if isinstance(streams, str) else sorted(streams)
            self._wanted = ", ".join([*names[:_NAMED_MAX], *(["…"] if len(names) > _NAMED_MAX else [])])
        self._others: dict[str, None] = {}
        self._since = time.monotonic()
        self._is_said = self._has_wanted = False

    def note(self, stream: str | None) -> None:
        """Notes a record of another stream."""
        if stream is not None and len(self._others) < _NAMED_MAX:
            self._others[stream] = None
        if not self._is_said and time.monotonic() - self._since >= QUIET_AFTER_S:
            self._is_said = True
            logger.warning("no record of %s for %.0f s, while others come: the topic has %s", self._wanted, QUIET_AFTER_S, self._names())

    def broken(self) -> None:
        """Notes a record that is wanted."""
        self._since = time.monotonic()
        self._is_said, self._has_wanted = False, True

    def ended(self) -> None:
        """Says at the end if there was nothing but other streams."""
        if self._others and not self._has_wanted:
            logger.warning("there is no record of %s: the topic has %s", self._wanted, self._names())

    def _names(self) -> str:
        return ", ".join(sorted(self._others)) + (" and more" if len(self._others) == _NAMED_MAX else "")
