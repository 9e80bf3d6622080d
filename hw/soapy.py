"""Any receiver that SoapySDR has a module for, through SoapySDR's own Python module.

A thread reads the stream into a ring; `read` takes from it. An overflow that SoapySDR reports is a gap in the index, as
long as the time stamps say, or the clock where the device gives none. Samples come as CF32 (full scale ±1.0 by
SoapySDR's convention), or as CS16 if asked for, which halves the memory traffic of a wide band.
"""

import importlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dsp.blocks import IqBlock
from dsp.convert import sample_type
from dsp.errors import RangeError
from hw.base import Source, SourceInfo, SourceStatistics
from hw.clock import Clock, SystemClock
from hw.errors import DeviceError, DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.ring import RingStatistics, SampleRing
from hw.spec import SourceRequest
from hw.stream import RingReader

log = logging.getLogger(__name__)

_FORMATS = {"cf32_le": "CF32", "ci16_le": "CS16"}
_TIMEOUT_US = 100_000
_JOIN_S = 5.0
# Time stamps that jump by more than this are a loss even if the driver reports none; less is jitter of the stamps.
_JUMP_S = 0.01


def driver(load: Callable[[str], Any] = importlib.import_module) -> Any:
    """The SoapySDR module. Raises `Unsupported` saying what to install. load: imports a module by its name."""
    try:
        return load("SoapySDR")
    except Exception as e:
        raise Unsupported(
            f"soapy: SoapySDR's Python module cannot be loaded ({type(e).__name__}: {e}); on Debian: apt install "
            "python3-soapysdr soapysdr-module-all, and a virtual environment made by the distribution's own python3 "
            f"with --system-site-packages (this is Python {sys.version_info.major}.{sys.version_info.minor})"
        ) from e


