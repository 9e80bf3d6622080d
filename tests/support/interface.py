"""What is written about the command line and made from it: completion scripts, man page, OpenAPI document.

`scripts/make-interface` writes them; `tests/sdrbridge/test_interface.py` holds what is committed against them. argparse
words its help a little differently in each Python, so they are made with the oldest one supported.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import shtab
from build_manpages.manpage import Manpage

import sdrbridge
from sdrbridge import __version__
from sdrbridge.cli import make_parser
from sdrbridge.control import openapi

ROOT = Path(__file__).resolve().parents[2]

PACKAGE = Path(sdrbridge.__file__).resolve().parents[1]

PYTHON = (3, 11)

_PREAMBLE = {
    "bash": """
_sdrbridge_ports() { compgen -W "$(sdrbridge completion ports 2>/dev/null)" -- "$1"; }
_sdrbridge_patches() { compgen -W "$(sdrbridge completion patches 2>/dev/null)" -- "$1"; }
""",
    "zsh": """
_sdrbridge_ports() { local -a names; names=(${(f)"$(sdrbridge completion ports 2>/dev/null)"}); compadd -a names }
_sdrbridge_patches() { local -a names; names=(${(f)"$(sdrbridge completion patches 2>/dev/null)"}); compadd -a names }
""",
}


def completion(shell: str) -> str:
    """The completion script for bash or zsh."""
    script = shtab.complete(make_parser(), shell, preamble=_PREAMBLE[shell])
    return "\n".join(line.rstrip() for line in str(script).splitlines()) + "\n"


def man_page() -> str:
    """sdrbridge(1)."""
    with mock.patch.dict(os.environ, {"COLUMNS": "100", "SOURCE_DATE_EPOCH": "0"}):
        page = str(Manpage(make_parser()))
    _, _, verbs = page.partition("\n.SH SYNOPSIS\n")
    return "\n".join(line.rstrip() for line in (_HEAD + verbs + _TAIL).splitlines()) + "\n"


_HEAD = f""".TH SDRBRIDGE 1 "" "sdrbridge {__version__}" "User Commands"
.SH NAME
sdrbridge \\- patches radios that cannot hear each other
.SH SYNOPSIS
"""

_TAIL = """
.SH EXIT STATUS
.TP
0
Done.
.TP
1
Failed, or refused by the bridge; standard error says why.
.TP
2
The command line is wrong.
.TP
3
No daemon answers on the control socket.
.TP
78
The site file cannot be used; every problem of it is listed.
.TP
130
Interrupted.
.SH ENVIRONMENT
.TP
SDRBRIDGE_SOCKET
Control socket, where \\-\\-socket does not say it.
.TP
XDG_RUNTIME_DIR
A daemon of an ordinary user has its socket in sdrbridge/control.sock below it.
.TP
NO_COLOR
No bold table heads on a terminal.
.SH FILES
.TP
/run/sdrbridge/control.sock
Control socket of the system's daemon. Its owner and group may ask and change.
.SH EXAMPLES
.nf
sdrbridge patch make command VTAC11 UTAC41 dispatch \\-\\-timeout 120 \\-\\-note "IC request 14:20"
sdrbridge why silent VTAC11
sdrbridge delay VTAC11 dispatch
sdrbridge events \\-f \\-\\-about command
.fi
"""

FILES: dict[str, Callable[[], str]] = {
    "sdrbridge/completion/sdrbridge.bash": lambda: completion("bash"),
    "sdrbridge/completion/_sdrbridge": lambda: completion("zsh"),
    "sdrbridge/control/openapi.json": openapi.text,
    "configs/system/sdrbridge.1": man_page,
}
"""What is committed, by path."""


def where(path: str) -> Path:
    """Where a file is: the package may be installed elsewhere."""
    return (PACKAGE if path.startswith("sdrbridge/") else ROOT) / path


def main() -> None:
    """Write them all."""
    if sys.version_info[:2] != PYTHON:
        sys.exit(f"make these with Python {'.'.join(map(str, PYTHON))}")
    for path, make in FILES.items():
        where(path).parent.mkdir(parents=True, exist_ok=True)
        where(path).write_text(make(), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
