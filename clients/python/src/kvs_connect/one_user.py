"""Who may use a consumer.

**Contract.** A consumer belongs to the process that has made it, and is used by one thread at a time. What another one does with it is a
`ConfigurationError`: decoders and Kafka's client would end the process, or wait for ever.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType

from kvs_connect.errors import ConfigurationError

__all__ = ["OneUser"]


class OneUser:
    """A context in which a consumer is used; one that is entered already may be entered again by the same thread."""

    def __init__(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.RLock()

    @property
    def is_forked(self) -> bool:
        """Whether this is a copy of the consumer, in a process that was forked."""
        return os.getpid() != self._process_id

    def __enter__(self) -> None:
        if self.is_forked:
            raise ConfigurationError("this consumer belongs to the process that this one was forked from: make one in each process")
        if not self._lock.acquire(blocking=False):
            raise ConfigurationError("another thread is using this consumer: it is for one thread, and only stop() is for all")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._lock.release()
