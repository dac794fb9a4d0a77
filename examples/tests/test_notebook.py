"""The notebook runs from its first cell to its last, and shows what it is about."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from conftest import ROOT, STREAMS, Published
from nbclient import NotebookClient

NOTEBOOK = ROOT / "examples/notebook/frames.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, 4)  # type: ignore[no-untyped-call]


def test_it_is_stored_without_outputs() -> None:
    for cell in read().cells:
        assert not cell.get("outputs"), cell.source
        assert cell.get("execution_count") is None, cell.source


def test_notebook(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in published.environment().items():
        monkeypatch.setenv(name, value)
    # Figures are shown in the notebook's own way.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read()
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    outputs: list[Any] = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    text = "".join(output.get("text", "") for output in outputs)
    last = len(published.fragments) // len(STREAMS) - 1
    for stream in STREAMS:
        assert f"{stream}: {last + 1} fragments, 0 to {last}, 0 missing" in text
    assert not [output for output in outputs if output.get("name") == "stderr"]
