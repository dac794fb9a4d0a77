"""Frames for PyTorch.

**Contract.** `FrameDataset` yields frames from Kafka as tensors. The workers of a `DataLoader` share the partitions: without a group
by their numbers, so that each partition has one worker; with one as the group assigns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kvs_connect.consumer import FragmentConsumer, FrameConsumer
from kvs_connect.errors import MissingExtraError
from kvs_connect.frame import Frame
from kvs_connect.frame_stream import FrameStream
from kvs_connect.sharing import share_of

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as import_error:
    raise MissingExtraError("torch", "torch") from import_error

__all__ = ["FrameDataset", "as_tensors"]


def as_tensors(frame: Frame) -> dict[str, Any]:
    """Returns a frame as a dictionary that PyTorch's collation understands: `image` is channels × height × width."""
    item: dict[str, Any] = {
        "stream": frame.stream,
        "fragment_number": frame.fragment_number,
        "index": frame.index,
        "track": frame.track,
        "pts_ns": frame.pts_ns,
        "utc_us": -1 if frame.utc_us is None else frame.utc_us,
    }
    if frame.image is not None:
        image = torch.from_numpy(frame.image)
        item["image"] = image.permute(2, 0, 1) if image.ndim == 3 else image.unsqueeze(0)
    if frame.samples is not None:
        item["samples"] = torch.from_numpy(frame.samples)
        item["sample_rate_hz"] = frame.sample_rate_hz
    return item


class FrameDataset(IterableDataset[Any]):  # type: ignore[misc,unused-ignore]
    """Frames of a topic of fragments, or with `is_frames_topic` of a topic of frames.

    Args:
        topic: as `FragmentConsumer` has it.
        bootstrap_servers: Kafka's brokers.
        frames: arguments of `frames()`, such as `{"decode": "rgb24", "every": 5}`.
        transform: what becomes of a frame; without it `as_tensors`.
        is_frames_topic: whether the topic has frames.
        consumer: further arguments of `FragmentConsumer`, such as `group_id` and `until_end`.
    """

    def __init__(
        self,
        topic: Any,
        bootstrap_servers: str,
        *,
        frames: dict[str, Any] | None = None,
        transform: Callable[[Frame], Any] = as_tensors,
        is_frames_topic: bool = False,
        **consumer: Any,
    ) -> None:
        self._topic = topic
        self._bootstrap_servers = bootstrap_servers
        self._frames = frames or {}
        self._transform = transform
        self._kind: type[FragmentConsumer] | type[FrameConsumer] = FrameConsumer if is_frames_topic else FragmentConsumer
        self._settings = consumer

    def __iter__(self) -> Iterator[Any]:
        settings = dict(self._settings)
        worker = get_worker_info()
        if worker is not None and settings.get("group_id") is None:
            settings["partitions"] = share_of(settings.get("partitions"), worker.id, worker.num_workers)
        with self._kind(self._topic, self._bootstrap_servers, **settings) as consumer:
            frames: FrameStream = consumer.frames(**self._frames)
            for frame in frames:
                yield self._transform(frame)
