"""What a command says, and exits with, when it cannot begin."""

import subprocess
import sys
from pathlib import Path

import pytest


def nod(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`nod` with these arguments, in a process of its own."""
    command = [sys.executable, "-c", "from nod.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_directory_that_cannot_be_used_is_named_in_one_line(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    told = nod("serve", "--data-dir", str(in_the_way / "nod"))
    assert told.returncode == 1
    assert told.stderr.startswith(f"nod: cannot use {in_the_way}")
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list", "--limit", "0"),
        ("ask", "May I?", "--timeout", "-1"),
        ("work", "--timeout", "0", "true"),
        ("work", "--grace", "-1", "true"),
    ],
)
def test_a_number_that_makes_no_sense_is_a_mistake_of_use(arguments: tuple[str, ...]) -> None:
    told = nod(*arguments)
    assert told.returncode == 2
    assert "is not in the range" in told.stderr
