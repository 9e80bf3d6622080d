"""Is somebody speaking? A voice-operated switch that opens for speech and for nothing else.

For a radio without a squelch line. Energy is no answer: an open squelch hisses, and channels carry tones. Speech is
what is left: voiced sound has many harmonics of one pitch, and it changes. In: RowBlock (1, n) float32 at 8 kHz. Every
10 ms the last 40 ms are looked at, from 280 to 3400 Hz:

    P     power; the floor is its minimum over 3 s
    rest  power without the two strongest peaks (a tone, two tones, a siren), as a part of P
    h     autocorrelation of that rest at lags of 60 … 400 Hz, its highest value: 0.2 … 0.5 for hiss, 0.5 … 1 for speech
    flux  how much the spectrum (8 bands, as parts of P) has changed in 30 ms: none for tones, however many harmonics

    evidence of a frame: h − 0.5 where that is positive, rest > 0.05, and P within 4 dB of what it was 30 ms before (the
    edge of a tone has flux too)

    CLOSED ──evidence of 20 frames ≥ open_at, weighted flux ≥ 0.1──▶ OPEN ──no evidence for the hang──▶ CLOSED

OPEN carries where the sound began: from the first frame with evidence back to where the power left the floor, between
100 and 300 ms, so that the unvoiced beginning of the first syllable is kept; it is decided 60 … 250 ms after the first
vowel. CLOSE carries the end of the last frame above the floor. `tests/curves/test_vox.py` measures both kinds of error.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, RowBlock, real_rows
from dsp.errors import RangeError
from dsp.events import EventKind, RowEvent

FRAME = AUDIO_RATE // 100
WINDOW = 4 * FRAME
_SIZE = 512

OPEN_AT = 0.6
"""Evidence that opens; more opens for less noise and later."""

KEEP_AT = 0.25
"""Evidence of 10 frames that keeps it open."""

LEAST_FLUX = 0.1
LEAST_REST = 0.05
VOICED = 0.5
"""Autocorrelation that hiss hardly reaches."""

EDGE = 2.5
"""Change of power in 30 ms, 4 dB, that is the beginning or end of a sound."""

SILENCE = 1e-7
"""Power below which there is nothing: −70 dBFS."""

ABOVE_FLOOR = 4.0
"""6 dB."""

LEAST_BACK, MOST_BACK = 10, 30
"""Frames that an opening looks back from the first one with evidence."""

_FLOOR_FRAMES = 300
_FRAMES = 20
_KEEP_FRAMES = 10
_FLUX_FRAMES = 3
_SHORT_GAP = AUDIO_RATE // 10

_HZ = np.fft.rfftfreq(_SIZE, 1 / AUDIO_RATE)
_BAND = ((_HZ >= 280) & (_HZ <= 3400)).astype(np.float64)
_EDGES = np.searchsorted(_HZ, [280, 500, 750, 1000, 1300, 1700, 2200, 2800, 3400])
_TAPER = np.hanning(WINDOW + 1)[:WINDOW]
_LAGS = slice(AUDIO_RATE // 400, AUDIO_RATE // 60 + 1)
_PEAK = 5
"""Bins (16 Hz) on each side of a peak that belong to it, with this window."""


def _window_correlation() -> NDArray[np.float64]:
    correlation = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, _SIZE)) ** 2)
    return np.asarray(correlation[0] / correlation[_LAGS])


_UNWINDOW = _window_correlation()
_SCALE = 2 / (_SIZE * float(np.sum(_TAPER**2)))


@dataclass(slots=True)
class _Frame:
    """What one frame showed."""

    power: float
    evidence: float
    flux: float


class Vox:
    """Speech switch of one row at 8 kHz. open_at: evidence that opens, 0.2 … 5. hang_s: how long after the last speech
    it stays open, 0.2 … 5. Raises `RangeError`. A gap of up to 100 ms leaves it open."""

    def __init__(self, open_at: float = OPEN_AT, hang_s: float = 0.8) -> None:
        if not 0.2 <= open_at <= 5:
            raise RangeError(f"open_at = {open_at:g}; it must lie between 0.2 and 5")
        if not 0.2 <= hang_s <= 5:
            raise RangeError(f"hang = {hang_s:g} s; it must lie between 0.2 and 5")
        self.open_at = open_at
        self._hang = round(hang_s * AUDIO_RATE / FRAME)
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self._next: int | None = None
        self._at = 0
        self._held = np.zeros(0, np.float32)
        self._open = False
        self._restart()

    def _restart(self) -> None:
        self._frames: deque[_Frame] = deque(maxlen=_FLOOR_FRAMES)
        self._bands: deque[NDArray[np.float64]] = deque(maxlen=_FLUX_FRAMES)
        self._quiet = 0
        self._last_sound = 0

    @property
    def delay(self) -> int:
        """Samples are judged where they are: 0. What the events know late stands in them."""
        return 0

    @property
    def is_open(self) -> bool:
        """Whether somebody speaks, as far as is known."""
        return self._open

    @property
    def evidence(self) -> float:
        """What speaks for speech in the last 200 ms; opens at `open_at` if the spectrum changes as well."""
        return sum(frame.evidence for frame in self._recent(_FRAMES))

    def process(self, block: RowBlock) -> list[RowEvent]:
        """(1, n) float32 in, OPEN and CLOSE out. Raises `ShapeError`, `RateError`."""
        x = real_rows(block, 1, AUDIO_RATE, "VOX")
        events: list[RowEvent] = []
        row = x[0]
        if block.index != self._next:
            if self._next is not None and self._open and not self._next <= block.index <= self._next + _SHORT_GAP:
                events.append(self._close(self._last_sound, block.index))
                self._restart()
            # Frames lie at multiples of their length, wherever the input is cut.
            self._at = -(-block.index // FRAME) * FRAME
            self._held = np.zeros(0, np.float32)
        self._next = block.end
        row = row[max(0, self._at + len(self._held) - block.index) :]
        clean = np.nan_to_num(row, posinf=0.0, neginf=0.0)
        self._held = np.concatenate([self._held, clean]) if len(self._held) else clean
        count = max(0, (len(self._held) - WINDOW) // FRAME + 1)
        for number in range(count):
            at = number * FRAME
            events += self._judge(self._held[at : at + WINDOW], self._at + at + WINDOW)
        self._held = self._held[count * FRAME :].copy()
        self._at += count * FRAME
        return events

    def _recent(self, count: int) -> list[_Frame]:
        have = len(self._frames)
        return [self._frames[i] for i in range(max(0, have - count), have)]

    def _look(self, window: NDArray[np.float32]) -> _Frame:
        spectrum = np.abs(np.fft.rfft(window * _TAPER, _SIZE)) ** 2 * _BAND
        total = float(spectrum.sum())
        power = total * _SCALE
        if power < SILENCE:
            self._bands.clear()
            return _Frame(power, 0.0, 0.0)
        bands = np.add.reduceat(spectrum, _EDGES)[:-1] / total
        flux = float(np.abs(bands - self._bands[0]).sum()) if len(self._bands) == _FLUX_FRAMES else 0.0
        self._bands.append(bands)
        for _ in range(2):
            peak = int(np.argmax(spectrum))
            spectrum[max(0, peak - _PEAK) : peak + _PEAK + 1] = 0.0
        before = self._frames[-_FLUX_FRAMES].power if len(self._frames) >= _FLUX_FRAMES else 0.0
        edge = not before / EDGE < power < before * EDGE
        if edge or float(spectrum.sum()) < LEAST_REST * total:
            return _Frame(power, 0.0, flux)
        correlation = np.fft.irfft(spectrum)
        h = float(np.max(correlation[_LAGS] * _UNWINDOW) / correlation[0])
        # Where the rest is but a few bins the window makes it look better than it can be.
        return _Frame(power, max(0.0, min(h, 1.0) - VOICED), flux)

    def _judge(self, window: NDArray[np.float32], end: int) -> list[RowEvent]:
        self._frames.append(self._look(window))
        if self._open:
            return self._judge_open(end)
        recent = self._recent(_FRAMES)
        evidence = sum(frame.evidence for frame in recent)
        if evidence < self.open_at or sum(f.evidence * f.flux for f in recent) < LEAST_FLUX * evidence:
            return []
        self._open = True
        self._quiet = 0
        self._last_sound = end
        first = next(back for back in range(len(recent), 0, -1) if recent[-back].evidence > 0)
        return [RowEvent(EventKind.OPEN, 0, max(0, self._began(first, end)), end, AUDIO_RATE, evidence)]

    def _began(self, first: int, end: int) -> int:
        """Where the sound began whose evidence began `first` frames ago."""
        audible = self._floor() * ABOVE_FLOOR
        back = first
        while back < first + MOST_BACK and back < len(self._frames) and self._frames[-back - 1].power > audible:
            back += 1
        back = max(back, first + LEAST_BACK)
        return end - (back - 1) * FRAME - WINDOW

    def _judge_open(self, end: int) -> list[RowEvent]:
        newest = self._frames[-1]
        if newest.power > self._floor() * ABOVE_FLOOR:
            self._last_sound = end
        if sum(frame.evidence for frame in self._recent(_KEEP_FRAMES)) >= KEEP_AT:
            self._quiet = 0
            self._last_sound = end
            return []
        self._quiet += 1
        if self._quiet < self._hang:
            return []
        return [self._close(min(end, self._last_sound), end)]

    def _floor(self) -> float:
        return max(SILENCE, min(frame.power for frame in self._frames))

    def _close(self, index: int, decided: int) -> RowEvent:
        self._open = False
        # What has been used up does not open it again.
        for frame in self._frames:
            frame.evidence = 0.0
        return RowEvent(EventKind.CLOSE, 0, index, decided, AUDIO_RATE)
