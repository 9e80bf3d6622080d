"""The RTL-SDR driver against a stand-in for pyrtlsdr that has its names, arguments and habits."""

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from hw.base import Tuner
from hw.clock import ManualClock
from hw.errors import DeviceBusy, DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.registry import probe
from hw.rtlsdr import TRANSFER_BYTES, RtlSdrSource, choose, driver
from tests.hw import fake_rtlsdr
from tests.hw.fake_rtlsdr import Dongle, LibUSBError

BOUND_S = 10.0
RATE, CENTER = 2_400_000, 155_400_000


@contextlib.contextmanager
def opened(*dongles: Dongle, address: str = "0", **options: Any) -> Iterator[RtlSdrSource]:
    options = {"rate": RATE, "center_hz": CENTER, "clock": ManualClock(), **options}
    source = RtlSdrSource(address, module=fake_rtlsdr.module(*dongles), **options)
    try:
        yield source
    finally:
        source.close()


def transfer(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, TRANSFER_BYTES, np.uint8).tobytes()


def test_stand_in_has_the_arguments_of_the_real_one() -> None:
    try:
        real = driver()
    except Unsupported:
        pytest.skip("pyrtlsdr is not installed")
    fake = fake_rtlsdr.module(Dongle())
    names = [n for n, v in vars(fake.RtlSdr).items() if callable(v) and not n.startswith("_")]
    assert len(names) > 8
    for name in [*names, "__init__"]:
        arguments = list(inspect.signature(getattr(fake.RtlSdr, name)).parameters)
        assert arguments == list(inspect.signature(getattr(real.RtlSdr, name)).parameters), name
    assert issubclass(real.rtlsdr.LibUSBError, OSError)
    for attribute in ("gain_values", "read_async_canceling", "device_opened"):
        assert hasattr(real.RtlSdr, attribute)


def test_samples_and_settings() -> None:
    dongle = Dongle("00000042")
    dongle.feed.put(transfer(1))
    dongle.feed.put(transfer(2))
    with opened(dongle, address="serial=00000042", gain_db=30.0, ppm=2.6) as source:
        assert isinstance(source, Tuner)
        raw = np.frombuffer(transfer(1) + transfer(2), np.uint8)
        got: list[Any] = []
        while sum(map(len, got)) < TRANSFER_BYTES:
            block = source.read(5000)
            assert block is not None and block.rate == RATE and block.index == sum(map(len, got))
            got.append(block.samples.copy())
        expected = ((raw.astype(np.float32) - 127.5) / 128).view(np.complex64)
        assert np.array_equal(np.concatenate(got), expected)
        assert source.info.hardware == "RTL2832U, tuner R820T, serial 00000042"
        assert dongle.num_bytes == TRANSFER_BYTES
        assert dongle.calls == [
            ("set_sample_rate", RATE),
            ("set_freq_correction", 3),
            ("set_center_freq", CENTER),
            ("set_gain", 29.7),
        ]
        assert source.set_gain(None) is None
        assert source.set_gain(100.0) == 49.6
        assert source.set_ppm(3.0) == 3.0  # set already: pyrtlsdr would close the device
        assert source.tune(162_550_000) == source.info.center_hz == 162_550_000
    assert (dongle.opened, dongle.closed) == (1, 1)


@pytest.mark.parametrize("end", [LibUSBError(-1, "Could not read 16384 bytes"), None])
def test_unplugged_in_the_middle_is_a_lost_device_after_what_came(end: Exception | None) -> None:
    dongle = Dongle()
    dongle.feed.put(transfer(1))
    dongle.feed.put(end)
    with opened(dongle) as source:
        block = source.read(TRANSFER_BYTES)
        assert block is not None and len(block.samples) == TRANSFER_BYTES // 2
        for _ in range(2):
            with pytest.raises(DeviceLost, match=r"rtlsdr:0 \(serial 00000001\).*unplugged"):
                source.read(100)
        with pytest.raises(DeviceLost):
            source.tune(CENTER)
    assert source.read(100) is None


def test_dongle_that_hangs_is_a_lost_device() -> None:
    dongle, clock = Dongle(), ManualClock()
    dongle.feed.put(transfer(1))
    with opened(dongle, clock=clock, stall_s=3.0) as source:
        assert source.read(TRANSFER_BYTES) is not None
        clock.advance(3.5)
        with pytest.raises(DeviceLost, match=r"nothing came for 3\.5 s"):
            source.read(100)
    assert dongle.closed == 1


def test_losses_are_gaps_and_counted() -> None:
    dongle, clock, fed = Dongle(), ManualClock(), Event()
    step = TRANSFER_BYTES / 2 / RATE
    for i in range(600):
        lost = 0.5 if i == 300 else 0.0
        dongle.feed.put(lambda lost=lost: clock.advance(step + lost))  # type: ignore[misc]
        dongle.feed.put(transfer(i))
    dongle.feed.put(fed.set)
    with opened(dongle, clock=clock, buffer_s=5.0, stall_s=1e9) as source:
        assert fed.wait(BOUND_S)
        samples = 600 * TRANSFER_BYTES // 2
        ends = 0
        while source.statistics().samples < samples:
            block = source.read(1 << 18)
            assert block is not None
            ends = block.end
        statistics = source.statistics()
    assert statistics.gaps == 1
    assert statistics.lost == pytest.approx(0.5 * RATE, abs=1)
    assert ends == samples + statistics.lost


