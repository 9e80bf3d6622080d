"""Recordings held against the journal: every file it names is there, and sounds as it did when it was written down."""

from collections.abc import Iterable
from pathlib import Path

from sdrbridge.chain import Entry
from sdrbridge.recording import audio_hash


def audit(entries: Iterable[Entry], folder: Path) -> list[str]:
    """What is wrong, a line for each. folder: of the recordings. What the bridge removed itself is not missed."""
    kept: dict[str, tuple[int, str]] = {}
    for entry in entries:
        file = str(entry.data.get("file"))
        if entry.event in ("recording.closed", "recording.recovered"):
            kept[file] = (entry.n, str(entry.data.get("audio_sha256")))
        elif entry.event == "recording.removed":
            kept.pop(file, None)
    problems = []
    for file, (n, digest) in kept.items():
        path = folder / file
        try:
            if ".." in Path(file).parts or Path(file).is_absolute():
                raise OSError(22, "lies outside the folder")
            if audio_hash(path) != digest:
                problems.append(f"{path}: changed: it is not the audio that entry {n} tells of")
        except OSError as problem:
            problems.append(f"{path}: missing: entry {n} tells of it, but {problem.strerror or problem}")
    return problems
