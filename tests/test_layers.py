"""Imports go down only: sdrbridge → hw → dsp."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ABOVE = {"dsp": {"hw", "sdrbridge"}, "hw": {"sdrbridge"}, "sdrbridge": set[str]()}
# `dsp`, and the rules of the bridge, have no clock, thread, socket or file.
PURE = ["dsp", "sdrbridge/floor.py", "sdrbridge/patch.py", "sdrbridge/transmission.py"]
IMPURE_MODULES = {
    "time",
    "datetime",
    "threading",
    "socket",
    "asyncio",
    "multiprocessing",
    "subprocess",
    "random",
    "os",
    "io",
}


def imported(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write it absolute"
            found.append((node.module or "", node.lineno))
    return found


@pytest.mark.parametrize("package", sorted(ABOVE))
def test_imports_go_down_only(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        for name, line in imported(path):
            assert name.split(".")[0] not in ABOVE[package], f"{path}:{line}: {package} may not import {name}"


def test_pure_rooms_have_no_clock_thread_socket_or_file() -> None:
    for room in PURE:
        path = ROOT / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path] * path.exists():
            for name, line in imported(file):
                assert name.split(".")[0] not in IMPURE_MODULES, f"{file}:{line}: {room} may not import {name}"


def test_what_starts_at_an_incident_does_not_wait_for_scipy_signal() -> None:
    program = "import sys, sdrbridge.daemon, sdrbridge.replay, sdrbridge.worker; print('scipy.signal' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
