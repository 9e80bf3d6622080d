"""What is heard of a source through a made-up network: a ramp is sent, so each sample heard says how old it is."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from sdrbridge.rtp.packet import l16_decode, l16_encode
from sdrbridge.rtp.player import Player
from tests.support.lossy import Network, jitter

Audio = NDArray[np.float32]

SCALE = 1 << 19
"""Samples of the ramp: 65 s; one step of L16 is 2 ms of it."""


_LINE = np.arange(160) / SCALE


@dataclass(eq=False)
class Listener:
    """Sends a ramp through a network, 20 ms at a time by a clock that is `ppm` off, and plays it.

    talks: from when to when, in seconds. heard: seconds of bridge time and of what is heard, for every tick that is
    sound as it was sent. sounding: seconds of ticks that were not silent.
    """

    network: Network
    ppm: float = 0.0
    talks: tuple[tuple[float, float], ...] = ((0.0, 1e9),)
    player: Player = field(default_factory=lambda: Player(l16_decode))
    heard: list[tuple[float, float]] = field(default_factory=list)
    sounding: list[float] = field(default_factory=list)
    spurts: int = 0
    _sent: int = 0
    _tick: int = 0

    def run(self, seconds: float) -> "Listener":
        pace_s = 0.02 / (1 + self.ppm * 1e-6)
        for _ in range(round(seconds * 50)):
            now_s = self._tick * 0.02
            while (at_s := self._sent * pace_s) <= now_s:
                if any(begin <= at_s < end for begin, end in self.talks):
                    self._send(at_s)
                self._sent += 1
            for data, arrival_s in self.network.arrived(now_s):
                self.player.put(int.from_bytes(data[:4], "big"), data[4:], arrival_s * 8000)
            self._play(self._tick * 160)
            self._tick += 1
        return self

    def _send(self, at_s: float) -> None:
        ramp = ((160 * self._sent + np.arange(160)) % SCALE).astype(np.float32) / SCALE
        stamp = (4_294_900_000 + 160 * self._sent) & 0xFFFFFFFF
        self.network.send(stamp.to_bytes(4, "big") + l16_encode(np.asarray(ramp, np.float32)), at_s)

    def _play(self, now: int) -> None:
        player = self.player
        if not player.talking:
            if not player.begin(now):
                return
            self.spurts += 1
        out = player.pull(now)
        if out.any():
            self.sounding.append(now / 8000)
        # A straight line that rises as it should, all the way, is what was sent; nothing that is made up is one.
        start = float(out.mean()) - 79.5 / SCALE
        if start > 1 / 32768 and np.abs(out - start - _LINE).max() < 3 / 32768:
            self.heard.append((now / 8000, start * SCALE / 8000))
        if player.finished(now):
            player.stop()

    def ages(self) -> Audio:
        """How old what was heard was, from when its packet was sent, to 4 ms."""
        heard = np.array(self.heard)
        return np.asarray(heard[:, 0] - heard[:, 1] * (1 / (1 + self.ppm * 1e-6)), np.float32)


def test_a_clean_path_costs_twenty_to_forty_ms_and_nothing_is_made_up() -> None:
    listener = Listener(Network()).run(20)
    assert listener.player.concealed == listener.player.retimed == 0
    ages = listener.ages() - 0.005
    assert ages.min() > 0.015 and ages.max() < 0.046
    assert len(listener.heard) > 0.99 * len(listener.sounding)


@pytest.mark.parametrize("seed", range(3))
def test_one_packet_in_twenty_lost_with_30_ms_of_jitter(seed: int) -> None:
    network = Network(jitter(0.03), lost=0.05, doubled=0.03, seed=seed)
    listener = Listener(network).run(60)
    player = listener.player
    # What is made up is what was lost, and hardly more.
    assert player.concealed / 480_000 == pytest.approx(0.05, abs=0.015)
    assert player.jitter.statistics.stale == player.jitter.statistics.moved == 0
    assert player.jitter.statistics.doubled + player.jitter.statistics.late > 40
    ages = listener.ages() - 0.02
    assert np.percentile(ages, 99) < 0.075 and ages.max() < 0.2


def test_reordering_by_two_packets_loses_nothing_once_it_is_known() -> None:
    late = Network(lambda rng, at_s: 0.05 if round(at_s * 50) % 7 == 3 else 0.005)
    listener = Listener(late).run(20)
    before = listener.player.concealed
    listener.run(20)
    assert before < 4000 and listener.player.concealed == before


def test_a_stall_of_4_s_and_its_burst() -> None:
    listener = Listener(Network(stall=(5.0, 9.0))).run(20)
    assert listener.ages().max() < 0.005 + 0.2 + 0.03
    sounding = np.array(listener.sounding)
    assert not ((sounding > 5.2) & (sounding < 8.95)).any()
    assert sounding[-1] > 19.9 and listener.player.jitter.statistics.stale > 180
    assert listener.spurts == 2


def test_who_ended_during_the_stall_is_not_heard_after_it() -> None:
    listener = Listener(Network(stall=(5.0, 9.0)), talks=((0.0, 7.0),)).run(20)
    assert listener.spurts == 1 and max(listener.sounding) < 5.2
    assert listener.player.jitter.statistics.stale == 100


def test_a_path_that_became_longer_is_heard_again() -> None:
    listener = Listener(Network(lambda rng, at_s: 0.02 + (0.4 if at_s > 10 else 0))).run(30)
    sounding = np.array(listener.sounding)
    gap = np.diff(sounding).max()
    assert 1.9 < gap < 2.6
    assert listener.player.jitter.statistics.moved == 1
    assert listener.ages().max() < 0.42 + 0.05


def test_an_endless_talkspurt_learns_that_packets_come_later() -> None:
    listener = Listener(Network(lambda rng, at_s: 0.02 + (0.1 if at_s > 10 else 0))).run(30)
    # No silence in which to adapt: it is done where packets are missing anyway.
    assert listener.player.concealed < 8000 * 0.2
    assert 0.11 < listener.ages()[-100:].max() < 0.16
    assert listener.spurts == 1


def test_a_path_that_became_shorter_does_not_stay_late() -> None:
    listener = Listener(Network(lambda rng, at_s: 0.02 + (0.15 if at_s < 10 else 0))).run(15)
    assert listener.ages()[-50:].max() < 0.02 + 0.07


@pytest.mark.parametrize(("ppm", "minutes"), [(-300, 20), (300, 60)])
def test_an_hour_of_clocks_that_differ(ppm: int, minutes: int) -> None:
    listener = Listener(Network(jitter(0.01)), ppm)
    listener.run(600)
    before = listener.player.concealed
    listener.run(60 * minutes - 600)
    player = listener.player
    # An hour moves the clocks 1.08 s apart: 54 packets too many or too few without it.
    assert player.ppm == pytest.approx(ppm, abs=30)
    assert player.concealed - before < 80 and player.retimed == 0
    assert player.jitter.statistics.stale == player.jitter.statistics.moved == 0
    assert listener.spurts == 1


def test_talkspurts_begin_with_their_first_sample_and_end() -> None:
    listener = Listener(Network(), talks=((1.0, 2.0), (4.0, 5.5), (5.6, 6.0))).run(10)
    heard = np.array(listener.heard)
    assert listener.spurts == 2  # a pause of 100 ms ends nothing
    for begin, end in ((1.0, 2.0), (4.0, 5.5)):
        part = heard[(heard[:, 1] >= begin - 0.03) & (heard[:, 1] < end + 0.02), 1]
        assert part.min() < begin + 0.021 and part.max() > end - 0.05
    assert not listener.player.talking


def test_what_the_sender_says_ends_a_talkspurt_at_once() -> None:
    listener = Listener(Network(), talks=((1.0, 2.0),)).run(2.02)
    listener.player.end()
    assert listener.player.talking
    listener.run(0.08)
    assert not listener.player.talking
    assert max(second for _, second in listener.heard) > 1.95
