"""Dibits, the frame sync and the status symbols: what every data unit on the air is made of (TIA-102.BAAA-B).

    dibit   01   00   10   11           first bit, second bit (clause 8, Table 18)
    symbol  +3   +1   −1   −3

A soft dibit is a pair of log-likelihood ratios, first bit first, positive = bit 1, 0 = erasure: arrays (n, 2) float32.

    sync (24 dibits) · NID (32 dibits) · body          one status symbol after every 35 dibits, counted from the sync

The sync uses only +3 and −3, so its second bits are all 1 and turning the polarity of the discriminator over changes
every first bit and nothing else.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import ShapeError
from dsp.fec import soft

SoftDibits = NDArray[np.float32]

SYMBOL_RATE = 4800
SYNC = 0x5575F5FF77FF
"""Frame sync, 48 bits (clause 7, Table 15)."""
SYNC_DIBITS = 24
NID_DIBITS = 32
STATUS_PERIOD = 36
"""Every 36th symbol from the start of a unit is a status symbol (clause 7)."""

SYNC_BITS: NDArray[np.uint8] = soft.from_int(SYNC, 48)


def soft_dibits(values: ArrayLike) -> SoftDibits:
    """Soft dibits (n, 2) float32: those given, or hard ones (n,) 0 … 3 made into ±1. Raises `ShapeError`."""
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind in "ui":
        if array.size and (array.min() < 0 or array.max() > 3):
            raise ShapeError(f"dibits from {array.min()} to {array.max()}: 0 … 3")
        return soft.from_bits(np.stack([array >> 1, array & 1], axis=1).astype(np.uint8))
    if array.ndim == 2 and array.shape[1] == 2 and array.dtype.kind in "fi":
        return np.ascontiguousarray(array, dtype=np.float32)
    raise ShapeError(f"dibits: {array.dtype} {array.shape}; they are (n, 2) float32, or (n,) integers 0 … 3")


def hard_dibits(llr: SoftDibits) -> NDArray[np.uint8]:
    """Dibits 0 … 3 (n,) of soft ones."""
    bits = soft.to_bits(llr)
    return np.asarray(bits[:, 0] << 1 | bits[:, 1], dtype=np.uint8)


def dibits_of(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dibits 0 … 3 (n,) of bits (2 n,)."""
    return np.asarray(bits[0::2] << 1 | bits[1::2], dtype=np.uint8)


def symbols_for(dibits: int) -> int:
    """How many symbols, status included, have passed when `dibits` information dibits have."""
    return dibits + max(0, dibits - 1) // (STATUS_PERIOD - 1)


def information(symbols: int) -> NDArray[np.intp]:
    """Places of the information dibits among the first `symbols` symbols of a unit."""
    places = np.arange(symbols)
    return np.flatnonzero(places % STATUS_PERIOD != STATUS_PERIOD - 1)


def with_status(bits: NDArray[np.uint8], status: int = 0b10) -> NDArray[np.uint8]:
    """Dibits to send for the information bits of a whole unit: padded to the next status symbol, those put in.

    status: the status dibit; 10 is what both subscribers and stations may send (clause 7), 01 busy, 11 idle.
    """
    dibits = dibits_of(np.concatenate([bits, np.zeros(-len(bits) % 70, dtype=np.uint8)]))
    rows = dibits.reshape(-1, STATUS_PERIOD - 1)
    return np.concatenate([rows, np.full((len(rows), 1), status, dtype=np.uint8)], axis=1).reshape(-1)