class SoapySource:
    """A Tuner behind SoapySDR; opens and starts at once.

    address: SoapySDR's arguments, "driver=rtlsdr,serial=1". rate: samples per second. center_hz: centre frequency.
    gain_db: overall gain, None for the device's own automatic gain. ppm: frequency correction. format: "cf32_le" or
    "ci16_le". channel: which receiver of the device. antenna: by its name, None for the device's choice.
    buffer_s: what the ring holds. stall_s: silence after which the device counts as lost. module: SoapySDR, or what
    behaves like it.

    Raises `DeviceNotFound` when nothing matches the address, `Unsupported` for a setting the device does not have.
    """

    def __init__(
        self,
        address: str,
        *,
        rate: int,
        center_hz: int,
        gain_db: float | None = None,
        ppm: float = 0.0,
        format: str = "cf32_le",
        channel: int = 0,
        antenna: str | None = None,
        buffer_s: float = 0.5,
        stall_s: float = 3.0,
        clock: Clock | None = None,
        module: Any = None,
    ) -> None:
        self._name = f"soapy:{address}"
        self._kind = _kind(self._name, format)
        self._soapy = driver() if module is None else module
        self._rx, self._channel = self._soapy.SOAPY_SDR_RX, channel
        self._rate = rate
        self._center_hz = center_hz
        self._clock: Clock = SystemClock() if clock is None else clock
        self._stall_s = stall_s
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._overflows = 0
        self._lost: DeviceLost | None = None
        self._device = self._make(address)
        self._stream: Any = None
        self._closed = False
        try:
            self._prepare(center_hz, gain_db, ppm, antenna)
        except Exception:
            self._give_back()
            raise
        self._ring = SampleRing(max(1, round(buffer_s * rate)), self._kind.size)
        self._reader = RingReader(self._ring, self._kind, rate, self._check_stall)
        self._start = self._clock.now()
        self._last = self._clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""
        return SourceInfo(
            self._name, "iq", self._rate, self._center_hz, None, self._start, self._kind.name, self._hardware
        )

    @property
    def overflows(self) -> int:
        """How often SoapySDR reported an overflow."""
        return self._overflows

    def read(self, n: int) -> IqBlock | None:
        """As `Source.read`; waits for samples. None once it is closed; `DeviceLost` once the device is gone."""
        return self._reader.read(n)

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened."""
        return self._reader.statistics()

    def ring_statistics(self) -> RingStatistics:
        """Counters of the ring between the driver and the reader."""
        return self._ring.statistics()

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency; returns what the device made of it, in whole hertz."""
        self._within("center", center_hz, "Hz", self._do(self._device.getFrequencyRange, self._rx, self._channel))
        self._do(self._device.setFrequency, self._rx, self._channel, float(center_hz))
        self._center_hz = round(self._do(self._device.getFrequency, self._rx, self._channel))
        return self._center_hz

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the overall gain; None for automatic. Returns what was set."""
        rx, channel = self._rx, self._channel
        automatic = self._do(self._device.hasGainMode, rx, channel)
        if gain_db is None:
            if not automatic:
                limits = self._do(self._device.getGainRange, rx, channel)
                raise Unsupported(
                    f"{self._name}: has no automatic gain; "
                    f"state gain in dB, {limits.minimum():g} to {limits.maximum():g}"
                )
            self._do(self._device.setGainMode, rx, channel, True)
            return None
        self._within("gain", gain_db, "dB", [self._do(self._device.getGainRange, rx, channel)])
        if automatic:
            self._do(self._device.setGainMode, rx, channel, False)
        self._do(self._device.setGain, rx, channel, float(gain_db))
        return float(self._do(self._device.getGain, rx, channel))

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction; returns what was set."""
        if not self._do(self._device.hasFrequencyCorrection, self._rx, self._channel):
            if ppm:
                raise Unsupported(f"{self._name}: ppm = {ppm} cannot be set on this device; leave ppm out")
            return 0.0
        self._do(self._device.setFrequencyCorrection, self._rx, self._channel, float(ppm))
        return float(self._do(self._device.getFrequencyCorrection, self._rx, self._channel))

    def close(self) -> None:
        """Stop and give the device back. May be called twice, from any thread; never waits longer than some seconds."""
        with self._closing:
            self._stop.set()
            self._ring.close()
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                # Closing a stream that is being read crashes some drivers; the thread is a daemon and dies with us.
                log.error("%s: the driver did not stop within %.0f s; the device stays open", self._name, _JOIN_S)
            elif not self._closed:
                self._closed = True
                self._give_back()

    def _make(self, address: str) -> Any:
        try:
            return self._soapy.Device(address)
        except Exception as e:
            try:
                found = [", ".join(f"{k}={v}" for k, v in dict(d).items()) for d in self._soapy.Device.enumerate()]
            except Exception as unseen:
                found = [f"cannot be listed ({unseen})"]
            raise DeviceNotFound(
                f"{self._name}: {e}; attached are: " + ("; ".join(found) or "none (is its SoapySDR module installed?)")
            ) from e

    def _prepare(self, center_hz: int, gain_db: float | None, ppm: float, antenna: str | None) -> None:
        device, rx, channel = self._device, self._rx, self._channel
        channels = self._do(device.getNumChannels, rx)
        if not 0 <= channel < channels:
            raise Unsupported(f"{self._name}: channel = {channel} is not there; the device has 0 to {channels - 1}")
        self._hardware = f"{self._do(device.getDriverKey)} {self._do(device.getHardwareKey)}".strip()
        if antenna is not None:
            known = list(self._do(device.listAntennas, rx, channel))
            if antenna not in known:
                raise Unsupported(f"{self._name}: antenna = {antenna!r} is not there; known are {', '.join(known)}")
            self._do(device.setAntenna, rx, channel, antenna)
        self._within("rate", self._rate, "S/s", self._do(device.getSampleRateRange, rx, channel))
        self._do(device.setSampleRate, rx, channel, float(self._rate))
        got = self._do(device.getSampleRate, rx, channel)
        if abs(got - self._rate) >= 1:
            raise Unsupported(f"{self._name}: asked for {self._rate} S/s, the device makes {got:.1f}; use {round(got)}")
        self.set_ppm(ppm)
        self.tune(center_hz)
        self.set_gain(gain_db)
        self._stream = self._do(device.setupStream, rx, _FORMATS[self._kind.name], [channel])
        self._mtu = max(1024, int(self._do(device.getStreamMTU, self._stream)))
        result = self._do(device.activateStream, self._stream)
        if result:
            raise Unsupported(f"{self._name}: the stream does not start: {self._soapy.errToStr(result)}")

    def _within(self, key: str, value: float, unit: str, ranges: Iterable[Any]) -> None:
        limits = [(r.minimum(), r.maximum()) for r in ranges]
        if limits and not any(low <= value <= high for low, high in limits):
            nearest = min((edge for pair in limits for edge in pair), key=lambda edge: abs(edge - value))
            listed = ", ".join(f"{low:.10g}" if low == high else f"{low:.10g}–{high:.10g}" for low, high in limits)
            raise Unsupported(
                f"{self._name}: {key} = {value} {unit} is not possible; the device has {listed}; "
                f"nearest is {nearest:.10g}"
            )

    def _check_stall(self) -> None:
        silent = self._clock.monotonic() - self._last
        if silent >= self._stall_s and not self._stop.is_set():
            self._fail(f"nothing came for {silent:.1f} s; it hangs or was unplugged")

    def _fail(self, reason: str) -> None:
        if self._lost is None:
            self._lost = DeviceLost(f"{self._name}: {reason}")
            log.error("%s", self._lost)
        self._ring.fail(self._lost)

    def _run(self) -> None:
        try:
            self._receive()
        except Exception as e:
            self._fail(f"{type(e).__name__}: {e}")

    def _receive(self) -> None:
        soapy = self._soapy
        size = self._kind.size
        buffer = np.empty(self._mtu * size, np.uint8)
        # The driver writes components; give it an array of their type.
        view = buffer.view(np.complex64 if self._kind.name == "cf32_le" else np.int16)
        overflowed = False
        due_ns: int | None = None  # time stamp that the next sample should have
        while not self._stop.is_set():
            result = self._device.readStream(self._stream, [view], self._mtu, 0, _TIMEOUT_US)
            count = result.ret
            if count in (soapy.SOAPY_SDR_OVERFLOW, soapy.SOAPY_SDR_CORRUPTION):
                self._overflows += 1
                overflowed = True
                continue
            if count == soapy.SOAPY_SDR_TIMEOUT or count == 0:
                continue
            if count < 0:
                self._fail(f"the stream broke: {soapy.errToStr(count)} ({count}); was the device unplugged?")
                return
            now = self._clock.monotonic()
            lost = 0
            if result.flags & soapy.SOAPY_SDR_HAS_TIME:
                if due_ns is not None:
                    jump = round((result.timeNs - due_ns) * self._rate / 1e9)
                    if overflowed or jump > _JUMP_S * self._rate:
                        lost = max(1 if overflowed else 0, jump)
                due_ns = result.timeNs + round(count * 1e9 / self._rate)
            elif overflowed:
                lost = max(1, round((now - self._last) * self._rate) - count)
                due_ns = None
            overflowed = False
            self._last = now
            self._ring.skip(lost)
            self._ring.write(buffer[: count * size])

    def _do(self, action: Callable[..., Any], *arguments: Any) -> Any:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        try:
            return action(*arguments)
        except DeviceError:
            raise
        except Exception as e:
            raise Unsupported(f"{self._name}: {getattr(action, '__name__', 'call')}: {e}") from e

    def _give_back(self) -> None:
        device = self._device
        steps = [device.close]
        if self._stream is not None:
            steps = [lambda: device.deactivateStream(self._stream), lambda: device.closeStream(self._stream), *steps]
        for step in steps:
            try:
                step()
            except Exception as e:
                log.warning("%s: closing: %s", self._name, e)


