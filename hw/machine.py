"""A machine as the doctor looks at it, and what it answers."""

import grp
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any


class Status(Enum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One answer. name: what was checked. finding: what was found. remedy: what to do, "" if nothing is to be done."""

    name: str
    status: Status
    finding: str
    remedy: str = ""


def _group_names() -> list[str]:
    names = []
    for number in {*os.getgroups(), os.getegid()}:
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:
            names.append(str(number))
    return names


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(1.0)
        try:
            end.connect(str(path))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Machine:
    """What the checks look at, so that a test can show them another machine.

    root: where /proc, /sys, /dev, /etc and /lib are. python: version of the interpreter. architecture: as uname says.
    libc: "glibc" or another. load: imports by name. version: of a distribution. providers: distributions by the
    packages they install. folder_of: folder of a package. user_id, groups: who runs this. known_groups: groups that
    exist here. may_use: whether a file may be read and written. environment: variables. answers: whether somebody
    listens on a Unix socket. storage: where recordings go. free: bytes there.
    """

    root: Path = Path("/")
    python: tuple[int, ...] = tuple(sys.version_info[:3])
    architecture: str = platform.machine()
    libc: str = platform.libc_ver()[0]
    load: Callable[[str], Any] = importlib.import_module
    version: Callable[[str], str] = importlib.metadata.version
    providers: Callable[[], Mapping[str, Sequence[str]]] = importlib.metadata.packages_distributions
    folder_of: Callable[[str], Path | None] = _folder_of
    user_id: int = field(default_factory=os.geteuid)
    groups: Sequence[str] = field(default_factory=_group_names)
    known_groups: Sequence[str] = field(default_factory=lambda: [g.gr_name for g in grp.getgrall()])
    may_use: Callable[[Path], bool] = lambda path: os.access(path, os.R_OK | os.W_OK)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    answers: Callable[[Path], bool] = _answers
    storage: Path = field(default_factory=Path.cwd)
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
