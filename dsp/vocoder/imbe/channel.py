"""From 88 bits of speech to the 144 bits on the air and back (TIA-102.BABA-A clauses 7.2 to 7.5).

    u₀ … u₃  12 bits each ─ [23,12] Golay ───┐
    u₄ … u₆  11 bits each ─ [15,11] Hamming ─┼─ ⊕ whitening (not c₀, c₇) ─ interleaver ─ 72 symbols
    u₇        7 bits ────────────────────────┘

The whitening sequence starts from u₀, so a wrong u₀ makes noise of the other vectors, which shows as errors in all of
them: that is how a decoder notices. c₀ is therefore decoded first, and the sequence starts from the corrected u₀.

Soft input is decoded to the likeliest code word of each vector, whatever the number of errors. Its error count is the
number of received bits that differ from that word, with half of those of which nothing is known (0).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError, ShapeError
from dsp.vocoder.imbe import _channel
from dsp.vocoder.imbe.tables import CHANNEL_BITS

SPEECH_BYTES = 11

Errors = NDArray[np.int32]
"""Errors found in the vectors c₀ … c₆, (7,) int32."""


def packed(speech: ArrayLike) -> NDArray[np.uint8]:
    """`speech` as (11,) uint8: 88 bits, u₀ first, first bit of a byte its MSB. Takes bytes or an array of uint8."""
    if isinstance(speech, bytes | bytearray | memoryview):
        bits = np.frombuffer(speech, dtype=np.uint8)
    else:
        bits = np.asarray(speech)
    if bits.shape != (SPEECH_BYTES,) or bits.dtype != np.uint8:
        raise ShapeError(f"IMBE frame: {bits.dtype} {bits.shape}; it needs 88 bits packed into uint8 (11,)")
    return np.ascontiguousarray(bits)


def protect(speech: ArrayLike) -> NDArray[np.uint8]:
    """The 144 channel bits of 88 packed speech bits, in the order sent: (144,) uint8, 0 or 1."""
    sent = np.empty(CHANNEL_BITS, dtype=np.uint8)
    _channel.protect(packed(speech), sent)
    return sent


def unprotect(received: ArrayLike) -> tuple[NDArray[np.uint8], Errors]:
    """Packed speech bits (11,) uint8 and errors of 144 received bits.

    received: (144,) integers 0 or 1 in the order received. Raises `ShapeError`, or `RangeError` for other values.
    """
    bits = np.asarray(received)
    if bits.shape != (CHANNEL_BITS,) or bits.dtype.kind not in "uib":
        raise ShapeError(f"IMBE channel frame: {bits.dtype} {bits.shape}; it needs 144 bits as integers (144,)")
    if bits.min() < 0 or bits.max() > 1:
        raise RangeError(f"IMBE channel frame: bits from {bits.min()} to {bits.max()}; hard bits are 0 or 1")
    speech, errors = np.empty(SPEECH_BYTES, dtype=np.uint8), np.empty(7, dtype=np.int32)
    _channel.unprotect(np.ascontiguousarray(bits, dtype=np.uint8), speech, errors)
    return speech, errors


def unprotect_soft(llr: ArrayLike) -> tuple[NDArray[np.uint8], Errors]:
    """Packed speech bits (11,) uint8 and errors of 144 log-likelihood ratios.

    llr: (144,) float or int8 in the order received, positive = bit 1, 0 (or not a number) = unknown. The scale does not
    matter. Raises `ShapeError`.
    """
    soft = np.asarray(llr)
    if soft.shape != (CHANNEL_BITS,) or soft.dtype.kind not in "fi":
        raise ShapeError(f"IMBE soft frame: {soft.dtype} {soft.shape}; it needs float32 or int8 (144,), positive = 1")
    speech, errors = np.empty(SPEECH_BYTES, dtype=np.uint8), np.empty(7, dtype=np.int32)
    _channel.unprotect_soft(np.ascontiguousarray(soft, dtype=np.float32), speech, errors)
    return speech, errors
