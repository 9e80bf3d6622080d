"""What survives a restart: patches, mutes and levels, in an SQLite file with a write-ahead log.

    state = State.open(folder / "state.db")     a broken file is put aside, and `remark` says so
    state.saved                                 what the last run left
    state.put(Saved(…))                         written by a thread of its own, or in `work`; the newest wins

The site file says what a bridge starts with; technicians change it while it runs. So next to the patches as they are,
the file keeps the patches as the site file had them then: a patch that has since been changed in the site file is taken
from there, every other one stays as it was left (`merge`).

A bridge that starts on a full disk has its patches all the same: nobody else uses the file, so SQLite is told to keep
its index in memory, and reading needs no room.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import msgspec

from sdrbridge.errors import SdrBridgeError
from sdrbridge.patch import Leg, Member, Patch, Rules
from sdrbridge.transmitters import PortMute

VERSION = 1
"""Of what the file holds; another one is put aside like a broken file."""


@dataclass(frozen=True)
class Level:
    """Gains of a port in dB, in and out, as they were set by hand, and as the site file had them then."""

    now: tuple[float, float]
    site: tuple[float, float]


@dataclass(frozen=True)
class Saved:
    """What is kept. patches: as they are. origin: as the site file had them, by name. mutes: ports that are cut off.

    levels: that were set by hand.
    """

    patches: Mapping[str, Patch] = field(default_factory=dict)
    origin: Mapping[str, Patch] = field(default_factory=dict)
    mutes: Mapping[str, PortMute] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)


def merge(saved: Saved, site: Mapping[str, Patch], ports: Sequence[str]) -> tuple[dict[str, Patch], list[str]]:
    """The patches to begin with, and what had to be changed for it, in words.

    site: the patches of the site file as it is now. ports: the names there are.
    """
    remarks: list[str] = []
    patches: dict[str, Patch] = {}
    for name, patch in saved.patches.items():
        if saved.origin.get(name) == site.get(name):
            patches[name] = patch
        elif name in site:
            remarks.append(f'patch "{name}" was changed in the site file and is taken from there')
        else:
            remarks.append(f'patch "{name}" was taken out of the site file and is gone')
    for name, patch in site.items():
        if saved.origin.get(name) != patch:
            patches[name] = patch
    for name, patch in list(patches.items()):
        for member in [m for m in patch.members if m not in ports]:
            patch = patch.drop(member)
            remarks.append(f'patch "{name}": there is no port "{member}" any more; it is left out')
        patches[name] = patch
    return patches, remarks


class State:
    """The file. remark: what was wrong with it when it was opened; "" for nothing. threaded: has a thread that writes;
    without one, call `work`."""

    def __init__(self, path: Path, saved: Saved | None, remark: str, threaded: bool = True) -> None:
        self.path = path
        self.saved = saved
        """What the last run left; None if there was none, or it could not be read."""
        self.remark = remark
        self.problem = ""
        """Why the last writing failed; "" if it did not."""
        self.writes = 0
        self._wake = threading.Condition()
        self._next: Saved | None = None
        self._failed: Saved | None = None
        self._writing = False
        self._closing = False
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._run, name="state", daemon=True)
            self._thread.start()

    @classmethod
    def open(cls, path: Path, threaded: bool = True) -> Self:
        """Open or make the file. One that cannot be read is renamed, and the bridge starts as the site file says.

        Raises `SdrBridgeError` where the folder cannot be written; a full disk is a `problem`, and tried again.
        """
        remark = ""
        try:
            saved = _read(path)
        except (
            sqlite3.Error,
            msgspec.ValidationError,
            SdrBridgeError,
            ValueError,
            TypeError,
            RecursionError,
        ) as problem:
            kept = _put_aside(path)
            remark = (
                f"{path}: cannot be read ({problem}); it is kept as {kept.name}, and the site file's patches are used"
            )
            saved = None
        trouble = ""
        try:
            with closing(_connect(path)):
                pass
        except sqlite3.Error as problem:
            trouble = f"{path}: cannot be written: {problem}"
            if not os.access(path.parent, os.W_OK):
                raise SdrBridgeError(f"{trouble}; choose another state folder") from problem
        state = cls(path, saved, remark, threaded)
        state.problem = trouble
        return state

    @property
    def pending(self) -> bool:
        """Whether what was put last is not in the file yet."""
        with self._wake:
            return self._next is not None or self._writing or self._failed is not None

    def put(self, saved: Saved) -> None:
        """Keep this; never waits."""
        with self._wake:
            self._next = saved
            self._wake.notify()

    def work(self) -> None:
        """Write what was put last, and what could not be written before."""
        with self._wake:
            saved, self._next = self._next or self._failed, None
            self._writing = saved is not None
        if saved is not None:
            failed = None if self._write(saved) else saved
            with self._wake:
                self._failed, self._writing = failed, False

    def close(self) -> None:
        """Write what is left and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is None:
            self.work()
        else:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                # A full disk may have room again; what could not be written is tried every few seconds.
                self._wake.wait_for(lambda: self._next is not None or self._closing, 5.0 if self._failed else None)
                closing_down = self._closing
            self.work()
            if closing_down:
                return

    def _write(self, saved: Saved) -> bool:
        try:
            with closing(_connect(self.path)) as db, db:
                text = json.dumps(_plain(saved))
                db.execute("INSERT OR REPLACE INTO state (id, version, saved) VALUES (1, ?, ?)", (VERSION, text))
        except (sqlite3.Error, OSError) as problem:
            self.problem = f"{self.path}: cannot be written: {problem}"
            return False
        self.problem = ""
        self.writes += 1
        return True


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0)
    try:
        # Before anything else: with it the index of the log is kept in memory, and not in a file that needs room.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, version INTEGER, saved TEXT)")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _read(path: Path) -> Saved | None:
    if not path.exists():
        return None
    with closing(_connect(path)) as db:
        row = db.execute("SELECT version, saved FROM state WHERE id = 1").fetchone()
    if row is None:
        return None
    version, text = row
    if version != VERSION:
        raise ValueError(f"it is of version {version!r}, this program reads {VERSION}")
    return _saved(json.loads(text))


