"""The ring against a list that does the same slowly; its threads; the loss estimate; the clock."""

from datetime import UTC, datetime
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.clock import Clock, ManualClock, SystemClock
from hw.losses import LossEstimator
from hw.ring import SampleRing

BOUND_S = 10.0  # no test takes this long; a thread that has not ended by then hangs


def numbers(first: int, count: int) -> bytes:
    return np.arange(first, first + count, dtype="<u4").tobytes()


def take(ring: SampleRing, n: int) -> tuple[list[int], int] | None:
    out = np.zeros(4 * n, np.uint8)
    got = ring.read(out, 0.0)
    return None if got is None else (out[: 4 * got[0]].view("<u4").tolist(), got[1])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 30)),
        st.tuples(st.just("skip"), st.integers(0, 5)),
        st.tuples(st.just("read"), st.integers(1, 30)),
    ),
    max_size=60,
)


@given(capacity=st.integers(1, 20), steps=STEPS)
def test_ring_does_what_a_list_does(capacity: int, steps: list[tuple[str, int]]) -> None:
    ring = SampleRing(capacity, 4)
    model: list[int] = []
    at = dropped = 0
    for what, n in steps:
        if what == "write":
            ring.write(numbers(at, n))
            model += range(at, at + n)
            at += n
            dropped += max(0, len(model) - capacity)
            model = model[-capacity:]
        elif what == "skip":
            ring.skip(n)
            at += n
        else:
            expected: list[int] = []
            while model and len(expected) < n and (not expected or model[0] == expected[-1] + 1):
                expected.append(model.pop(0))
            assert take(ring, n) == (expected, expected[0] if expected else at)
    statistics = ring.statistics()
    assert (statistics.dropped, statistics.held, statistics.capacity) == (dropped, len(model), capacity)
    assert statistics.written + statistics.skipped == at


def test_gap_after_overrun_is_where_the_samples_went() -> None:
    ring = SampleRing(10, 4)
    ring.write(numbers(0, 4))
    ring.write(numbers(4, 9))
    assert take(ring, 100) == (list(range(3, 13)), 3)
    assert ring.statistics().dropped == 3


def test_losses_without_end_stay_bounded() -> None:
    ring = SampleRing(100_000, 4)
    for i in range(3000):
        ring.write(numbers(2 * i, 1))
        ring.skip(1)
    first = take(ring, 1)
    assert first is not None and first[1] == 2 * (3000 - 1024)
    assert ring.statistics().dropped == 3000 - 1024


def test_error_comes_after_the_samples_before_it() -> None:
    ring = SampleRing(10, 4)
    ring.write(numbers(0, 2))
    ring.fail(OSError("gone"))
    assert take(ring, 10) == ([0, 1], 0)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            take(ring, 10)
    ring.close()
    assert take(ring, 10) is None


def test_end_comes_after_the_samples_before_it() -> None:
    ring = SampleRing(10, 4)
    ring.write(numbers(0, 2))
    ring.finish()
    ring.fail(OSError("too late"))
    assert take(ring, 10) == ([0, 1], 0)
    assert take(ring, 10) is None


@pytest.mark.parametrize("release", ["write", "finish", "close", "fail"])
def test_waiting_reader_is_woken(release: str) -> None:
    ring = SampleRing(10, 4)
    seen: list[object] = []

    def reader() -> None:
        out = np.zeros(40, np.uint8)
        try:
            seen.append(ring.read(out))
        except OSError as e:
            seen.append(str(e))

    thread = Thread(target=reader, daemon=True)
    thread.start()
    if release == "write":
        ring.write(numbers(0, 3))
    elif release == "fail":
        ring.fail(OSError("gone"))
    else:
        getattr(ring, release)()
    thread.join(BOUND_S)
    assert seen == [{"write": (3, 0), "finish": None, "close": None, "fail": "gone"}[release]]


