"""The jitter buffer on virtual time: order, wrap, loss with jitter, stalls, longer paths, clocks that are set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.blocks import TICK_SAMPLES
from sdrbridge.rtp.jitter import LEAST_TARGET, MOST_TARGET, OLDEST, JitterBuffer

START = (1 << 32) - 160 * 40  # the timestamp wraps after 40 packets


def packet(number: int, length: int = 160) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(length, number, np.float32)


def run(arrivals: dict[int, int], ticks: int, buffer: JitterBuffer | None = None) -> list[tuple[int, int | None]]:
    """Packets by number and arrival; gives what was played at each tick that somebody talked, None for lost."""
    buffer = buffer or JitterBuffer()
    order = sorted(arrivals.items(), key=lambda item: item[1])
    played: list[tuple[int, int | None]] = []
    for tick in range(ticks):
        now = tick * TICK_SAMPLES
        while order and order[0][1] <= now:
            number, arrival = order.pop(0)
            buffer.put((START + 160 * number) & 0xFFFFFFFF, packet(number), arrival)
        if buffer.playing or buffer.begin(now):
            left, sound = TICK_SAMPLES, None
            while left:
                part, count = buffer.read(left)
                left -= count
                sound = part if sound is None else sound
            played.append((tick, None if sound is None else int(sound[0])))
            if sound is None and played[-3:][0][1] is None:
                buffer.stop()
    return played


def test_steady_packets_are_played_in_order_through_the_wrap() -> None:
    buffer = JitterBuffer()
    played = run({n: 160 * n + 40 for n in range(100)}, 100, buffer)
    assert [number for _, number in played] == list(range(len(played)))
    assert played[0][0] <= 3
    assert buffer.target == LEAST_TARGET and buffer.statistics.late == 0


def test_doubled_and_reordered_packets_do_no_harm() -> None:
    buffer = JitterBuffer()
    played = run({n: 160 * n + (170 if n % 7 == 3 else 10) for n in range(50)}, 50, buffer)
    numbers = [number for _, number in played if number is not None]
    assert numbers == sorted(set(numbers)) and len(numbers) >= 46
    before = buffer.statistics.late
    for _ in range(2):
        buffer.put((START + 160 * 49) & 0xFFFFFFFF, packet(49), 50 * 160)
        buffer.put((START + 160 * 47) & 0xFFFFFFFF, packet(47), 50 * 160)
    assert buffer.statistics.late - before + buffer.statistics.doubled == 3


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_jitter_leave_single_holes_and_a_bounded_delay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 1500
    arrivals = {n: 160 * n + 400 + int(rng.uniform(0, 240)) for n in range(count) if rng.random() >= 0.05}
    buffer = JitterBuffer()
    played = run(arrivals, count, buffer)
    holes = sum(number is None for _, number in played)
    assert holes < 0.075 * count
    for tick, number in played:
        if number is not None:
            assert tick * 160 - 160 * number - 400 <= OLDEST
    assert LEAST_TARGET <= buffer.target <= MOST_TARGET


def test_a_stall_of_4_s_and_its_burst_play_nothing_old() -> None:
    arrivals = {n: 160 * n + 40 for n in range(100)}
    burst = 160 * 300
    arrivals |= {n: burst + (n - 100) for n in range(100, 300)}
    arrivals |= {n: 160 * n + 40 for n in range(300, 400)}
    buffer = JitterBuffer()
    played = run(arrivals, 420, buffer)
    for tick, number in played:
        if number is not None:
            assert tick * 160 - (160 * number + 40) <= OLDEST + 160  # the end of a packet may be young enough
    assert buffer.statistics.stale > 180 and buffer.statistics.moved == 0
    assert {number for _, number in played} >= set(range(310, 390))


def test_a_burst_of_a_talker_who_has_ended_plays_nothing() -> None:
    arrivals = {n: 160 * n + 40 for n in range(100)}
    arrivals |= {n: 160 * 400 + (n - 100) for n in range(100, 250)}
    played = run(arrivals, 600)
    assert max(number for _, number in played if number is not None) < 100


@pytest.mark.parametrize("rate", [1.1, 1.5, 4.0])
def test_a_queue_that_drains_slowly_is_old_speech_and_no_longer_path(rate: float) -> None:
    arrivals = {n: 160 * n + 40 for n in range(100)}
    arrivals |= {n: 160 * 400 + int((n - 100) * 160 / rate) for n in range(100, 300)}
    buffer = JitterBuffer()
    played = run(arrivals, 1000, buffer)
    for tick, number in played:
        if number is not None:
            assert tick * 160 - (160 * number + 40) <= OLDEST
    assert buffer.statistics.moved == 0


@pytest.mark.parametrize("longer_ms", [230, 600, 3000])
def test_a_path_that_became_longer_is_played_again_after_two_seconds(longer_ms: int) -> None:
    rng = np.random.default_rng(longer_ms)
    arrivals = {n: 160 * n + int(rng.uniform(0, 160)) + (longer_ms * 8 if n >= 200 else 0) for n in range(600)}
    buffer = JitterBuffer()
    played = run(arrivals, 600 + longer_ms // 20, buffer)
    assert buffer.statistics.moved == 1
    assert {number for _, number in played} >= set(range(310, 590))


def test_a_path_that_became_shorter_is_followed_at_once() -> None:
    arrivals = {n: 160 * n + (1600 if n < 200 else 0) for n in range(400)}
    played = run(arrivals, 400)
    for tick, number in played:
        if number is not None and number > 205:
            assert tick - number <= 11
    assert sum(number is not None for _, number in played) > 380


def test_a_clock_that_is_set_is_followed_and_one_odd_packet_is_not() -> None:
    buffer = JitterBuffer()
    for n in range(50):
        buffer.put(160 * n, packet(n), 160 * n)
    assert not buffer.put(9_000_000, packet(0), 160 * 50)
    assert buffer.put(160 * 51, packet(51), 160 * 51)
    assert not buffer.put(9_000_000, packet(0), 160 * 52)
    assert buffer.put(9_000_160, packet(1), 160 * 53)
    assert buffer.statistics.moved == 1
    assert buffer.begin(160 * 54 + LEAST_TARGET)
    assert [int(buffer.read(160)[0][0]) for _ in range(2)] == [0, 1]  # type: ignore[index]


@pytest.mark.parametrize("hours", [1, 100, 400])
def test_hours_of_silence_cost_no_first_syllable(hours: int) -> None:
    buffer = JitterBuffer()
    for n in range(100):
        buffer.put(160 * n, packet(n), 160 * n)
    later = hours * 3600 * 8000
    for ppm in (-300, 300):
        arrival = later + 160 * 100
        stamp = int(later * (1 + ppm * 1e-6)) + 160 * 100
        again = JitterBuffer()
        for n in range(100):
            again.put(160 * n, packet(n), 160 * n)
        heard = [again.put((stamp + 160 * n) & 0xFFFFFFFF, packet(n), arrival + 160 * n) for n in range(10)]
        assert all(heard[1:])  # the first of two that say the clock was set waits for the second
        assert again.begin(arrival + 1600) and int(again.read(160)[0][0]) == 0  # type: ignore[index]


@pytest.mark.parametrize("length", [40, 80, 240, 320, 1024])
def test_packets_of_any_length(length: int) -> None:
    buffer = JitterBuffer()
    heard: list[float] = []
    sent = 0
    x = np.arange(16_000, dtype=np.float32)
    for tick in range(90):
        now = tick * TICK_SAMPLES
        while sent * length + length <= min(now, len(x)):
            buffer.put(sent * length, x[sent * length : sent * length + length], sent * length + length)
            sent += 1
        if buffer.playing or buffer.begin(now):
            left = TICK_SAMPLES
            while left:
                sound, count = buffer.read(left)
                assert sound is not None
                heard += sound.tolist()
                left -= count
    assert len(heard) > 9000 and heard == x[: len(heard)].tolist()


@given(st.lists(st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 1480), st.integers(0, 400)), max_size=60))
def test_any_timestamps_leave_it_working(packets: list[tuple[int, int, int]]) -> None:
    buffer, now = JitterBuffer(), 0
    for timestamp, length, later in packets:
        now += later
        buffer.put(timestamp, packet(1, length), now)
        if buffer.playing or buffer.begin(now):
            sound, count = buffer.read(160)
            assert 1 <= count <= 160 and (sound is None or len(sound) == count)
