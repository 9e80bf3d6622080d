"""A worker without its process: the same overs as a replay, handed over whole, bounded when nobody takes them."""

from pathlib import Path

import numpy as np
import pytest

from dsp.blocks import TICK_SAMPLES, IqBlock
from hw.base import SourceInfo
from sdrbridge import config
from sdrbridge.bridge import make_line
from sdrbridge.matrix import Event
from sdrbridge.receiver import Receiver
from sdrbridge.remoteport import RemotePort, RemoteTuner
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.wire import Audio, Beat, Begin, End, Hello, Message, Setup, Told, Unpacker, WireError
from sdrbridge.worker import MOST_HELD, MOST_PACKETS, Outbox, TunerRun
from tests.support.site import RATE, carrier, write_site

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
    line = make_line(wanted.tuner, wanted.channels, INFO, (), lambda event: None, begun.append)
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
        tuner.take([*messages, Beat(run.time)], now)
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
        tuner.take([Begin("A", "A-0001", 0, Facts()), told, Audio("A", 0, bytes(640)), Beat(160)], now)
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
    assert port.available() == 1400 and port.gaps == 1
    assert list(port.read(1050, 300)) == [1.0] * 50 + [0.0] * 200 + [1.0] * 50
    port.hear(1350, np.full(100, 2.0, np.float32))
    assert list(port.read(1390, 60)) == [1.0] * 10 + [2.0] * 50
    assert port.close(1500) is over and over.end == 1500
    assert not port.read(1450, 50).any()


def test_messages_about_nothing_known_are_counted() -> None:
    tuner = RemoteTuner("t", ["A"], lambda event: None)
    tuner.take([Audio("B", 0, bytes(640)), Audio("A", 0, bytes(640)), End("A", "A-0009", 1, 1, Facts())], 0)
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
    tuner.take([Hello("made", "iq", RATE, 155_000_000, (), run.ledger())], 0)
    declared = list(run.line.receiver.ledger(0))
    assert list(tuner.ports["A"].stages("rx")) == declared
    assert "channelizer block" in [stage.name for stage in declared]
    assert tuner.ports["A"].stages("tx") == ()
