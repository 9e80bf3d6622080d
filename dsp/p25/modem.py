"""P25 Phase 1 receive modem of a bank: channel baseband in, soft dibits out. C4FM and LSM, nobody has to say which.

    24 or 48 kHz ─▶ ±5.7 kHz low-pass, 24 kHz ─┬─▶ sync correlator ─▶ candidates ─▶ timing, frequency, deviation, pulse
                                                └─▶ burst: fixed filter or likeliest sequence, equaliser ─▶ soft dibits

Nothing runs in a loop from transmission to transmission: every frame sync sets timing, frequency and deviation anew, so
a transmission that begins is received from its first sync on, whatever was before. A burst is what follows one sync,
until the next. Its life:

    new         sync found; 24 symbols train the equaliser
    judged      57 symbols are there: sync and network identifier. The judge is asked about the identifier as each path
                has it (both pulses where both might fit, C4FM also by the turns of its phase alone, for a transmitter
                whose frequency wanders; fixed filter and equaliser): the one with the fewest errors is the burst's.
                Where it could be read, all 57 symbols, as they must have been sent, say which pulse, frequency and
                deviation it was (`dsp.p25.head`), and train it again.
    live        symbols leave, `HOLD` samples behind the newest, so that a sync within them can still begin a new burst
                exactly where it should. Ends with the next burst, or `LIFE` symbols after its sync (so that
                missed syncs do not stop them), or at once where nothing could be read and nothing was expected.

The framer behind it reads units and corrects errors. Two ways back: the judge (called once a sync), and `prefer`, which
fixes a path or leaves the choice to the measured noise of both.

Work is done in segments of 10 ms on the absolute index, so results do not depend on how the input was cut.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock
from dsp.design import lowpass
from dsp.errors import RangeError, RateError, ShapeError
from dsp.fec import soft
from dsp.p25 import _timing, nid
from dsp.p25.c4fm import FRAME_SYNC_DIBITS, SYMBOL_RATE
from dsp.p25.carrier import SyncMeter
from dsp.p25.equalizer import EQUALIZED, FIXED, Burst
from dsp.p25.head import HEAD
from dsp.p25.lsm import HALF, PER_SYMBOL, PHASES, POINT_DELAY, RATE, Pulse
from dsp.p25.symbols import STATUS_PERIOD, dibits_of
from dsp.p25.timing import (
    CANDIDATE,
    LOOK_AHEAD,
    REACH,
    SYNC_SYMBOLS,
    SyncCorrelator,
    SyncHit,
    acquire_all,
    peaks,
)

SEGMENT = 240
"""Samples at 24 kHz worked on at once: 10 ms, as the channelizer gives them."""

MATCH = 0.50
"""Least coherent match of a sync. Noise passes it about once a second, and a judge believes one of 200 of those; the
framer behind, which asks for more, made no frame of an hour of noise."""

LIKELY = 0.60
"""A match with which a burst lives, for the length of a network identifier at least, even where none could be read."""

WIDEST_OFFSET_HZ = 1650.0
"""A sync farther off is none: symbols that only resemble one mostly seem to be two steps of 1200 Hz away."""

SURE = 0.75
"""A match that noise never has: its burst lives even where the identifier could not be read."""

HOLD = 140
"""Samples by which symbols are held back, so that a sync within them can still be found: 5.8 ms."""

LIFE = 3 * 864 + 72
"""Symbols a burst lives without another sync: three voice units and the next sync."""

PLAIN_CANDIDATE, CLEAN_CANDIDATE = 0.65, 0.70
"""Share of the correlator at which a sample of a clear signal, and of one without any errors, is looked at; a sync
reaches 0.8 there at 8 dB Eb/N0, 0.9 at 14 dB. In a real recording of 15 dB, 400 Hz off, three in a row stay below 0.75.
Runs of equal symbols, as empty fields make them, reach 0.7."""

FEW_ERRORS = 2
"""So few errors in a network identifier, and no other path is asked."""

RIVAL = 0.12
"""Both pulses are tried where their matches lie no further apart."""

TOLD = 0.5
"""Where the equaliser leaves less than this share of the fixed filter's noise, it tells the pulse."""

