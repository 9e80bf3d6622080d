"""What is written about the command line says what the command line does."""

import subprocess
import sys
from pathlib import Path

import pytest

from sdrbridge.cli import run
from tests.support.interface import FILES, PYTHON, where

made_here = pytest.mark.skipif(sys.version_info[:2] != PYTHON, reason="argparse words its help differently")


@made_here
@pytest.mark.parametrize("path", FILES)
def test_it_is_up_to_date(path: str) -> None:
    committed = where(path).read_text(encoding="utf-8")
    assert committed == FILES[path](), f"{path} is out of date; run scripts/make-interface"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_sdrbridge_ports" in capsys.readouterr().out


def test_bash_completes_verbs_and_names(tmp_path: Path) -> None:
    # A stand-in for the program: completion asks it for the names of ports.
    program = tmp_path / "sdrbridge"
    program.write_text('#!/bin/sh\n[ "$2" = ports ] && printf "VTAC11\\nVTAC12\\ndispatch\\n"\n')
    program.chmod(0o755)
    script = where("sdrbridge/completion/sdrbridge.bash")
    for words, expected in (
        (["sdrbridge", "pa"], ["patch"]),
        (["sdrbridge", "patch", "ma"], ["make"]),
        (["sdrbridge", "port", "show", "VT"], ["VTAC11", "VTAC12"]),
        (["sdrbridge", "patch", "break", "x", "--y"], ["--yes"]),
    ):
        line = " ".join(words)
        commands = (
            f"source {script}\nCOMP_WORDS=({line})\nCOMP_CWORD={len(words) - 1}\nCOMP_LINE='{line}'\n"
            f"COMP_POINT={len(line)}\n_shtab_sdrbridge\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        )
        result = subprocess.run(
            ["bash", "-c", commands],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )
        assert result.stdout.split() == expected, result.stderr
