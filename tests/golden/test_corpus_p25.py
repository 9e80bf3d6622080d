"""The P25 recordings of the corpus, through the whole replay: units, voice bits, calls, filters and encryption."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sdrbridge.cli import run

SAME_BITS = 0.99
"""Least share of the truth's error-free voice frames that are heard bit for bit."""

Corpus = dict[str, dict[str, Any]]
Line = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """What a replay left. channels: their overs, in the order of the site file. text: of frames.jsonl."""

    out: Path
    channels: list[list[Line]]
    text: str
    events: list[Line]

    @property
    def frames(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    def units(self, channel: int = 0) -> Counter[str]:
        return Counter(f["unit"] for f in self.frames if f["channel"] == f"C{channel}")

    def speech(self, over: Line) -> np.ndarray:
        samples, _ = soundfile.read(self.out / over["audio"], dtype="float32")
        return np.asarray(samples)


def replay(
    entry: Line,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    squelch: str = "",
    bridge: str = "",
    source: Path | None = None,
    options: tuple[str, ...] = (),
) -> Replayed:
    """Replay an entry (or another file in its place) with a P25 channel on each of its carriers, patched to a file."""
    wav = entry["format"].startswith("wav")
    place = ["" if wav else f'offset = "{c["offset_hz"]}"' for c in entry.get("channels", [{"offset_hz": 0}])]
    channels = "".join(
        f'[[channel]]\nname = "C{i}"\ntuner = "t"\nmode = "p25"\n{where}\n{squelch}\n' for i, where in enumerate(place)
    )
    said = "" if wav else f'center = "0"\nrate = "{entry["sample_rate_hz"]}"\n'
    site, out = folder / "site.toml", folder / "out"
    site.write_text(
        f'[bridge]\nname = "corpus"\n{bridge}\n[[tuner]]\nname = "t"\n'
        f'source = "{"discriminator" if wav else "file"}:{source or entry["path"]}"\n{said}{channels}'
        '[[port]]\nname = "out"\nkind = "file"\n[[patch]]\nname = "p"\nports = ["C0", "out"]\n'
    )
    assert run(["replay", str(site), "--out", str(out), "--no-report", "--frames", "--json", *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    overs = [summary["channels"][f"C{i}"]["transmissions"] for i in range(len(place))]
    return Replayed(out, overs, (out / "frames.jsonl").read_text(), events)


def truth_of(entry: Line, file: str) -> list[tuple[str, int]]:
    """Voice bits and corrected errors, as the truth has them."""
    lines = (entry["path"].parent / file).read_text().splitlines()
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def same_voice(frames: list[Line], truth: list[tuple[str, int]]) -> float:
    """Share of the truth's voice frames without errors that were heard bit for bit."""
    sure = Counter(bits for bits, errors in truth if errors == 0)
    heard = Counter(f["hex"] for f in frames if f["unit"] == "IMBE")
    return (sure & heard).total() / sure.total()


@pytest.mark.parametrize("name", ["p25p1_c4fm_cc_a", "p25p1_c4fm_cc_mmr", "p25p1_cqpsk_cc_b", "p25p1_cqpsk_cc_simul_b"])
def test_control_channels(corpus: Corpus, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = corpus[name]["truth"]
    heard = replay(corpus[name], tmp_path, capsys)
    blocks = Counter(f["hex"] for f in heard.frames if f["unit"] == "TSBK")
    known = blocks & Counter(truth["tsbk_hex_in_order"])
    assert known.total() >= truth["cold_start_counts"]["data_units"]["TSBK"]
    assert blocks.total() - known.total() <= 3  # before and behind what the other decoder read
    assert {f["nac"] for f in heard.frames} == {int(truth["nac_hex"], 16)}
    assert heard.channels == [[]]


@pytest.mark.parametrize(
    "name",
    [
        *("p25p1_c4fm_vc_a", "p25p1_cqpsk_vc_b", "p25p1_conv_voice_a", "p25p1_conv_voice2_a"),
        *("p25p1_trunk_voice_clear_a", "p25p1_trunk_voice_des_a", "p25_op25tx_b"),
    ],
)
def test_voice_channels(corpus: Corpus, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry, truth = corpus[name], corpus[name]["truth"]
    heard = replay(entry, tmp_path, capsys)
    cold = truth.get(
        "cold_start_counts", {"data_units": truth["data_unit_counts"], "imbe_frames": truth["imbe_frames"]}
    )
    units = heard.units()
    assert all(units[unit] >= count for unit, count in cold["data_units"].items()), units
    assert units["IMBE"] >= cold["imbe_frames"]
    assert same_voice(heard.frames, truth_of(entry, truth["imbe_file"])) >= SAME_BITS
    calls = {(c["talkgroup"], c["source"]) for c in truth["calls_talkgroup_source"]}
    assert {(o["talkgroup"], o["source_id"]) for o in heard.channels[0]} == calls
    for over in heard.channels[0]:
        assert over["nac"] == f"${truth['nac_hex'].upper()}"
        assert over["ber"] < 0.1 and over["frame_loss"] < 1.01 - SAME_BITS and 0 < over["evm"] < 0.5


def test_two_carriers_in_one_band(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = corpus["p25p1_wideband_a"]
    heard = replay(entry, tmp_path, capsys)
    for number, carrier in enumerate(entry["truth"]["carriers"]):
        units = heard.units(number)
        assert units["IMBE"] >= carrier["imbe_frames"]
        assert all(units[unit] >= count for unit, count in carrier["data_unit_counts"].items())
        frames = [f for f in heard.frames if f["channel"] == f"C{number}"]
        assert same_voice(frames, truth_of(entry, carrier["imbe_file"])) >= SAME_BITS


def test_neither_blocks_nor_threads_matter(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = []
    for number, options in enumerate([(), ("--block", "97"), ("--block", "1000", "--threads", "2")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        heard = replay(corpus["p25p1_cqpsk_vc_b"], folder, capsys, options=options)
        (over,) = heard.channels[0]
        results.append((heard.text, heard.events, over, heard.speech(over).tobytes()))
    assert results[0] == results[1] == results[2]


def test_encrypted_speech_is_never_heard(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard = replay(corpus["p25p1_trunk_voice_des_a"], tmp_path, capsys)
    assert len(heard.channels[0]) == 2
    for over in heard.channels[0]:
        assert over["encrypted"] and over["algid"] == 0x81 and over["keyid"] == 0x1234
        assert over["heard_by"] == []
        assert not heard.speech(over).any()
    refused = [e["reason"] for e in heard.events if e["event"] == "floor.refused"]
    assert refused == ["encrypted", "encrypted"]


def test_late_entry_is_heard_once_its_sync_says_clear(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = replay(corpus["p25p1_cqpsk_vc_b"], tmp_path, capsys)
    (over,) = heard.channels[0]
    opened = next(e for e in heard.events if e["event"] == "over.open")
    assert opened["reason"] == "encryption sync says clear"
    assert opened["t_s"] - over["start_s"] <= 0.37
    assert np.sqrt(np.mean(heard.speech(over) ** 2)) > 0.01
    assert over["heard_by"] == ["out"]


@pytest.mark.parametrize(
    ("squelch", "overs", "reason"),
    [
        ("{ talkgroup = [5, 1726] }", 3, None),
        ("{ talkgroup = 1725 }", 0, "talkgroup 1726 is not among 1725"),
        ("{ source_id = 46036 }", 1, "source id 36547 is not among 46036"),
        ('{ nac = "$104" }', 3, None),
        ('{ nac = "$F7E" }', 3, None),
        ('{ nac = "$105" }', 0, "NAC $104 is not $105"),
    ],
)
def test_calls_for_others_stay_silent(
    corpus: Corpus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    squelch: str,
    overs: int,
    reason: str | None,
) -> None:
    heard = replay(corpus["p25p1_trunk_voice_clear_a"], tmp_path, capsys, f"squelch = {squelch}")
    assert len(heard.channels[0]) == overs
    reasons = {e["reason"] for e in heard.events if e["event"] == "call.refused"}
    assert reasons == ({reason} if reason else set())
    assert heard.units()["IMBE"] >= 306  # what is not heard is reported all the same


def test_either_polarity(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = corpus["p25p1_conv_voice2_a"]
    audio, rate = soundfile.read(entry["path"], dtype="float32")
    soundfile.write(tmp_path / "upside-down.wav", -audio, rate)
    straight = replay(entry, tmp_path, capsys)
    turned = replay(entry, tmp_path, capsys, source=tmp_path / "upside-down.wav")
    assert [f["hex"] for f in turned.frames if f["unit"] == "HDU"] == ["0" * 20 + "8000000001"]
    same = Counter(f["hex"] for f in straight.frames) & Counter(f["hex"] for f in turned.frames)
    assert same.total() >= 0.99 * len(straight.frames)


def test_without_a_vocoder_all_but_speech_works(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = replay(corpus["p25p1_cqpsk_vc_b"], tmp_path, capsys, bridge='vocoder = "none"')
    (over,) = heard.channels[0]
    assert over["silent"] == 'no vocoder: the site file says vocoder = "none"'
    assert over["source_id"] == 41183 and over["heard_by"] == []
    assert not heard.speech(over).any()
    assert heard.units()["IMBE"] >= 45
    (refused,) = [e["reason"] for e in heard.events if e["event"] == "floor.refused"]
    assert refused == over["silent"]


@pytest.mark.parametrize(
    "name", ["negative_edacs_a", "dmr_tier3_cc_a", "ysf_op25tx_a", "negative_dpmr_a", "p25p2_sacch_b"]
)
def test_other_modes_are_no_calls(
    corpus: Corpus, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = replay(corpus[name], tmp_path, capsys)
    assert all(overs == [] for overs in heard.channels)
    assert [f for f in heard.frames if f.get("valid", True)] == []
