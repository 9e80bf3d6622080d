"""Twin of dsp/fft.py in float64."""

import numpy as np
from numpy.typing import NDArray


def forward(x: NDArray[np.complex64]) -> NDArray[np.complex128]:
    """X[k] = Σ x[n] exp(−2πi k n / N)."""
    return np.asarray(np.fft.fft(x.astype(np.complex128)))
