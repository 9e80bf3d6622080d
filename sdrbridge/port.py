"""A named place where audio enters or leaves the bridge, and the two kinds that need no device.

    RxPort   overs come in: what began, what of it can be read by now
    TxPort   a frame goes out every tick, keyed or not
    Port     a name, one or both of these, and what the rules need to know of it

`FilePort` writes what a port would have transmitted; sample n of its file is bridge time n / 8000 s. `Loopback` keeps
it in memory, and says what it is told to.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from sdrbridge.errors import PortError
from sdrbridge.handling import AS_IT_IS, Handling
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.wav import WavWriter

Audio = NDArray[np.float32]

NEVER = 1 << 40
"""Samples until something that does not happen: longer than any bridge runs."""

_SILENCE = np.zeros(2 * AUDIO_RATE, np.float32)


class RxPort(Protocol):
    """Where overs come in. All indices are on-air samples at 8 kHz."""

    def advance(self, now: int) -> None:
        """Act on everything that is known at `now`. Called once a tick, before anything else."""
        ...

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first; a short one may have ended already."""
        ...

    def available(self) -> int:
        """On-air index up to which audio is known by now. No over ends, later on, before what has been given here."""
        ...

    def read(self, start: int, n: int) -> Audio:
        """(n,) float32 from `start`; zeros where samples were lost. Valid until the next call."""
        ...


@runtime_checkable
class QuietPort(Protocol):
    """A receiver that knows its future, so that a simulation can play many ticks at once."""

    def quiet_until(self, now: int) -> int:
        """Bridge time of the first tick, from `now` on, at which an over begins or ends or its facts change.

        At every tick before that `available` grows by a tick. Further away than anybody looks is as good as never. What
        it says holds until its part of the bridge has been played, or somebody says that it does not (`Matrix.stir`).
        """
        ...


@dataclass(frozen=True, slots=True)
class Dialled:
    """DTMF digits keyed one after the other in an over. start, end: on-air samples. muted: nobody else heard them."""

    over: str
    digits: str
    start: int
    end: int
    muted: bool


@runtime_checkable
class DialPort(Protocol):
    """A receiver that tells of the digits keyed there."""

    def dialled(self, at_last: bool = False) -> Sequence[Dialled]:
        """Runs of digits that have ended since the last call. at_last: nothing more will be asked for."""
        ...


class TxPort(Protocol):
    """Where audio leaves."""

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Take the frame of one tick: (160,) float32, bridge index of its first sample, whether to be on the air.

        A simulation hands over several ticks at once. The frame is all zeros when not keyed; its memory is used again
        after the call.
        """
        ...


@runtime_checkable
class TalkerPort(Protocol):
    """A transmitter that can show who talks."""

    def talker(self, over: Transmission | None) -> None:
        """Whose speech the frames carry from the next `write` on; None for nobody's. Its facts may still grow."""
        ...


@dataclass(frozen=True, slots=True)
class Port:
    """One port of the matrix.

    priority: higher takes the floor from lower. access_ms: what the transmitter needs from keying to the first
    syllable, 0 … 5000. half_duplex: it hears nothing while it transmits. handling: how it is treated beside that.
    """

    name: str
    rx: RxPort | None = None
    tx: TxPort | None = None
    priority: int = 0
    access_ms: int = 0
    half_duplex: bool = False
    handling: Handling = AS_IT_IS

    def __post_init__(self) -> None:
        if not 0 <= self.access_ms <= 5000:
            raise PortError(f'port "{self.name}": access_ms = {self.access_ms} must lie between 0 and 5000')


@dataclass(slots=True)
class Keyed:
    """When a transmitter was on the air: [start, end) in samples of bridge time; intervals never touch."""

    intervals: list[tuple[int, int]] = field(default_factory=list)

    def note(self, index: int, n: int, keyed: bool) -> None:
        """Take note of one frame."""
        if not keyed:
            return
        if self.intervals and self.intervals[-1][1] == index:
            self.intervals[-1] = (self.intervals[-1][0], index + n)
        else:
            self.intervals.append((index, index + n))

    @property
    def total_s(self) -> float:
        """Seconds on the air."""
        return sum(end - start for start, end in self.intervals) / AUDIO_RATE


