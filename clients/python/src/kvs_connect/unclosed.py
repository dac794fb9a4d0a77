"""Consumers that nobody closes.

**Contract.** A consumer that is open when its program ends, or when it is dropped, leaves its group. What it was about to commit is not
committed. Kafka's client cannot be relied on there: one that has partitions of which it was not told yet waits for ever. In a process
that was forked the clients of the first one are left alone, for good.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from kvs_connect.errors import ConfigurationError

if TYPE_CHECKING:
    from kvs_connect.records import RecordConsumer

__all__ = ["drop", "watch"]

_open: weakref.WeakSet[RecordConsumer[Any]] = weakref.WeakSet()


def watch(consumer: RecordConsumer[Any]) -> None:
    """Has a consumer closed when the program ends."""
    _open.add(consumer)


def drop(consumer: RecordConsumer[Any]) -> None:
    """Leaves the group without a commit: whoever has dropped the consumer may not have finished with its records."""
    if consumer._is_closed or consumer._one_user.is_forked:
        return
    # Where another thread uses it still, there is somebody who may close it.
    with contextlib.suppress(ConfigurationError), consumer._one_user:
        _close(consumer)


def _close(consumer: RecordConsumer[Any]) -> None:
    warnings.warn(f"unclosed {consumer!r}: use it in a `with` block", ResourceWarning, source=consumer, stacklevel=3)
    consumer._is_closed = consumer._is_ended = True
    consumer._partitions.close()
    # Nobody is there to be told.
    with contextlib.suppress(Exception):
        consumer._consumer.close()


def _at_exit() -> None:
    for consumer in list(_open):
        drop(consumer)


def _in_child() -> None:
    for consumer in list(_open):
        # To destroy a client without its threads ends the process.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(consumer._consumer))


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
