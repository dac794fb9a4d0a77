"""Checks of arguments.

**Contract.** An argument that cannot be meant is refused with a `ConfigurationError` where it is given, and not when it is used: a
consumer has joined its group by then, and nobody is told which argument it was. What can be iterated over only once is kept as a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

from kvs_connect.errors import ConfigurationError

__all__ = [
    "WAIT_MAX_S",
    "check_every",
    "check_flag",
    "check_mapping",
    "check_offsets",
    "check_seconds",
    "check_size",
    "check_text",
    "is_whole",
    "partitions_of",
    "topics_of",
    "tracks_of",
]

WAIT_MAX_S = 2_000_000.0
"""Kafka's client has 31 bits for milliseconds."""
_OFFSET_MAX = 2**63 - 1


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of NumPy's too; True and False are not meant as such."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_seconds(name: str, value: Any, *, or_none: bool = False, above_0: bool = False, max_s: float = float("inf")) -> None:
    """Refuses what is no time in seconds from 0 on."""
    if value is None and or_none:
        return
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= max_s) or (above_0 and value == 0):
        limits = (" above 0" if above_0 else "") + (f", at most {max_s:.0f}" if is_number and value > max_s else "")
        raise ConfigurationError(f"{name}={value!r} has to be a number of seconds{limits}" + (", or None" if or_none else ""))


def check_size(name: str, value: Any) -> None:
    """Refuses what is no count from 1 on."""
    if not is_whole(value) or value < 1:
        raise ConfigurationError(f"{name}={value!r} has to be a whole number, at least 1")


def check_every(every: Any) -> None:
    """Refuses what is neither a count nor a time."""
    if not (every >= timedelta(microseconds=1) if isinstance(every, timedelta) else is_whole(every) and every >= 1):
        raise ConfigurationError(f"every={every!r} has to be a whole number, at least 1, or a timedelta")


def check_text(name: str, value: Any, *, or_none: bool = False) -> None:
    """Refuses what is no text, and an empty one: what comes of an environment variable that is not set."""
    if not ((value is None and or_none) or (isinstance(value, str) and value.strip())):
        raise ConfigurationError(f"{name}={value!r} has to be a text" + (", or None" if or_none else ""))


def check_flag(name: str, value: Any) -> None:
    """Refuses what is neither True nor False: a text is always true."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}={value!r} has to be True or False")


def check_mapping(name: str, value: Any) -> None:
    """Refuses what has no names with values."""
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise ConfigurationError(f"{name}={value!r} has to be a dictionary with texts as keys, or None")


def topics_of(topic: Any) -> str | list[str] | re.Pattern[str]:
    """Returns the topics that are meant: a name, names, or a pattern."""
    if isinstance(topic, re.Pattern) and isinstance(topic.pattern, str):
        return topic
    names = [topic] if isinstance(topic, str) else _listed(topic)
    if names is None or not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"topic={topic!r} is none of a name, names, and a compiled pattern of text")
    return topic if isinstance(topic, str) else names


def tracks_of(tracks: Any, name: str = "tracks") -> list[str | int] | None:
    """Returns the tracks that are meant, or None for all."""
    if tracks is None:
        return None
    wanted = [tracks] if isinstance(tracks, str) or is_whole(tracks) else _listed(tracks)
    if wanted is None or not all(isinstance(one, str) or is_whole(one) for one in wanted):
        raise ConfigurationError(f"{name}={tracks!r} is none of a number, a name or kind of a track, and several of them")
    return wanted


def partitions_of(partitions: Any) -> Collection[int] | Callable[[str, int], bool] | None:
    """Returns the partitions that are meant, None for all, or what says whether one is."""
    if partitions is None or callable(partitions):
        return partitions  # type: ignore[no-any-return]
    chosen = _listed(partitions)
    if not chosen or not all(is_whole(one) and one >= 0 for one in chosen):
        raise ConfigurationError(f"partitions={partitions!r} is none of numbers from 0 on, and a function of topic and number")
    return frozenset(chosen)


def check_offsets(offsets: Any, *, of_function: bool = False) -> None:
    """Refuses what has no offsets by topic and partition."""
    if offsets is None or (callable(offsets) and not of_function):
        return
    is_right = isinstance(offsets, Mapping) and all(
        isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str) and is_whole(key[1]) and _is_offset(value)
        for key, value in offsets.items()
    )
    if not is_right:
        shown = repr(offsets)
        raise ConfigurationError(
            f"offsets={shown[:200]}{'…' if len(shown) > 200 else ''} has to be as offsets() returns it, "
            '{("topic", partition): offset}, with offsets from 0 on' + ("" if of_function else ", or a function that returns that")
        )


def _is_offset(value: Any) -> bool:
    return value is None or (is_whole(value) and 0 <= value <= _OFFSET_MAX)


def _listed(several: Any) -> list[Any] | None:
    is_one = isinstance(several, str | bytes | bytearray | Mapping)
    return list(several) if isinstance(several, Iterable) and not is_one else None
