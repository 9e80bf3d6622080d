"""Digital codes under the speech (DCS, CDCSS): which one is there, since when, and its turn-off tone.

In: RowBlock (rows, n) float32, FM deviation in hertz, before any de-emphasis. Out: events. A 23-bit word is sent again
and again at 134.4 bit/s without a mark where it begins (TIA-603-E, CDCSS):

    bit      22        12 11 10 9 8      0
            ┌────────────┬───────┬────────┐
            │ parity     │ 1 0 0 │ code   │   sent from bit 0 on; parity: Golay (23, 12)
            └────────────┴───────┴────────┘

The Golay code is cyclic: the last 23 bits are a code word wherever one cuts, so nothing waits for the beginning, and
all rotations of a word are one signal with several names (023N is also 340N, 766N and, seen inverted, 047I).

    deviation ── `dsp.tones.subaudible` ──▶ 1 kHz ── mean over a bit, 4 phases of the bit clock ──▶ soft bits

Each step of each phase slices the last 23 soft bits about the middle of their two levels (the carrier may be off by
any amount), corrects up to two errors, and if the word belongs to a code in use asks how much of the variance of the
soft bits the repeated word explains: 86 % over 32 bits (238 ms) or 78 % over 40 bits (298 ms) makes a DCS event. On
white noise the share has a beta distribution; over 2400 words and 4 phases that is 0.004 false codes in an hour of 32
channels without any carrier squelch before it.

A code is gone when it has not been seen for 250 ms. The turn-off tone is 134.4 Hz with at least half of the power of
128 ms, 40 % in either half, and a frequency within 1.1 Hz: 131.8 and 136.5 Hz are not taken for it. `DCS_LOST` follows
at once, and for 320 ms no other code is taken.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.errors import RangeError, ShapeError
from dsp.events import EventKind, RowEvent
from dsp.fec import golay
from dsp.tones._dcs import FRAMES_PER_CALL, DcsBank
from dsp.tones.subaudible import FRAME, SHORT_GAP_S, LowRows, SubaudibleFilter
from dsp.tones.tables import DCS_CODES

WORD_BITS = 23
PHASES = 4
KEPT = 64
SUMS = 64
TURN_OFF_FRAMES = 16
_ALL = (1 << WORD_BITS) - 1
_KINDS = (EventKind.DCS, EventKind.DCS_LOST, EventKind.DCS_TURN_OFF)


def code_word(code: str) -> int:
    """The 23 bits of "023N" or "023I" as they are sent, bit 0 first, a 1 being the higher frequency.

    Raises `RangeError` for anything else than three octal digits and N or I.
    """
    if len(code) != 4 or code[3] not in "NI" or any(c not in "01234567" for c in code[:3]):
        raise RangeError(f'DCS code = "{code}": it is three octal digits and N or I, e.g. "023N"')
    data = 0b100 << 9 | int(code[:3], 8)
    word = int(golay.PARITY[data]) << 12 | data
    return word ^ _ALL if code[3] == "I" else word


def _rotations(word: int) -> set[int]:
    return {(word << n | word >> (WORD_BITS - n)) & _ALL for n in range(WORD_BITS)}


@cache
def _names() -> dict[int, tuple[str, ...]]:
    """All names of every signal, by the smallest of its rotations."""
    found: dict[int, list[str]] = {}
    for polarity in "NI":
        for number in range(512):
            name = f"{number:03o}{polarity}"
            found.setdefault(min(_rotations(code_word(name))), []).append(name)
    return {word: tuple(names) for word, names in found.items()}


def equivalent_codes(code: str) -> tuple[str, ...]:
    """Every name of the signal that `code` ("023N") is: normal ones first, each in rising order, itself included."""
    return _names()[min(_rotations(code_word(code)))]


def canonical_code(code: str) -> str:
    """The name under which a signal is reported: the lowest code in use, normal before inverted; `code` if none is."""
    return next((n for n in equivalent_codes(code) if n[:3] in DCS_CODES), code)


@cache
def _classes() -> tuple[tuple[str, ...], bytes]:
    """Names of the signals in use, and for each of the 4096 data words the position of its name (int16), or −1."""
    names = tuple(sorted({canonical_code(c + p) for c in DCS_CODES for p in "NI"}))
    table = np.full(4096, -1, np.int16)
    for k, name in enumerate(names):
        for word in _rotations(code_word(name)):
            table[word & 0xFFF] = k
    return names, table.tobytes()


class DcsDetector:
    """Finds DCS on every row.

    rows: number of rows. rate: samples per second, an even multiple of 1000 from 8000. expected: for each row the name
    to report when that signal is there ("047I" instead of its canonical "023N"), or None.
    Raises `RateError`, `RangeError`, `ShapeError`.

    Decision within 350 ms of the beginning at 12 dB SINAD, 250 … 700 Hz deviation; `index` to about two bits (15 ms).
    """

    def __init__(self, rows: int, rate: int = 24_000, expected: Sequence[str | None] | None = None) -> None:
        self._front = SubaudibleFilter(rows, rate)
        if expected is not None and len(expected) != rows:
            raise ShapeError(f"expected has {len(expected)} codes for {rows} rows")
        self.rows = rows
        self.rate = rate
        self._expected: list[str | None] = [None] * rows
        for row, code in enumerate(expected or ()):
            self.expect(row, code)
        self._codes = _classes()[0]
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state; what is expected stays."""
        rows = self.rows
        self._front.reset()
        self._lock = np.full(rows, -1, np.int32)
        self._gate = np.ones(rows, np.int32)
        self._amplitude = np.zeros(rows)
        self._quiet = np.zeros(rows, np.int32)
        self._events = np.zeros((max(1, rows) * 4 * (FRAMES_PER_CALL + 1), 5), np.int64)
        self._frames = np.zeros(rows, np.int32)
        self._bank = DcsBank(
            rows,
            self.rate // 1000,
            (
                np.zeros((rows, PHASES, 2 * KEPT + 1), np.float32),
                np.zeros((rows, SUMS)),
                *(np.zeros((rows, TURN_OFF_FRAMES)) for _ in range(6)),
                self._lock,
                self._gate,
                self._quiet,
                self._frames,
                self._amplitude,
                *(np.zeros(rows, np.int64) for _ in range(3)),
                self._events,
            ),
            (
                golay.PARITY,
                golay.ERRORS,
                np.frombuffer(bytearray(_classes()[1]), np.int16),
            ),
        )
        self._end: int | None = None

    @property
    def delay(self) -> int:
        """Delay of the low-pass in samples; events carry on-air indices all the same."""
        return self._front.delay

    @property
    def code(self) -> list[str | None]:
        """The code each row holds."""
        return [self._name(r, k) if k >= 0 else None for r, k in enumerate(self._lock.tolist())]

    @property
    def deviation_hz(self) -> NDArray[np.float64]:
        """(rows,) deviation of the code each row holds, Hz; 0 where there is none."""
        return np.where(self._lock >= 0, self._amplitude, 0.0)

    def expect(self, row: int, code: str | None) -> None:
        """Name to report on a row when that signal is there; None for the canonical one. Raises `RangeError`."""
        self._check_row(row)
        if code is not None and canonical_code(code)[:3] not in DCS_CODES:
            raise RangeError(f'DCS code = "{code}" is no standard code and no other name of one')
        self._expected[row] = code

    def gate(self, row: int, open: bool) -> None:
        """Say that the carrier of a row is absent (False): nothing is found on it, and what it held is lost."""
        self._check_row(row)
        self._gate[row] = open

    def reset_row(self, row: int) -> None:
        """Forget one row, without an event; the others are not touched."""
        self._check_row(row)
        self._front.reset_row(row)
        self._lock[row] = -1
        self._gate[row] = 1
        self._quiet[row] = 0
        self._frames[row] = 0
        self._bank.clear(row)

    def process(self, block: RowBlock) -> list[RowEvent]:
        """Take a block; events in the order in which they were decided.

        A gap up to 100 ms keeps the code of a row, a longer one loses it where the samples ended.
        Raises `ShapeError` or `RateError` for a block of another kind.
        """
        return self.detect(self._front.process(block))

    def detect(self, low: LowRows) -> list[RowEvent]:
        """As `process`, from a front end that is shared with other detectors."""
        if low.index == low.end:
            return []
        events: list[RowEvent] = []
        if low.index != self._end:
            if self._end is not None:
                events = self._gap(self._end, low.index)
            self._bank.begin(low.start)
        self._end = low.end
        frames = low.samples.shape[1] // FRAME
        for at in range(0, frames, FRAMES_PER_CALL):
            found = self._bank.process(low.samples, at * FRAME, min(FRAMES_PER_CALL, frames - at))
            if found:
                events += self._told(found)
        return events

    def _name(self, row: int, k: int) -> str:
        expected = self._expected[row]
        name = self._codes[k]
        return expected if expected is not None and expected in equivalent_codes(name) else name

    def _gap(self, end: int, index: int) -> list[RowEvent]:
        if end <= index <= end + SHORT_GAP_S * self.rate:
            return []
        at = min(end, index)
        events = [
            RowEvent(EventKind.DCS_LOST, r, at, index, self.rate, self._name(r, k))
            for r, k in enumerate(self._lock.tolist())
            if k >= 0
        ]
        self._lock[:] = -1
        return events

    def _told(self, found: int) -> list[RowEvent]:
        rows = sorted(self._events[:found].tolist(), key=lambda e: (e[3], e[1]))
        return [RowEvent(_KINDS[k], r, i, d, self.rate, self._name(r, c)) for k, r, i, d, c in rows]

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise RangeError(f"row = {row}: this detector has rows 0 … {self.rows - 1}")
