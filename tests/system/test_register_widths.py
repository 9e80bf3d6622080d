"""The kernels give the same bits whatever vector registers the machine has.

Valgrind shows the program a processor without AVX-512, so that the versions for narrower registers run; the digests of
everything the receive path gives are compared with those of this machine.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib
import numpy as np
from dsp.blocks import IqBlock
from sdrbridge.modes import PRESETS
from sdrbridge.receiver import Receiver, Tuned

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
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_narrower_registers_give_the_same_bits() -> None:
    own = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True)
    command = ["valgrind", "--tool=none", "-q", sys.executable, "-c", PROGRAM]
    narrow = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert len(own.stdout.split()) == 2
    assert narrow.stdout == own.stdout
