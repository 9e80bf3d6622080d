"""The kernels give the same bits whatever vector registers the machine has.

Valgrind shows the program a processor without AVX-512, so that the versions for narrower registers run; the digests of
everything the receive path gives are compared with those of this machine. Of P25 that is each frame with its soft bits;
only the carrier to noise is left out, whose least squares are a library's.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib
from dataclasses import replace
import numpy as np
from dsp.blocks import BasebandBlock, IqBlock
from dsp.p25.modulator import C4fmModulator, CqpskModulator
from dsp.p25.receiver import P25Receiver
from sdrbridge.modes import PRESETS
from sdrbridge.receiver import Receiver, Tuned
from tests.dsp.p25.scenes import Path, received, sent, unit

rate = 240_000
t = np.arange(rate // 4) / rate
rng = np.random.default_rng(1)
for modes in (["nfm"], ["nfm", "am", "usb", "nfm", "lsb", "nfm"]):
    offsets = np.linspace(-80e3, 80e3, len(modes))
    x = 0.02 * (rng.standard_normal(len(t)) + 1j * rng.standard_normal(len(t)))
    for offset in offsets:
        x += 0.1 * np.exp(1j * (2 * np.pi * offset * t + 5 * np.sin(2 * np.pi * 100 * t)))
    receiver = Receiver(rate, [Tuned(PRESETS[m][0], o) for m, o in zip(modes, offsets)])
    told = receiver.process(IqBlock(x.astype(np.complex64), rate, 0))
    speech = [receiver.heard(k, 0, 1900).tobytes() for k in range(len(modes))]
    print(hashlib.sha256(b"".join(speech) + repr(told).encode()).hexdigest())

dibits, rate = np.concatenate([unit(rng) for _ in range(2)]), 24_000
clear = received(sent(C4fmModulator(rate), dibits), Path(9.0), rng)
rays = received(sent(CqpskModulator(rate), dibits), Path(12.0, delay_s=50e-6, doppler_hz=5.0), rng)
rows = np.stack([clear[: len(rays)], rays[: len(clear)]])
receiver = P25Receiver(2, rate)
np.set_printoptions(threshold=1 << 20, floatmode="unique")
for at in range(0, rows.shape[1], 240):
    block = BasebandBlock(np.ascontiguousarray(rows[:, at : at + 240]), rate, at)
    for one in receiver.process(block):
        print(hashlib.sha256(repr(replace(one, carrier=0.0)).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_narrower_registers_give_the_same_bits() -> None:
    own = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True)
    command = ["valgrind", "--tool=none", "-q", sys.executable, "-c", PROGRAM]
    narrow = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert len(own.stdout.split()) > 2 + 2 * 9
    assert narrow.stdout == own.stdout
