"""Frames for PyTorch, shared among the workers of a loader. Skipped where PyTorch is not installed."""

from __future__ import annotations

import pytest
from conftest import Published

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_share_the_partitions(published: Published, workers: int) -> None:
    from torch.utils.data import DataLoader

    from kvs_connect import FragmentConsumer
    from kvs_connect.torch import FrameDataset

    dataset = FrameDataset(
        "plain.fragments", published.bootstrap, until_end=True, on_error="skip", frames={"decode": "rgb24", "keyframes_only": True}
    )
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    found = [(item["stream"], item["pts_ns"], tuple(item["image"].shape)) for item in loader]
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, on_error="skip") as consumer:
        expected = []
        for frame in consumer.frames(keyframes_only=True):
            assert frame.image is not None
            expected.append((frame.stream, frame.pts_ns, (3, *frame.image.shape[:2])))
    assert sorted(found) == sorted(expected)
