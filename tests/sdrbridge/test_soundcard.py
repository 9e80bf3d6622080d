"""A donor radio on made-up sound cards, under a clock that stands still until it is moved."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hw.clock import ManualClock
from hw.errors import DeviceLost
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.live import State
from sdrbridge.ports.soundcard import SoundCardPort
from sdrbridge.transmission import Transmission
from tests.support.liveports import Surroundings
from tests.support.soundcards import FakeCards

Audio = NDArray[np.float32]

DATA = Path(__file__).parent.parent / "data"


def voice(seconds: float, rate: int = 48_000) -> Audio:
    x, own = soundfile.read(DATA / "speech_male.8000.flac", dtype="float32")
    x = x[np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())[0] :][: int(seconds * own)]
    at = np.arange(int(seconds * rate)) * own / rate
    return np.asarray(np.interp(at, np.arange(len(x)), x), np.float32)


class FakeLine:
    """A COR line."""

    def __init__(self) -> None:
        self.state = False
        self.broken = False

    def is_open(self) -> bool:
        if self.broken:
            raise DeviceLost("serial: /dev/ttyUSB0: lines cannot be read: gone")
        return self.state

    def close(self) -> None:
        pass


class Bench:
    """A port, its cards and its PTT line, stepped a tick at a time."""

    def __init__(self, settings: SoundCardSettings, cards: FakeCards, line: FakeLine | None = None) -> None:
        self.around = Surroundings()
        self.cards = cards
        self.line = line
        self.port = SoundCardPort(
            "donor", settings, self.around.context, cards, None if line is None else (lambda: line)
        )
        if self.port.tx is not None:
            self.port.tx.attach(self.around.context.keyer("donor", settings.keyer))
        self.now = 0
        self.overs: list[Transmission] = []
        self.got: dict[str, list[Audio]] = {}
        self._read: dict[str, int] = {}
        self.port.look_after()

    @property
    def keyed(self) -> bool:
        return self.around.handles["donor"].keyed

    def step(self, ticks: int = 1, say: Audio | None = None, keyed: bool = False) -> None:
        clock = self.around.clock
        assert isinstance(clock, ManualClock)
        for tick in range(ticks):
            clock.advance(0.02)
            self.cards.run(0.02)
            self.now += 160
            if self.now % 1600 == 0:
                self.port.look_after()
            if self.port.rx is not None:
                if self.port.rx.cor is not None:
                    self.port.rx.cor.look()
                self._hear()
            if self.port.tx is not None:
                frame = np.zeros(160, np.float32) if say is None else say[tick * 160 : tick * 160 + 160]
                self.port.tx.write(frame, self.now, keyed)

    def _hear(self) -> None:
        rx = self.port.rx
        assert rx is not None
        rx.advance(self.now)
        for over in rx.begun():
            self.overs.append(over)
            self.got[over.id] = []
            self._read[over.id] = over.start
        for over in self.overs:
            end = rx.available() if over.end is None else over.end
            start = self._read[over.id]
            if end > start:
                assert end <= self.now
                self.got[over.id].append(rx.read(start, end - start).copy())
                self._read[over.id] = end


def test_speech_opens_it_from_its_first_syllable() -> None:
    cards = FakeCards(ppm=120, latency_s=0.01)
    lead = np.zeros(48_000, np.float32)
    cards.sound = np.concatenate([lead, voice(3), np.zeros(100_000, np.float32), voice(2)])
    bench = Bench(SoundCardSettings(input="USB"), cards)
    bench.step(500)
    first, second = bench.overs
    # 1 s of silence, which the card hears 10 ms late and which index does not count.
    assert 8000 - 2500 <= first.start <= 8000 - 60
    assert first.end is not None and first.end < second.start
    assert second.end is not None
    assert first.on_air_end is not None and 8000 + 2.7 * 8000 < first.on_air_end < 8000 + 3.3 * 8000
    sound = np.concatenate(bench.got[first.id])
    assert len(sound) == first.end - first.start
    assert first.facts.level_dbfs is not None
    reference = np.interp(np.arange(24_000) * 6.0, np.arange(144_000), voice(3)).astype(np.float32)
    at = 8000 - first.start
    heard = sound[at : at + 16_000]
    lags = range(-24, 25)
    score = [float(np.dot(heard[100:15_000], reference[100 + lag : 15_000 + lag])) for lag in lags]
    # Index is on-air time, to 1 ms.
    assert abs(lags[int(np.argmax(score))]) <= 8
    assert bench.port.health().state is State.UP
    assert bench.port.health().counters["rx_slips"] == 0


def test_cor_line_opens_at_once_and_sound_follows() -> None:
    line, cards = FakeLine(), FakeCards()
    cards.sound = np.concatenate([np.zeros(48_000, np.float32), np.full(48_000, 0.25, np.float32)])
    bench = Bench(SoundCardSettings(input="USB", cor="serial:/dev/ttyUSB0", cor_early_ms=40), cards, line)
    bench.step(50)
    line.state = True
    bench.step(1)
    (over,) = bench.overs
    assert over.start == pytest.approx(8160 - 320, abs=1) and over.end is None
    bench.step(49)
    line.state = False
    bench.step(1)
    line.state = True  # and again, before the sound of the first has come
    bench.step(1)
    line.state = False
    bench.step(20)
    assert len(bench.overs) == 2
    end = over.end
    assert end is not None and end == pytest.approx(16_160, abs=1)
    assert bench.overs[1].start >= end
    sound = np.concatenate(bench.got[over.id])
    assert len(sound) == end - over.start
    # To its last sample: the line closed 20 ms after the sound ended, and 22 ms before that was known.
    last = int(np.flatnonzero(np.abs(sound) > 0.05)[-1]) + over.start
    assert last == pytest.approx(16_000, abs=4)
    assert np.abs(sound[600 : last - 40 - over.start]).min() > 0.05


def test_broken_cor_line_is_closed_and_said_so() -> None:
    line, cards = FakeLine(), FakeCards()
    bench = Bench(SoundCardSettings(input="USB", cor="serial:/dev/ttyUSB0"), cards, line)
    line.state = True
    bench.step(20)
    assert bench.port.health().state is State.UP
    line.broken = True
    bench.step(20)
    assert bench.overs[0].end is not None
    health = bench.port.health()
    assert health.state is State.DEGRADED and "COR line: serial: /dev/ttyUSB0" in health.reason
    line.broken = False
    bench.step(20)
    assert len(bench.overs) == 2


@pytest.mark.parametrize("lead_ms", [0, 200])
@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_line_leads_the_sound_and_outlasts_it(lead_ms: int, rate: int) -> None:
    cards = FakeCards(rate, ppm=-80, latency_s=0.02)
    settings = SoundCardSettings(output="USB", keyer="serial:/dev/ttyUSB0", lead_ms=lead_ms, tail_ms=50)
    bench = Bench(settings, cards)
    bench.step(100)
    assert not bench.keyed
    tone = np.asarray(0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000), np.float32)
    keyed_at = bench.around.clock.monotonic()
    bench.step(50, tone, keyed=True)
    assert bench.keyed
    bench.step(100)
    assert not bench.keyed
    (on, _), (off, _) = bench.around.handles["donor"].changes
    assert on == pytest.approx(keyed_at + 0.02, abs=1e-6)
    played = cards.played
    loud = np.flatnonzero(np.abs(played) > 0.1)
    # The cards run when 20 ms have passed, and what they are given is heard when their latency has.
    first_s, last_s = (float(i) / rate + 0.02 + cards.latency_s for i in (loud[0], loud[-1]))
    assert last_s - first_s == pytest.approx(1.0, abs=0.003)
    assert first_s - on >= lead_ms / 1000
    assert 0.045 <= off - last_s <= 0.13
    declared_s = sum(stage.delay_s for stage in bench.port.stages("tx"))
    assert first_s - on == pytest.approx(declared_s, abs=0.012)
    assert bench.port.health().counters["tx_slips"] == 0


def test_pulled_card_unkeys_and_comes_back() -> None:
    cards = FakeCards()
    bench = Bench(SoundCardSettings("USB", "USB", keyer="serial:/dev/ttyUSB0"), cards)
    tone = np.full(160 * 100, 0.5, np.float32)
    bench.step(50, tone, keyed=True)
    assert bench.keyed and bench.port.health().state is State.UP
    pulled_s = bench.around.clock.monotonic()
    cards.unplug()
    bench.step(100, tone, keyed=True)
    assert not bench.keyed
    assert bench.around.handles["donor"].changes[-1][0] - pulled_s < 0.5
    health = bench.port.health()
    assert health.state is State.DOWN and 'there is no sound card "USB"' in health.reason
    assert health.counters["tx_refused"] > 20
    cards.plugged = True
    bench.step(150, np.full(160 * 150, 0.5, np.float32), keyed=True)
    assert bench.keyed
    assert bench.port.health().state is State.UP
    assert bench.port.health().counters["tx_opened"] == 2
    assert np.abs(cards.streams[-1].heard[-1]).max() == pytest.approx(0.5, abs=0.01)
    assert bench.around.told["port.health"] >= 3


def test_keyer_trouble_is_a_degraded_port() -> None:
    bench = Bench(SoundCardSettings(output="USB", keyer="rigctld:127.0.0.1:4532"), FakeCards())
    bench.step(10)
    bench.around.handles["donor"].problem = "rigctld does not answer"
    assert bench.port.health().state is State.DEGRADED
    assert "PTT: rigctld does not answer" in bench.port.health().reason


def test_start_and_stop_unkey_and_are_patient() -> None:
    around = Surroundings()
    settings = SoundCardSettings("USB", "USB", keyer="none:")
    port = SoundCardPort("donor", settings, around.context, FakeCards())

    async def live() -> None:
        await port.stop()
        await port.start()
        assert port.tx is not None
        port.tx.write(np.zeros(160, np.float32), 0, True)
        await port.stop()
        await port.stop()

    asyncio.run(live())
    assert not around.handles["donor"].keyed
    assert port.health().state is State.DOWN


def test_minutes_of_drift_slip_nothing() -> None:
    cards = FakeCards(rate=8_000, ppm=100)
    cards.sound = np.zeros(0, np.float32)
    bench = Bench(SoundCardSettings("USB", "USB", keyer="none:", cor="serial:/dev/ttyUSB0"), cards, FakeLine())
    rx_ppm, tx_ppm = [], []
    for _ in range(30):
        bench.step(50 * 30)
        counters = bench.port.health().counters
        rx_ppm.append(counters["rx_ppm"])
        tx_ppm.append(counters["tx_ppm"])
    assert counters["rx_slips"] == counters["tx_slips"] == counters["rx_dropped"] == counters["tx_dropped"] == 0
    assert np.mean(rx_ppm[6:]) == pytest.approx(100, abs=40)
    assert np.mean(tx_ppm[6:]) == pytest.approx(-100, abs=40)