def _put_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    try:
        path.rename(kept)
    except OSError as problem:
        raise SdrBridgeError(f"{path}: cannot be read nor put aside: {problem.strerror or problem}") from problem
    for end in ("-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + end).unlink()
    return kept


def _plain(saved: Saved) -> dict[str, Any]:
    return {
        "patches": {name: patch_to_dict(patch) for name, patch in saved.patches.items()},
        "origin": {name: patch_to_dict(patch) for name, patch in saved.origin.items()},
        "mutes": msgspec.to_builtins(dict(saved.mutes)),
        "levels": msgspec.to_builtins(dict(saved.levels)),
    }


def _saved(plain: Any) -> Saved:
    if not isinstance(plain, dict):
        raise ValueError("it holds no table")
    return Saved(
        {str(name): patch_from_dict(name, patch) for name, patch in dict(plain.get("patches", {})).items()},
        {str(name): patch_from_dict(name, patch) for name, patch in dict(plain.get("origin", {})).items()},
        msgspec.convert(plain.get("mutes", {}), dict[str, PortMute]),
        msgspec.convert(plain.get("levels", {}), dict[str, Level]),
    )


def patch_to_dict(patch: Patch) -> dict[str, Any]:
    """A patch as plain values."""
    return {
        "members": msgspec.to_builtins(dict(patch.members)),
        "legs": msgspec.to_builtins([[*ends, leg] for ends, leg in patch.legs.items()]),
        "rules": msgspec.to_builtins(patch.rules),
    }


def patch_from_dict(name: str, plain: Any) -> Patch:
    """A patch from plain values. Raises `msgspec.ValidationError` or `ValueError`."""
    if not isinstance(plain, dict):
        raise ValueError(f'patch "{name}" is no table')
    members = msgspec.convert(plain.get("members", {}), dict[str, Member])
    legs = msgspec.convert(plain.get("legs", []), list[tuple[str, str, Leg]])
    rules = msgspec.convert(plain.get("rules", {}), Rules)
    patch = Patch(name, MappingProxyType(members), rules=rules)
    for talker, listener, leg in legs:
        patch = patch.set_gain(talker, listener, leg.gain_db).mute_leg(talker, listener, leg.muted)
    return patch
