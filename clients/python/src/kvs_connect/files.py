"""Files that are there as a whole or not at all.

**Contract.** `replacing` gives the name of a temporary file beside the wanted one, which takes its place when the block ends, and is
removed when the block raises.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


_STEM_MAX = 32
"""Names have a maximal length, and the temporary one is not to be longer than the wanted one may be."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a file that becomes `path`."""
    # What a link leads to is written, and the link stays.
    wanted = Path(os.path.realpath(path))
    if not wanted.parent.is_dir():
        # Some who write do not say which file it was.
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(wanted.parent))
    if wanted.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder has this name", str(path))
    if wanted.exists() and not wanted.is_file():
        raise FileExistsError(errno.EEXIST, "what has this name is no file", str(path))
    # The ending stays, since it tells the format to whoever writes.
    temporary = wanted.with_name(f".{wanted.stem[:_STEM_MAX]}.{secrets.token_hex(4)}.part{wanted.suffix}")
    try:
        yield temporary
        os.replace(temporary, wanted)
    finally:
        temporary.unlink(missing_ok=True)
