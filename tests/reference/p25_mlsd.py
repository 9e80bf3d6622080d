"""The sequence detector in plain NumPy: every branch of the trellis written out."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import SYMBOL_OF_DIBIT
from dsp.p25.mlsd import MEMORY, response

A, B, C = np.meshgrid(*[SYMBOL_OF_DIBIT] * 3, indexing="ij")


def detect(
    x: NDArray[np.complex128], phase: int, known: NDArray[np.uint8], count: int, turn: float, step: float
) -> NDArray[np.float64]:
    """Metric of each dibit (count, 4) of the symbols behind the known ones. x[0]: first sample of known[0]."""
    q = response(phase)
    signal = np.exp(1j * step * (A[..., None] * q[0] + B[..., None] * q[1] + C[..., None] * q[2]))
    straight = np.exp(-1j * turn * np.arange(1, 6) / 5)
    turned = np.exp(1j * (turn + step * SYMBOL_OF_DIBIT))
    r = 0j
    for k in range(1, len(known) - 1):
        fit = (x[5 * k : 5 * k + 5] * straight * signal[known[k - 1], known[k], known[k + 1]].conj()).sum() / 5
        share = max(1 - MEMORY, 1 / k)
        r = ((1 - share) * r + share * fit) * turned[known[k]]
    reference = np.full((4, 4), r)
    metric = np.full((4, 4), -1e30)
    metric[known[-2], known[-1]] = 0.0
    alphas, gammas = [], []
    for k in range(len(known) - 1, len(known) - 1 + count):
        fits = (x[5 * k : 5 * k + 5] * straight * signal.conj()).sum(-1)
        gamma = 2 * (reference[..., None].conj() * fits).real - 5 * np.abs(reference[..., None]) ** 2
        alphas.append(metric)
        gammas.append(gamma)
        through = metric[..., None] + gamma
        won = through.argmax(0)
        before, after = np.indices((4, 4))
        reference = MEMORY * reference[won, before] + (1 - MEMORY) * fits[won, before, after] / 5
        reference = reference * turned[:, None]
        metric = through.max(0) - through.max()
    beta = np.zeros((4, 4))
    out = np.zeros((count, 4))
    for k in range(count - 1, -1, -1):
        into = (gammas[k] + beta).max(-1)
        out[k] = (alphas[k] + into).max(0)
        beta = into - into.max()
    return out
