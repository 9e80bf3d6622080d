"""When the next tick is due, and what becomes of ticks that are late. Pure: the time in, the wait out.

A tick that is late is made at once, and the ones after it too, until the bridge is back on the beat: the sound of the
outputs has to be made sooner or later, and their buffers cover a few ticks. After more than `MOST_LATE` (the machine
slept, the process was stopped) nobody waits for that sound any more: the beat begins anew at the present, and the time
that is missing in between is counted. Bridge time goes on without a jump.

A tick that comes just after a block of the receiver saves up to 10 ms of delay on the whole path. So the beat is put
there once when a worker begins (`follow`), and then follows the radio's clock, no faster than sound cards can.
"""

from dataclasses import dataclass, field
from statistics import median

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES

TICK_S = TICK_SAMPLES / AUDIO_RATE

MOST_LATE_S = 0.2
"""Lateness that is made good: ten ticks."""

BLOCK_S = 0.01
"""Between two blocks of a receiver."""

BEHIND_S = 0.004
"""How long after a block the tick should come: what the way from the worker may vary."""

LOOKS = 25
"""Ticks that are looked at before the beat is moved to a new worker."""

SLEW_S = 4e-6
"""What a tick is moved at most while a worker runs: 200 ppm."""


@dataclass(slots=True)
class Pacer:
    """late: ticks made more than half a tick late. skipped_s: time that was given up. worst_s: greatest lateness."""

    due: float
    late: int = 0
    skipped_s: float = 0.0
    worst_s: float = 0.0
    lateness_s: float = 0.0
    """Of the last tick."""
    _whose: int = -1
    _errors: list[float] = field(default_factory=list)

    def wait(self, now: float) -> float:
        """Seconds until the tick that comes next; 0.0 if it is due."""
        return max(0.0, self.due - now)

    def ticked(self, now: float) -> float:
        """A tick begins. Returns how much time was given up before it: 0.0 but after a long stop."""
        self.lateness_s = max(0.0, now - self.due)
        self.worst_s = max(self.worst_s, self.lateness_s)
        given_up = 0.0
        if self.lateness_s > MOST_LATE_S:
            given_up = self.lateness_s
            self.skipped_s += given_up
            self.due = now
        elif self.lateness_s > TICK_S / 2:
            self.late += 1
        self.due += TICK_S
        return given_up

    def follow(self, age_s: float, whose: int) -> None:
        """The newest block was that old when the last tick began. whose: another number for another worker."""
        error = (age_s - BEHIND_S + BLOCK_S / 2) % BLOCK_S - BLOCK_S / 2
        if whose != self._whose:
            self._whose = whose
            self._errors = []
        if len(self._errors) < LOOKS:
            self._errors.append(error)
            if len(self._errors) == LOOKS:
                self.due -= median(self._errors)
            return
        self.due -= max(-SLEW_S, min(SLEW_S, error / 100))
