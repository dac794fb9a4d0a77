"""Pictures as Pillow has them.

**Contract.** `picture_of` returns a picture of a fragment by its number, in the order in which they are shown.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kvs_connect.errors import MissingExtraError
from kvs_connect.model import Fragment

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["picture_of"]


def picture_of(fragment: Fragment, index: int) -> Image:
    """Returns a picture; a negative number counts from the end."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "pillow") from error
    pictures = fragment.frames("rgb24")
    found = list(pictures)[index:][:1] if index < 0 else list(islice(pictures, index, index + 1))
    if not found or found[0].image is None:
        raise IndexError(f"fragment {fragment.number} of stream {fragment.stream} has no picture {index}")
    return Image.fromarray(found[0].image)
