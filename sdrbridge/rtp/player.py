"""What is heard of one source: packets in, 160 samples a tick out, at the bridge's pace.

    put ─▶ JitterBuffer ─▶ Concealer ─▶ Stretch, a little faster or slower ─▶ pull
                 └──how much later than its target it plays──▶ Regulator ──ppm──┘

    SILENT ──begin: the first sample is due──▶ PLAYING ◀──begin──▶ WAITING ──nothing came for the hang──▶ SILENT
                                                        60 ms lost, or packets come too late for where it plays

A sender whose clock is up to 300 ppm off is followed by playing faster or slower. While waiting, silence is given out;
the talkspurt goes on. All times in samples of bridge time.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.conceal import Concealer
from dsp.elastic import Regulator, Stretch
from sdrbridge.rtp.jitter import LEAST_TARGET, MOST_TARGET, OLDEST, JitterBuffer

Audio = NDArray[np.float32]

MOST_LOST = 3 * TICK_SAMPLES
"""After so much in a row it is not played on; what is made up has faded by then."""

SPARE = 2 * TICK_SAMPLES
"""What it may play later than its target before it leaves some out, if that lasts a second; the regulator does the
rest."""

_SLACK = AUDIO_RATE // 250
_SECOND = AUDIO_RATE // TICK_SAMPLES


class Player:
    """decode: payload to (n,) float32. least, most: bounds of the jitter buffer's target, in samples. hang: samples
    after which a talkspurt without packets is over."""

    def __init__(
        self,
        decode: Callable[[bytes], Audio],
        least: int = LEAST_TARGET,
        most: int = MOST_TARGET,
        hang: int = OLDEST,
    ) -> None:
        self._decode = decode
        self._hang = hang
        self.jitter = JitterBuffer(least, most)
        self._conceal = Concealer()
        self._stretch = Stretch(AUDIO_RATE, AUDIO_RATE, 4 * TICK_SAMPLES)
        self._regulator = Regulator(TICK_SAMPLES / AUDIO_RATE)
        self.packet = TICK_SAMPLES
        """Samples of the newest packet."""
        self.concealed = 0
        """Samples made up in the middle of speech."""
        self.retimed = 0
        """Times that it began anew within a talkspurt, because it could not go on or played too late."""
        self.reset()

    def reset(self) -> None:
        """Another source, of which nothing is known."""
        self.jitter.reset()
        self._regulator.reset()
        self.talking = False
        self._last_came = 0.0
        self._late_before = 0
        self._ended = False
        self.age = 0
        self._quiet()

    def _quiet(self) -> None:
        self._lost = self._ticks = 0
        self.since_sound = 0
        """Samples given out since the last real one."""
        self._least = float("inf")

    @property
    def reach(self) -> int:
        """Samples that following the sender's clock holds back."""
        return self._stretch.reach

    @property
    def ppm(self) -> float:
        """How much faster than the bridge's clock it plays."""
        return self._regulator.ppm

    def put(self, timestamp: int, payload: bytes, arrival: float) -> None:
        """A packet has come."""
        samples = self._decode(payload)
        if len(samples) and self.jitter.put(timestamp, samples, arrival):
            self.packet = len(samples)
            self._last_came = arrival
            self._ended = False

    def end(self) -> None:
        """The sender said that nothing follows; what there is is still played."""
        self._ended = True

    def begin(self, now: int) -> bool:
        """Whether a talkspurt begins at this tick; then it is pulled from now on."""
        if not self.jitter.begin(now):
            return False
        self.talking = True
        self._quiet()
        self._conceal.reset()
        self._stretch.reset()
        self._stretch.push(np.zeros(self.reach, np.float32))
        self._regulator.settle()
        self._origin = self.jitter.position - self._stretch.end
        self.age = round(self._delay(now))
        """How long the first sample given out was on its way, the packet's length not counted."""
        return True

    def pull(self, now: int) -> Audio:
        """(160,) float32: what is due at this tick of the talkspurt."""
        if not self.jitter.playing and self.jitter.begin(now):
            self.retimed += 1
            self._lost = 0
            self._origin = self.jitter.position - self._stretch.end
            self._regulator.settle()
        if self.jitter.playing:
            self._keep_pace(now)
        while (short := TICK_SAMPLES - self._stretch.possible()) > 0:
            self._stretch.push(self._next(short, now) if self.jitter.playing else self._made_up(short))
        out = np.empty(TICK_SAMPLES, np.float32)
        self._stretch.pull(out)
        return out

    def finished(self, now: int) -> bool:
        """Whether the talkspurt is over; `stop` then."""
        return not self.jitter.playing and (self._ended or now - self._last_came > self._hang)

    def stop(self) -> None:
        """The talkspurt is over."""
        self.jitter.stop()
        self.talking = False

    def _next(self, n: int, now: int) -> Audio:
        sound, count = self.jitter.read(n)
        if sound is not None:
            self.concealed += self._lost
            self._lost = self.since_sound = 0
            return self._conceal.good(sound)
        self._lost += count
        nothing_follows = self.jitter.position >= self.jitter.end
        if self._lost >= MOST_LOST or (self._ended and nothing_follows) or self._plays_too_soon(now):
            self.jitter.stop()
        return self._made_up(count)

    def _made_up(self, n: int) -> Audio:
        self.since_sound += n
        return self._conceal.lost(n)

    def _plays_too_soon(self, now: int) -> bool:
        """Whether packets come too late for where it plays, more than now and then."""
        late = self.jitter.statistics.late
        if late - self._late_before < 3:
            return False
        self._late_before = late
        self.jitter.adapt(now)
        return self.aim > self._delay(now) + TICK_SAMPLES // 2

    @property
    def aim(self) -> float:
        """How old what is played should be. As the clocks drift apart a tick comes to need the next packet as well."""
        most = OLDEST - TICK_SAMPLES // 2
        return min(max(self.jitter.target, self.jitter.needed + TICK_SAMPLES + self.reach + _SLACK), most)

    def _delay(self, now: int) -> float:
        return self.jitter.delay(now, self._origin + self._stretch.position)

    def _keep_pace(self, now: int) -> None:
        """Play a little faster or slower, so that the delay comes to the target; what is far too old is left out."""
        self._ticks = (self._ticks + 1) % _SECOND
        delay = self._delay(now)
        excess = delay - self.aim
        self._least = min(self._least, excess)
        least = 0.0
        if self._ticks == 0:
            self.jitter.adapt(now)
            least, self._least = self._least, float("inf")
        if least > SPARE or delay > OLDEST:
            self._origin += self.jitter.skip(now)
            self._conceal.lost(0)
            self._regulator.settle()
            self.retimed += 1
            return
        self._stretch.set_ppm(self._regulator.step(excess / AUDIO_RATE))
