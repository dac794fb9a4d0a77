"""WAV from samples.

**Contract.** `WavWriter` writes samples, channels × samples, to a file of 16 or 24 bits, whose rate and channels are those of the first
ones. Where its block raises, that error is the caller's, whatever becomes of the file.
"""

from __future__ import annotations

import contextlib
import wave
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvs_connect.errors import ConfigurationError

__all__ = ["WavWriter"]


class WavWriter:
    """Writes int16 as they are, with a width of 2 bytes, or float32 from -1 to 1 with 3."""

    def __init__(self, path: Path, width_bytes: int) -> None:
        self._path = path
        self._width_bytes = width_bytes
        self._file: wave.Wave_write | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been written."""
        return self._file is None

    def write(self, samples: NDArray[Any], rate_hz: int) -> None:
        """Appends samples."""
        file = self._file
        if file is None:
            file = self._file = wave.open(str(self._path), "wb")  # noqa: SIM115
            file.setnchannels(samples.shape[0])
            file.setsampwidth(self._width_bytes)
            file.setframerate(rate_hz)
        if rate_hz != file.getframerate() or samples.shape[0] != file.getnchannels():
            raise ConfigurationError("the sample rate or the number of channels changes: write a file for each part")
        interleaved = samples.T
        if self._width_bytes == 3:
            whole = np.clip(np.rint(interleaved * 8388608.0), -8388608, 8388607).astype("<i4")
            file.writeframes(np.ascontiguousarray(whole)[..., None].view(np.uint8)[..., :3].tobytes())
        else:
            file.writeframes(interleaved.astype("<i2").tobytes())

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._file is not None:
            # To end the file is of no use any more where the block has raised, and may fail for the same reason.
            with contextlib.suppress(Exception) if error is not None else contextlib.nullcontext():
                self._file.close()
