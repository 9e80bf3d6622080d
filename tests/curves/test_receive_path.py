"""How weak a signal may be, and how strong its neighbour: through channelizer, demodulator and speech filter.

TIA-603 style: 1 kHz at 1.5 kHz deviation, de-emphasised, C/N in 12.5 kHz. Each limit is a window: the first number is
what must be reached, the second says when the table has to be made new because the receiver got better.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from sdrbridge.modes import PRESETS
from sdrbridge.receiver import Receiver, Tuned
from tests.support.sinad import sinad_db

RATE = 240_000
NFM = PRESETS["nfm"][0]

pytestmark = pytest.mark.curve


def carrier(
    seconds: float, offset_hz: float, tone_hz: float, deviation_hz: float, level_db: float
) -> NDArray[np.complex128]:
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * offset_hz * t - deviation_hz / tone_hz * np.cos(2 * np.pi * tone_hz * t)
    samples: NDArray[np.complex128] = 10 ** (level_db / 20) * np.exp(1j * phase)
    return samples


def noise(n: int, cn_db: float, seed: int) -> NDArray[np.complex128]:
    """White noise that leaves a carrier of level 0 dB `cn_db` in 12.5 kHz."""
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(10 ** (-cn_db / 10) * RATE / 12_500 / 2)
    samples: NDArray[np.complex128] = sigma * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    return samples


def heard(samples: NDArray[np.complex128], offset_hz: float) -> NDArray[np.float32]:
    receiver = Receiver(RATE, [Tuned(NFM, offset_hz)])
    pieces, read = [], 0
    scaled = (samples * 0.01).astype(np.complex64)
    for at in range(0, len(scaled), RATE // 10):
        receiver.process(IqBlock(scaled[at : at + RATE // 10], RATE, at))
        end = max(read, receiver.available(receiver.time))
        pieces.append(receiver.heard(0, read, end - read))
        read = end
    return np.concatenate(pieces)


def sinad_at(cn_db: float, seed: int, seconds: float = 12.0) -> float:
    offset = 40_030.0
    wanted = carrier(seconds, offset, 1000.0, 1500.0, 0.0)
    return sinad_db(heard(wanted + noise(len(wanted), cn_db, seed), offset), 1000.0)


def test_12_db_sinad() -> None:
    table = {cn: float(np.median([sinad_at(cn, seed) for seed in (1, 2, 3)])) for cn in (3.0, 3.6, 4.2, 4.8, 5.6)}
    print("\nC/N dB  SINAD dB\n" + "\n".join(f"{cn:6.1f}  {s:8.2f}" for cn, s in table.items()))
    at_12 = float(np.interp(12.0, list(table.values()), list(table.keys())))
    print(f"12 dB SINAD at C/N = {at_12:.2f} dB (limit 4.6; best peer 5.6)")
    assert 3.6 <= at_12 <= 4.6


def test_a_neighbour_40_db_stronger_costs_little() -> None:
    offset = -30_000.0
    wanted = carrier(12.0, offset, 1000.0, 1500.0, 0.0)
    hiss = noise(len(wanted), 15.0, 7)
    alone = sinad_db(heard(wanted + hiss, offset), 1000.0)
    for side in (-12_500.0, 12_500.0):
        beside = carrier(12.0, offset + side, 400.0, 2500.0, 40.0)
        lost = alone - sinad_db(heard(wanted + hiss + beside, offset), 1000.0)
        print(f"\nneighbour at {side:+.0f} Hz, +40 dB: {lost:.2f} dB lost of {alone:.1f} (limit 1.0)")
        assert lost <= 1.0


def test_a_strong_signal_is_clean() -> None:
    wanted = carrier(4.0, 10_000.0, 1000.0, 1500.0, 0.0)
    clean = sinad_db(heard(wanted + noise(len(wanted), 80.0, 1), 10_000.0), 1000.0)
    print(f"\nstrong signal: {clean:.1f} dB SINAD (limit 40)")
    assert clean >= 40.0
