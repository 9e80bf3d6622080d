"""A worker without its process: the same overs as a replay, handed over whole, bounded when nobody takes them."""

from pathlib import Path

import numpy as np
import pytest

from dsp.blocks import TICK_SAMPLES, IqBlock
from dsp.elastic import Stretch
from hw.base import SourceInfo
from sdrbridge import config
from sdrbridge.bank import Stage
from sdrbridge.bridge import LineCommon, make_line
from sdrbridge.matrix import Event
from sdrbridge.pacer import MOST_LATE_S
from sdrbridge.receiver import Receiver
from sdrbridge.remoteport import REACH_S, RemotePort, RemoteTuner
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.tunerclock import TunerClock
from sdrbridge.wire import Audio, Beat, Begin, End, Hello, Message, Setup, Told, Unpacker, WireError
from sdrbridge.worker import MOST_HELD, MOST_PACKETS, Outbox, TunerRun
from tests.support.site import RATE, carrier, write_site

HELD = 8
"""Samples that the clock correction holds back."""

INFO = SourceInfo("made", "iq", RATE, 155_000_000, None, None, "cf32_le")


def setup(folder: Path) -> Setup:
    site = config.load(write_site(folder))
    return Setup(str(folder), (), site.tuners[0], site.channels)


def messages_of(
    run: TunerRun, samples: np.ndarray[tuple[int, ...], np.dtype[np.complex64]], size: int
) -> list[Message]:
    out: list[Message] = []
    for at in range(0, len(samples), size):
        out += run.take(IqBlock(samples[at : at + size], RATE, at))
    return out


