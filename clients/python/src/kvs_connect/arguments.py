"""Checks of arguments.

**Contract.** An argument that cannot be meant is refused with a `ConfigurationError` where it is given, and not when it is used: a
consumer has joined its group by then, and nobody is told which argument it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kvs_connect.errors import ConfigurationError

__all__ = ["check_every", "check_seconds", "check_size", "is_whole"]


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number; True and False are not meant as such."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_seconds(name: str, value: Any, *, or_none: bool = False) -> None:
    """Refuses what is no time in seconds from 0 on."""
    if value is None and or_none:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and value >= 0):
        raise ConfigurationError(f"{name}={value!r} has to be a number of seconds" + (", or None" if or_none else ""))


def check_size(name: str, value: Any) -> None:
    """Refuses what is no count from 1 on."""
    if not is_whole(value) or value < 1:
        raise ConfigurationError(f"{name}={value!r} has to be a whole number, at least 1")


def check_every(every: Any) -> None:
    """Refuses what is neither a count nor a time."""
    if not (every >= timedelta(microseconds=1) if isinstance(every, timedelta) else is_whole(every) and every >= 1):
        raise ConfigurationError(f"every={every!r} has to be a whole number, at least 1, or a timedelta")
