"""A sound card port on PortAudio with a null sink and its monitor, keyed through rigctld: tried, not made up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pulse import MONITOR, SINK, null_sink
from tests.support.rigctld import rigctld

ROOT = Path(__file__).parent.parent.parent


def test_speech_goes_through_a_card_and_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("pyaudio")
    with null_sink(tmp_path) as environment, rigctld("-P", "RIG") as port:
        speech = ROOT / "tests/data/speech_male.8000.flac"
        done = subprocess.run(
            [sys.executable, "-m", "tests.system.soundcard_bench", SINK, MONITOR, f"rigctld:127.0.0.1:{port}", speech],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # neither ALSA nor JACK has a word to say
    result = json.loads(done.stdout)
    assert result["state"] == "up", result
    assert result["overs"] == 1
    assert result["read_back"] == [True, False]
    # A machine that is too busy for PulseAudio loses blocks, and says so.
    counters = result["counters"]
    whole = not any(counters[key] for key in ("rx_slips", "tx_slips", "rx_faults", "tx_faults", "rx_dropped"))
    assert result["likeness"] > (0.85 if whole else 0.3)
    assert 1.9 < result["heard_s"] < 3.6
    # Two elastic buffers of 100 ms; what PulseAudio holds beside what it says is up to it.
    assert 0.0 < result["late_s"] < 1.0
    # A card that did not call for a second is opened anew.
    assert not whole or counters["tx_opened"] == counters["rx_opened"] == 1
