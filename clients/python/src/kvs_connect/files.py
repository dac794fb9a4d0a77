"""Files that are there as a whole or not at all.

**Contract.** `replacing` gives the name of a temporary file beside the wanted one, which takes its place when the block ends, and is
removed when the block raises. It has the permissions of the file whose place it takes. An error of the system's names the wanted file.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
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
    mode = stat.S_IMODE(wanted.stat().st_mode) if wanted.exists() else None
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else mode & 0o600))
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, wanted)
    except OSError as error:
        # Who writes names its temporary file, or none.
        if error.errno is None or error.filename not in (None, str(temporary), os.fsencode(temporary)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