def _kind(name: str, format: str) -> Any:
    try:
        kind = sample_type(format)
    except RangeError as e:
        raise SourceError(f"{name}: {e}") from e
    if kind.name not in _FORMATS:
        raise Unsupported(f"{name}: format = {format!r} is not read from SoapySDR; use cf32 or cs16")
    return kind


def _settings(request: SourceRequest) -> dict[str, Any]:
    request.only("channel", "antenna")
    for name, value in (("rate", request.rate), ("center", request.center_hz)):
        if value is None:
            raise SourceError(f"{request.text}: {name} must be stated")
    channel = request.options.get("channel", "0")
    if not (channel.isascii() and channel.isdigit() and len(channel) < 4):
        raise SourceError(f"{request.text}: channel = {channel!r} is not a number such as 0")
    if "=" not in request.address:
        raise SourceError(f"{request.text}: not soapy:KEY=VALUE,…, such as soapy:driver=rtlsdr,serial=00000001")
    format = request.sample_type or "cf32_le"
    _kind(request.text, format)
    return {
        "rate": request.rate,
        "center_hz": request.center_hz,
        "gain_db": request.gain_db,
        "ppm": request.ppm,
        "format": format,
        "channel": int(channel),
        "antenna": request.options.get("antenna"),
    }


def open_source(request: SourceRequest) -> Source:
    """Open `soapy:…`."""
    return SoapySource(request.address, **_settings(request))


def probe(request: SourceRequest) -> SourceInfo:
    """What is known without touching a radio."""
    settings = _settings(request)
    kind = _kind(request.text, settings["format"])
    return SourceInfo(request.text, "iq", settings["rate"], settings["center_hz"], None, None, kind.name, "SoapySDR")
