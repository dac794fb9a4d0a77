"""Which streams are wanted, from a record's headers.

**Contract.** `stream_filter` returns a function for any way to name streams, or None where all are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from confluent_kafka import Message

from kvs_connect.errors import ConfigurationError

__all__ = ["Streams", "headers_of", "stream_filter"]

Streams = str | Collection[str] | Callable[[str], bool] | None


def headers_of(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    """Returns a record's headers."""
    headers: Any = message.headers() or ()
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers)


def stream_filter(streams: Streams) -> Callable[[str], bool] | None:
    """Returns what says whether a stream is wanted."""
    if streams is None or callable(streams):
        return streams
    if not isinstance(streams, Collection) or not all(isinstance(name, str) for name in streams):
        raise ConfigurationError(f"streams={streams!r} is none of a name, names, and a function that is given a name")
    names = {streams} if isinstance(streams, str) else set(streams)
    return names.__contains__
