"""Ports of kind `rtp` under a clock that stands still until it is moved, joined by networks that are made up."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from hw.clock import ManualClock
from sdrbridge.ports.live import State
from sdrbridge.ports.rtp import RtpPort
from sdrbridge.ports.rtpsettings import RtpSettings
from sdrbridge.ports.rtpsocket import Outgoing
from sdrbridge.rtp import rtcp
from sdrbridge.rtp.address import Address
from sdrbridge.rtp.packet import RtpPacket
from sdrbridge.rtp.rtcp import Farewell, Report
from sdrbridge.transmission import Transmission
from tests.support.liveports import Surroundings
from tests.support.lossy import Network, jitter
from tests.support.speech import speech_like

Audio = NDArray[np.float32]

HERE, THERE = Address("192.0.2.1", 5004), Address("192.0.2.2", 5004)


class End:
    """One bridge's side: a port, ticked as a matrix does, and what it heard."""

    def __init__(self, clock: ManualClock, settings: RtpSettings, network: Network, seed: int) -> None:
        self.around = Surroundings(clock)
        self.clock = clock
        self.port = RtpPort("link", settings, self.around.context, Random(seed))
        self.network = network
        """Towards the other side."""
        self.now = 0
        self.overs: list[Transmission] = []
        self.sound: dict[str, Audio] = {}
        self.sent: list[tuple[float, Outgoing]] = []
        self._read: dict[str, int] = {}

    def tick(self, frame: Audio | None = None) -> None:
        """frame: what is said; None while not keyed."""
        rx = self.port.rx
        rx.advance(self.now)
        for over in rx.begun():
            self.overs.append(over)
            self.sound[over.id] = np.zeros(0, np.float32)
            self._read[over.id] = over.start
        for over in self.overs:
            end, start = rx.available() if over.end is None else over.end, self._read[over.id]
            if end > start:
                assert end <= self.now
                self.sound[over.id] = np.concatenate([self.sound[over.id], rx.read(start, end - start)])
                self._read[over.id] = end
        if self.port.tx is not None:
            self.port.tx.write(np.zeros(160, np.float32) if frame is None else frame, self.now, frame is not None)
        self.now += 160

    def work(self) -> None:
        """What the network's thread does."""
        at_s = self.clock.monotonic()
        for outgoing in self.port.work(at_s):
            self.sent.append((at_s, outgoing))
            self.network.send(bytes([outgoing.rtcp]) + outgoing.data, at_s)

    def packets(self) -> list[tuple[float, RtpPacket]]:
        return [(at_s, RtpPacket.parse(out.data)) for at_s, out in self.sent if not out.rtcp]


class Link:
    """Two ends. out, back: the networks from `a` to `b` and back."""

    def __init__(self, out: Network | None = None, back: Network | None = None, **changes: object) -> None:
        self.clock = ManualClock()
        settings = RtpSettings(HERE, (THERE,), codec="l16", payload_type=96)
        ours = replace(settings, **changes)  # type: ignore[arg-type]
        self.a = End(self.clock, ours, out or Network(), 1)
        self.b = End(self.clock, replace(ours, listen=THERE, peers=(HERE,)), back or Network(), 2)

    def run(self, seconds: float, say: Audio | None = None) -> None:
        """say: what `a` is keyed with, from now on."""
        for tick in range(round(seconds * 50)):
            frame = None if say is None else say[160 * tick : 160 * tick + 160]
            self.a.tick(frame if frame is not None and len(frame) == 160 else None)
            self.b.tick()
            for _ in range(4):
                for end in (self.a, self.b):
                    end.work()
                self._deliver(self.a, self.b, HERE)
                self._deliver(self.b, self.a, THERE)
                self.clock.advance(0.005)

    def _deliver(self, sender: End, receiver: End, source: Address) -> None:
        for data, at_s in sender.network.arrived(self.clock.monotonic()):
            of_rtcp = bool(data[0])
            receiver.port.take(data[1:], source.next() if of_rtcp else source, of_rtcp, at_s)


def counters(end: End) -> dict[str, float]:
    return dict(end.port.health().counters)


def likeness(heard: Audio, said: Audio) -> tuple[float, int]:
    """Mean over pieces of 0.25 s of the highest normalized correlation, and of the shift up to 25 ms where it was.

    In pieces, because the pace of what is heard follows the buffer.
    """
    scores, shifts = [], []
    for at in range(200, min(len(heard), len(said)) - 2200, 2000):
        piece = said[at : at + 2000]
        if float(piece @ piece) < 1:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(heard[at - 200 : at + 2200], 2000)
        found = windows @ piece / (np.linalg.norm(windows, axis=1) * np.linalg.norm(piece) + 1e-9)
        scores.append(float(found.max()))
        shifts.append(int(np.argmax(found)) - 200)
    return float(np.mean(scores)), round(float(np.median(shifts)))


