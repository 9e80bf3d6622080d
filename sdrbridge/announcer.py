"""What the bridge itself says into one port: busy tone, alignment tone, station identification.

    IDLE ──something to say──▶ WAITING ──may speak──▶ KEYING ──transmitter is ready──▶ SPEAKING ──all said──▶ IDLE

Who is polite (station identification) waits until nobody is heard on the port or about to be and, on a half-duplex
port, nobody is received or listened for; after `PATIENCE` it speaks under the speech. What the bridge says goes down by
14 dB while somebody is heard, so that it never covers him. Pure: the matrix says how things stand at each tick and
takes the sound.

The call sign is due when the interval has run from the first use after the last one; a port that is not used stays
silent.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from dsp import sounds
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.errors import PortError
from sdrbridge.port import Port

PATIENCE = 30 * AUDIO_RATE
"""Samples a call sign waits for a pause before it is sent under the speech."""

UNDER_SPEECH = 0.2
"""Factor on what the bridge says while somebody is heard: −14 dB."""

IDENT = "station identification"

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to say. render(start, n): its samples; length: how many there are. polite: waits for a pause."""

    what: str
    length: int
    render: Callable[[int, int], Audio]
    polite: bool = False


def recorded(what: str, samples: Audio, polite: bool = False) -> Sound:
    """A sound that is all there."""

    def render(start: int, n: int) -> Audio:
        part = samples[start : start + n]
        return part if len(part) == n else np.concatenate([part, np.zeros(n - len(part), np.float32)])

    return Sound(what, len(samples), render, polite)


def alignment(length: int, level_dbfs: float) -> Sound:
    """The alignment tone. Raises `dsp.errors.RangeError` for a level above full scale."""
    sounds.alignment(0, 1, length, level_dbfs)
    return Sound("alignment tone", length, lambda start, n: sounds.alignment(start, n, length, level_dbfs))


@dataclass(frozen=True, slots=True)
class Situation:
    """How a port stands at a tick. ready: bridge time from which its transmitter carries sound, None if not keyed.

    spoken: somebody is heard on it. receiving: somebody is received on it or listened for, and it cannot do both.
    coming: somebody will be heard on it as soon as its transmitter is ready.
    """

    ready: int | None
    spoken: bool
    receiving: bool
    coming: bool = False


class Announcer:
    """One port. ident: its call sign as sound, None if it has none. interval: samples between two of them."""

    def __init__(self, ident: Audio | None = None, interval: int = 600 * AUDIO_RATE) -> None:
        self._ident = ident
        self.interval = interval
        self.reset()

    def reset(self) -> None:
        """Nothing to say, and never used."""
        self._queue: deque[Sound] = deque()
        self._since = 0
        self._at: int | None = None
        self._gain = 1.0
        self._used: int | None = None

    @property
    def active(self) -> bool:
        """Whether there is something to say."""
        return bool(self._queue)

    @property
    def urgent(self) -> bool:
        """Whether it speaks, or has something to say that does not wait for a pause."""
        return self._at is not None or any(not sound.polite for sound in self._queue)

    @property
    def due(self) -> int | None:
        """Bridge time at which the call sign is due; None if it is not going to be."""
        return None if self._used is None or self._ident is None else self._used + self.interval

    def say(self, sound: Sound, now: int) -> None:
        """Put a sound behind what is still to be said."""
        if not self._queue:
            self._since = now
        self._queue.append(sound)

    def stop(self, what: str) -> bool:
        """Drop sounds of that name; returns whether there were any."""
        kept = [s for s in self._queue if s.what != what]
        found = len(kept) < len(self._queue)
        if self._queue and self._queue[0].what == what:
            self._at = None
        self._queue = deque(kept)
        return found

    def cut(self) -> None:
        """The port is cut off: a call sign is said anew when it is let through, everything else is dropped."""
        if self._queue:
            self._queue = deque(sound for sound in self._queue if sound.polite)
            self._at = None

    def used(self, now: int) -> None:
        """Somebody is heard on the port: it will have to say whose it is."""
        if self._used is None and not any(sound.what == IDENT for sound in self._queue):
            self._used = now

    def step(self, now: int, seen: Situation) -> tuple[bool, list[str]]:
        """Decide for the tick at `now`: whether the port has to be keyed, and what began or ended."""
        told: list[str] = []
        if self._ident is not None and self.due is not None and now >= self.due:
            self._used = None
            self.say(recorded(IDENT, self._ident, polite=True), now)
        if not self._queue:
            return False, told
        sound = self._queue[0]
        if self._at is None:
            patient = sound.polite and now - self._since < PATIENCE
            if seen.receiving or (patient and (seen.spoken or seen.coming)):
                return False, told
            if seen.ready is not None and now >= seen.ready:
                self._at = 0
                self._gain = UNDER_SPEECH if seen.spoken else 1.0
                told.append(sound.what)
        return True, told

    def play(self, spoken: bool) -> tuple[Audio, float, float] | None:
        """The tick's sound with the gains at its beginning and end; None if there is none."""
        if self._at is None:
            return None
        sound = self._queue[0]
        frame = sound.render(self._at, TICK_SAMPLES)
        before, self._gain = self._gain, UNDER_SPEECH if spoken else 1.0
        self._at += TICK_SAMPLES
        if self._at >= sound.length:
            self._queue.popleft()
            self._at = None
            self._gain = 1.0
        return frame, before, self._gain if self._at is not None else (UNDER_SPEECH if spoken else 1.0)


def ident_of(port: Port) -> Audio | None:
    """The call sign of a port as sound; None if it has none. Raises `PortError` for a file that cannot be read."""
    handling = port.handling
    if handling.ident is not None:
        return sounds.call_sign(handling.ident)
    if handling.ident_file is None:
        return None
    try:
        samples, rate = soundfile.read(handling.ident_file, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as problem:
        raise PortError(f'port "{port.name}": ident_file {handling.ident_file}: {problem}') from problem
    mono = samples.mean(axis=1)
    if rate != AUDIO_RATE:
        from scipy.signal import resample_poly  # takes seconds, which a restart does not have

        mono = resample_poly(mono, AUDIO_RATE, rate)
    return np.asarray(mono, np.float32)
