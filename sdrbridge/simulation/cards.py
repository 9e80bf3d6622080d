"""A donor radio of a simulated bridge on a sound card whose crystal is off: the port is the real one.

    talkers ─Over─▶ COR line, CardStream ─▶ SoundCardPort.rx: Elastic ▸ overs ─▶ Matrix
    Matrix ─frames─▶ SoundCardPort.tx: Elastic ─▶ CardStream            PTT ─▶ line

While all clocks agree nothing is learnt from that, and a radio is an `Ear`. From the beginning of a drift on, until the
first pause after its end, everything goes through the card, block by block, and is followed from one end to the other.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from hw.errors import DeviceNotFound
from hw.soundcard import Give, Take
from sdrbridge.port import NEVER, Audio
from sdrbridge.ports.card import LOOK_S
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.live import PortContext
from sdrbridge.ports.soundcard import SoundCardPort
from sdrbridge.simulation.ears import Ear, OnOver
from sdrbridge.simulation.house import Over, Station, Voice
from sdrbridge.simulation.machine import CountedClock
from sdrbridge.simulation.onsets import Onsets, Path
from sdrbridge.transmission import Facts, Transmission

BLOCK = AUDIO_RATE // 100
"""Samples of a card's block: 10 ms."""

LOOK = round(LOOK_S * AUDIO_RATE)

SETTLED = 12 * TICK_SAMPLES
"""Samples after an edge of the COR line in which its over begins or ends."""

_SETTINGS = SoundCardSettings(input="simulated", output="simulated", rate=AUDIO_RATE, cor="simulated")


class CardStream:
    """One direction of a card, by a crystal that is `ppm` fast. began: world time of its first sample."""

    rate = AUDIO_RATE
    card = "simulated"
    latency_s = 0.0
    faults = 0

    def __init__(self, began: int, ppm: float, call: Callable[[int], None]) -> None:
        self.alive = True
        self._began = began
        self._pace = 1 + ppm * 1e-6
        self._call = call
        self._done = 0

    def world(self, sample: float) -> float:
        """World time of one of its samples."""
        return self._began + sample / self._pace

    def run(self, world: int, whole: int) -> None:
        """Do the blocks of which `whole` samples lie before a time of the world."""
        while self.alive and self.world(self._done + whole) <= world:
            at, self._done = self._done, self._done + BLOCK
            self._call(at)

    def close(self) -> None:
        """Let it go."""
        self.alive = False


@dataclass(eq=False)
class _Line:
    """The COR line and the PTT line of a radio."""

    set_ptt: Callable[[bool], None]
    receives: bool = False
    problem: str = ""

    def is_open(self) -> bool:
        return self.receives

    def close(self) -> None:
        """Nothing to let go of."""

    def set(self, keyed: bool) -> None:
        self.set_ptt(keyed)