@pytest.mark.parametrize(("codec", "kind"), [("pcmu", 0), ("l16", 96)])
def test_a_talkspurt_is_an_over_from_its_first_syllable(codec: str, kind: int) -> None:
    link = Link(codec=codec, payload_type=kind)
    said = speech_like(3.0, 1)
    link.run(1.0)
    link.run(5.0, said)
    (over,) = link.b.overs
    # On the air a packet's length before it was sent, which was 5 ms after its tick, and 5 ms under way.
    assert over.start == pytest.approx(8000 - 160 + 80, abs=20)
    assert over.on_air_end is not None and over.on_air_end == pytest.approx(over.start + len(said), abs=180)
    score, shift = likeness(link.b.sound[over.id], said)
    assert score > 0.9 and abs(shift) < 40
    seen = counters(link.b)
    assert seen["rx_packets"] == 150 and seen["rx_lost"] == seen["rx_concealed_ms"] == 0
    assert seen["rx_overs"] == 1 and counters(link.a)["rx_overs"] == 0
    assert link.b.port.health().state is State.DOWN  # its sockets were never opened


def test_packets_leave_every_20_ms_and_only_while_keyed() -> None:
    link = Link()
    link.run(1.0)
    link.run(2.0, speech_like(1.0, 2))
    link.run(1.0, speech_like(0.5, 3))
    packets = link.a.packets()
    assert [p.marker for _, p in packets] == [i in (0, 50) for i in range(75)]
    gaps = np.diff([at_s for at_s, _ in packets])
    assert np.allclose(np.delete(gaps, 49), 0.02, atol=1e-6)
    stamps = np.diff([p.timestamp for _, p in packets]) & 0xFFFFFFFF
    assert stamps[49] == 160 + 8000 and set(np.delete(stamps, 49)) == {160}
    assert not link.b.packets()


def test_ticks_that_are_late_leave_evenly_and_old_ones_not_at_all() -> None:
    clock = ManualClock()
    end = End(clock, RtpSettings(HERE, (THERE,)), Network(), 1)
    frame = np.full(160, 0.25, np.float32)

    def ms(n: int) -> None:
        for _ in range(n):
            end.work()
            clock.advance(0.001)

    for _ in range(20):
        end.tick(frame)
        ms(20)
    ms(100)
    for _ in range(6):  # 100 ms late, all at once
        end.tick(frame)
    ms(100)
    gaps = np.diff([at_s for at_s, _ in end.packets()])
    assert len(end.packets()) == 26 and gaps.min() >= 0.01 - 1e-9
    assert counters(end)["tx_late"] >= 4 and counters(end)["tx_dropped"] == 0
    end.tick(frame)
    clock.advance(0.5)  # the network's thread sleeps
    ms(10)
    assert len(end.packets()) == 26 and counters(end)["tx_dropped"] == 1


def test_send_always_sends_silence_and_speech_is_found_in_it() -> None:
    said = speech_like(3.0, 4)
    link = Link(send="always", opened_by="speech")
    link.run(2.0)
    link.run(6.0, said)
    assert len(link.a.packets()) == 400 and [p.marker for _, p in link.a.packets()].count(True) == 1
    (over,) = link.b.overs
    assert 16_000 - 2600 < over.start < 16_000 + 80
    assert over.on_air_end is not None and abs(over.on_air_end - 16_000 - len(said)) < 4000


def test_loss_and_jitter_are_covered_and_reported_to_the_far_side() -> None:
    said = speech_like(20.0, 5)
    link = Link(Network(jitter(0.03), lost=0.05, seed=3), Network(jitter(0.03)))
    link.run(22.0, said)
    (over,) = link.b.overs
    assert abs(len(link.b.sound[over.id]) - len(said)) < 2000
    assert likeness(link.b.sound[over.id], said)[0] > 0.85
    far, near = counters(link.a), counters(link.b)
    assert near["rx_lost"] == pytest.approx(50, abs=25)
    assert near["rx_concealed_ms"] == pytest.approx(20 * near["rx_lost"], rel=0.3)
    assert 1 < far["far_lost_percent"] < 12
    assert far["far_jitter_ms"] > 3 and 40 < far["round_trip_ms"] < 120
    assert near["rx_stale"] == 0


def test_old_speech_keys_nothing_after_a_stall() -> None:
    link = Link(Network(stall=(3.0, 7.0)))
    link.run(5.0, speech_like(5.0, 6))  # he ends while everything is held back
    link.run(6.0)
    (over,) = link.b.overs
    assert over.end is not None and over.end < 3.3 * 8000
    assert counters(link.b)["rx_stale"] >= 90
    link.run(2.0, speech_like(1.0, 7))  # and the next one is heard as ever
    assert len(link.b.overs) == 2 and link.b.overs[1].start == pytest.approx(11 * 8000 - 80, abs=200)


def test_a_stall_in_the_middle_of_speech() -> None:
    link = Link(Network(stall=(3.0, 7.0)))
    link.run(12.0, speech_like(10.0, 8))
    first, second = link.b.overs
    assert first.end is not None and first.end < 3.3 * 8000
    assert second.start >= int(6.7 * 8000)
    assert second.end is not None and second.end == pytest.approx(10 * 8000, abs=2000)


