"""How many samples a live device lost, judged by a clock, for devices that do not say (librtlsdr reports nothing).

    lag = elapsed time · rate − samples received

Samples can come late (the machine was busy) but not early, so a loss shows as a step of the *least* lag seen in a
window, while lateness only touches single values. The least lag also creeps, since the device's crystal and the clock
differ; creep up to `MAX_DRIFT` is followed, anything faster adds up until it passes the threshold and is then a loss.
The loss is put where it is recognised: at the end of the first whole window after it, two windows late at most.
"""

MAX_DRIFT = 300e-6
"""Largest difference of the two clocks: 100 ppm for a cheap dongle, 50 for a machine, and some air."""


class LossEstimator:
    """rate: samples per second. window_s: how long lateness may last and still not be called a loss.
    threshold_s: smallest loss recognised. ahead_s: a source that gets this far ahead of the clock is not live
    (a server that plays a recording as fast as it can), and is not judged any more."""

    def __init__(self, rate: int, *, window_s: float = 0.25, threshold_s: float = 0.01, ahead_s: float = 0.5) -> None:
        self._rate = rate
        self._window_s = window_s
        self._threshold = threshold_s * rate
        self._ahead = ahead_s * rate
        self.reset()

    def reset(self) -> None:
        """Begin anew with the next samples, as after a reconnection."""
        self._start: float | None = None
        self._received = 0
        self._baseline: float | None = None
        self._least = float("inf")
        self._window_from = 0.0
        self._judging = True

    def count(self, now: float, samples: int) -> int:
        """`samples` came at `now` (monotonic seconds). Returns how many are missing before them."""
        if not self._judging:
            return 0
        if self._start is None:
            # The first delivery dates the stream: its last sample is as new as the clock.
            self._start = self._window_from = now
            return 0
        self._received += samples
        lag = (now - self._start) * self._rate - self._received
        if lag < -self._ahead:
            self._judging = False
            return 0
        self._least = min(self._least, lag)
        span = now - self._window_from
        if span < self._window_s:
            return 0
        least, self._least, self._window_from = self._least, float("inf"), now
        if self._baseline is None:
            self._baseline = min(least, 0.0)
        missing = least - self._baseline
        if missing >= self._threshold:
            lost = round(missing)
            self._received += lost
            return lost
        self._baseline += min(missing, MAX_DRIFT * span * self._rate)
        return 0
