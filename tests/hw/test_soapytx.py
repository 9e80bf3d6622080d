"""The SoapySDR transmitter against a stand-in: bursts to the sample, nothing between them, and devices that fail."""

import contextlib
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from hw.clock import ManualClock
from hw.errors import DeviceLost, DeviceNotFound, Unsupported
from hw.soapytx import DRAIN_S, HUNG_S, STALL_S, STUCK_S, SoapyTransmitter
from tests.hw import fake_soapy
from tests.hw.fake_soapy import Radio

BOUND_S = 10.0
RATE, CENTER = 2_000_000, 453_000_000
TICK = RATE // 50
Iq = NDArray[np.complex64]


@contextlib.contextmanager
def opened(
    radio: Radio, clock: ManualClock, address: str = "driver=fake", **options: Any
) -> Iterator[SoapyTransmitter]:
    options = {"rate": RATE, "center_hz": CENTER, "gain_db": 20.0, "buffer_s": 0.06, **options}
    tx = SoapyTransmitter(address, module=fake_soapy.module(radio), clock=clock, **options)
    try:
        yield tx
    finally:
        close(tx, radio, clock)


def close(tx: SoapyTransmitter, radio: Radio, clock: ManualClock) -> None:
    """Close; what is on the air is played out meanwhile."""
    closing = Thread(target=tx.close)
    closing.start()
    if radio.active.is_set():
        play_out(radio, clock)
    closing.join(BOUND_S)
    assert not closing.is_alive()


def play_out(radio: Radio, clock: ManualClock) -> None:
    """Let the last burst be marked as ended, and its time pass."""
    assert radio.marked.wait(BOUND_S)
    assert clock.until_waiting()
    clock.advance(3.0)
    assert radio.off.wait(BOUND_S)


def carrier(n: int, seed: int = 1) -> Iq:
    phase = np.cumsum(np.random.default_rng(seed).normal(0, 0.1, n))
    return np.asarray(np.exp(1j * phase), np.complex64)


def write(tx: SoapyTransmitter, iq: Iq, start: int = 0) -> None:
    for at in range(0, len(iq), TICK):
        tx.write(IqBlock(iq[at : at + TICK], RATE, start + at))


def test_each_carrier_is_a_burst_to_the_sample_and_nothing_is_on_the_air_beside_it() -> None:
    radio, clock = Radio(), ManualClock()
    first, second, off = carrier(5 * TICK + 77), carrier(3 * TICK, 2), np.zeros(TICK, np.complex64)
    lead = np.zeros(100, np.complex64)
    with opened(radio, clock, ppm=1.5, channel=1, antenna="TX/RX") as tx:
        assert radio.calls == [
            ("make", "driver=fake"),
            ("antenna", 1, "TX/RX"),
            ("gain mode", False),
            ("setup", "CF32", (1,)),
        ]
        assert (tx.gain_db, tx.center_hz, tx.hardware) == (20.0, CENTER, "fake F1")
        write(tx, off)
        assert not tx.busy
        burst = np.concatenate([lead, first, np.zeros(-(100 + len(first)) % TICK, np.complex64), off])
        write(tx, burst, TICK)
        assert tx.busy
        play_out(radio, clock)
        write(tx, np.concatenate([second, off]), TICK + len(burst))
        assert radio.active.wait(BOUND_S)
        play_out(radio, clock)
        assert tx.counters() == {"bursts": 2, "underflows": 0, "stalls": 0, "dropped": 0}
    assert all(burst.marked for burst in radio.bursts)
    # What follows the carrier within its last tick is zero, and is sent as such.
    sent = radio.bursts[0].samples
    assert np.array_equal(sent[: len(first)], first) and not sent[len(first) :].any() and len(sent) < len(first) + TICK
    assert np.array_equal(radio.bursts[1].samples, second)
    assert radio.calls[-3:] == [("deactivate",), ("close stream",), ("close",)]
    assert radio.calls.count(("deactivate",)) == 3


def test_carrier_waits_for_its_buffer_and_goes_off_when_it_has_been_played() -> None:
    radio, clock = Radio(), ManualClock()
    with opened(radio, clock) as tx:
        write(tx, carrier(2 * TICK))
        assert clock.until_waiting()
        assert not radio.bursts and tx.busy
        write(tx, carrier(TICK), 2 * TICK)
        assert radio.active.wait(BOUND_S)
        write(tx, np.zeros(TICK, np.complex64), 3 * TICK)
        assert radio.marked.wait(BOUND_S) and clock.until_waiting()
        clock.advance(0.06 + DRAIN_S - 0.001)
        assert not radio.off.wait(0.05)
        clock.advance(0.002)
        assert radio.off.wait(BOUND_S)


def test_gap_inside_a_carrier_is_silence_of_its_length() -> None:
    radio, clock = Radio(), ManualClock()
    with opened(radio, clock) as tx:
        write(tx, carrier(3 * TICK))
        write(tx, carrier(TICK, 2), 3 * TICK + 500)
        write(tx, np.zeros(TICK, np.complex64), 4 * TICK + 500)
        assert radio.active.wait(BOUND_S)
        play_out(radio, clock)
    sent = radio.bursts[0].samples
    assert len(sent) == 4 * TICK + 500
    assert not sent[3 * TICK : 3 * TICK + 500].any() and np.array_equal(sent[-TICK:], carrier(TICK, 2))


