"""Where a journal is, for the commands that read it: as told, or where a bridge on this machine keeps its state.

PATH                                    a journal's folder, or the state folder it lies in
$STATE_DIRECTORY/journal                in the environment of the unit
$XDG_STATE_HOME/sdrbridge/SITE/journal  of a bridge that an ordinary user runs (~/.local/state is the default)
/var/lib/sdrbridge/journal              of the system's bridge
"""

import os
from collections.abc import Mapping
from pathlib import Path

from sdrbridge.errors import JournalError
from sdrbridge.journal import segments

SYSTEM_STATE = Path("/var/lib/sdrbridge")


def find_journal(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the journal that is meant. Raises `JournalError` where there is none, or more than one."""
    if given is not None:
        found = next((path for path in (given, given / "journal") if segments(path)), None)
        if found is None:
            raise JournalError(f"{given}: there is no journal here (no journal-….jsonl, nor in a folder journal/)")
        return found
    told = environment.get("STATE_DIRECTORY", "").split(":")[0]
    if told:
        return find_journal(Path(told))
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    own = sorted(path for path in Path(home).glob("sdrbridge/*/journal") if segments(path))
    if len(own) > 1:
        listed = ", ".join(str(path) for path in own)
        raise JournalError(f"there are several journals; name one of {listed}")
    system = SYSTEM_STATE / "journal"
    if own:
        return own[0]
    if segments(system):
        return system
    raise JournalError(f"there is no journal in {home}/sdrbridge nor in {system}; name its folder")
