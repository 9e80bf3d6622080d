"""Nothing that is not P25 is a call: what channels of mode p25 make of an hour of everything else."""

from pathlib import Path
from typing import Any

import pytest

from dsp.blocks import AUDIO_RATE
from dsp.p25.receiver import P25Receiver
from dsp.vocoder import registry
from sdrbridge import config
from sdrbridge.matrix import Event
from sdrbridge.p25bank import BASEBAND, Heard, P25Bank
from sdrbridge.p25channel import P25Channel
from tests.support.other_modes import RATE, other_modes

ROWS = 20


class Channels:
    """P25 channels at the rows of a bank, each with every squelch open, and all that they say."""

    def __init__(self, folder: Path) -> None:
        path = folder / "site.toml"
        path.write_text(
            '[[tuner]]\nname = "t"\nsource = "file:x.cf32"\ncenter = 155000000\nrate = 2400000\n'
            + "".join(
                f'[[channel]]\nname = "C{row}"\ntuner = "t"\noffset = {25_000 * (row - ROWS // 2)}\nmode = "p25"\n'
                for row in range(ROWS)
            )
        )
        channels = config.load(path).channels
        names = [channel.name for channel in channels]
        ear = P25Receiver(ROWS, RATE)
        self.bank = P25Bank(ear, RATE, range(ROWS), 0, names, BASEBAND, registry.NONE)
        self.events: list[Event] = []
        self.frames: list[dict[str, object]] = []
        self.heads: list[Heard] = []
        self.rules = [
            P25Channel(channel, self.events.append, voice, lambda said: self.frames.append(dict(said)))
            for channel, voice in zip(channels, self.bank.lines, strict=True)
        ]

    def hear(self, corpus: dict[str, Any], seconds: int, seed: int) -> None:
        for block in other_modes(corpus, ROWS, seconds, seed):
            for found in self.bank.process(block):
                signal = found.signal
                assert isinstance(signal, Heard)
                if signal.received.frame.name == "NID":
                    self.heads.append(signal)
                self.rules[found.channel].put(signal)
            for rules in self.rules:
                rules.advance(block.end * AUDIO_RATE // RATE)


@pytest.mark.parametrize("seconds", [3, pytest.param(180, marks=pytest.mark.slow)], ids=["a-minute", "an-hour"])
def test_other_modes_are_no_calls(corpus: dict[str, Any], seconds: int, tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    channels.hear(corpus, seconds, 16)
    assert channels.events == []
    assert channels.frames == []
    assert len(channels.heads) == 0