def test_carrier_nobody_goes_on_with_is_cut_off_and_may_begin_again() -> None:
    radio, clock = Radio(), ManualClock()
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert radio.active.wait(BOUND_S)
        while not radio.off.wait(0.05):
            assert clock.monotonic() < BOUND_S
            clock.advance(0.05)
        assert clock.monotonic() >= STALL_S
        assert tx.counters()["stalls"] == 1 and not radio.bursts[0].marked
        write(tx, carrier(4 * TICK, 3), 40 * TICK)
        write(tx, np.zeros(TICK, np.complex64), 44 * TICK)
        assert radio.active.wait(BOUND_S)
        play_out(radio, clock)
        assert radio.bursts[-1].marked and np.array_equal(radio.bursts[-1].samples, carrier(4 * TICK, 3))


def test_closing_in_the_middle_of_a_carrier_ends_it() -> None:
    radio, clock = Radio(), ManualClock()
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert radio.active.wait(BOUND_S)
    assert not radio.active.is_set() and radio.calls[-1] == ("close",)
    tx.close()
    assert radio.calls.count(("close",)) == 1


def test_underflows_of_either_way_of_telling_are_counted() -> None:
    radio, clock = Radio(), ManualClock()
    radio.answers.put(-7)
    radio.answers.put(-1)
    for status in (-7, -7, -1, -5):
        radio.statuses.put(status)
    with opened(radio, clock) as tx:
        write(tx, np.concatenate([carrier(6 * TICK), np.zeros(TICK, np.complex64)]))
        assert radio.active.wait(BOUND_S)
        play_out(radio, clock)
        assert tx.counters()["underflows"] == 3
    assert np.array_equal(radio.bursts[0].samples, carrier(6 * TICK))


def test_driver_that_hangs_is_not_busy_for_long() -> None:
    radio, clock = Radio(), ManualClock()
    reached, go_on = Event(), Event()

    def hangs() -> None:
        reached.set()
        go_on.wait(BOUND_S)

    radio.answers.put(hangs)
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert reached.wait(BOUND_S)
        assert tx.busy
        clock.advance(HUNG_S + 0.01)
        assert not tx.busy
        go_on.set()


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    radio, clock = Radio(), ManualClock()
    held = Event()

    def takes_its_time() -> None:
        held.wait(BOUND_S)

    radio.answers.put(takes_its_time)
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert radio.active.wait(BOUND_S)
        for second in range(1, 4):
            write(tx, carrier(TICK * 50), second * 50 * TICK)
        assert tx.counters()["dropped"] > RATE
        held.set()


@pytest.mark.parametrize(
    ("answer", "message"), [(-2, r"STREAM_ERROR \(-2\).*unplugged"), (OSError("gone"), "OSError: gone")]
)
def test_stream_that_breaks_is_a_lost_device(answer: Any, message: str) -> None:
    radio, clock = Radio(), ManualClock()
    radio.answers.put(answer)
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert radio.off.wait(BOUND_S)
        tx.close()
        with pytest.raises(DeviceLost, match=message):
            write(tx, carrier(TICK), 4 * TICK)


def test_device_that_takes_nothing_is_lost() -> None:
    radio, clock = Radio(), ManualClock()

    def takes_nothing_for_long() -> int:
        clock.advance(STUCK_S + 0.1)
        return -1

    radio.answers.put(-1)
    radio.answers.put(takes_nothing_for_long)
    with opened(radio, clock) as tx:
        write(tx, carrier(4 * TICK))
        assert radio.off.wait(BOUND_S)
        tx.close()
        with pytest.raises(DeviceLost, match="took nothing for 1 s"):
            write(tx, carrier(TICK), 4 * TICK)


@pytest.mark.parametrize(
    ("options", "radio", "message"),
    [
        ({"rate": 1_500_000}, Radio(), "rate = 1500000 S/s is not possible.*nearest is 1000000"),
        ({"center_hz": 100}, Radio(), "center = 100 Hz is not possible"),
        ({"gain_db": 70.0}, Radio(), r"gain = 70\.0 dB is not possible; the device has 0–62; nearest is 62"),
        ({"antenna": "RX2"}, Radio(), "'RX2' is not there; known are RX, TX/RX"),
        ({}, Radio(transmitters=0), "channel = 0 is not there; the device has none in this direction"),
    ],
)
def test_setting_the_device_does_not_have(options: dict[str, Any], radio: Radio, message: str) -> None:
    with pytest.raises(Unsupported, match=message), opened(radio, ManualClock(), **options):
        pass
    assert radio.calls[-1] == ("close",)


def test_nothing_there_and_wrong_rate() -> None:
    with (
        pytest.raises(DeviceNotFound, match="no match; attached are: driver=fake"),
        opened(Radio(), ManualClock(), "driver=x"),
    ):
        pass
    with opened(Radio(), ManualClock()) as tx, pytest.raises(ValueError, match="the device makes 2000000"):
        tx.write(IqBlock(carrier(10), 48_000, 0))