class DriftingCard:
    """The port, the card under it and the radio behind that. voice: what is heard at a time of the world.

    origin: of bridge time in world time. told: gets what does not come as it should.
    """

    def __init__(
        self,
        name: str,
        ppm: float,
        clock: CountedClock,
        origin: int,
        voice: Callable[[int], Audio],
        set_ptt: Callable[[bool], None],
        told: Callable[[str], None],
    ) -> None:
        self.origin = origin
        self.plugged = True
        self.stood_until = 0
        """World time until which the bridge stood still, while its card went on."""
        self.line = _Line(set_ptt)
        self._ppm = ppm
        self._voice = voice
        self._world = clock
        self._clock = CountedClock()
        self._now = clock.elapsed
        self._in: CardStream | None = None
        self._out: CardStream | None = None
        self.heard = Path(f"what {name} hears", told)
        self.sends = Path(f"what {name} sends", told)
        self._speech = self.heard.after(lambda at: at + self.origin)
        self._frames = self.sends.before(lambda at: at + self.origin)
        self.begun: list[Transmission] = []
        """Overs that began, for whoever takes them out."""
        self._read = self._looked = 0
        context = PortContext(self._clock, lambda port, spec: self.line, lambda event: None, "simulation")
        self.port = SoundCardPort(name, _SETTINGS, context, self, lambda: self.line)
        assert self.port.rx is not None and self.port.tx is not None
        self.rx, self.tx = self.port.rx, self.port.tx
        self.tx.attach(self.line)
        self._look_after(clock.elapsed)

    # What opens cards (`hw.soundcard.SoundBackend`).

    def open_input(self, name: str, rate: int | None, take: Take) -> CardStream:
        """The radio's receiver."""
        stream = self._open(lambda at: self._hear(stream, at, onsets, take))
        onsets = self.heard.before(stream.world)
        self._in = stream
        return stream

    def open_output(self, name: str, rate: int | None, give: Give) -> CardStream:
        """The radio's transmitter."""
        stream = self._open(lambda at: onsets.feed(give(BLOCK), at))
        onsets = self.sends.after(stream.world)
        self._out = stream
        return stream

    def _open(self, call: Callable[[int], None]) -> CardStream:
        if not self.plugged:
            raise DeviceNotFound("there is no sound card")
        self._excuse(self._now + AUDIO_RATE)
        return CardStream(self._now, self._ppm, call)

    def _hear(self, stream: CardStream, at: int, onsets: Onsets, take: Take) -> None:
        sound = self._voice(round(stream.world(at)))
        onsets.feed(sound, at)
        take(sound)

    def unplug(self) -> None:
        """Card and lines are gone."""
        self.plugged = False
        for stream in (self._in, self._out):
            if stream is not None:
                stream.alive = False

    @property
    def steady(self) -> bool:
        """Whether it works and will until something happens to it."""
        return self.plugged and self.rx.card.working and self.tx.card.working

    # What the matrix does.

    def advance(self, now: int) -> None:
        """One tick on the way in."""
        # What a bridge that stood still missed comes all at once.
        world = max(now + self.origin, self.stood_until)
        self._at(now + self.origin)
        if self._in is not None:
            self._in.run(world, BLOCK)
        assert self.rx.cor is not None
        self.rx.cor.look()
        self.rx.advance(now)
        for over in self.rx.begun():
            self.begun.append(over)
            self._read = over.start
        end = self.rx.available()
        if end > self._read:
            self._speech.feed(self.rx.read(self._read, end - self._read), self._read)
            self._read = end
        else:
            self._speech.flush()

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Any number of ticks on the way out."""
        for at in range(0, len(frame), TICK_SAMPLES):
            part, now = frame[at : at + TICK_SAMPLES], index + at
            world = now + self.origin
            self._at(world)
            if self._out is not None:
                self._out.run(max(world, self.stood_until), 0)
            self.tx.write(part, now, keyed)
            self._frames.feed(part, now)
            if world - self._looked >= LOOK:
                self._look_after(world)

    def _at(self, world: int) -> None:
        self._now = self._clock.elapsed = world

    def _look_after(self, world: int) -> None:
        self._looked = world
        self.port.look_after()
        self.sends.declared = sum(stage.delay_s for stage in self.port.stages("tx")) * AUDIO_RATE
        counters = self.port.health().counters
        if not self.steady:
            self._excuse(world + AUDIO_RATE)
        known = world - AUDIO_RATE
        self.heard.check(known, int(counters["rx_slips"] + counters["rx_dropped"]))
        self.sends.check(known, int(counters["tx_slips"] + counters["tx_dropped"]))

    def give_up(self, samples: int) -> None:
        """The bridge stood still for so long; its time goes on without them."""
        self.origin += samples
        self._excuse(self._world.elapsed + AUDIO_RATE)

    def _excuse(self, until: int) -> None:
        self.heard.excuse(until)
        self.sends.excuse(until)


class CardRadio(Ear):
    """The bridge's port of a donor radio.

    set_ptt: its PTT line. on_levelled: told of each over that comes through the card. told: gets what is not as it
    should be.
    """

    def __init__(
        self,
        station: Station,
        on_over: OnOver,
        on_levelled: OnOver,
        clock: CountedClock,
        set_ptt: Callable[[bool], None],
        told: Callable[[str], None],
    ) -> None:
        super().__init__(station, on_over)
        self.followed = 0
        """Sounds that were followed through a card."""
        self._on_levelled = on_levelled
        self._clock = clock
        self._set_ptt = set_ptt
        self._told = told
        self._speaks = Voice(station.level)
        self._until = 0
        self._ppm = 0.0
        self._card: DriftingCard | None = None
        self._said: deque[Over] = deque()
        """Who talks or talked lately, while there is a card."""
        self._settled = 0
        self._last: Transmission | None = None

    def connect(self, origin: int) -> None:
        """A bridge begins to listen whose time 0 is the world's `origin`."""
        self._take_away()
        super().connect(origin)
        if self._until > origin:
            self._use_card(0)

    def drift(self, ppm: float, world: int, until: int) -> None:
        """From now on the card's clock is that far off; from the end of the over on where somebody is being heard."""
        self._ppm, self._until = ppm, max(until, self._until)
        if self._card is None and not self._talks():
            self._rejoin(world)
            self._use_card(world - self._origin)

    def _talks(self) -> bool:
        return any(heard.end is None for _, heard in self._on_air)

    def _use_card(self, now: int) -> None:
        self._card = DriftingCard(
            self.name, self._ppm, self._clock, self._origin, self._sound, self._set_ptt, self._told
        )
        self._done, self._settled = now - TICK_SAMPLES, now + SETTLED
        self._due = None
        if self.down:
            self._card.unplug()

    def hang_up(self) -> None:
        """The bridge is no more; its card falls silent."""
        self._take_away()

    def _take_away(self) -> None:
        card, self._card = self._card, None
        self._due = None
        if card is None:
            return
        self.followed += card.heard.followed + card.sends.followed
        self._set_ptt(False)
        for _, heard in self._on_air:
            self._end(heard, self._now + self._origin)
        self._on_air.clear()
        self._waiting.extendleft(reversed([over for over in self._said if over.end > self._clock.elapsed]))
        self._said.clear()

    def give_up(self, samples: int) -> None:
        super().give_up(samples)
        if self._card is not None:
            self._card.give_up(samples)

    def stood_still(self, until: int) -> None:
        """The bridge did, until a time of the world."""
        if self._card is not None:
            self._card.stood_until = until

    def break_down(self, world: int) -> None:
        """Nothing comes in any more."""
        if self._card is None:
            super().break_down(world)
        else:
            self.down = True
            self._card.unplug()

    def come_back(self, world: int) -> None:
        """It works again."""
        if self._card is None:
            super().come_back(world)
        else:
            self.down = False
            self._card.plugged = True

    # What the matrix sees.

    def advance(self, now: int) -> None:
        if self._card is not None and self._may_go(now):
            self._take_away()
        if self._card is None:
            super().advance(now)
            if self._until <= now + self._origin or self._talks():
                return
            self._rejoin(now + self._origin)
            self._use_card(now)
        assert self._card is not None
        while self._done < now:
            self._done += TICK_SAMPLES
            self._step(self._card, self._done)
        self._now = now

    def _may_go(self, now: int) -> bool:
        """Whether the drift is over and nothing is on its way through the card."""
        world = now + self._origin
        if self._talks() or self._said or (self._waiting and self._waiting[0].begin < world + TICK_SAMPLES):
            return False
        return world >= self._until and now >= self._settled and not self.down

    def _step(self, card: DriftingCard, now: int) -> None:
        world = now + self._origin
        while self._waiting and self._waiting[0].begin <= world:
            self._said.append(self._waiting.popleft())
        while self._said and self._said[0].end + AUDIO_RATE < world:
            self._said.popleft()
        receives = card.plugged and any(over.begin <= world < over.end for over in self._said)
        if receives != card.line.receives:
            card.line.receives, self._settled = receives, now + SETTLED
        card.advance(now)
        for heard in card.begun:
            over = self._said[-1]
            heard.facts = Facts(snr_db=20.0, emergency=over.emergency or None)
            self._on_air.append((over, heard))
            self._begun.append(heard)
            self._on_levelled(heard, True)
        card.begun.clear()
        for over, heard in self._on_air:
            if over.encrypted_at is not None and over.encrypted_at + self._decision <= world:
                heard.facts.encrypted = True
        while self._on_air and self._on_air[0][1].end is not None and self._on_air[0][0].end + AUDIO_RATE < world:
            self._on_air.popleft()

    def _find_due(self, now: int) -> int:
        if self._card is None:
            return super()._find_due(now)
        drifts = now + self._origin < self._until
        if now < self._settled or not self._card.steady or not (drifts or self._talks()):
            return now
        due = self._until if drifts else NEVER
        if self._waiting:
            due = min(due, self._waiting[0].begin)
        for over, heard in self._on_air:
            if heard.end is None:
                due = min(due, over.end)
                if over.encrypted_at is not None and not heard.facts.encrypted:
                    due = min(due, over.encrypted_at + self._decision)
        return -(-(due - self._origin) // TICK_SAMPLES) * TICK_SAMPLES

    def available(self) -> int:
        return super().available() if self._card is None else self._card.rx.available()

    def read(self, start: int, n: int) -> Audio:
        return super().read(start, n) if self._card is None else self._card.rx.read(start, n)

    def send(self, frame: Audio, index: int, keyed: bool) -> None:
        """What the bridge transmits there."""
        if self._card is None:
            self._set_ptt(keyed)
            return
        for at in range(0, len(frame), TICK_SAMPLES):
            if self._done < index + at:
                # In a stride nobody asks for what comes in where nobody talks; the card goes on all the same.
                self._done = index + at
                self._step(self._card, self._done)
            self._card.write(frame[at : at + TICK_SAMPLES], index + at, keyed)

    def _sound(self, world: int) -> Audio:
        """A block of what the receiver hears."""
        out = np.zeros(BLOCK, np.float32)
        for over in self._said:
            first, last = max(over.begin, world), min(over.end, world + BLOCK)
            if first < last:
                out[first - world : last - world] = self._speaks.say(first - over.start, last - first)
        return out
