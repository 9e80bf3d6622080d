"""What a replay is expected to hear, as TOML that people read and edit, and what differs in plain words.

[tolerance]          time_s, snr_db, level_db: how far a number may be off
[[over]]             one transmission: channel, start_s, end_s, tone or code, who talks to whom, level, heard_by
[[port]]             one port: name and the times it was keyed
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdrbridge.errors import ConfigError
from sdrbridge.tomlfile import read_toml

TOLERANCE = {"time_s": 0.04, "snr_db": 3.0, "level_db": 2.0}
"""Default tolerances: keyed times as the receivers promise them; levels as noise moves them."""

_EXACT = {
    "ctcss_hz": "CTCSS tone",
    "dcs": "DCS code",
    "nac": "NAC",
    "talkgroup": "talkgroup",
    "source_id": "source id",
    "emergency": "emergency",
    "encrypted": "encrypted",
}
"""Facts of an over that are right or wrong, and what they are called."""

_OVER_KEYS = {"channel", "start_s", "end_s", "snr_db", "level_dbfs", "heard_by", *_EXACT}
_PORT_KEYS = {"name", "keyed"}


def from_summary(summary: Mapping[str, Any]) -> str:
    """The expectation that this replay fulfils, as TOML text."""
    lines = [
        f"# What a replay of {summary['site']} hears. Times are seconds from its start. Edit freely: a key that is",
        "# left out is not compared; a tolerance says how far a number may be off.",
        "",
        "[tolerance]",
        *(f"{key} = {value:g}" for key, value in TOLERANCE.items()),
    ]
    overs = [
        {"channel": name, **{k: v for k, v in over.items() if k in _OVER_KEYS}}
        for name, channel in summary["channels"].items()
        for over in channel["transmissions"]
    ]
    for over in sorted(overs, key=lambda o: (o["start_s"], o["channel"])):
        lines += ["", "[[over]]", *(f"{key} = {_toml(value)}" for key, value in over.items())]
    for name, port in summary["ports"].items():
        keyed = [[k["start_s"], k["end_s"]] for k in port.get("keyed", [])]
        lines += ["", "[[port]]", f"name = {_toml(name)}", f"keyed = {_toml(keyed)}"]
    return "\n".join(lines) + "\n"


def load(path: Path) -> dict[str, Any]:
    """Read an expectation. Raises `ConfigError` naming every problem."""
    if not path.exists():
        raise ConfigError([f"{path}: there is no such file; `sdrbridge replay SITE --save-expect {path}` makes it"])
    data = read_toml(path)
    problems = [
        f"{path}: unknown table [{key}]; known are tolerance, over, port"
        for key in data
        if key not in ("tolerance", "over", "port")
    ]
    tolerance = data.get("tolerance", {})
    if not isinstance(tolerance, dict):
        problems.append(f"{path}: tolerance must be a table: [tolerance]")
        tolerance = {}
    for key, value in tolerance.items():
        if key not in TOLERANCE:
            problems.append(f"{path}: [tolerance] unknown key {key!r}; known are {', '.join(TOLERANCE)}")
        elif not isinstance(value, int | float) or value < 0:
            problems.append(f"{path}: [tolerance] {key} = {value!r} must be a number of 0 or more")
    for table, known, needed in (
        ("over", _OVER_KEYS, ("channel", "start_s", "end_s")),
        ("port", _PORT_KEYS, ("name",)),
    ):
        entries = data.get(table, [])
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            problems.append(f"{path}: {table} must be a list of tables: [[{table}]]")
            continue
        for number, entry in enumerate(entries, 1):
            problems += [
                f"{path}: [[{table}]] number {number}: unknown key {key!r}; known are {', '.join(sorted(known))}"
                for key in entry
                if key not in known
            ]
            problems += [f"{path}: [[{table}]] number {number}: {key} is missing" for key in needed if key not in entry]
            problems += [
                f"{path}: [[{table}]] number {number}: {key} = {entry[key]!r} must be a number"
                for key in ("start_s", "end_s", "ctcss_hz", "snr_db", "level_dbfs")
                if key in entry and (isinstance(entry[key], bool) or not isinstance(entry[key], int | float))
            ]
            keyed = entry.get("keyed", [])
            if not isinstance(keyed, list) or not all(
                isinstance(k, list) and len(k) == 2 and all(isinstance(t, int | float) for t in k) for k in keyed
            ):
                problems.append(f"{path}: [[port]] number {number}: keyed must be a list of [start, end] pairs")
    if problems:
        raise ConfigError(problems)
    return data


def differences(expected: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """What differs between an expectation and a replay's summary, a sentence each; empty if nothing."""
    tolerance = {**TOLERANCE, **expected.get("tolerance", {})}
    found: list[str] = []
    wanted: dict[str, list[Mapping[str, Any]]] = {name: [] for name in summary["channels"]}
    for over in expected.get("over", []):
        if over["channel"] not in wanted:
            found.append(f"{over['channel']}: the site has no channel of that name")
        else:
            wanted[over["channel"]].append(over)
    for name, overs in wanted.items():
        found += _compare_overs(name, overs, summary["channels"][name]["transmissions"], tolerance)
    for port in expected.get("port", []):
        found += _compare_port(port, summary["ports"].get(port["name"]), tolerance)
    return found


