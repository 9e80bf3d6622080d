"""The SoapySDR source against a stand-in with the constants, names and return objects of SoapySDR 0.8."""

import contextlib
import inspect
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from hw.base import Tuner
from hw.clock import ManualClock
from hw.errors import DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.registry import probe
from hw.soapy import SoapySource
from hw.soapydevice import driver
from tests.hw import fake_soapy
from tests.hw.fake_soapy import Radio

BOUND_S = 10.0
RATE, CENTER = 2_000_000, 155_400_000


@contextlib.contextmanager
def opened(radio: Radio, address: str = "driver=fake", **options: Any) -> Iterator[SoapySource]:
    options = {"rate": RATE, "center_hz": CENTER, "clock": ManualClock(), **options}
    source = SoapySource(address, module=fake_soapy.module(radio), **options)
    try:
        yield source
    finally:
        source.close()


def noise(n: int, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(0, 0.1, 2 * n).astype(np.float32).view(np.complex64)


def test_cf32_and_settings() -> None:
    radio = Radio()
    radio.feed.put((noise(4096), None))
    with opened(radio, gain_db=30.4, ppm=1.5, channel=1, antenna="RX") as source:
        assert isinstance(source, Tuner)
        block = source.read(10_000)
        assert block is not None and (block.index, block.rate) == (0, RATE)
        assert np.array_equal(block.samples, noise(4096))
        assert radio.calls == [
            ("make", "driver=fake"),
            ("antenna", 1, "RX"),
            ("gain mode", False),
            ("setup", "CF32", (1,)),
            ("activate",),
        ]
        assert radio.values["ppm"] == 1.5
        assert source.info.center_hz == CENTER
        assert source.info.hardware == "fake F1"
        assert source.set_gain(12.3) == 12.0
        assert source.set_gain(None) is None
    assert radio.calls[-3:] == [("deactivate",), ("close stream",), ("close",)]
    source.close()
    assert radio.calls.count(("close",)) == 1


def test_cs16() -> None:
    radio = Radio()
    raw = np.array([0, 16384, -32768, 32767], np.int16)
    radio.feed.put((raw, None))
    with opened(radio, format="cs16") as source:
        block = source.read(10)
        assert block is not None
        assert np.array_equal(block.samples, np.array([0.5j, -1 + 32767j / 32768], np.complex64))
        assert source.statistics().clipped == 1
        assert ("setup", "CS16", (0,)) in radio.calls


@pytest.mark.parametrize("stamped", [True, False])
def test_overflow_is_a_gap_as_long_as_the_stamps_or_the_clock_say(stamped: bool) -> None:
    radio, clock, fed = Radio(), ManualClock(), Event()
    radio.feed.put((noise(1000), 10**9 if stamped else None))
    radio.feed.put(-4)
    radio.feed.put(lambda: clock.advance(0.25))
    radio.feed.put((noise(1000), 10**9 + 250_500_000 if stamped else None))
    radio.feed.put(fed.set)
    with opened(radio, clock=clock, stall_s=1e9) as source:
        assert fed.wait(BOUND_S)
        first, second = source.read(1000), source.read(1000)
        assert first is not None and second is not None
        lost = 500_000 if stamped else 500_000 - 1000
        assert (first.index, second.index) == (0, 1000 + lost)
        assert source.statistics().lost == lost
        assert source.overflows == 1


def test_stamps_that_jump_are_a_loss_and_jitter_is_not() -> None:
    radio, fed = Radio(), Event()
    for time in (0, 500_000 + 90_000, 1_000_000, 60_000_000):  # 0.5 ms a block
        radio.feed.put((noise(1000), time))
    radio.feed.put(fed.set)
    with opened(radio) as source:
        assert fed.wait(BOUND_S)
        starts = [block.index for _ in range(4) if (block := source.read(1000)) is not None]
    assert starts == [0, 1000, 2000, 2000 + 59 * 2000]


@pytest.mark.parametrize(
    ("item", "message"), [(-2, r"STREAM_ERROR \(-2\).*unplugged"), (OSError("gone"), "OSError: gone")]
)
def test_stream_that_breaks_is_a_lost_device_after_what_came(item: Any, message: str) -> None:
    radio = Radio()
    radio.feed.put((noise(10), None))
    radio.feed.put(item)
    with opened(radio) as source:
        block = source.read(100)
        assert block is not None and len(block.samples) == 10
        with pytest.raises(DeviceLost, match=message):
            source.read(100)
        with pytest.raises(DeviceLost):
            source.tune(CENTER)
    assert source.read(100) is None


def test_silence_is_a_lost_device() -> None:
    clock = ManualClock()
    with opened(Radio(), clock=clock, stall_s=3.0) as source:
        clock.advance(3.0)
        with pytest.raises(DeviceLost, match=r"nothing came for 3\.0 s"):
            source.read(1)


@pytest.mark.parametrize(
    ("options", "radio", "message"),
    [
        (
            {"rate": 1_500_000},
            Radio(),
            "rate = 1500000 S/s is not possible.*1000000, 2000000–20000000; nearest is 1000000",
        ),
        ({}, Radio(makes=1_999_000.5), r"the device makes 1999000\.5; use 1999000"),
        ({"center_hz": 100}, Radio(), "center = 100 Hz is not possible; the device has 1000000–6000000000"),
        ({"gain_db": 70.0}, Radio(), r"gain = 70\.0 dB is not possible; the device has 0–62; nearest is 62"),
        ({}, Radio(automatic=False), "no automatic gain; state gain in dB, 0 to 62"),
        ({"ppm": 3.0}, Radio(correction=False), "ppm = 3.0 cannot be set"),
        ({"channel": 2}, Radio(), "channel = 2 is not there; the device has 0 to 1"),
        ({"antenna": "RX2"}, Radio(), "'RX2' is not there; known are RX, TX/RX"),
        ({"format": "cu8"}, Radio(), "'cu8' is not read from SoapySDR; use cf32 or cs16"),
    ],
)
def test_setting_the_device_does_not_have(options: dict[str, Any], radio: Radio, message: str) -> None:
    with pytest.raises(Unsupported, match=message), opened(radio, **options):
        pass
    assert not radio.calls or radio.calls[-1] == ("close",)


def test_nothing_there() -> None:
    with (
        pytest.raises(DeviceNotFound, match="no match; attached are: driver=fake, serial=7"),
        opened(Radio(), "driver=x"),
    ):
        pass


def missing(name: str) -> Any:
    raise ModuleNotFoundError(f"No module named {name!r}")


def test_driver_that_is_not_installed() -> None:
    with pytest.raises(Unsupported, match=r"No module named 'SoapySDR'.*python3-soapysdr.*--system-site-packages"):
        driver(missing)


def test_source_string(tmp_path: Path) -> None:
    info = probe("soapy:driver=fake,serial=7?channel=1&format=cs16", base=tmp_path, rate=RATE, center_hz=CENTER)
    assert info.sample_type == "ci16_le"
    for text, message in [
        ("soapy:fake", "such as soapy:driver"),
        ("soapy:driver=fake?channel=x", "not a number"),
        ("soapy:driver=fake?anntena=RX", "did you mean antenna"),
        ("soapy:driver=fake?format=zz", "is not known"),
    ]:
        with pytest.raises(SourceError, match=message):
            probe(text, base=tmp_path, rate=RATE, center_hz=CENTER)


def test_stand_in_has_what_the_real_module_has() -> None:
    """The real module belongs to the distribution's Python, so that one is asked."""
    names = [n for n in vars(fake_soapy.module(Radio()).Device) if not n.startswith("_")]
    device = fake_soapy.module(Radio()).Device
    streams = ("activateStream", "deactivateStream", "readStream", "writeStream", "readStreamStatus")
    signatures = [list(inspect.signature(getattr(device, n)).parameters) for n in streams]
    script = (
        "import sys; sys.path.append('/usr/lib/python3/dist-packages'); import SoapySDR as s\n"
        f"assert not [n for n in {names} if not hasattr(s.Device, n)]\n"
        f"assert {fake_soapy.CONSTANTS} == {{n: getattr(s, n) for n in {list(fake_soapy.CONSTANTS)}}}\n"
        "assert all(hasattr(s.StreamResult(), n) for n in ('ret', 'flags', 'timeNs', 'chanMask'))\n"
        "assert hasattr(s.Range, 'minimum') and hasattr(s.Range, 'maximum')\n"
        "import inspect\n"
        f"print([list(inspect.signature(getattr(s.Device, n)).parameters) for n in {streams}])\n"
    )
    python = Path("/usr/bin/python3")
    if not python.exists() or not Path("/usr/lib/python3/dist-packages/SoapySDR.py").exists():
        pytest.skip("python3-soapysdr is not installed")
    done = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(signatures)
