"""P25 signals for the tests: random symbols behind real sync and network identifiers, and a radio path."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock
from dsp.p25.c4fm import FRAME_SYNC_DIBITS, SYMBOL_RATE
from dsp.p25.modem import P25Modem, SymbolBlock
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator, P25Modulator
from dsp.p25.nid import Duid, Nid
from dsp.p25.receiver import P25Receiver
from dsp.p25.symbols import dibits_of

RATE = 24_000
NAC = 0x293
LDU_SYMBOLS = 864


def unit(rng: np.random.Generator, symbols: int = LDU_SYMBOLS, duid: Duid = Duid.LDU1) -> NDArray[np.uint8]:
    """Sync, network identifier, and random dibits to the given length."""
    dibits = rng.integers(0, 4, symbols, dtype=np.uint8)
    dibits[:24] = FRAME_SYNC_DIBITS
    nid = dibits_of(Nid(NAC, duid).encode())
    dibits[24:35], dibits[36:57] = nid[:11], nid[11:]
    return dibits


@dataclass(frozen=True)
class Path:
    """What lies between the transmitter and the modem.

    ebn0_db: energy per bit to noise density, over the mean power. delay_s: of the second ray; None for one steady ray.
    doppler_hz: of both rays, each Rayleigh fading with half the power. second_db: strength of the second ray where
    neither fades. site_hz: second transmitter's frequency offset. offset_hz: of the receiver.
    """

    ebn0_db: float = 60.0
    delay_s: float | None = None
    doppler_hz: float = 5.0
    second_db: float | None = None
    site_hz: float = 0.0
    offset_hz: float = 0.0


def rayleigh(n: int, doppler_hz: float, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Fading with the classic Doppler spectrum, mean power 1: sum of 32 rays from random directions."""
    t = np.arange(n) / RATE
    directions, phases = rng.uniform(0, 2 * np.pi, 32), rng.uniform(0, 2 * np.pi, 32)
    out = np.zeros(n, np.complex128)
    for direction, phase in zip(directions, phases):
        out += np.exp(1j * (2 * np.pi * doppler_hz * np.cos(direction) * t + phase))
    return np.asarray(out / np.sqrt(32))


def delayed(x: NDArray[np.complex128], samples: float) -> NDArray[np.complex128]:
    """The same signal a fraction of a sample later."""
    turn = np.exp(-2j * np.pi * np.fft.fftfreq(len(x)) * samples)
    return np.asarray(np.fft.ifft(np.fft.fft(x) * turn))


def sent(modulator: P25Modulator, dibits: NDArray[np.uint8]) -> NDArray[np.complex128]:
    parts = [modulator.process(dibits).samples, modulator.flush().samples]
    return np.concatenate(parts).astype(np.complex128, copy=False)


def received(x: NDArray[np.complex128], path: Path, rng: np.random.Generator) -> NDArray[np.complex64]:
    """The signal at the modem's input, 24 kHz."""
    n = len(x)
    if path.delay_s is not None:
        beat = np.exp(2j * np.pi * path.site_hz / RATE * np.arange(n))
        late = beat * delayed(x, path.delay_s * RATE)
        if path.second_db is None:
            late = rayleigh(n, path.doppler_hz, rng) * late
            x = (rayleigh(n, path.doppler_hz, rng) * x + late) / np.sqrt(2)
        else:
            ratio = 10 ** (path.second_db / 20) * np.exp(1j * rng.uniform(0, 2 * np.pi))
            x = (x + ratio * late) / np.sqrt(1 + abs(ratio) ** 2)
    x = x * np.exp(2j * np.pi * path.offset_hz / RATE * np.arange(n))
    noise = RATE / (2 * SYMBOL_RATE * 10 ** (path.ebn0_db / 10))
    x = x + np.sqrt(noise / 2) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    return x.astype(np.complex64)


def scene(
    make: type[C4fmModulator] | type[CqpskModulator], units: int, path: Path, seed: int, deviation_hz: float = 1800.0
) -> tuple[NDArray[np.complex64], NDArray[np.uint8]]:
    """Samples at 24 kHz and the dibits sent: `units` voice units one after the other."""
    rng = np.random.default_rng(seed)
    dibits = np.concatenate([unit(rng) for _ in range(units)])
    modulator = C4fmModulator(RATE, deviation_hz) if make is C4fmModulator else make(RATE)
    return received(sent(modulator, dibits), path, rng), dibits


def symbol_index(k: int | NDArray[np.int64], rate: int = RATE) -> NDArray[np.float64]:
    """On-air index of the middle of dibit k of a scene."""
    return np.asarray((REACH + np.asarray(k)) * rate / SYMBOL_RATE)


def heard(modem: P25Modem, x: NDArray[np.complex64], piece: int = 480) -> list[SymbolBlock]:
    """All symbols of one row that the modem finds in x."""
    out: list[SymbolBlock] = []
    for at in range(0, len(x), piece):
        part = np.ascontiguousarray(x[None, at : at + piece])
        out += modem.process(BasebandBlock(part, modem.rate, at))
    return out + modem.flush()


def as_ebn0_db(cn_db: float) -> float:
    """Energy per bit over the noise density at a carrier-to-noise ratio in 12.5 kHz."""
    return cn_db + 10 * math.log10(12_500 / (2 * SYMBOL_RATE))


def carrier_db(x: NDArray[np.complex64], rate: int = RATE) -> float:
    """What the receiver measures of the carrier-to-noise ratio, mean of all voice frames in x."""
    receiver = P25Receiver(1, rate)
    found = [
        heard.carrier
        for at in range(0, len(x), 960)
        for heard in receiver.process(BasebandBlock(np.ascontiguousarray(x[None, at : at + 960]), rate, at))
        if heard.frame.name == "IMBE"
    ]
    assert len(found) >= 90
    return 10 * math.log10(np.mean([ratio for ratio in found if ratio is not None]))


def bit_errors(
    blocks: list[SymbolBlock], dibits: NDArray[np.uint8], rate: int = RATE
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Wrong bits of each dibit sent (0, 1, 2), and whether the modem gave it at all, matched by their time."""
    wrong = np.zeros(len(dibits), np.int64)
    there = np.zeros(len(dibits), np.bool_)
    for block in blocks:
        # The wrong pulse puts the time of a symbol off by half of one, a late ray by as much again; then the neighbour
        # may look nearer.
        place = (block.index - REACH * rate / SYMBOL_RATE) * SYMBOL_RATE / rate
        shifts = (0.5, 0.1, 0.9, -0.3, 1.3)
        tries = [_compared(block, np.floor(place + shift).astype(np.int64), dibits) for shift in shifts]
        k, errors = min(tries, key=lambda found: int(found[1].sum()))
        wrong[k] = errors
        there[k] = True
    return wrong, there


def _compared(
    block: SymbolBlock, k: NDArray[np.int64], dibits: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    inside = (k >= 0) & (k < len(dibits))
    k = k[inside]
    bits = (block.llr[inside] > 0).astype(np.int64)
    return k, (bits[:, 0] != dibits[k] >> 1).astype(np.int64) + (bits[:, 1] != (dibits[k] & 1))
