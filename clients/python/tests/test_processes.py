"""Other threads and processes: what goes there as a copy, and what must not be used there."""

from __future__ import annotations

import copy
import gc
import inspect
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Published
from stack import wait_for
from test_consumer import committed
from test_decoding import fragments_of

from kvs_connect import ConfigurationError, FragmentConsumer, FrameConsumer, KvsConnectError, errors


def made(kind: type[KvsConnectError]) -> KvsConnectError:
    """Returns an error of a kind, with something for each argument."""
    something: dict[str, Any] = {"str": "x", "int": 7, "float": 1.5, "list[str]": ["y"], "bool": True, "int | None": 3}
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    given = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    if not given:
        return kind("x")
    return kind(*[something[str(one.annotation)] for one in given])


@pytest.mark.parametrize("kind", [getattr(errors, name) for name in errors.__all__])
def test_errors_go_to_another_process(kind: type[KvsConnectError]) -> None:
    error = made(kind)
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), found.__dict__, found.is_passing) == (kind, str(error), error.__dict__, error.is_passing)


def test_fragments_and_frames_go_to_another_process(published: Published) -> None:
    for topic in ("plain.fragments", "parts.fragments"):
        fragment = fragments_of(published, "clip", topic=topic)[0]
        for found in (pickle.loads(pickle.dumps(fragment)), copy.deepcopy(fragment)):
            assert isinstance(found.payload, memoryview)
            assert bytes(found.payload) == bytes(fragment.payload)
            assert (found.number, found.tracks, found.index, found.position) == (
                fragment.number,
                fragment.tracks,
                fragment.index,
                fragment.position,
            )
            for one, other in zip(found.frames(), fragment.frames(), strict=True):
                np.testing.assert_array_equal(one.image, other.image)
                np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).image, other.image)
    with FrameConsumer("plain.frames", published.bootstrap, until_end=True) as consumer:
        record = next(consumer)
    assert bytes(pickle.loads(pickle.dumps(record)).data) == bytes(record.data)


def is_used(consumer: FragmentConsumer) -> bool:
    try:
        with consumer._one_user:
            return False
    except ConfigurationError:
        return True


def test_a_consumer_is_for_one_thread(published: Published, name: str, create_topic: Callable[[str, int], None]) -> None:
    create_topic(name, 1)
    with FragmentConsumer(name, published.bootstrap, group_id=name) as consumer:
        told: list[str] = []

        def use() -> None:
            for call in (consumer.take, consumer.commit, consumer.offsets, consumer.close, lambda: next(consumer)):
                with pytest.raises(ConfigurationError, match="one thread"):
                    call()
            told.append("done")
            consumer.stop()

        def when_it_waits() -> None:
            wait_for("the first thread to wait", lambda: is_used(consumer))
            use()

        other = threading.Thread(target=when_it_waits)
        other.start()
        assert list(consumer) == []
        other.join()
        assert told == ["done"]


def refusal_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_copy_in_a_forked_process_is_refused(published: Published, name: str) -> None:
    consumer = FragmentConsumer("plain.fragments", published.bootstrap, group_id=name)
    next(consumer)
    receiver, sender = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        said = [refusal_of(call) for call in (consumer.commit, consumer.take, lambda: next(consumer))]
        # Neither waits for threads that this process does not have.
        consumer.close()
        del consumer
        gc.collect()
        sender.send(said)
        os._exit(0)
    with consumer:
        sender.close()
        try:
            assert receiver.poll(60), "the child has neither answered nor ended"
            said = receiver.recv()
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        assert ["make one in each process" in one for one in said] == [True] * 3, said
        assert os.waitpid(child, 0)[1] == 0
        # The one here goes on.
        position = next(consumer).position
        consumer.commit()
    assert committed(published, name)[position.partition] == position.offset + 1


@pytest.mark.parametrize("before", ["pass", "del consumer; gc.collect()", "sys.kept = consumer"])
def test_a_program_ends_that_has_not_closed_its_consumer(published: Published, name: str, before: str) -> None:
    program = f"""
        import gc, sys
        from confluent_kafka.admin import AdminClient
        from kvs_connect import FragmentConsumer

        consumer = FragmentConsumer("plain.fragments", {published.bootstrap!r}, group_id={name!r})
        admin = AdminClient({{"bootstrap.servers": {published.bootstrap!r}}})
        # The group gives it partitions, of which it is told when it asks for a record.
        while not admin.describe_consumer_groups([{name!r}])[{name!r}].result(60).members:
            pass
        {before}
        raise KeyError("mine")
    """
    # Without this it waits for ever.
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 1
    assert "KeyError: 'mine'" in ended.stderr, ended.stderr
