"""`sdrbridge journal …`: the record of what the bridge did, to read, to hand over, and to prove."""

import json
import sys
from argparse import Namespace
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from hw.clock import SystemClock
from sdrbridge.chain import Entry
from sdrbridge.commands.output import note, print_json
from sdrbridge.errors import JournalError, SdrBridgeError
from sdrbridge.journal import KEY_NAME, read_entries
from sdrbridge.journalfilter import Filter, parse_moment
from sdrbridge.journalplace import find_journal
from sdrbridge.plainwords import say
from sdrbridge.seal import Head, PublicKey


def run(options: Namespace) -> int:
    """One of show, export, verify, head and key."""
    folder = find_journal(options.folder)
    return {"show": _show, "export": _export, "verify": _verify, "head": _head, "key": _key}[options.what](
        options, folder
    )


def chosen(options: Namespace, folder: Path) -> Iterable[Entry]:
    """The entries that the options ask for."""
    now = SystemClock().now()
    wanted = Filter(
        parse_moment(options.since, now) if options.since else None,
        parse_moment(options.until, now) if options.until else None,
        tuple(options.event),
        tuple(options.port),
        tuple(options.patch),
        options.who,
    )
    return wanted.choose(read_entries(folder))


def _show(options: Namespace, folder: Path) -> int:
    entries = chosen(options, folder)
    if options.last is not None:
        entries = deque(entries, maxlen=options.last)
    if options.json:
        print_json({"journal": str(folder), "entries": [entry.to_dict() for entry in entries]})
        return 0
    for entry in entries:
        bridge_time = f"{entry.data['t_s']:10.2f} s" if isinstance(entry.data.get("t_s"), float | int) else " " * 12
        wall = entry.wall.replace("T", " ").removesuffix("Z")
        print(f"{entry.n:7d}  {wall}  {bridge_time}  {say(entry.data)}")
    return 0


def _export(options: Namespace, folder: Path) -> int:
    try:
        # newline="": CSV has line ends of its own.
        stream = options.out.open("w", encoding="utf-8", newline="") if options.out else sys.stdout
    except OSError as problem:
        raise SdrBridgeError(f"{options.out}: cannot be written: {problem.strerror}") from problem
    try:
        if options.format == "csv":
            from sdrbridge.ics309 import write_csv

            count = write_csv(chosen(options, folder), stream)
        else:
            count = 0
            for entry in chosen(options, folder):
                stream.write(json.dumps(entry.to_dict(), ensure_ascii=False) + "\n")
                count += 1
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        raise SdrBridgeError(f"{options.out}: cannot be written: {problem.strerror}") from problem
    finally:
        if options.out:
            stream.close()
    if options.out:
        note(f"wrote {count} {'rows' if options.format == 'csv' else 'entries'} to {options.out}")
    return 0


def _verify(options: Namespace, folder: Path) -> int:
    from sdrbridge.verify import verify

    heads = [_parsed_head(text, "--head") for text in options.head]
    key = _given_key(options.key) if options.key else None
    for path in options.heads:
        text = _read(path)
        heads += [_parsed_head(line, str(path)) for line in text.splitlines() if line.strip() and line[0] != "#"]
        if key is None and "ssh-ed25519" in text:
            key = _given_key(str(path))
    report = verify(folder, key, heads)
    changed: list[str] = []
    if options.recordings is not None:
        from sdrbridge.audit import audit

        changed = audit(read_entries(folder), options.recordings)
    if options.json:
        print_json({**report.to_dict(), "ok": report.ok and not changed, "recordings": changed})
        return 0 if report.ok and not changed else 1
    for finding in report.findings:
        print(finding)
    for line in changed:
        print(line)
    for remark in report.notes:
        note(remark)
    signed = f"1 to {report.signed} signed by {report.key}" if report.signed else "none signed"
    exported = f", {report.exported} exported heads fit" if report.exported else ""
    print(f"{folder}: {report.entries} entries in {report.segments} files, {signed}{exported}")
    problems = len(report.findings) + len(changed)
    print("whole: nothing was changed, as far as it can be told" if not problems else f"NOT WHOLE: {problems} findings")
    return 1 if problems else 0


def _head(options: Namespace, folder: Path) -> int:
    newest = next((e for e in reversed(list(read_entries(folder))) if e.event == "journal.head"), None)
    if newest is None:
        raise JournalError(f"{folder}: there is no signed head in this journal; it was written without a key")
    head = _parsed_head(str(newest.data.get("head")), f"entry {newest.n}")
    if options.json:
        print_json({"head": str(head), "n": head.n, "hash": head.hash, "wall": head.wall, "key": head.key})
    else:
        print(head)
    return 0


def _key(options: Namespace, folder: Path) -> int:
    key = _given_key(str((folder / KEY_NAME).with_suffix(".pub")))
    if options.json:
        print_json({"key": key.line, "fingerprint": key.fingerprint})
    else:
        print(key.line)
        note(f"fingerprint {key.fingerprint}")
    return 0


def _parsed_head(text: str, where: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as problem:
        raise SdrBridgeError(f"{where}: {problem}") from None


def _given_key(text: str) -> PublicKey:
    """A key as it is, or the file that holds it."""
    spelled = text if text.startswith("ssh-") else _read(Path(text))
    try:
        return PublicKey.parse(spelled)
    except ValueError as problem:
        raise SdrBridgeError(f"{text[:60]}: {problem}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise SdrBridgeError(f"{path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError:
        raise SdrBridgeError(f"{path}: is not text") from None
