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


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a file that becomes `path`."""
    wanted = Path(path)
    if not wanted.parent.is_dir():
        # Some who write do not say which file it was.
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(wanted.parent))
    # The ending stays, since it tells the format to whoever writes.
    temporary = wanted.with_name(f".{wanted.stem}.{secrets.token_hex(4)}.part{wanted.suffix}")
    try:
        yield temporary
        os.replace(temporary, wanted)
    finally:
        temporary.unlink(missing_ok=True)
