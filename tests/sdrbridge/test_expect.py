"""Expectations: what a replay writes, it fulfils; what differs is said in plain words."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sdrbridge import expect
from sdrbridge.errors import ConfigError

FIRST: dict[str, Any] = {
    "start_s": 0.5,
    "end_s": 2.0,
    "snr_db": 21.3,
    "level_dbfs": -20.5,
    "ctcss_hz": 156.7,
    "heard_by": ["dispatch"],
}
SECOND: dict[str, Any] = {"start_s": 4.0, "end_s": 5.25, "snr_db": 20.9, "ctcss_hz": 156.7, "heard_by": []}
DIGITAL: dict[str, Any] = {"nac": "$293", "talkgroup": 1001, "source_id": 42, "emergency": False, "encrypted": False}
SUMMARY: dict[str, Any] = {
    "site": "demo",
    "duration_s": 9.0,
    "channels": {
        "VTAC11": {"mode": "nfm", "transmissions": [FIRST, SECOND]},
        "AIR": {"mode": "am", "transmissions": []},
    },
    "ports": {"dispatch": {"keyed_s": 2.0, "keyed": [{"start_s": 0.6, "end_s": 2.6, "from": ["VTAC11"]}]}},
}


def changed(**over: object) -> dict[str, Any]:
    summary = deepcopy(SUMMARY)
    summary["channels"]["VTAC11"]["transmissions"][0].update(over)
    return summary


def test_what_a_replay_writes_it_fulfils() -> None:
    expected = tomllib.loads(expect.from_summary(SUMMARY))
    assert len(expected["over"]) == 2
    assert expect.differences(expected, SUMMARY) == []


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"start_s": 0.56}, "started 0.060 s late (allowed 0.04 s)"),
        ({"end_s": 1.9}, "ended 0.100 s early (allowed 0.04 s)"),
        ({"ctcss_hz": 151.4}, "had CTCSS tone 151.4; expected 156.7"),
        ({"snr_db": 12.0}, "had SNR 12.0 dB; expected 21.3 ± 3 dB"),
        ({"heard_by": []}, "was heard by nobody; expected dispatch"),
    ],
)
def test_a_difference_is_said_in_plain_words(over: dict[str, object], words: str) -> None:
    expected = tomllib.loads(expect.from_summary(SUMMARY))
    assert expect.differences(expected, changed(**over)) == [f"VTAC11: the over at 0.50–2.00 s {words}"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"talkgroup": 1002}, "had talkgroup 1002; expected 1001"),
        ({"encrypted": True}, "had encrypted True; expected False"),
    ],
)
def test_what_a_digital_call_says_is_compared(over: dict[str, object], words: str) -> None:
    expected = tomllib.loads(expect.from_summary(changed(**DIGITAL)))
    assert expect.differences(expected, changed(**DIGITAL)) == []
    assert expect.differences(expected, changed(**{**DIGITAL, **over})) == [f"VTAC11: the over at 0.50–2.00 s {words}"]


def test_missing_and_unexpected_overs_are_told_apart() -> None:
    expected = tomllib.loads(expect.from_summary(SUMMARY))
    summary = deepcopy(SUMMARY)
    lost = summary["channels"]["VTAC11"]["transmissions"].pop(0)
    summary["channels"]["AIR"]["transmissions"].append(lost)
    assert expect.differences(expected, summary) == [
        "VTAC11: the over expected at 0.50–2.00 s was not heard",
        "AIR: an over nobody expected was heard at 0.50–2.00 s",
    ]


def test_a_port_keyed_at_another_time_is_told() -> None:
    expected = tomllib.loads(expect.from_summary(SUMMARY))
    summary = deepcopy(SUMMARY)
    summary["ports"]["dispatch"]["keyed"][0]["end_s"] = 3.0
    told = expect.differences(expected, summary)
    assert told == ["port dispatch: was keyed 0.60–3.00 s; expected 0.60–2.60 s ± 0.04 s"]
    summary["ports"]["dispatch"]["keyed"] = []
    assert expect.differences(expected, summary) == ["port dispatch: was keyed 0 times; expected 1"]


def test_a_key_left_out_is_not_compared() -> None:
    overs = [{"channel": "VTAC11", "start_s": o["start_s"], "end_s": o["end_s"]} for o in (FIRST, SECOND)]
    assert expect.differences({"over": overs}, changed(ctcss_hz=100.0, heard_by=[])) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tolerance]\ntime = 1", "unknown key 'time'; known are time_s, snr_db, level_db"),
        ("[tolerance]\ntime_s = -1", "time_s = -1 must be a number of 0 or more"),
        ("[[over]]\nchannel = 'A'", "[[over]] number 1: start_s is missing"),
        ("[[over]]\nchannel = 'A'\nstart_s = 'x'\nend_s = 1", "start_s = 'x' must be a number"),
        ("[[port]]\nname = 'a'\nkeyed = [1, 2]", "keyed must be a list of [start, end] pairs"),
        ("[[overs]]\n", "unknown table [overs]"),
        ("over = 3", "over must be a list of tables"),
        ("not toml", "Expected '='"),
    ],
)
def test_a_bad_expectation_is_refused_with_its_reason(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "expect.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        expect.load(path)
    assert words in str(caught.value)


def test_a_missing_expectation_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--save-expect"):
        expect.load(tmp_path / "none.toml")