def test_two_threads_lose_nothing_they_do_not_count() -> None:
    ring = SampleRing(500, 4)
    rng = np.random.default_rng(5)

    def writer() -> None:
        at = 0
        for n in rng.integers(0, 90, 2000):
            ring.write(numbers(at, int(n)))
            at += int(n)
        ring.finish()

    thread = Thread(target=writer, daemon=True)
    thread.start()
    out, read, end, missing = np.zeros(4 * 77, np.uint8), 0, 0, 0
    while (got := ring.read(out)) is not None:
        count, index = got
        assert out[: 4 * count].view("<u4").tolist() == list(range(index, index + count))
        missing += index - end
        end, read = index + count, read + count
    thread.join(BOUND_S)
    statistics = ring.statistics()
    assert (read + missing, missing) == (statistics.written, statistics.dropped)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="not whole samples of 4"):
        SampleRing(10, 4).write(b"12345")
    with pytest.raises(ValueError, match="a sample has 4"):
        SampleRing(10, 4).read(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="at least one sample"):
        SampleRing(0, 4)
    with pytest.raises(ValueError, match="negative"):
        SampleRing(1, 4).skip(-1)


def deliver(estimator: LossEstimator, times: np.ndarray, samples: int) -> list[int]:
    return [estimator.count(float(t), samples) for t in times]


RATE, PIECE = 2_400_000, 8192


@pytest.mark.parametrize("ppm", [-250.0, 0.0, 250.0])
def test_late_deliveries_and_drift_are_no_loss(ppm: float) -> None:
    rng = np.random.default_rng(1)
    due = np.arange(60 * RATE // PIECE) * PIECE / RATE * (1 + ppm * 1e-6)
    # Exponential lateness of 5 ms, and once a stall of 180 ms that is made up by a burst.
    times = due + rng.exponential(0.005, len(due))
    stall = (times > 20.0) & (times < 20.18)
    times[stall] = 20.18
    assert not any(deliver(LossEstimator(RATE), np.maximum.accumulate(times), PIECE))


@pytest.mark.parametrize("lost_s", [0.03, 0.5, 7.0])
def test_loss_is_found_once_and_in_full(lost_s: float) -> None:
    rng = np.random.default_rng(2)
    due = np.arange(30 * RATE // PIECE) * PIECE / RATE
    due[due > 10.0] += lost_s
    found = deliver(LossEstimator(RATE), np.maximum.accumulate(due + rng.exponential(0.002, len(due))), PIECE)
    assert sum(found) == pytest.approx(lost_s * RATE, abs=0.001 * RATE)
    first = next(i for i, n in enumerate(found) if n)
    assert 10.0 + lost_s < due[first] < 10.0 + lost_s + 0.52


def test_small_losses_add_up() -> None:
    due = np.arange(60 * RATE // PIECE) * PIECE / RATE
    due += np.cumsum(np.arange(len(due)) % 293 == 292) * PIECE / RATE  # one transfer of 3.4 ms each second
    total = sum(deliver(LossEstimator(RATE), due, PIECE))
    assert total == pytest.approx(59 * PIECE, rel=0.15)


def test_source_ahead_of_the_clock_is_not_judged() -> None:
    estimator = LossEstimator(RATE)
    deliver(estimator, np.linspace(0, 1, 1000), PIECE)
    assert deliver(estimator, np.array([30.0, 31.0, 32.0]), PIECE) == [0, 0, 0]


def test_clocks() -> None:
    manual = ManualClock(datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert isinstance(manual, Clock) and isinstance(SystemClock(), Clock)
    manual.advance(90.0)
    assert (manual.monotonic(), manual.now()) == (90.0, datetime(2026, 11, 23, 12, 1, 30, tzinfo=UTC))
    with pytest.raises(ValueError, match="backwards"):
        manual.advance(-1.0)
    ended: list[bool] = []
    thread = Thread(target=lambda: ended.append(manual.wait(Event(), 5.0)), daemon=True)
    thread.start()
    assert manual.until_waiting(1, BOUND_S)
    manual.advance(4.0)
    assert not ended
    manual.advance(1.0)
    thread.join(BOUND_S)
    assert ended == [False]
    stop = Event()
    stop.set()
    assert manual.wait(stop, 1e9) and SystemClock().wait(stop, 1e9)
    assert SystemClock().now().tzinfo is UTC
    assert SystemClock().monotonic() <= SystemClock().monotonic()
    automatic = ManualClock(automatic=True)
    assert not automatic.wait(Event(), 60.0)
    assert automatic.monotonic() == 60.0
