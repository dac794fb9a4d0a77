"""Records whose schemas are in a schema registry."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from conftest import Published, wait_published

from kvs_connect import FragmentConsumer, FrameConsumer, RegistryError, RegistryNeededError


@pytest.fixture(scope="module")
def registry(published: Published) -> str:
    """The URL of a real registry, by KVS_REGISTRY or the program beside KVS_KAFKA."""
    pytest.importorskip("confluent_kafka.schema_registry")
    program = Path(os.environ.get("KVS_REGISTRY") or Path(os.environ["KVS_KAFKA"]).parents[1] / "registry" / "registry")
    if not program.exists():
        pytest.skip("KVS_REGISTRY is not set: a schema registry is needed")
    return published.stack.start_registry(program)


def test_the_form_is_found_from_the_first_bytes(published: Published, registry: str, clip: Path) -> None:
    stack = published.stack
    simulator = stack.start_simulator({"registered": clip})
    stack.connect(
        "registered",
        simulator,
        ["registered"],
        schema_registry_url=registry,
        key_converter="avro",
        metadata_topic="registered.metadata",
        frames_topic="registered.frames",
    )
    expected = [row["sha256"] for row in stack.held(simulator, "registered")]

    def is_needed() -> None:
        with FragmentConsumer("registered.fragments", published.bootstrap, until_end=True) as consumer:
            next(consumer)

    wait_published_with(published, registry, 6)
    with pytest.raises(RegistryNeededError, match="schema_registry=URL"):
        is_needed()
    settings = {"schema_registry": registry, "until_end": True}
    with FragmentConsumer("registered.fragments", published.bootstrap, **settings) as consumer:  # type: ignore[arg-type]
        assert [hashlib.sha256(fragment.payload).hexdigest() for fragment in consumer] == expected
    with FragmentConsumer("registered.metadata", published.bootstrap, schema_registry={"url": registry}, until_end=True) as consumer:
        assert len(list(consumer)) == 6
    with FrameConsumer("registered.frames", published.bootstrap, **settings) as frames:  # type: ignore[arg-type]
        assert sum(frame.image is not None for frame in frames.frames("gray")) == 48
    # What would be readable later is never skipped: nothing is lost while the registry is down.
    for without in ({"schema_registry": "http://127.0.0.1:1"}, {}):
        with (
            pytest.raises((RegistryError, RegistryNeededError)),
            FragmentConsumer(
                "registered.fragments",
                published.bootstrap,
                group_id="skipping",
                on_error="skip",
                until_end=True,
                **without,  # type: ignore[arg-type]
            ) as consumer,
        ):
            list(consumer)
    with FragmentConsumer("registered.fragments", published.bootstrap, group_id="skipping", **settings) as consumer:  # type: ignore[arg-type]
        assert len(list(consumer)) == 6
    # Both forms in one iteration.
    with FragmentConsumer(["registered.fragments", "plain.fragments"], published.bootstrap, **settings) as consumer:  # type: ignore[arg-type]
        assert {fragment.position.topic for fragment in consumer} == {"registered.fragments", "plain.fragments"}


def wait_published_with(published: Published, registry: str, count: int) -> None:
    wait_published(published.bootstrap, "registered.fragments", count, schema_registry=registry)
