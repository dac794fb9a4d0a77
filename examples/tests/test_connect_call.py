"""A call of Amazon Connect becomes two files that sound like it."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Published
from media import l16_samples

from kvs_connect import Fragment

SPEAKERS = {"customer": "AUDIO_FROM_CUSTOMER", "agent": "AUDIO_TO_CUSTOMER"}


def test_connect_call(published: Published, read: Callable[[str, int], list[Fragment]], tmp_path: Path) -> None:
    recordings = os.environ.get("KVS_RECORDINGS")
    if not recordings:
        pytest.skip("KVS_RECORDINGS is not set: real recordings are needed")
    recording = Path(recordings, "connect_shape_3frag.mkv")
    simulator = published.stack.start_simulator({"call": recording})
    published.stack.connect("calls", simulator, ["call"], schema_registry_url=published.registry, topic="kvs.calls")
    fragments = read("kvs.calls", 3)
    contact = fragments[0].tag("ContactId")
    assert contact
    program = published.start("connect-call/connect_call.py", published.bootstrap, tmp_path, "kvs.calls")
    assert program.popen.wait(120) == 0, program.text()
    files = {speaker: tmp_path / f"{contact}-{speaker}.wav" for speaker in SPEAKERS}
    assert set(tmp_path.iterdir()) == set(files.values())
    assert set(program.text().split()) == {str(file) for file in files.values()}
    for speaker, name in SPEAKERS.items():
        track = fragments[0].track(name)
        assert track is not None
        with wave.open(str(files[speaker])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        # L16 is what the tag says: the samples of the recording are those of the file.
        assert np.array_equal(samples, l16_samples(recording, track.number)), speaker
