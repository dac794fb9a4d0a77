"""What goes to another process as a copy.

**Contract.** A `Picklable` can be pickled and copied as a whole: views into the memory of a record become bytes on the way, and views
again behind it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

__all__ = ["Picklable"]


class Picklable:
    """The base of a dataclass with slots, some of which have views."""

    __slots__ = ()

    def __getstate__(self) -> tuple[dict[str, Any], list[str]]:
        state = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        views = [name for name, value in state.items() if isinstance(value, memoryview)]
        return {name: bytes(value) if name in views else value for name, value in state.items()}, views

    def __setstate__(self, copied: tuple[dict[str, Any], list[str]]) -> None:
        state, views = copied
        for name, value in state.items():
            object.__setattr__(self, name, memoryview(value) if name in views else value)
