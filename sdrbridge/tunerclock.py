"""How fast a tuner's clock runs beside the bridge's, from the times at which its blocks come.

The bridge's beat follows its first receiver (`pacer`); every other tuner has a crystal of its own. What its samples are
ahead of bridge time is looked at once a second, when a second's beats have come, as the median of those of two seconds:
neither a late tick nor a late block moves that. The pace follows without haste, so a listener hears neither pitch nor
steps.
"""

from collections import deque
from statistics import median

from dsp.blocks import AUDIO_RATE
from dsp.elastic import Regulator

BEATS = 200
"""Beats that are looked at: two seconds."""

NEW_PATH_S = 0.02
"""Further off than this it is no drift: samples were lost, or the way from the radio has changed."""

DEAF_PPM = 5.0
"""A slower drift than this is left to add up: speech then stays as it came, sample for sample."""


class TunerClock:
    """ppm: how much faster than it comes its speech has to be played. Times are samples of 8 kHz."""

    def __init__(self) -> None:
        self._regulator = Regulator(1.0)
        self.reset()

    def reset(self) -> None:
        """Another worker, perhaps another radio."""
        self._regulator.reset()
        self._leads: deque[float] = deque(maxlen=BEATS)
        self._followed: float | None = None
        self._judged: int | None = None
        self._since = 0
        """Beats since then."""
        self.ppm = 0.0

    def beat(self, time: int, at: float) -> None:
        """The tuner had received up to `time` when it was `at` in the bridge."""
        self._leads.append(time - at)
        self._since += 1
        if self._judged is None:
            self._judged = time
        if self._since >= BEATS // 2 and abs(time - self._judged) >= AUDIO_RATE:
            self._judged, self._since = time, 0
            self._judge(median(self._leads))

    def _judge(self, lead: float) -> None:
        if self._followed is None or abs(lead - self._followed) > NEW_PATH_S * AUDIO_RATE:
            self._followed = lead
            self._regulator.settle()
            return
        wanted = self._regulator.step((lead - self._followed) / AUDIO_RATE)
        self.ppm = wanted if abs(wanted) > DEAF_PPM else 0.0
        self._followed += self.ppm * 1e-6 * AUDIO_RATE
