"""When the next tick is due, and what becomes of ticks that are late. Pure: the time in, the wait out.

A tick that is late is made at once, and the ones after it too, until the bridge is back on the beat: the sound of the
outputs has to be made sooner or later, and their buffers cover a few ticks. After more than `MOST_LATE` (the machine
slept, the process was stopped) nobody waits for that sound any more: the beat begins anew at the present, and the time
that is missing in between is counted. Bridge time goes on without a jump.
"""

from dataclasses import dataclass

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES

TICK_S = TICK_SAMPLES / AUDIO_RATE

MOST_LATE_S = 0.2
"""Lateness that is made good: ten ticks."""


@dataclass(slots=True)
class Pacer:
    """late: ticks made more than half a tick late. skipped_s: time that was given up. worst_s: greatest lateness."""

    due: float
    late: int = 0
    skipped_s: float = 0.0
    worst_s: float = 0.0
    lateness_s: float = 0.0
    """Of the last tick."""

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