def test_burst_over_the_ring_drops_the_oldest() -> None:
    dongle, fed = Dongle(), Event()
    for i in range(20):
        dongle.feed.put(transfer(i))
    dongle.feed.put(fed.set)
    with opened(dongle, buffer_s=0.01) as source:
        assert fed.wait(BOUND_S)
        block = source.read(1 << 18)
        assert block is not None
        assert block.end == 20 * TRANSFER_BYTES // 2
        assert len(block.samples) == 24_000
        assert source.ring_statistics().dropped == source.statistics().lost == 20 * TRANSFER_BYTES // 2 - 24_000


def test_close_releases_a_waiting_reader_and_may_come_twice() -> None:
    dongle = Dongle()
    dongle.feed.put(transfer(1))
    seen: list[object] = []
    with opened(dongle) as source:
        assert source.read(TRANSFER_BYTES) is not None
        thread = Thread(target=lambda: seen.append(source.read(100)), daemon=True)
        thread.start()
        source.close()
        thread.join(BOUND_S)
        source.close()
    assert seen == [None]
    assert dongle.closed == 1


def test_driver_that_does_not_stop_does_not_hang_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hw.rtlsdr._JOIN_S", 0.05)
    dongle = Dongle()
    dongle.deaf = True
    dongle.feed.put(transfer(1))
    with opened(dongle) as source:
        assert source.read(1) is not None
        source.close()
        assert dongle.closed == 0  # closing under a running read would crash
        dongle.release.set()


def missing(name: str) -> Any:
    raise FileNotFoundError("liblibrtlsdr.a")


def broken(name: str) -> Any:
    raise AttributeError("librtlsdr.so.0: undefined symbol: rtlsdr_set_dithering")


@pytest.mark.parametrize("load", [missing, broken])
def test_driver_that_cannot_be_loaded(load: Any) -> None:
    with pytest.raises(Unsupported, match=r'pyrtlsdr cannot be loaded.*pip install "pyrtlsdr\[lib\]"'):
        driver(load)


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (-3, Unsupported, "udev rule"),
        (-6, DeviceBusy, "blacklist dvb_usb_rtl28xxu"),
        (-4, DeviceNotFound, "plugged in"),
        (-99, Unsupported, "Could not open"),
    ],
)
def test_dongle_that_cannot_be_opened(number: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message), opened(Dongle(open_error=number)):
        pass


def test_setting_that_fails_gives_the_dongle_back() -> None:
    dongle = Dongle()
    dongle.setter_error = -1
    with pytest.raises(Unsupported, match="set_sample_rate"), opened(dongle):
        pass
    assert dongle.closed == 1


@pytest.mark.parametrize(
    ("address", "found", "index"),
    [("0", ["a"], 0), ("1", ["a", "a"], 1), ("index=1", ["a", "b"], 1), ("serial=b", ["a", "b"], 1)],
)
def test_choice(address: str, found: list[str], index: int) -> None:
    assert choose(address, found, "rtlsdr:x") == index


@pytest.mark.parametrize(
    ("address", "found", "error", "message"),
    [
        ("0", [], DeviceNotFound, "no RTL-SDR is attached.*doctor"),
        ("2", ["a", "b"], DeviceNotFound, "no dongle 2; attached are 0: serial a, 1: serial b"),
        ("serial=c", ["a", ""], DeviceNotFound, "serial c; attached are 0: serial a, 1: serial unreadable"),
        ("serial=a", ["a", "b", "a"], DeviceNotFound, "2 dongles have serial a.*rtl_eeprom.*rtlsdr:0, rtlsdr:2"),
        ("00000001", ["00000001"], SourceError, "rtlsdr:serial=00000001"),
        ("serial=", ["a"], SourceError, "such as"),
        ("first", ["a"], SourceError, "such as"),
        ("²", ["a"], SourceError, "such as"),
    ],
)
def test_choice_refused(address: str, found: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        choose(address, found, "rtlsdr:x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 500_000}, "rate = 500000 S/s.*225001–300000 or 900001–3200000.*nearest in common use is 250000"),
        ({"rate": 3_500_000}, "nearest in common use is 3200000"),
        ({"ppm": 2000.0}, "limit is ±1000"),
        ({"gain_db": 200.0}, "the tuner has 0.0 to 49.6 dB"),
        ({"center_hz": 0}, "center = 0 Hz is out of range"),
    ],
)
def test_setting_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported, match=message), opened(Dongle(), **options):
        pass


def test_probe_checks_without_a_radio(tmp_path: Path) -> None:
    assert probe("rtlsdr:0", base=tmp_path, rate=RATE, center_hz=CENTER).rate == RATE
    with pytest.raises(Unsupported, match="nearest"):
        probe("rtlsdr:0", base=tmp_path, rate=600_000, center_hz=CENTER)
    with pytest.raises(SourceError, match=r'rate must be stated, such as rate = "2\.4M"'):
        probe("rtlsdr:0", base=tmp_path, center_hz=CENTER)
