"""Reads what kvs-connect publishes to Kafka: fragments of video and audio streams, as pictures, samples and files.

**Contract.** What is imported here is the package's interface; `kvs_connect.torch` is imported by itself, as it needs PyTorch.
"""

from __future__ import annotations

from kvs_connect import errors
from kvs_connect.aio import AsyncFragmentConsumer, AsyncFrameConsumer
from kvs_connect.batching import batched
from kvs_connect.consumer import FragmentConsumer, FrameConsumer
from kvs_connect.errors import *  # noqa: F403
from kvs_connect.frame import Frame
from kvs_connect.frame_record import FrameRecord
from kvs_connect.frame_stream import FrameStream, decode_frames
from kvs_connect.model import Fragment, IndexEntry, PayloadChunks, Position, Tag, Track
from kvs_connect.save import save, to_mp4, to_wav
from kvs_connect.transaction import Transaction

__version__ = "0.1.0"

__all__ = [
    "AsyncFragmentConsumer",
    "AsyncFrameConsumer",
    "Fragment",
    "FragmentConsumer",
    "Frame",
    "FrameConsumer",
    "FrameRecord",
    "FrameStream",
    "IndexEntry",
    "PayloadChunks",
    "Position",
    "Tag",
    "Track",
    "Transaction",
    "batched",
    "decode_frames",
    "save",
    "to_mp4",
    "to_wav",
]
__all__ += errors.__all__
