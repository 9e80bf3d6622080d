"""The jitter buffer on virtual time: order, wrap, loss with jitter, a stall and its burst. Nothing old is played."""

import numpy as np
import pytest

from dsp.blocks import TICK_SAMPLES
from sdrbridge.rtp.jitter import LEAST_TARGET, MOST_TARGET, OLDEST, JitterBuffer

START = (1 << 32) - 160 * 40  # the timestamp wraps after 40 frames


def run(arrivals: dict[int, int], ticks: int, buffer: JitterBuffer | None = None) -> list[tuple[int, int | None]]:
    """Frames by number and arrival; gives what was played at each tick that somebody talked."""
    buffer = buffer or JitterBuffer()
    order = sorted(arrivals.items(), key=lambda item: item[1])
    played = []
    for tick in range(ticks):
        now = tick * TICK_SAMPLES
        while order and order[0][1] <= now:
            number, arrival = order.pop(0)
            buffer.put((START + 160 * number) & 0xFFFFFFFF, number.to_bytes(2, "big"), arrival)
        frame = buffer.take(now)
        if buffer.talking:
            played.append((tick, None if frame is None else int.from_bytes(frame, "big")))
    return played


def test_steady_frames_are_played_in_order_through_the_wrap() -> None:
    buffer = JitterBuffer()
    played = run({n: 160 * n + 40 for n in range(100)}, 100, buffer)
    assert [number for _, number in played] == list(range(len(played)))
    assert played[0][0] <= 3
    assert buffer.target == LEAST_TARGET and buffer.statistics.missing == 0


def test_doubled_and_reordered_frames_do_no_harm() -> None:
    buffer = JitterBuffer()
    played = run({n: 160 * n + (170 if n % 7 == 3 else 10) for n in range(50)}, 50, buffer)
    numbers = [number for _, number in played if number is not None]
    assert numbers == sorted(set(numbers))
    for _ in range(2):
        buffer.put((START + 160 * 49) & 0xFFFFFFFF, b"xx", 50 * 160)
        buffer.put((START + 160 * 30) & 0xFFFFFFFF, b"xx", 31 * 160)
    assert buffer.statistics.late + buffer.statistics.doubled >= 3


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_jitter_leave_single_holes_and_a_bounded_delay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 1500
    arrivals = {n: 160 * n + 400 + int(rng.uniform(0, 240)) for n in range(count) if rng.random() >= 0.05}
    buffer = JitterBuffer()
    played = run(arrivals, count, buffer)
    holes = sum(number is None for _, number in played)
    assert holes < 0.13 * count
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
            assert tick * 160 - (160 * number + 40) <= OLDEST
    assert buffer.statistics.stale > 180
    assert {number for _, number in played} >= set(range(310, 390))


def test_what_is_held_is_bounded() -> None:
    buffer = JitterBuffer()
    for n in range(1000):
        buffer.put(160 * n, b"", 0)
    assert buffer.statistics.full > 900
