"""The elastic buffer: conversion against its twin, exact delay, drift, slips, and that cutting changes nothing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp._elastic import interpolate
from dsp.elastic import ATTENUATION_DB, Elastic, Regulator, Stretch
from dsp.errors import RangeError, RateError, ShapeError
from tests.reference import elastic as reference

Audio = NDArray[np.float32]

PAIRS = ((48_000, 8_000), (44_100, 8_000), (8_000, 48_000), (8_000, 44_100), (8_000, 8_000), (16_000, 8_000))


def tone(n: int, rate: float, hz: float = 1000.0) -> Audio:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(n) / rate), np.float32)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_agrees_with_twin(rate_in: int, rate_out: int) -> None:
    rng = np.random.default_rng(rate_in + rate_out)
    x = rng.standard_normal(1500).astype(np.float32)
    stage = Stretch(rate_in, rate_out, 4000)
    stage.set_ppm(217.0)
    stage.push(x)
    stage.move(2 * stage.reach + 0.3)
    places, out = [], np.empty(1, np.float32)
    got = []
    for _ in range(min(60, stage.possible())):
        places.append(stage.position)
        stage.pull(out)
        got.append(float(out[0]))
    expected = [reference.at_position(x, p, rate_in, rate_out, stage.reach, ATTENUATION_DB) for p in places]
    # Between two of the stored phases the filter is a straight line: −80 dB of the top of the band at worst.
    assert np.sqrt(np.mean((np.array(got) - expected) ** 2)) < 1e-4 * np.sqrt(np.mean(np.square(expected)))


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_agrees_with_the_twin_that_keeps_all(rate_in: int, rate_out: int) -> None:
    rng = np.random.default_rng(rate_in + rate_out)
    stage = Stretch(rate_in, rate_out, 4000)
    twin = reference.Stretch(stage._table, rate_in / rate_out)
    for _ in range(2):
        for _ in range(150):
            match rng.integers(6):
                case 0 | 1:
                    x = rng.standard_normal(rng.integers(0, max(1, 3000 - int(stage.held)))).astype(np.float32)
                    stage.push(x)
                    twin.push(x)
                case 2 | 3:
                    # Now and then more than there is.
                    out = np.empty(int(rng.uniform(0, 1.1) * (stage.possible() + 2)), np.float32)
                    stage.pull(out)
                    np.testing.assert_array_equal(out, twin.pull(len(out)))
                case 4:
                    ppm = rng.choice([0.0, float(rng.uniform(-500, 500))])
                    stage.set_ppm(ppm)
                    twin.set_ppm(ppm)
                case 5 if stage.held > 0:
                    # In places it may well be on a sample.
                    to = stage.position + rng.choice([0.5, float(rng.uniform(0, stage.held))])
                    to = rng.choice([to, float(np.ceil(to))])
                    stage.move(to)
                    twin.move(to)
            assert (stage.end, stage.position, stage.held) == (twin.end, twin.position, twin.held)
            assert stage.possible() == twin.possible()
        stage.reset()
        twin = reference.Stretch(stage._table, rate_in / rate_out)


def test_a_stretch_refuses_what_it_has_no_room_for() -> None:
    stage = Stretch(8_000, 8_000, 100)
    stage.push(np.ones(100, np.float32))
    wide: Any = np.ones(4)
    for x in (np.ones(500, np.float32), wide, np.ones(8, np.float32)[::2]):
        with pytest.raises(ValueError, match=r"no room|contiguous"):
            stage.push(x)
    assert stage.end == 100
    stage.move(-40.5)
    with pytest.raises(AssertionError, match="left the memory"):
        stage.pull(np.empty(10, np.float32))


def test_at_the_same_pace_samples_come_out_as_they_went_in() -> None:
    x = np.random.default_rng(1).standard_normal(600).astype(np.float32)
    stage, filtered = Stretch(8_000, 8_000, 1000), np.empty(500, np.float32)
    stage.push(x)
    got = np.empty(500, np.float32)
    stage.pull(got)
    np.testing.assert_array_equal(got, x[:500])
    assert stage.position == 500
    # So does the filter, which is not asked.
    around = np.concatenate([np.zeros(stage.reach, np.float32), x])
    assert interpolate(around, stage.reach, 0, 1 << 32, stage._table, filtered)
    np.testing.assert_array_equal(filtered, got)


def test_kernel_refuses_to_leave_its_memory() -> None:
    stage = Stretch(8_000, 8_000, 100)
    out = np.empty(10, np.float32)
    x = np.zeros(64, np.float32)
    assert interpolate(x, 20, 0, 1 << 32, stage._table, out)
    assert not interpolate(x, 14, 0, 1 << 32, stage._table, out)
    assert not interpolate(x, 40, 0, 1 << 32, stage._table, out)
    assert not interpolate(x, 20, 1 << 32, 1 << 32, stage._table, out)
    assert interpolate(x, 0, 0, 1 << 32, stage._table, out[:0])


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
@pytest.mark.parametrize("hz", [350.0, 1000.0, 2900.0])
def test_conversion_keeps_level_and_adds_less_than_3_ms(rate_in: int, rate_out: int, hz: float) -> None:
    stage = Elastic(rate_in, rate_out, 0.04)
    assert stage.delay / rate_out - 0.04 <= 0.003
    x = tone(3 * rate_in, rate_in, hz)
    tick_in, tick_out = rate_in // 50, rate_out // 50
    out = []
    for i in range(150):
        stage.push(x[i * tick_in : (i + 1) * tick_in])
        out.append(stage.pull(tick_out))
    y = np.concatenate(out)[rate_out : 2 * rate_out].astype(np.float64)
    at = np.arange(rate_out, 2 * rate_out) / rate_out
    carrier = np.exp(2j * np.pi * hz * at)
    found = 2 * np.mean(y * carrier.conj())
    assert 20 * np.log10(abs(found) / 0.5) == pytest.approx(0, abs=0.1)
    assert np.std(y - np.real(found * carrier)) < 2e-3
    # All 20 ms of a tick go in before they come out: what is held is counted before, the index after.
    late_s = -np.angle(found / -1j) / (2 * np.pi * hz)
    declared_s = stage.delay / rate_out - 0.02
    assert (late_s - declared_s + 0.5 / hz) % (1 / hz) - 0.5 / hz == pytest.approx(0, abs=2e-5)


@pytest.mark.parametrize("seed", range(6))
def test_cutting_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate_in, rate_out = PAIRS[seed]
    whole, cut = Elastic(rate_in, rate_out, 0.03), Elastic(rate_in, rate_out, 0.03)
    for _ in range(400):
        n_in = int(rng.choice([0, rate_in // 100, rate_in // 50, rate_in // 10], p=[0.2, 0.4, 0.37, 0.03]))
        n_out = int(rng.choice([0, rate_out // 100, rate_out // 50, 37]))
        x = rng.standard_normal(n_in).astype(np.float32)
        whole.push(x)
        expected = whole.pull(n_out)
        for part in np.split(x, np.sort(rng.integers(0, n_in + 1, 5))):
            cut.push(part)
        edges = np.diff([0, *np.sort(rng.integers(0, n_out + 1, 7)), n_out])
        got = np.concatenate([cut.pull(int(n)) for n in edges])
        assert np.array_equal(got, expected)
        assert cut.statistics() == whole.statistics()
    assert whole.slips > 3


def play(stage: Elastic, ppm: float, seconds: float, jitter_s: float, seed: int) -> tuple[Audio, float, float]:
    """A device that is `ppm` fast gives blocks of 10 ms, late by up to jitter_s; the bridge pulls 20 ms at a time.

    Returns what was pulled, and the least and the most that was held after the first 5 s.
    """
    rng = np.random.default_rng(seed)
    block = stage.rate_in // 100
    x = tone(int(seconds * stage.rate_in * 1.001) + stage.rate_in, stage.rate_in)
    out, given, least, most = [], 0, np.inf, 0.0
    for tick in range(int(seconds * 50)):
        behind = rng.uniform(0, jitter_s)
        ready = int(max(0.0, tick / 50 - behind) * stage.rate_in * (1 + ppm * 1e-6)) // block * block
        if ready > given:
            stage.push(x[given:ready])
            given = ready
        out.append(stage.pull(stage.rate_out // 50))
        if tick > 250:
            least, most = min(least, stage.held_s), max(most, stage.held_s)
    return np.concatenate(out), least, most


def wobble_hz(y: Audio, rate: int) -> float:
    """How far a tone of 1 kHz strays from its pitch, over 10 ms; a lost or doubled sample at 8 kHz shows as 12 Hz."""
    base = y.astype(np.float64) * np.exp(-2j * np.pi * 1000 * np.arange(len(y)) / rate)
    n = rate // 100
    slow = base[: len(base) // n * n].reshape(-1, n).mean(axis=1)
    return float(np.max(np.abs(np.angle(slow[1:] * slow[:-1].conj()))) / (2 * np.pi * 0.01))


@pytest.mark.parametrize(("ppm", "rates"), [(100, (48_000, 8_000)), (-300, (44_100, 8_000)), (300, (8_000, 48_000))])
def test_drift_is_absorbed(ppm: float, rates: tuple[int, int]) -> None:
    stage = Elastic(*rates, 0.05)
    y, least, most = play(stage, ppm, 240, 0.008, seed=1)
    assert stage.slips == 0
    assert least > 0.005 and most < 0.06
    assert stage.ppm == pytest.approx(ppm, abs=80)
    assert wobble_hz(y[5 * rates[1] :], rates[1]) < 1.5
    settled = y[5 * rates[1] :]
    assert np.abs(settled).max() < 0.51


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [100, -100])
def test_two_hours_of_audio_lose_and_repeat_nothing(ppm: float) -> None:
    stage = Elastic(8_000, 8_000, 0.05)
    y, _, most = play(stage, ppm, 7200, 0.01, seed=2)
    assert stage.slips == 0 and most < 0.06
    assert wobble_hz(y[8_000 * 5 :], 8_000) < 1.5


@pytest.mark.parametrize("ppm", [100, -100, 300, -300])
def test_a_day_in_the_control_domain(ppm: float) -> None:
    """24 h at 20 ms a verdict: what is held stays within 15 ms of the target, so nothing runs dry or over.

    The device's temperature moves its clock by 20 ppm over the day; the holding shows the sawtooth of blocks of 10 ms.
    """
    verdict_s, every = 0.02, 5
    regulator = Regulator(verdict_s * every)
    limit = regulator.limit_ppm
    hours = np.arange(24 * 3600 / (verdict_s * every)) * verdict_s * every / 3600
    drift = np.clip(ppm + 20 * np.sin(2 * np.pi * hours / 24), -limit, limit)
    sawtooth = 0.01 * (np.cumsum(drift) * 1e-6 * verdict_s * every / 0.01 % 1) - 0.005
    noise = np.random.default_rng(7).normal(0, 0.002, len(drift))
    held, worst, pace = 0.0, 0.0, 0.0
    for fast, seen in zip(drift.tolist(), (sawtooth + noise).tolist()):
        held += (fast - pace) * 1e-6 * verdict_s * every
        pace = regulator.step(held + seen)
        worst = max(worst, abs(held))
    assert worst < 0.015
    assert abs(pace - ppm) < 300


def test_starts_silent_and_exactly_on_target() -> None:
    stage = Elastic(48_000, 8_000, 0.04)
    assert not stage.pull(160).any() and not stage.playing
    stage.push(np.ones(960, np.float32))
    assert not stage.pull(160).any()
    stage.push(np.ones(4800, np.float32))
    first = stage.pull(160)
    assert stage.playing and first.any() and stage.slips == 0
    assert stage.held_s == pytest.approx(0.02, abs=1e-4)
    assert stage.statistics().waited == 0


def test_runs_dry_without_a_click_and_starts_again() -> None:
    stage = Elastic(8_000, 8_000, 0.04)
    x = tone(8_000 * 4, 8_000)
    out = []
    for tick in range(100):
        if not 50 <= tick < 60:
            stage.push(x[tick * 160 : tick * 160 + 160])
        out.append(stage.pull(160))
    seen = stage.statistics()
    assert (seen.starved, seen.jumps) == (1, 0)
    assert 1500 < seen.waited < 2200
    y = np.concatenate(out)
    # The steepest place of a 1 kHz tone at half scale moves by 0.39 a sample; a click would show as more.
    assert np.abs(np.diff(y)).max() < 0.45
    assert np.abs(y[-1600:]).max() > 0.45


def test_a_burst_after_a_stall_is_caught_up_by_one_jump() -> None:
    stage = Elastic(8_000, 8_000, 0.04)
    x = tone(8_000 * 8, 8_000)
    for tick in range(50):
        stage.push(x[tick * 160 : tick * 160 + 160])
        stage.pull(160)
    stage.push(x[:1600])
    out = []
    for tick in range(150):
        stage.push(x[tick * 160 : tick * 160 + 160])
        out.append(stage.pull(160))
    seen = stage.statistics()
    assert (seen.starved, seen.jumps) == (0, 1)
    assert seen.lost == pytest.approx(1600, abs=100)
    assert stage.held_s == pytest.approx(0.02, abs=0.004)
    assert np.abs(np.diff(np.concatenate(out)[400:])).max() < 0.45


def test_both_sides_of_a_jump_are_faded_into_each_other() -> None:
    """Wherever in a tone of 250 Hz it lands: half a period is 16 samples, and a fade of 20 never falls by 1 in one."""
    steepest = []
    for burst in range(1600, 1632, 4):
        stage = Elastic(8_000, 8_000, 0.04)
        x = tone(8_000 * 8, 8_000, 250.0)
        out = []
        for tick in range(200):
            n = 160 + burst * (tick == 50)
            stage.push(x[:n])
            x = x[n:]
            out.append(stage.pull(160))
        assert stage.slips == 1
        steepest.append(float(np.abs(np.diff(np.concatenate(out)[800:])).max()))
    assert max(steepest) < 0.2


def test_late_ticks_that_catch_up_lose_nothing() -> None:
    stage = Elastic(8_000, 8_000, 0.04)
    x = tone(8_000 * 8, 8_000)
    pulled = []
    for tick in range(350):
        stage.push(x[tick * 160 : tick * 160 + 160])
        if 100 <= tick < 110:
            continue  # the other side is held up for 200 ms, then makes up for it at once
        for _ in range(11 if tick == 110 else 1):
            pulled.append(stage.pull(160))
    assert stage.slips == 0
    assert wobble_hz(np.concatenate(pulled)[1600:], 8_000) < 1.5


def test_what_nobody_pulls_is_bounded_and_counted() -> None:
    stage = Elastic(8_000, 8_000, 0.04)
    stage.push(tone(8_000, 8_000))
    stage.pull(160)
    stage.push(tone(80_000, 8_000))
    assert stage.held_s <= 0.55
    assert stage.statistics().lost > 70_000
    assert stage.slips >= 1
    stage.pull(160)
    assert stage.held_s == pytest.approx(0.02, abs=1e-3)


def test_reset_and_bad_input() -> None:
    stage = Elastic(48_000, 8_000, 0.04)
    x = np.random.default_rng(3).standard_normal(9600).astype(np.float32)
    stage.push(x)
    first = stage.pull(800)
    stage.reset()
    stage.push(x)
    assert np.array_equal(stage.pull(800), first)
    x[::7] = np.nan
    x[3::11] = np.inf
    stage.push(x)
    assert np.isfinite(stage.pull(1600)).all()
    stage.push(np.zeros(0, np.float32))
    assert len(stage.pull(0)) == 0
    with pytest.raises(ShapeError):
        stage.push(np.zeros((2, 4), np.float32))
    with pytest.raises(RangeError):
        stage.pull(-1)
    with pytest.raises(RateError):
        Elastic(0, 8_000)
    with pytest.raises(RangeError):
        Elastic(8_000, 8_000, 5.0)
    with pytest.raises(RangeError):
        Regulator(0.02, 0)
    with pytest.raises(RangeError):
        Regulator(2.0)
