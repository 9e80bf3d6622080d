"""Any receiver that SoapySDR has a module for, through SoapySDR's own Python module.

A thread reads the stream into a ring; `read` takes from it. An overflow that SoapySDR reports is a gap in the index, as
long as the time stamps say, or the clock where the device gives none. Samples come as CF32 (full scale ±1.0 by
SoapySDR's convention), or as CS16 if asked for, which halves the memory traffic of a wide band.
"""

import logging
import threading
from typing import Any

import numpy as np

from dsp.convert import sample_type
from dsp.errors import RangeError
from hw.base import Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceLost, SourceError, Unsupported
from hw.ring import SampleRing
from hw.soapydevice import SoapyDevice, driver
from hw.spec import SourceRequest
from hw.stream import RingReader, Streamed

log = logging.getLogger(__name__)

_FORMATS = {"cf32_le": "CF32", "ci16_le": "CS16"}
_TIMEOUT_US = 100_000
_JOIN_S = 5.0
# Time stamps that jump by more than this are a loss even if the driver reports none; less is jitter of the stamps.
_JUMP_S = 0.01


class SoapySource(Streamed):
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
        self._rate = rate
        self._center_hz = center_hz
        self._clock: Clock = SystemClock() if clock is None else clock
        self._stall_s = stall_s
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._overflows = 0
        self._closed = False
        self._device = SoapyDevice(self._name, address, self._soapy, self._soapy.SOAPY_SDR_RX, channel)
        try:
            self._hardware = self._device.prepare(rate, antenna)
            self.set_ppm(ppm)
            self.tune(center_hz)
            self.set_gain(gain_db)
            self._mtu = self._device.start(_FORMATS[self._kind.name])
            self._device.activate()
        except Exception:
            self._device.give_back()
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

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency; returns what the device made of it, in whole hertz."""
        self._center_hz = self._device.tune(center_hz)
        return self._center_hz

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the overall gain; None for automatic. Returns what was set."""
        return self._device.set_gain(gain_db)

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction; returns what was set."""
        return self._device.set_ppm(ppm)

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
                self._device.give_back()

    def _check_stall(self) -> None:
        silent = self._clock.monotonic() - self._last
        if silent >= self._stall_s and not self._stop.is_set():
            self._fail(f"nothing came for {silent:.1f} s; it hangs or was unplugged")

    def _fail(self, reason: str) -> None:
        if self._device.lost is None:
            self._device.lost = DeviceLost(f"{self._name}: {reason}")
            log.error("%s", self._device.lost)
        self._ring.fail(self._device.lost)

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
            result = self._device.device.readStream(self._device.stream, [view], self._mtu, 0, _TIMEOUT_US)
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
