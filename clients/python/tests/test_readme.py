"""The examples of the README, each of which runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Published

import kvs_connect

README = Path(__file__).parents[1] / "README.md"
TOPICS = {"kvs.fragments": "plain.fragments", "kvs.calls": "plain.fragments", "kvs.frames": "plain.frames"}


def examples() -> list[Any]:
    found: list[Any] = []
    heading = "first"
    for part in re.split(r"^(## [^\n]*|```python\n.*?^```)$", README.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL):
        if part.startswith("## "):
            heading = part[3:]
        elif part.startswith("```python"):
            code = part.removeprefix("```python\n").removesuffix("```")
            found.append(pytest.param(code, id=f"{heading}-{len(found)}"))
    return found


@pytest.mark.parametrize("code", examples())
def test_an_example_runs(
    published: Published,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    if "torch" in code:
        pytest.importorskip("torch")
    if "kvs.calls" in code:
        published.file("connect-shape-3frag")
    monkeypatch.chdir(tmp_path)
    stream = "connect-shape-3frag" if "kvs.calls" in code else "clip"

    def ends(kind: Any) -> Callable[..., Any]:
        def make(topic: str, bootstrap: str, **settings: Any) -> Any:
            settings.pop("schema_registry", None)
            return kind(topic, bootstrap, **{**settings, "streams": stream, "until_end": True})

        return make

    for kind in ("FragmentConsumer", "FrameConsumer", "AsyncFragmentConsumer"):
        monkeypatch.setattr(kvs_connect, kind, ends(getattr(kvs_connect, kind)))
    code = code.replace("127.0.0.1:9092", published.bootstrap).replace('"results"', repr(name))
    for theirs, ours in {**TOPICS, "front-door": "clip", 'group_id="': f'group_id="{name}-'}.items():
        code = code.replace(theirs, ours)
    # Workers of a data loader import what they run.
    module = tmp_path / "example.py"
    module.write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "example", raising=False)
    exec(compile(code, str(module), "exec"), {"__name__": "example"})
    if "print(" in code:
        assert capsys.readouterr().out
