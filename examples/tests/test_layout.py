"""Each example is short, explained, and says how it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

EXAMPLES = ROOT / "examples"
FOLDERS = sorted(file.parent for file in EXAMPLES.glob("*/README.md"))
PROGRAMS = sorted(EXAMPLES.glob("*/*.py"))
PROGRAMS = [program for program in PROGRAMS if program.parent.name != "tests"]


def test_each_is_explained() -> None:
    folders = [one for one in EXAMPLES.iterdir() if one.is_dir() and one.name != "tests" and not one.name.startswith((".", "__"))]
    assert sorted(folders) == FOLDERS
    index = (EXAMPLES / "README.md").read_text("utf-8")
    for folder in folders:
        assert f"({folder.name}/README.md)" in index, f"the list of examples has no {folder.name}"


def test_each_is_short() -> None:
    programs = [*PROGRAMS, *EXAMPLES.glob("*/*.java")]
    assert len(programs) >= 5
    for program in programs:
        assert program.read_text("utf-8").count("\n") < 40, program


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_wrong_call_is_answered_with_the_right_one(program: Path) -> None:
    """And the README calls it in the same way."""
    environment = {"PYTHONPATH": str(ROOT / "clients/python/src")}
    for arguments in ([], ["--help"], ["--help", "x"]):
        call = [sys.executable, str(program), *arguments]
        said = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (said.returncode, said.stdout) == (1, "")
        assert said.stderr.startswith(f"usage: {program.name} BOOTSTRAP_SERVERS")
    readme = (program.parent / "README.md").read_text("utf-8")
    assert f'python examples/{program.parent.name}/{program.name} "$BOOTSTRAP_SERVERS"' in readme
