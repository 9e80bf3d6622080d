"""A P25 talkgroup and an analog channel patched both ways, from the air to the air: received, decoded, coded, sent."""

import json
from pathlib import Path

import numpy as np
import pytest

from dsp.blocks import BasebandBlock, IqBlock
from dsp.p25.link_control import LinkControl
from dsp.p25.receiver import P25Receiver
from hw.registry import open_source
from sdrbridge.cli import run

SITE = Path(__file__).resolve().parents[2] / "configs" / "p25-patch.toml"


def on_air(path: Path) -> IqBlock:
    source = open_source(f"file:{path}", base=path.parent)
    block = source.read(1 << 30)
    source.close()
    assert isinstance(block, IqBlock)
    return block


def test_each_side_hears_the_other_and_not_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(SITE), "--out", str(tmp_path), "--no-report", "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)
    east, hill = (heard["channels"][name]["transmissions"] for name in ("EAST", "HILL"))
    assert [over["heard_by"] for over in east] == [["HILL-TX"]] * 2
    assert [over["heard_by"] for over in hill] == [["EAST-TX"]]
    # The analog talker is a message of one unit, error-free, within the time its port was keyed.
    block = on_air(tmp_path / heard["ports"]["EAST-TX"]["iq"])
    receiver = P25Receiver(1, block.rate, [0x293])
    frames = [r.frame for r in receiver.process(BasebandBlock(block.samples[None], block.rate, 0))]
    frames += [r.frame for r in receiver.flush()]
    assert all(f.valid and f.errors == 0 for f in frames)
    words = [f.content for f in frames if isinstance(f.content, LinkControl)]
    assert {(w.talkgroup, w.source, w.emergency) for w in words} == {(1001, 9100, False)}
    assert [f.name for f in frames if f.name in ("HDU", "TDULC")] == ["HDU", "TDULC"]
    on = np.flatnonzero(block.samples) / block.rate
    (keyed,) = heard["ports"]["EAST-TX"]["keyed"]
    assert on[0] == pytest.approx(keyed["start_s"], abs=1e-4)
    assert keyed["end_s"] < on[-1] < keyed["end_s"] + 0.3
    # The digital talkers have two carriers of FM, silent but for the hang time outside their speech.
    block = on_air(tmp_path / heard["ports"]["HILL-TX"]["iq"])
    spans = [(k["start_s"], k["end_s"]) for k in heard["ports"]["HILL-TX"]["keyed"]]
    assert len(spans) == 2
    deviation = np.angle(block.samples[1:] * block.samples[:-1].conj()) * block.rate / (2 * np.pi)
    for (start, end), over in zip(spans, east, strict=True):
        assert over["start_s"] < start < over["start_s"] + 0.5
        inside = deviation[round(start * block.rate) + 500 : round(end * block.rate)]
        assert 1_500 < np.abs(inside).max() <= 2_500.1