HARMLESS = 0.03
"""Where the fixed filter has less noise than this the phase stands still, and nothing is to be won by its turns."""

WORTH = 0.5
"""And no more where they do not have less than this share of its noise: in plain noise they have more."""

CLEAR = 0.85
"""Nor where the sync itself is not there beyond doubt: other modes look more like P25 by their turns."""

_CUTOFF_HZ = 5700.0
_STOP_DB = 70.0
_HALF_TAPS = {24_000: 18, 48_000: 36}
_HISTORY = 960  # samples kept: sync, identifier and hold are 57·5 + 140 + what filters reach, and two segments
_ROOM = 2 * _HISTORY  # and room for, before the last of them are moved to the front

_HZ = SYMBOL_RATE / (2 * np.pi)  # of a turn of one radian a symbol
_STATUS = STATUS_PERIOD - 1  # place of the status symbol in the head
_HEAD_PLACES = np.array([i for i in range(SYNC_SYMBOLS, HEAD) if i != _STATUS])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What error correction says of a network identifier.

    dibits: the 32 as they must have been sent, (32,) uint8. errors: bits received otherwise. accepted: believed.
    """

    dibits: NDArray[np.uint8]
    errors: int
    accepted: bool


class Judge(Protocol):
    """Reads a network identifier for the modem."""

    def __call__(self, row: int, llr: NDArray[np.float32]) -> Verdict:
        """llr: (32, 2) soft dibits of the network identifier as one path has it."""
        ...


def judge_nid(row: int, llr: NDArray[np.float32]) -> Verdict:
    """The judge without memory: the likeliest identifier of all, believed up to the eleven errors it corrects."""
    verdict = nid.decode(soft.levels(llr.reshape(-1)))
    return Verdict(dibits_of(verdict.nid.encode()), verdict.errors, verdict.errors <= 11)


@dataclass(frozen=True, slots=True, eq=False)
class SymbolBlock:
    """Soft dibits of one row, status symbols included, in the order sent.

    row: of the bank. burst: number of the sync they follow, rising. first: number of the first symbol, 0 is the first
    of the sync. llr: (n, 2) float32, positive = bit 1. index: (n,) int64, on-air sample of the middle of each symbol at
    the modem's input rate. path: (n,) int8, 0 fixed filter, 1 equaliser. pulse: what the fixed filter is made for.
    match: of the sync, 0 … 1. frequency_hz, deviation_hz: as tracked now. noise: mean squared error of the points
    relative to their size, of the better path: error vector magnitude squared. carrier: carrier-to-noise ratio at the
    last sync whose identifier was read (`dsp.p25.carrier`); None before one, and of what has been through a
    discriminator.
    """

    row: int
    burst: int
    first: int
    llr: NDArray[np.float32]
    index: NDArray[np.int64]
    path: NDArray[np.int8]
    pulse: Pulse
    match: float
    frequency_hz: float
    deviation_hz: float
    noise: float
    carrier: float | None


class _Row:
    """The bursts of one row: the live one, and what may become the next."""

    def __init__(self) -> None:
        self.live: Burst | None = None
        self.number = 0
        self.end = LIFE
        self.believed = False
        self.candidates: list[Burst] = []
        self.prefer: int | None = None
        self.carrier: float | None = None

    @property
    def candidate(self) -> float:
        """Share of the correlator at which a sample is looked at."""
        if self.live is None or not self.believed:
            return CANDIDATE
        fixed, equalized = self.live.noise
        if fixed < 0.06:
            return CLEAN_CANDIDATE
        return PLAIN_CANDIDATE if fixed < 0.2 or equalized < 0.1 else CANDIDATE


class P25Modem:
    """Bank of modems.

    rows: channels. rate: 24000 or 48000. judge: reads network identifiers; `judge_nid` if not given. discriminated: the
    signal has been through a discriminator; C4FM is then received by its turns of phase.
    delay: input samples at most between a symbol's middle and its leaving.
    """

    def __init__(self, rows: int, rate: int, judge: Judge = judge_nid, *, discriminated: bool = False) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}; a bank has at least 1")
        if rate not in _HALF_TAPS:
            raise RateError(f"rate = {rate} S/s; the P25 modem works at 24000 or 48000 S/s")
        self.rate = rate
        self._step = rate // RATE
        self._half = _HALF_TAPS[rate]
        self._taps = lowpass(_CUTOFF_HZ, rate, 2 * self._half + 1, _STOP_DB).astype(np.float32)
        self._judge = judge
        self._meter = SyncMeter(self._taps, rate)
        self._discriminated = discriminated
        self._correlator = SyncCorrelator(rows)
        self._rows = [_Row() for _ in range(rows)]
        self._known_sync = FRAME_SYNC_DIBITS
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples by which the last symbol given may lag the end of the input, at most."""
        return (HOLD + SEGMENT + PER_SYMBOL + HALF) * self._step + self._half

    def reset(self) -> None:
        """Back to the constructed state."""
        self._index: int | None = None
        self._pending = np.zeros((len(self._rows), 0), np.complex64)
        self._x = np.zeros((len(self._rows), _ROOM), np.complex64)
        self._held = _HISTORY  # samples in the room, the last of them before `_end`
        self._end = 0
        self._last: int | None = None
        for row in range(len(self._rows)):
            self.reset_row(row)

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        number = self._rows[row].number
        self._rows[row] = _Row()
        self._rows[row].number = number
        self._pending[row] = 0
        self._x[row] = 0

    def prefer(self, row: int, path: int | None) -> None:
        """Take the fixed filter (0), the equaliser (1) or (None) whichever has less noise, from now on in this row."""
        if path not in (None, FIXED, EQUALIZED):
            raise RangeError(f"path = {path}; 0 is the fixed filter, 1 the equaliser, None leaves the choice")
        self._rows[row].prefer = path
        live = self._rows[row].live
        if live is not None:
            live.prefer(path)

    def process(self, block: BasebandBlock) -> list[SymbolBlock]:
        """(rows, n) complex64 in; symbols that are settled by now, row by row in their order.

        Raises `ShapeError` for another shape or dtype, `RateError` for another rate.
        """
        x = block.samples
        rows = len(self._rows)
        if x.dtype != np.complex64 or x.ndim != 2 or x.shape[0] != rows:
            raise ShapeError(f"baseband is {x.dtype} {x.shape}; this bank takes complex64 ({rows}, n)")
        if block.rate != self.rate:
            raise RateError(f"baseband at {block.rate} S/s; this bank was made for {self.rate} S/s")
        out: list[SymbolBlock] = []
        if self._index is not None and block.index != self._index:
            out += self.flush()
        if self._index is None:
            self._begin(block.index)
        self._index = block.end
        return out + self._run(np.where(np.isfinite(x), x, np.complex64(0)), None)

    def flush(self) -> list[SymbolBlock]:
        """The symbols whose last sample has come and that are not given yet; then as new."""
        out: list[SymbolBlock] = []
        if self._index is not None:
            end = -(-self._index // self._step)
            rest = (HOLD + 2 * SEGMENT + PER_SYMBOL * HEAD) * self._step + 2 * self._half
            out = self._run(np.zeros((len(self._rows), rest), np.complex64), end)
        self.reset()
        return out

    def _run(self, x: NDArray[np.complex64], last: int | None) -> list[SymbolBlock]:
        """Segments of the input as far as it goes. last: no symbol whose point is at this sample or later is given."""
        self._last = last
        self._pending = np.concatenate([self._pending, x], axis=1)
        out: list[SymbolBlock] = []
        while (n := self._next_segment()) is not None:
            self._filter(n)
            out += self._segment(n)
        return out

    def _begin(self, index: int) -> None:
        # Outputs are at input samples that are multiples of the decimation; the filter sees zeros before the first.
        self._end = -(-index // self._step)
        lead = self._half - (self._end * self._step - index)
        self._pending = np.zeros((len(self._rows), lead), np.complex64)
        self._x[:] = 0
        self._held = _HISTORY

    def _next_segment(self) -> int | None:
        n = SEGMENT - self._end % SEGMENT
        wanted = (n - 1) * self._step + 2 * self._half + 1
        return n if self._pending.shape[1] >= wanted else None

    def _filter(self, n: int) -> None:
        if self._held + n > _ROOM:
            self._x[:, :_HISTORY] = self._x[:, self._held - _HISTORY : self._held]
            self._held = _HISTORY
        _timing.low_pass(self._pending, self._taps, self._step, self._x[:, self._held : self._held + n])
        self._pending = self._pending[:, n * self._step :]
        self._held += n
        self._end += n

    def _segment(self, n: int) -> list[SymbolBlock]:
        x = self._x[:, : self._held]
        base = self._end - self._held
        # Candidates whose surroundings are there, each looked at in one segment only.
        first = self._held - LOOK_AHEAD - n - 4
        shares = self._correlator.shares(x[:, first - REACH : self._held - LOOK_AHEAD], REACH)
        places = peaks(shares, np.array([state.candidate for state in self._rows], np.float32))
        places[:, 1] += first
        for row, hits in acquire_all(x, places, MATCH):
            self._consider(self._rows[row], hits, base)
        out: list[SymbolBlock] = []
        for row, state in enumerate(self._rows):
            if state.live is not None or state.candidates:
                self._advance(row, state, base, out)
        return out

    def _consider(self, state: _Row, hits: list[SyncHit], base: int) -> None:
        hits = [hit for hit in hits if abs(hit.frequency_hz) <= WIDEST_OFFSET_HZ]
        if not hits or hits[0].match < MATCH:
            return
        best = hits[0]
        if state.candidates and best.match <= state.candidates[0].hit.match:
            return
        state.candidates = []
        for hit in hits:
            if hit.match >= best.match - RIVAL:
                absolute = SyncHit(hit.match, hit.pulse, hit.sample + base, hit.phase, hit.turn, hit.step)
                if hit.pulse is Pulse.LSM or not self._discriminated:
                    state.candidates.append(Burst(absolute))
                if hit.pulse is Pulse.C4FM:
                    state.candidates.append(Burst(absolute, by_turns=True))

    def _advance(self, row: int, state: _Row, base: int, out: list[SymbolBlock]) -> None:
        x = self._x[row, : self._held]
        if state.live is not None:
            state.live.run(x, base)
        limit = self._end - HOLD
        if state.candidates:
            until = min(limit, state.candidates[0].start - 2)
            if max(b.start for b in state.candidates) + PER_SYMBOL * (HEAD - 1) + HALF < self._end:
                self._give(row, state, x, base, until, out)
                self._settle(row, state, x, base)
            else:
                limit = until
        self._give(row, state, x, base, limit, out)
        if state.live is not None and state.live.emitted >= state.end:
            state.live = None

    def _settle(self, row: int, state: _Row, x: NDArray[np.complex64], base: int) -> None:
        """The candidates have all symbols of sync and identifier: let the judge choose, and begin the new burst."""
        best: tuple[bool, int, float] | None = None
        chosen, verdict = state.candidates[0], None
        for burst in self._worth_trying(state.candidates, x, base):
            # The less noisy path first: the other is asked only where that leaves something to win.
            for path in sorted((FIXED, EQUALIZED), key=burst.noise.__getitem__):
                if best is not None and best[:2] <= (False, FEW_ERRORS):
                    break
                said = self._judge(row, burst.soft(0, HEAD, path)[_HEAD_PLACES])
                rank = (not said.accepted, said.errors, burst.noise[path])
                if best is None or rank < best:
                    best, chosen, verdict = rank, burst, said
        candidates, state.candidates = state.candidates, []
        if verdict is None:
            return
        life = LIFE
        if verdict.accepted:
            known = np.concatenate([self._known_sync, np.zeros(HEAD - SYNC_SYMBOLS, np.uint8)])
            known[_HEAD_PLACES] = verdict.dibits
            better = FIXED if chosen.noise[FIXED] <= chosen.noise[EQUALIZED] else EQUALIZED
            known[_STATUS] = dibits_of(soft.to_bits(chosen.soft(_STATUS, 1, better)).reshape(-1))[0]
            chosen = self._as_sent(chosen, candidates, known, base, x)
            chosen.train(x, base, known)
            if not self._discriminated:
                hit = chosen.hit
                state.carrier = self._meter.ratio(x, hit.sample - base, hit.phase, hit.turn, chosen.step)
        elif chosen.hit.match < LIKELY or (state.live is not None and state.believed):
            return
        elif chosen.hit.match < SURE:
            life = HEAD
        chosen.prefer(state.prefer)
        chosen.run(x, base)
        state.live, state.end, state.believed = chosen, life, verdict.accepted
        state.number += 1

    @staticmethod
    def _as_sent(
        chosen: Burst, candidates: list[Burst], head: NDArray[np.uint8], base: int, x: NDArray[np.complex64]
    ) -> Burst:
        """The burst with the pulse, frequency and deviation that all symbols of the head, now known, speak for."""
        if chosen.by_turns:
            return chosen
        rivals = [(burst, burst.compare(x, base, head)) for burst in candidates if not burst.by_turns]
        best, compared = max(rivals, key=lambda rival: rival[1].likeness)
        return best.tuned(compared)

    def _worth_trying(self, candidates: list[Burst], x: NDArray[np.complex64], base: int) -> list[Burst]:
        """The least noisy first, trained. Turns of the phase only where the phase itself does not stand still."""
        if self._discriminated:
            tried = [self._trained(burst, x, base) for burst in candidates]
        else:
            tried = [self._trained(burst, x, base) for burst in candidates if not burst.by_turns]
            steady = min(burst.noise[FIXED] for burst in tried)
            if steady >= HARMLESS:
                turns = [burst for burst in candidates if burst.by_turns and burst.hit.match > CLEAR]
                bound = WORTH * steady
                tried += [burst for burst in turns if self._trained(burst, x, base).noise[FIXED] < bound]
        fixed, equalized = (min(burst.noise[path] for burst in tried) for path in (FIXED, EQUALIZED))
        path = EQUALIZED if equalized < TOLD * fixed else FIXED
        return sorted(tried, key=lambda burst: burst.noise[path])

    def _trained(self, burst: Burst, x: NDArray[np.complex64], base: int) -> Burst:
        burst.train(x, base, self._known_sync)
        burst.run(x, base)
        return burst

    def _give(
        self, row: int, state: _Row, x: NDArray[np.complex64], base: int, limit: int, out: list[SymbolBlock]
    ) -> None:
        """The symbols of the live burst whose points are before sample `limit`, as far as they are decided."""
        burst = state.live
        if burst is None:
            return
        if self._last is not None:
            limit = min(limit, self._last)
        first = burst.emitted
        until = min(-(-(limit - burst.start) // PER_SYMBOL), burst.decided, state.end)
        if until <= first:
            return
        llr, path = burst.emit(x, base, until)
        hit = burst.hit
        middle = burst.start + hit.phase / PHASES - POINT_DELAY[hit.pulse] * PER_SYMBOL
        begin, every = math.floor(middle * self._step + 0.5), PER_SYMBOL * self._step
        out.append(
            SymbolBlock(
                row=row,
                burst=state.number,
                first=first,
                llr=llr,
                index=np.arange(begin + first * every, begin + until * every, every),
                path=path,
                pulse=hit.pulse,
                match=hit.match,
                frequency_hz=burst.turn * _HZ,
                deviation_hz=burst.step * (3 * _HZ),
                noise=min(burst.noise),
                carrier=state.carrier,
            )
        )