class FilePort:
    """Writes what the port would have transmitted, silence where it was not keyed. Raises `PortError`."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.keyed = Keyed()
        self.end = 0
        try:
            self._wav: WavWriter | None = WavWriter(path)
        except OSError as problem:
            raise PortError(f'port "{name}": cannot write {path}: {problem.strerror or problem}') from problem

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Append a frame; frames that were left out before it become silence."""
        if self._wav is None:
            raise PortError(f'port "{self.name}": {self.path} is closed')
        if index < self.end:
            raise PortError(f'port "{self.name}": frame at {index} comes after {self.end} has been written')
        try:
            if index > self.end:
                self._silence(self._wav, index - self.end)
            self._wav.write(frame)
        except OSError as problem:
            self._fail(problem)
        self.keyed.note(index, len(frame), keyed)
        self.end = index + len(frame)

    def close(self, length: int | None = None) -> None:
        """Finish the file; with `length`, fill it up with silence to so many samples. May be called twice."""
        if self._wav is None:
            return
        wav, self._wav = self._wav, None
        try:
            if length is not None and length > self.end:
                self._silence(wav, length - self.end)
                self.end = length
            wav.close()
        except OSError as problem:
            self._wav = wav
            self._fail(problem)

    @staticmethod
    def _silence(wav: WavWriter, n: int) -> None:
        second = np.zeros(AUDIO_RATE, np.float32)
        for start in range(0, n, AUDIO_RATE):
            wav.write(second[: min(AUDIO_RATE, n - start)])

    def _fail(self, problem: OSError) -> None:
        kept_s = 0.0
        if self._wav is not None:
            kept_s = self._wav.samples / AUDIO_RATE
            self._wav.abandon()
            self._wav = None
        reason = problem.strerror or str(problem)
        raise PortError(
            f'port "{self.name}": cannot write {self.path}: {reason}; the first {kept_s:.1f} s are kept'
        ) from problem


class Loopback:
    """A port in memory. Says what `say` is given; keeps the last `keep` samples of what it was sent.

    latency: samples between the air and its sound. decision: how much later an over is known to have begun.
    """

    def __init__(self, name: str, keep: int = 60 * AUDIO_RATE, latency: int = 0, decision: int = 0) -> None:
        self.name = name
        self.keep = keep
        self.latency = latency
        self.decision = decision
        self.keyed = Keyed()
        self.end = 0
        self.talkers: list[tuple[int, Transmission | None]] = []
        """Who was heard from which sample on; the last 1000."""
        self._sent: deque[Audio] = deque()
        self._kept = 0
        self._count = 0
        self._now = 0
        # Everything said, until it is too old to be asked for; the first `_open` of them have begun.
        self._said: deque[tuple[Transmission, Audio]] = deque()
        self._open = 0
        self._lasting: list[tuple[Transmission, int]] = []
        self._begun: list[Transmission] = []
        # Bridge time at which the next over begins or ends.
        self._due = NEVER

    def say(self, start: int, samples: Audio, facts: Facts | None = None) -> Transmission:
        """Speak `samples` from on-air index `start`. Raises `PortError` where it begins before the last over ends."""
        if self._said and start < self._said[-1][0].start + len(self._said[-1][1]):
            raise PortError(f'port "{self.name}": over at {start} begins before the last one ends')
        self._count += 1
        over = Transmission.begin(self.name, self._count, start)
        over.facts = facts or Facts()
        self._said.append((over, np.asarray(samples, np.float32)))
        self._due = min(self._due, start + self.decision + self.latency)
        return over

    def advance(self, now: int) -> None:
        """Begin and end overs as they become known."""
        self._now = now
        if now < self._due:
            return
        known = now - self.latency
        while self._open < len(self._said) and self._said[self._open][0].start + self.decision <= known:
            over, samples = self._said[self._open]
            self._begun.append(over)
            self._lasting.append((over, over.start + len(samples)))
            self._open += 1
        for lasting in [x for x in self._lasting if x[1] <= known]:
            over, end = lasting
            over.end = over.on_air_end = end
            self._lasting.remove(lasting)
        while self._said and self._said[0][0].end is not None and self._said[0][0].end < known - self.keep:
            self._said.popleft()
            self._open -= 1
        times = [end for _, end in self._lasting]
        if self._open < len(self._said):
            times.append(self._said[self._open][0].start + self.decision)
        self._due = min(times) + self.latency if times else NEVER

    def quiet_until(self, now: int) -> int:
        """When the next over begins or ends."""
        return self._due

    def begun(self) -> list[Transmission]:
        """Overs that began since the last call."""
        if not self._begun:
            return []
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        """Everything up to what is known by now."""
        return self._now - self.latency

    def read(self, start: int, n: int) -> Audio:
        """What was said, and silence around it."""
        out = None
        last = self._open
        while last < len(self._said) and self._said[last][0].start < start + n:
            last += 1
        for place in range(last - 1, -1, -1):
            over, samples = self._said[place]
            at = start - over.start
            if at >= 0 and at + n <= len(samples):
                return samples[at : at + n]
            if out is None:
                out = np.zeros(n, np.float32)
            first = max(start, over.start)
            last = min(start + n, over.start + len(samples))
            if first < last:
                out[first - start : last - start] = samples[first - over.start : last - over.start]
            if at >= 0:
                break
        return np.zeros(n, np.float32) if out is None else out

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Keep what was sent."""
        n = len(frame)
        self._sent.append(frame.copy() if keyed or n > len(_SILENCE) else _SILENCE[:n])
        self._kept += n
        while self._kept - len(self._sent[0]) >= self.keep:
            self._kept -= len(self._sent.popleft())
        if keyed:
            self.keyed.note(index, n, keyed)
        self.end = index + n

    def talker(self, over: Transmission | None) -> None:
        """Note who is heard from now on."""
        self.talkers = [*self.talkers[-999:], (self.end, over)]

    def sent(self) -> Audio:
        """What is kept of what was sent, up to `end`."""
        return np.concatenate(self._sent) if self._sent else np.zeros(0, np.float32)
