"""P25 from discriminator audio: FM that another receiver has demodulated, of unknown level, offset and polarity.

    audio ─▶ D(f) ─▶ sync correlator ─▶ scale: hertz per unit, offset, sign
      └───▶ (audio − offset)·scale ─▶ ∑ phase ─▶ exp(jφ) ─▶ `P25Modem`

The frame sync tells the scale: its 24 symbols are all ±1800 Hz, so the correlation with them is the deviation, its sign
the polarity, and their mean the offset. With the scale the audio is what it was before the discriminator, a carrier
turned by it, and goes the way of all others: the modem then sees frequency and deviation within a few percent.

The scale is kept for the next transmission; a sync of another scale changes it once nothing has been received for half
a second. The audio since before that sync is then given to the modem again, so nothing of it is lost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock, RowBlock
from dsp.errors import RateError, ShapeError
from dsp.mod import phase
from dsp.p25.c4fm import DEVIATION_HZ, FRAME_SYNC_DIBITS, SYMBOL_OF_DIBIT, SYMBOL_RATE, receive_taps
from dsp.p25.modem import Judge, P25Modem, SymbolBlock, judge_nid

SEGMENT_S = 0.005
MATCH = 0.85
"""Least correlation of the audio with the sync, of ±1, for a new scale."""

REPLAY_S = 0.02
"""How far before its last symbol a sync that sets the scale is given to the modem again."""

QUIET_S = 0.5
"""So long nothing must have been received before another scale is taken."""

SAME = 0.12
"""A scale within 12 % of the present one is the same."""

_SIGNS = np.sign(SYMBOL_OF_DIBIT[FRAME_SYNC_DIBITS])


@dataclass(frozen=True, slots=True)
class Scale:
    """hz: deviation of one unit of audio, negative for upside-down audio. offset: of the audio, in its units."""

    hz: float
    offset: float


class DiscriminatorModem:
    """One row of discriminator audio. rate: 24000 or 48000. judge: as for `P25Modem`."""

    def __init__(self, rate: int, judge: Judge = judge_nid) -> None:
        if rate not in (24_000, 48_000):
            raise RateError(f"rate = {rate} S/s; the P25 modem works at 24000 or 48000 S/s")
        self.rate = rate
        self._modem = P25Modem(1, rate, judge, discriminated=True)
        self._taps = receive_taps(rate)
        self._per_symbol = rate // SYMBOL_RATE
        self._segment = round(SEGMENT_S * rate)
        # The correlator looks at 24 symbols, the filter and the neighbours of a peak; the replay reaches further.
        self._keep = round(REPLAY_S * rate) + len(self._taps) + 2 * self._per_symbol
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples by which the last symbol given may lag the end of the input, at most."""
        return self._modem.delay + self._segment

    @property
    def scale(self) -> Scale | None:
        """The scale in use, None before the first sync."""
        return self._scale

    def reset(self) -> None:
        """Back to the constructed state."""
        self._scale: Scale | None = None
        self._restart(None)

    def _restart(self, index: int | None) -> None:
        self._modem.reset()
        self._turn = 0
        self._end = index
        self._heard: int | None = None
        self._audio = np.zeros(0)
        self._pending = np.zeros(0)

    def process(self, block: RowBlock) -> list[SymbolBlock]:
        """(1, n) float32 in any unit; symbols that are settled by now.

        After a jump of the index the search starts afresh with the scale there is. Not-a-number counts as zero. Raises
        `ShapeError` for another shape or dtype, `RateError` for another rate.
        """
        x = block.samples
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[0] != 1:
            raise ShapeError(f"audio is {x.dtype} {x.shape}; this modem takes float32 (1, n)")
        if block.rate != self.rate:
            raise RateError(f"audio at {block.rate} S/s; this modem was made for {self.rate} S/s")
        out: list[SymbolBlock] = []
        if self._end is None or self._end + len(self._pending) != block.index:
            if self._end is not None:
                out = self.flush()
            self._restart(block.index)
        self._pending = np.concatenate([self._pending, np.nan_to_num(x[0].astype(np.float64), posinf=0, neginf=0)])
        assert self._end is not None
        while len(self._pending) >= (n := self._segment - self._end % self._segment):
            out += self._advance(self._pending[:n])
            self._pending = self._pending[n:]
        return out

    def flush(self) -> list[SymbolBlock]:
        """What is decided and not given yet; the scale is kept."""
        out: list[SymbolBlock] = []
        if self._end is not None and len(self._pending):
            out = self._advance(self._pending)
        out += self._modem.flush()
        self._restart(None)
        return out

    def _advance(self, fresh: NDArray[np.float64]) -> list[SymbolBlock]:
        assert self._end is not None
        self._audio = np.concatenate([self._audio, fresh])[-self._keep - len(fresh) :]
        self._end += len(fresh)
        out: list[SymbolBlock] = []
        quiet = self._heard is None or self._end - self._heard > QUIET_S * self.rate
        found = self._search(len(fresh)) if quiet else None
        if found is not None and self._is_new(found[0]):
            out += self._modem.flush()
            self._scale, at = found
            replay = self._audio[max(0, at - round(REPLAY_S * self.rate)) :]
            out += self._send(replay)
        elif self._scale is not None:
            out += self._send(fresh)
        if any(block.first or len(block.llr) > 1 for block in out):
            self._heard = self._end
        return out

    def _is_new(self, scale: Scale) -> bool:
        now = self._scale
        return (
            now is None
            or abs(scale.hz / now.hz - 1) > SAME
            or abs(scale.offset - now.offset) * abs(scale.hz) > SAME * DEVIATION_HZ
        )

    def _send(self, audio: NDArray[np.float64]) -> list[SymbolBlock]:
        assert self._scale is not None
        assert self._end is not None
        hertz = (audio - self._scale.offset) * self._scale.hz
        turn = phase.run(self._turn, phase.steps(hertz.clip(-self.rate / 4, self.rate / 4), self.rate))
        self._turn = int(turn[-1])
        x = phase.phasor(turn).astype(np.complex64)[None]
        return self._modem.process(BasebandBlock(x, self.rate, self._end - len(audio)))

    def _search(self, fresh: int) -> tuple[Scale, int] | None:
        """Scale, and the place in the kept audio, of a sync among the newest samples."""
        step, half = self._per_symbol, len(self._taps) // 2
        reach = step * (len(_SIGNS) - 1)
        symbols = np.convolve(self._audio, self._taps, "valid")  # entry i is centred on sample i + half
        count = min(fresh + 2, len(symbols) - reach)
        if count < 3:
            return None
        first = len(symbols) - count - reach
        seen = np.stack([symbols[first + step * k : first + step * k + count] for k in range(len(_SIGNS))])
        mean = seen.mean(axis=0)
        spread = np.sqrt(((seen - mean) ** 2).sum(axis=0))
        expected = _SIGNS - _SIGNS.mean()
        size = np.sqrt((expected**2).sum())
        product = expected @ seen
        match = product / (spread * size + 1e-30)
        best = int(np.argmax(np.abs(match[1:-1]))) + 1
        if abs(match[best]) < MATCH:
            return None
        level = float(product[best]) / float(size**2)  # of an outer symbol
        if level == 0.0:
            return None
        offset = float(mean[best]) - level * float(_SIGNS.mean())
        return Scale(DEVIATION_HZ / level, offset), first + best + reach + half
