"""A receive port of a simulated bridge without the device behind it: what comes in is known `latency` samples later."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.port import NEVER, Audio
from sdrbridge.simulation.house import DECISION, LATENCY, Over, Station, Voice, rest_of
from sdrbridge.transmission import Facts, Transmission

OnOver = Callable[[Transmission, bool], None]
"""Told of each over that begins, and whether it was on the air before it could be heard."""


class Ear:
    """The receiver of a donor radio. While `down` nothing comes in: what was open ends, and what is still on the air
    when it is back begins anew from there."""

    def __init__(self, station: Station, on_over: OnOver) -> None:
        self.name = station.name
        self.down = False
        self._on_over = on_over
        self._voice = Voice(station.level)
        self._decision = DECISION[station.kind]
        self._count = self._origin = self._now = 0
        self._waiting: deque[Over] = deque()
        self._on_air: deque[tuple[Over, Transmission]] = deque()
        """What comes in or came in lately, as the matrix sees it."""
        self._begun: list[Transmission] = []
        self._due: int | None = None
        """What `quiet_until` says, for as long as it holds."""

    def connect(self, origin: int) -> None:
        """A bridge begins to listen whose time 0 is the world's `origin`."""
        self._rejoin(origin)
        self._origin, self._now = origin, 0
        self._begun = []

    def give_up(self, samples: int) -> None:
        """The bridge stood still for so long; its time goes on without them."""
        self._origin += samples
        self._due = None

    def talk(self, over: Over) -> None:
        """Somebody begins to talk. Those who talk on one channel at once are one over to whoever listens."""
        if self._waiting and self._waiting[-1].end >= over.start - AUDIO_RATE // 5:
            return
        self._waiting.append(over)
        self._due = None

    def break_down(self, world: int) -> None:
        """Nothing comes in any more."""
        self.down = True
        self._due = None
        for over, heard in self._on_air:
            self._end(heard, min(over.end, max(world, over.begin)))

    def come_back(self, world: int) -> None:
        """It works again."""
        self.down = False
        self._rejoin(world)

    def _rejoin(self, world: int) -> None:
        running = [over for over, _ in self._on_air if over.end > world]
        self._on_air.clear()
        self._waiting = deque(rest_of([*running, *self._waiting], world))
        self._due = None

    # What the matrix sees; all indices are bridge time.

    def advance(self, now: int) -> None:
        self._now = now
        if now < self.quiet_until(now):
            return
        self._due = None
        known = now + self._origin - LATENCY
        while self._waiting and self._waiting[0].begin + self._decision <= known:
            over = self._waiting.popleft()
            self._count += 1
            heard = Transmission.begin(self.name, self._count, over.begin - self._origin)
            heard.facts = Facts(snr_db=20.0, emergency=over.emergency or None)
            self._on_air.append((over, heard))
            self._begun.append(heard)
            self._on_over(heard, over.offset > 0)
        for over, heard in self._on_air:
            if over.encrypted_at is not None and over.encrypted_at + self._decision <= known:
                heard.facts.encrypted = True
            if over.end <= known:
                self._end(heard, over.end)
        if self._on_air and self._on_air[0][0].end + 2 * AUDIO_RATE < known:
            self._on_air.popleft()

    def quiet_until(self, now: int) -> int:
        """Bridge time of the first tick at which something begins, ends or becomes known."""
        return self._find_due(now) if self._due is None else self._due

    def _find_due(self, now: int) -> int:
        due = NEVER
        if not self.down:
            if self._waiting:
                due = self._waiting[0].begin + self._decision
            for over, heard in self._on_air:
                if heard.end is None:
                    due = min(due, over.end)
                if over.encrypted_at is not None and not heard.facts.encrypted:
                    due = min(due, over.encrypted_at + self._decision)
        self._due = -(-(due + LATENCY - self._origin) // TICK_SAMPLES) * TICK_SAMPLES
        return self._due

    def begun(self) -> Sequence[Transmission]:
        if not self._begun:
            return ()
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        return self._now - LATENCY

    def read(self, start: int, n: int) -> Audio:
        first = start + self._origin
        for over, _ in reversed(self._on_air):
            if over.begin <= first < over.end:
                return self._voice.say(first - over.start, n)
        return np.zeros(n, np.float32)

    def _end(self, heard: Transmission, world: int) -> None:
        if heard.end is None:
            heard.end = heard.on_air_end = max(world - self._origin, heard.start)