def _compare_overs(
    name: str, wanted: list[Mapping[str, Any]], heard: list[Mapping[str, Any]], tolerance: Mapping[str, float]
) -> list[str]:
    found = []
    left = sorted(heard, key=lambda o: float(o["start_s"]))
    for want in sorted(wanted, key=lambda o: float(o["start_s"])):
        got = max(left, key=lambda o: _overlap(o, want), default=None)
        when = f"{want['start_s']:.2f}–{want['end_s']:.2f} s"
        if got is None or _overlap(got, want) <= 0:
            found.append(f"{name}: the over expected at {when} was not heard")
            continue
        left.remove(got)
        found += [f"{name}: the over at {when} {difference}" for difference in _compare_over(want, got, tolerance)]
    found += [f"{name}: an over nobody expected was heard at {o['start_s']:.2f}–{o['end_s']:.2f} s" for o in left]
    return found


def _compare_over(want: Mapping[str, Any], got: Mapping[str, Any], tolerance: Mapping[str, float]) -> list[str]:
    found = []
    for key, word in (("start_s", "started"), ("end_s", "ended")):
        late = got[key] - want[key]
        if abs(late) > tolerance["time_s"] + 1e-9:
            found.append(
                f"{word} {abs(late):.3f} s {'late' if late > 0 else 'early'} (allowed {tolerance['time_s']:g} s)"
            )
    for key, limit, word in (("snr_db", "snr_db", "SNR"), ("level_dbfs", "level_db", "level")):
        if key in want and key not in got:
            found.append(f"has no {word}; expected {want[key]:g} dB")
        elif key in want and abs(got[key] - want[key]) > tolerance[limit] + 1e-9:
            found.append(f"had {word} {got[key]:.1f} dB; expected {want[key]:.1f} ± {tolerance[limit]:g} dB")
    for key, word in _EXACT.items():
        if key in want and want[key] != got.get(key):
            found.append(f"had {word} {got.get(key, 'none')}; expected {want[key]}")
    if "heard_by" in want and sorted(want["heard_by"]) != sorted(got.get("heard_by", [])):
        found.append(f"was heard by {_names(got.get('heard_by', []))}; expected {_names(want['heard_by'])}")
    return found


def _compare_port(want: Mapping[str, Any], got: Mapping[str, Any] | None, tolerance: Mapping[str, float]) -> list[str]:
    name = want["name"]
    if got is None:
        return [f"{name}: the site has no port of that name"]
    if "keyed" not in want:
        return []
    keyed = [(k["start_s"], k["end_s"]) for k in got.get("keyed", [])]
    if len(keyed) != len(want["keyed"]):
        return [f"port {name}: was keyed {len(keyed)} times; expected {len(want['keyed'])}"]
    return [
        f"port {name}: was keyed {got_start:.2f}–{got_end:.2f} s; expected {start:.2f}–{end:.2f} s "
        f"± {tolerance['time_s']:g} s"
        for (got_start, got_end), (start, end) in zip(keyed, want["keyed"], strict=True)
        if max(abs(got_start - start), abs(got_end - end)) > tolerance["time_s"] + 1e-9
    ]


def _overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    return float(min(a["end_s"], b["end_s"]) - max(a["start_s"], b["start_s"]))


def _names(names: list[str]) -> str:
    return ", ".join(sorted(names)) if names else "nobody"


def _toml(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f"{value}"
