"""The head beside what came, in plain NumPy."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import SYMBOL_OF_DIBIT
from dsp.p25.head import DEVIATION, FREQUENCY_HZ, responses
from dsp.p25.lsm import Pulse

TURN_BEFORE = FREQUENCY_HZ * 2 * np.pi / 4800
STEP_BEFORE = DEVIATION * np.pi / 4


def compare(
    x: NDArray[np.complex128],
    first: int,
    pulse: Pulse,
    phase: int,
    dibits: NDArray[np.uint8],
    turn: float,
    step: float,
) -> tuple[NDArray[np.complex128], float]:
    """What came by what was sent, of symbols 3 … 53, and the share of the power that is the head."""
    symbols = SYMBOL_OF_DIBIT[dibits]
    response = responses(pulse, phase)[:, :255].astype(np.float64)
    if pulse is Pulse.C4FM:
        sent = np.exp(1j * step * (symbols @ response))
    else:
        sent = np.exp(1j * np.pi / 4 * np.cumsum(symbols)) @ response
    sent = sent * np.exp(1j * turn / 5 * np.arange(255))
    came = x[first + 10 :][:255]
    of = (sent.conj() * came).reshape(51, 5).sum(1)
    size = (np.abs(sent) ** 2).reshape(3, 85).sum(1)
    fit = np.abs(of.reshape(3, 17).sum(1)) ** 2 / size
    return of, float(fit.sum() / (np.abs(came) ** 2).sum())


def likelihood(
    of: NDArray[np.complex128], turned: NDArray[np.float64], certainty: float, turn: float, step: float
) -> float:
    """Of a frequency and a deviation. The status symbol, whose turn is not known for sure, stands between the parts."""
    straight = of * np.exp(-1j * (step * turned + turn * np.arange(51)))
    before, behind = straight[:31].sum(), straight[34:].sum()
    most = max(abs(before + behind * 1j**quarter) for quarter in range(4))
    return float(certainty * most**2 - (turn / TURN_BEFORE) ** 2 / 2 - (step / STEP_BEFORE) ** 2 / 2)
