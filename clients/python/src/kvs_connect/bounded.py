"""Calls of Kafka's client that may never return.

**Contract.** `within` returns what a call returns, or raises what it raises, or `NotReturnedError` after `limit_s`. It says in the log
that it waits. The client bounds its calls itself, but for some that a broker has broken off; such a call goes on in its thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["NotReturnedError", "within"]

logger = logging.getLogger("kvs_connect")

T = TypeVar("T")
_SAY_EVERY_S = 30.0


class NotReturnedError(Exception):
    """A call has not returned in time."""


def within(limit_s: float, what: str, call: Callable[[], T]) -> T:
    """Returns what a call returns.

    >>> within(10.0, "sum", lambda: sum([1, 2]))
    3
    """
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            raised.append(error)

    # A daemon: it must not keep the program from ending.
    thread = threading.Thread(target=run, name=f"kvs-connect-{what}", daemon=True)
    began = time.monotonic()
    thread.start()
    while True:
        waited_s = time.monotonic() - began
        thread.join(max(0.0, min(_SAY_EVERY_S, limit_s - waited_s)))
        if raised:
            raise raised[0]
        if found:
            return found[0]
        waited_s = time.monotonic() - began
        if waited_s >= limit_s:
            raise NotReturnedError
        logger.warning("%s has not returned for %.0f s: the brokers do not respond", what, waited_s)