def test_who_is_not_listed_is_neither_heard_nor_answered() -> None:
    link = Link()
    stranger = Address("192.0.2.66", 5004)
    for number in range(100):
        data = RtpPacket(96, number, 160 * number, 5, bytes(320)).encode()
        link.b.port.take(data, stranger, False, link.clock.monotonic())
        link.b.port.take(Report(5).encode() + Farewell((5,)).encode(), stranger, True, link.clock.monotonic())
        link.run(0.02)
    assert link.b.overs == [] and counters(link.b)["rx_unlisted"] == 200
    assert {out.to for _, out in link.b.sent} <= {HERE.next()}


def test_any_bytes_from_a_listed_peer_do_no_harm() -> None:
    link, rng = Link(), np.random.default_rng(9)
    for number in range(500):
        data = rng.bytes(int(rng.integers(0, 400)))
        if number % 2:
            head = RtpPacket(96, int(rng.integers(65_536)), int(rng.integers(1 << 32)), int(rng.integers(1 << 32)), b"")
            data = head.encode() + data
        link.b.port.take(data, HERE, False, link.clock.monotonic())
        link.b.port.take(data, HERE.next(), True, link.clock.monotonic())
        link.b.tick()
        link.clock.advance(0.02)
    assert link.b.overs == []
    link = Link()
    link.run(1.0, speech_like(1.0, 1))
    assert len(link.b.overs) == 1


def test_a_peer_that_starts_anew_is_heard_again() -> None:
    link = Link()
    link.run(1.0, speech_like(1.0, 1))
    anew = End(link.clock, RtpSettings(HERE, (THERE,), codec="l16", payload_type=96), Network(), 77)
    anew.now = link.a.now
    link.a = anew
    link.run(2.0, speech_like(1.0, 2))
    assert len(link.b.overs) == 2 and counters(link.b)["rx_sources"] == 2
    # It waits until the one before has been quiet for 60 ms, and is then heard from its first syllable.
    assert link.b.overs[1].start == pytest.approx(8000 - 80, abs=700)
    assert len(link.b.sound[link.b.overs[1].id]) > 8000


def test_a_farewell_ends_the_over_without_waiting() -> None:
    link = Link()
    link.run(1.0, speech_like(1.0, 1))
    assert link.b.overs[0].end is None
    for outgoing in link.a.port.farewell():
        assert any(isinstance(packet, Farewell) for packet in rtcp.parse(outgoing.data))
        link.a.network.send(bytes([outgoing.rtcp]) + outgoing.data, link.clock.monotonic())
    link.run(0.1)
    assert link.b.overs[0].end is not None


def test_one_of_several_peers_is_heard_at_a_time_and_all_are_sent_to() -> None:
    clock = ManualClock()
    peers = (THERE, Address("192.0.2.3", 5004), Address("192.0.2.4", None))
    end = End(clock, RtpSettings(HERE, peers), Network(), 1)
    for tick in range(200):
        for number, (begin, until) in enumerate(((10, 60), (30, 90), (120, 160))):
            if begin <= tick < until:
                source = Address(peers[number].host, peers[number].port or 9000)
                data = RtpPacket(0, tick, 160 * tick, number, b"\x80" * 160).encode()
                end.port.take(data, source, False, clock.monotonic())
        end.tick(np.zeros(160, np.float32) if tick < 10 else None)
        end.work()
        clock.advance(0.02)
    # The second one is heard from where the first one ends.
    spans = [(round(over.start / 160), round((over.on_air_end or 0) / 160)) for over in end.overs]
    assert len(spans) == 3
    assert spans[0] == (9, 59) and 59 <= spans[1][0] <= 72 and spans[1][1] == 89 and spans[2] == (119, 159)
    assert [out.to for _, out in end.sent if not out.rtcp].count(peers[1]) == 10
    assert {out.to for _, out in end.sent} == {THERE, THERE.next(), peers[1], peers[1].next()}


def test_a_peer_that_only_speaks_is_never_sent_to() -> None:
    end = End(ManualClock(), RtpSettings(HERE, (Address("192.0.2.4", None),)), Network(), 1)
    assert end.port.tx is None and list(end.port.stages("tx")) == []


def test_silence_of_a_peer_that_used_to_report_is_told() -> None:
    link = Link()
    link.run(15.0)
    assert link.b.port.session.members[0].rtcp_s > 0
    link.a.network.lost = 1.0
    link.run(60.0)
    assert link.b.port._silent() == ["nothing comes from 192.0.2.1:5004 any more"]


def test_delay_is_declared() -> None:
    link = Link()
    link.run(2.0, speech_like(2.0, 3))
    stages = {stage.name: stage.delay_s for stage in link.b.port.stages("rx")}
    assert stages["packet"] == pytest.approx(0.02) and 0.02 <= stages["jitter buffer"] <= 0.03
    assert [stage.name for stage in link.b.port.stages("tx")] == ["packet pacing"]