@pytest.mark.parametrize("size", [480, 1000, 7])
def test_the_same_overs_as_in_process(tmp_path: Path, size: int) -> None:
    wanted = setup(tmp_path)
    samples = carrier(2.0)[: RATE * 2]
    messages = messages_of(TunerRun(wanted, INFO), samples, size)
    begun: list[Transmission] = []
    common = LineCommon((), wanted.vocoder, lambda event: None, begun.append)
    line = make_line(wanted.tuner, wanted.channels, INFO, common)
    heard: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    done = None
    step = RATE // 100
    assert isinstance(line.receiver, Receiver)
    for number, at in enumerate(range(0, len(samples), step)):
        line.deliver(line.receiver.process(IqBlock(samples[at : at + step], RATE, at)))
        line.advance((number + 1) * TICK_SAMPLES // 2)
        if begun:
            over, port = begun[0], line.ports[0]
            done = over.start if done is None else done
            end = port.available() if over.end is None else over.end
            heard.append(port.read(done, end - done))
            done = end
    begins = [m for m in messages if isinstance(m, Begin)]
    ends = [m for m in messages if isinstance(m, End)]
    assert [(m.over, m.start) for m in begins] == [(o.id, o.start) for o in begun]
    assert [(m.over, m.end) for m in ends] == [(o.id, o.end) for o in begun]
    sent = np.concatenate([m.array() for m in messages if isinstance(m, Audio)])
    assert np.array_equal(sent, np.concatenate(heard))
    assert len(sent) == ends[0].end - begins[0].start


def test_a_port_of_the_daemon_gets_it_in_bridge_time(tmp_path: Path) -> None:
    run = TunerRun(setup(tmp_path), INFO)
    events: list[Event] = []
    tuner = RemoteTuner("t", ["A"], events.append)
    samples = carrier(2.0)
    overs: list[Transmission] = []
    port = tuner.ports["A"]
    moved = 80_000
    size = RATE // 50
    for number, at in enumerate(range(0, len(samples), size)):
        messages = run.take(IqBlock(samples[at : at + size], RATE, at))
        now = moved + number * TICK_SAMPLES
        tuner.take([*messages, Beat(run.time)], now, 0.0)
        overs += port.begun()
        assert port.available() <= now
    (over,) = overs
    assert over.end is not None and over.id == "A-0001"
    assert 0 <= (moved + 4000) - over.start <= TICK_SAMPLES + 80
    assert over.end - over.start == pytest.approx(8000, abs=200)
    assert np.sqrt(np.mean(port.read(over.start + 2000, 4000) ** 2)) > 0.05
    opened = next(e for e in events if e["event"] == "over.open")
    assert opened["start_s"] == over.start / 8000
    assert opened["over"] == "A-0001"


def test_a_restarted_worker_goes_on_counting() -> None:
    events: list[Event] = []
    tuner = RemoteTuner("t", ["A"], events.append)
    for now in (0, 16_000):
        told = Told({"t_s": 0.0, "event": "over.open", "channel": "A", "over": "A-0001"})
        tuner.take([Begin("A", "A-0001", 0, Facts()), told, Audio("A", 0, bytes(640)), Beat(160)], now, 0.0)
        tuner.lost(now, "the worker was killed")
    overs = tuner.ports["A"].begun()
    assert [over.id for over in overs] == ["A-0001", "A-0002"]
    assert all(over.end is not None for over in overs)
    assert [e["over"] for e in events if e["event"] == "over.open"] == ["A-0001", "A-0002"]
    closes = [e for e in events if e["event"] == "over.close"]
    assert [e["reason"] for e in closes] == ["the worker was killed"] * 2


def test_lost_speech_is_silence_of_the_same_length() -> None:
    port = RemotePort("A")
    over = port.begin(1000, Facts())
    port.hear(1000, np.ones(100, np.float32))
    port.hear(1300, np.ones(100, np.float32))
    assert port.available() == 1400 - HELD and port.gaps == 1
    assert list(port.read(1050, 300)) == [1.0] * 50 + [0.0] * 200 + [1.0] * 50
    port.hear(1350, np.full(100, 2.0, np.float32))
    assert list(port.read(1390, 50)) == [1.0] * 10 + [2.0] * 40
    assert port.close(1500) is over and over.end == 1500
    assert list(port.read(1440, 60)) == [2.0] * 10 + [0.0] * 50


def test_a_gap_longer_than_all_that_is_kept_costs_nothing() -> None:
    port = RemotePort("A")
    port.begin(0, Facts())
    port.hear(0, np.ones(100, np.float32))
    port.hear(10**12, np.ones(100, np.float32))
    assert port.available() == 10**12 + 100 - HELD and port.moved == 0
    assert not port.read(0, 100).any() and not port.read(10**12 - 100, 100).any()
    assert list(port.read(10**12, 50)) == [1.0] * 50
    over = port.close(2 * 10**12, 2 * 10**12 - 50)
    assert over is not None and (over.end, over.on_air_end) == (2 * 10**12, 2 * 10**12 - 50)


@pytest.mark.parametrize("first", [0.0, 120.0])
def test_clocks_that_are_found_apart_in_an_over_tear_nothing(first: float) -> None:
    """The filter may set in at any time, and gives what it would give if it had been there all along."""
    rng = np.random.default_rng(7)
    clock = TunerClock()
    port, stretch = RemotePort("A", clock), Stretch(8000, 8000, 4096, REACH_S)
    expected = np.zeros(0, np.float32)
    port.begin(1000, Facts())
    came = 1000
    for ppm in [first] * 20 + [250.0] * 30 + [0.0] * 10 + [-90.0] * 30:
        speech = rng.standard_normal(int(rng.integers(1, 500))).astype(np.float32)
        clock.ppm = ppm
        port.hear(came, speech)
        came += len(speech)
        stretch.set_ppm(ppm)
        stretch.push(speech)
        made = np.empty(stretch.possible(), np.float32)
        stretch.pull(made)
        expected = np.concatenate([expected, made])
        assert port.available() == 1000 + len(expected)
        assert port.moved == round(len(expected) - stretch.position)
    assert np.array_equal(port.read(1000, len(expected)), expected)


@pytest.mark.parametrize("ppm", [-300, -60, 100, 300])
def test_an_over_of_minutes_stays_with_the_clock_of_the_bridge(ppm: int) -> None:
    """Of a tuner whose crystal is off, with ticks and blocks that come when they like."""
    rng = np.random.default_rng(ppm % 1000)
    tuner = RemoteTuner("t", ["A"], lambda event: None)
    port = tuner.ports["A"]
    time, first, behind, sound = 0, 40_000 * 8, [], []
    for tick in range(9000):
        at = tick * 0.02 + float(rng.exponential(0.0005))
        now = tick * TICK_SAMPLES
        messages: list[Message] = []
        while (sent := (time + 80) / (8000 * (1 + ppm * 1e-6)) + float(rng.exponential(0.0005))) < at:
            if time == first:
                messages.append(Begin("A", "A-0001", time, Facts()))
            block = np.asarray(np.sin(2 * np.pi * 1000 * np.arange(time, time + 80) / 8000), np.float32)
            if time >= first:
                messages.append(Audio("A", time, block.tobytes()))
            time += 80
            messages.append(Beat(time, sent_s=sent))
        tuner.take(messages, now, at)
        if tick >= 6000 and tick % 50 == 0:
            behind.append(now - port.available())
            sound.append(port.read(port.available() - 8000, 8000))
    assert tuner.clock.ppm == pytest.approx(ppm, abs=15)
    # Half a block of unevenness, and what the two clocks' beat makes of it.
    assert max(behind) - min(behind) <= 2 * 80 + TICK_SAMPLES // 10
    hum = np.array(sound[-1])
    at_hz = np.argmax(np.abs(np.fft.rfft(hum * np.hanning(8000), 1 << 20))) * 8000 / (1 << 20)
    assert at_hz == pytest.approx(1000 * (1 + ppm * 1e-6), abs=0.02)
    assert np.abs(np.diff(hum, 2)).max() < 0.62  # a sine of 1 kHz bends by 0.586 at most, and nothing is torn


def placed_after(late_s: float, begins_s: float) -> float:
    """How many ms too early an over is placed that begins on the air at `begins_s`, with the tick of 3 s `late_s` late.

    Up to 200 ms late the ticks that are due are made at once; after more, bridge time goes on from where it stood.
    """
    tuner = RemoteTuner("t", ["A"], lambda event: None)
    time, now, at, begin = 0, 0, 0.0, round(begins_s * 8000)
    due = 0.0
    while now < 8 * 8000:
        at = max(at + 0.0001, due)
        if now == 3 * 8000:
            at += late_s
            due = at if late_s > MOST_LATE_S else due
        messages: list[Message] = []
        while (time + 80) / 8000 <= at:
            if time == begin:
                messages.append(Begin("A", "A-0001", time, Facts()))
            time += 80
            messages.append(Beat(time, sent_s=time / 8000))
        tuner.take(messages, now, at)
        for over in tuner.ports["A"].begun():
            given_up = late_s if late_s > MOST_LATE_S and begins_s > 3 else 0.0
            return (begins_s - given_up - over.start / 8000) * 1000
        now += TICK_SAMPLES
        due += TICK_SAMPLES / 8000
    raise AssertionError("nothing began")


@pytest.mark.parametrize("begins_s", [2.0, 3.05, 3.16, 3.5, 4.5, 6.0])
@pytest.mark.parametrize("late_s", [0.0, 0.14, 0.19, 0.5])
def test_ticks_that_are_made_good_do_not_move_what_begins(late_s: float, begins_s: float) -> None:
    # Between two steps of 10 ms the steady clock and the samples agree; what begins in lost time has no place in it.
    if late_s <= MOST_LATE_S or not 3 < begins_s < 3 + late_s:
        assert placed_after(late_s, begins_s) == pytest.approx(0, abs=1)


def test_messages_about_nothing_known_are_counted() -> None:
    tuner = RemoteTuner("t", ["A"], lambda event: None)
    tuner.take([Audio("B", 0, bytes(640)), Audio("A", 0, bytes(640)), End("A", "A-0009", 1, 1, Facts())], 0, 0.0)
    assert tuner.strangers == 3
    assert not tuner.ports["A"].begun()


class Slow:
    """A connection that takes as many bytes as it is allowed to."""

    def __init__(self) -> None:
        self.room = 0
        self.taken = bytearray()

    def send(self, data: bytes) -> int:
        n = min(self.room, len(data))
        self.room -= n
        self.taken += data[:n]
        return n


def test_a_daemon_that_stalls_loses_old_speech_and_nothing_else() -> None:
    slow = Slow()
    outbox = Outbox(slow.send)
    outbox.put([Begin("A", "A-0001", 0, Facts()), Beat(0)])
    total = 3 * MOST_HELD
    for n in range(total):
        outbox.put([Audio("A", 160 * n, bytes(640)), Beat(160 * n)])
    outbox.put([End("A", "A-0001", 160 * total, 160 * total, Facts())])
    slow.room = 1 << 30
    outbox.put([])
    messages = Unpacker().feed(bytes(slow.taken))
    heard = [m.index for m in messages if isinstance(m, Audio)]
    assert heard == sorted(heard) and heard[-1] == 160 * (total - 1)
    assert len(heard) <= MOST_HELD + 1
    assert outbox.dropped == 160 * (total - len(heard))
    assert isinstance(messages[0], Begin) and isinstance(messages[-1], End)


def test_a_daemon_that_never_listens_is_given_up() -> None:
    outbox = Outbox(lambda data: 0)
    with pytest.raises(WireError, match="has not listened"):
        for n in range(MOST_PACKETS + 2):
            outbox.put([Beat(n)])


def test_a_worker_says_what_its_stages_hold_back(tmp_path: Path) -> None:
    run = TunerRun(setup(tmp_path), INFO)
    tuner = RemoteTuner("t", ["A"], lambda event: None)
    assert tuner.ports["A"].stages("rx") == ()
    tuner.take([Hello("made", "iq", RATE, 155_000_000, (), run.ledger())], 0, 0.0)
    declared = list(run.line.receiver.ledger(0))
    correction = Stage("clock correction", HELD / 8000)
    assert list(tuner.ports["A"].stages("rx")) == [*declared, correction]
    assert "channelizer block" in [stage.name for stage in declared]
    assert tuner.ports["A"].stages("tx") == ()
