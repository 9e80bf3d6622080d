"""RTL-SDR dongles on USB, through pyrtlsdr.

librtlsdr calls back from its own thread with each transfer; the callback copies into the ring and returns at once,
since whatever comes while it is busy is lost without a word. `LossEstimator` judges by the clock what was lost. A read
that ends without having been told to means that the dongle is gone; so does silence for `stall_s`.

What pyrtlsdr 0.5 does that one must know: it is not usable with Debian's librtlsdr (it asks for functions of its own
fork, the `[lib]` extra), its import then fails with whatever ctypes raises; a setter that fails closes the device;
setting the ppm that is set already is such a failure (librtlsdr answers −2); a cancel while no read runs closes the
device as well; the frequency it reports is rounded to a kilohertz.
"""

import importlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from dsp.convert import sample_type
from hw import rtl2832
from hw.base import Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.losses import LossEstimator
from hw.ring import SampleRing
from hw.spec import SourceRequest
from hw.stream import RingReader, Streamed

log = logging.getLogger(__name__)

_CU8 = sample_type("cu8")
TRANSFER_BYTES = 16384
"""Bytes of one USB transfer: 3.4 ms at 2.4 MS/s; a multiple of 512, as librtlsdr demands."""

_START_S = 2.0  # to wait for the first transfer before a cancel: librtlsdr cannot cancel what has not begun
_JOIN_S = 5.0

# libusb's error numbers, as pyrtlsdr's LibUSBError.errno carries them.
_ACCESS, _NO_DEVICE, _NOT_FOUND, _BUSY = -3, -4, -5, -6

_DRIVER_HINT = (
    'install it with: pip install "pyrtlsdr[lib]" (the [lib] part is needed, Debian\'s librtlsdr lacks functions)'
)


def driver(load: Callable[[str], Any] = importlib.import_module) -> Any:
    """The pyrtlsdr module. Raises `Unsupported` saying what to install.

    load: imports a module by its name.
    """
    try:
        return load("rtlsdr")
    except Exception as e:
        # Without its library pyrtlsdr raises FileNotFoundError, AttributeError or ImportError, as it happens.
        raise Unsupported(f"rtlsdr: pyrtlsdr cannot be loaded ({type(e).__name__}: {e}); {_DRIVER_HINT}") from e


def serials(module: Any) -> list[str]:
    """Serial numbers of the dongles, in the order of their index; "" for one that may not be read."""
    try:
        return [str(s) for s in module.RtlSdr.get_device_serial_addresses()]
    except Exception as e:
        raise _translated("rtlsdr", e) from e


def choose(address: str, found: list[str], name: str) -> int:
    """The index of the dongle that `address` names: "0", "serial=00000001", "index=1".

    found: the serial numbers there are. name: for messages. Raises `SourceError` for what is not an address,
    `DeviceNotFound` for a dongle that is not there or not the only one of its serial number.
    """
    key, equals, value = address.partition("=")
    if not equals:
        key, value = "index", address
    key = key.strip().lower()
    if key not in ("serial", "index") or not value or (key == "index" and not _is_index(value)):
        raise SourceError(
            f"{name}: not rtlsdr:INDEX or rtlsdr:serial=SERIAL, such as rtlsdr:0 or rtlsdr:serial=00000001"
        )
    if not found:
        raise DeviceNotFound(
            f"{name}: no RTL-SDR is attached; if one is plugged in, `sdrbridge doctor` looks for the DVB driver "
            "(dvb_usb_rtl28xxu) and the udev rule that keep it away"
        )
    attached = ", ".join(f"{i}: serial {s or 'unreadable'}" for i, s in enumerate(found))
    if key == "index":
        if int(value) >= len(found):
            raise DeviceNotFound(f"{name}: there is no dongle {value}; attached are {attached}")
        return int(value)
    matching = [i for i, s in enumerate(found) if s == value]
    if not matching:
        raise DeviceNotFound(f"{name}: no dongle has serial {value}; attached are {attached}")
    if len(matching) > 1:
        raise DeviceNotFound(
            f"{name}: {len(matching)} dongles have serial {value} ({attached}); give each its own with "
            "`rtl_eeprom -d INDEX -s SERIAL`, or choose by index: " + ", ".join(f"rtlsdr:{i}" for i in matching)
        )
    return matching[0]


def _is_index(text: str) -> bool:
    # "00000001" is a serial number that somebody forgot to call one, not dongle 1.
    return text.isascii() and text.isdigit() and len(text) < 4 and text == str(int(text))


class RtlSdrSource(Streamed):
    """A Tuner on USB; opens and starts at once.

    address: as `choose`. rate: samples per second. center_hz: centre frequency. gain_db: None for automatic.
    ppm: frequency correction. buffer_s: what the ring holds. stall_s: silence after which it counts as lost.
    module: pyrtlsdr, or what behaves like it.

    Raises `Unsupported` (no driver, rate or setting out of range), `DeviceNotFound`, `DeviceBusy`.
    """

    def __init__(
        self,
        address: str,
        *,
        rate: int,
        center_hz: int,
        gain_db: float | None = None,
        ppm: float = 0.0,
        buffer_s: float = 1.0,
        stall_s: float = 3.0,
        clock: Clock | None = None,
        module: Any = None,
    ) -> None:
        self._name = f"rtlsdr:{address}"
        rtl2832.check_rate(self._name, rate)
        rtl2832.check_ppm(self._name, ppm)
        module = driver() if module is None else module
        found = serials(module)
        index = choose(address, found, self._name)
        self._serial = found[index]
        self._rate = rate
        self._clock: Clock = SystemClock() if clock is None else clock
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._closing = threading.Lock()
        self._lost: DeviceLost | None = None
        self._ring = SampleRing(round(buffer_s * rate), _CU8.size)
        self._reader = RingReader(self._ring, _CU8, rate, self._check_stall)
        self._stall_s = stall_s
        self._losses = LossEstimator(rate)
        try:
            self._device = module.RtlSdr(device_index=index)
        except Exception as e:
            raise _translated(self._name, e) from e
        try:
            self._prepare(rate, center_hz, gain_db, ppm)
        except Exception:
            self._device.close()
            raise
        self._start = self._clock.now()
        self._last = self._clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _prepare(self, rate: int, center_hz: int, gain_db: float | None, ppm: float) -> None:
        self._do(lambda: self._device.set_sample_rate(rate))
        got = self._do(self._device.get_sample_rate)
        if abs(got - rate) >= 1:
            raise Unsupported(f"{self._name}: asked for {rate} S/s, the dongle makes {got:.1f} S/s; use {round(got)}")
        self._tuner = rtl2832.TUNERS[t] if 0 <= (t := self._do(self._device.get_tuner_type)) < 7 else f"type {t}"
        self._gains = tuple(int(g) for g in self._device.gain_values)
        self.set_ppm(ppm)
        self.tune(center_hz)
        self.set_gain(gain_db)

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""
        hardware = f"RTL2832U, tuner {self._tuner}, serial {self._serial}"
        return SourceInfo(self._name, "iq", self._rate, self._center_hz, None, self._start, _CU8.name, hardware)

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency; returns it. Raises `Unsupported` where the tuner cannot go."""
        if not 0 < center_hz <= 0xFFFFFFFF:
            raise Unsupported(f"{self._name}: center = {center_hz} Hz is out of range; an R820T takes 24M to 1.766G")
        self._do(lambda: self._device.set_center_freq(center_hz))
        self._center_hz = center_hz
        return center_hz

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the gain to the nearest one the tuner has; None for automatic. Returns what was set."""
        if gain_db is None:
            self._do(lambda: self._device.set_gain("auto"))
            return None
        if not -100.0 <= gain_db <= 100.0 or not self._gains:
            limits = f"{min(self._gains) / 10} to {max(self._gains) / 10} dB" if self._gains else "auto only"
            raise Unsupported(f"{self._name}: gain = {gain_db} dB is out of range; the tuner has {limits}")
        tenths = rtl2832.nearest_gain(self._gains, gain_db)
        self._do(lambda: self._device.set_gain(tenths / 10))
        return tenths / 10

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction, in whole ppm; returns what was set."""
        whole = rtl2832.check_ppm(self._name, ppm)
        if self._do(self._device.get_freq_correction) != whole:
            self._do(lambda: self._device.set_freq_correction(whole))
        return float(whole)

    def close(self) -> None:
        """Stop and give the dongle back. May be called twice, from any thread; never waits longer than some seconds."""
        with self._closing:
            self._stop.set()
            self._ring.close()
            if not self._thread.is_alive():
                self._device.close()
                return
            self._begun.wait(_START_S)
            if self._thread.is_alive():
                # Marked as cancelled already: pyrtlsdr must not close the device when there is nothing to cancel.
                self._device.read_async_canceling = True
                try:
                    self._device.cancel_read_async()
                except Exception as e:
                    log.warning("%s: cancel failed: %s", self._name, e)
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                # Closing under a running read would crash the process; the thread is a daemon and dies with it.
                log.error("%s: the driver did not stop within %.0f s; the dongle stays open", self._name, _JOIN_S)
                return
            self._device.close()

    def _check_stall(self) -> None:
        silent = self._clock.monotonic() - self._last
        if silent >= self._stall_s and not self._stop.is_set():
            self._lost = DeviceLost(f"{self._name} (serial {self._serial}): nothing came for {silent:.1f} s; it hangs")
            self._ring.fail(self._lost)

    def _run(self) -> None:
        lost = DeviceLost(f"{self._name} (serial {self._serial}): the driver stopped; was the dongle unplugged?")
        try:
            self._device.read_bytes_async(self._take, TRANSFER_BYTES)
        except Exception as e:
            lost = DeviceLost(f"{self._name} (serial {self._serial}): {e}; was the dongle unplugged?")
            lost.__cause__ = e
        finally:
            self._begun.set()
            if not self._stop.is_set() and self._lost is None:
                log.error("%s", lost)
                self._lost = lost
            self._ring.fail(lost)

    def _take(self, values: Any, context: object) -> None:
        # On librtlsdr's thread. ctypes would swallow an exception, and the reader would wait for ever.
        self._begun.set()
        try:
            if self._stop.is_set():
                return
            count = len(values) // 2
            self._last = self._clock.monotonic()
            self._ring.skip(self._losses.count(self._last, count))
            self._ring.write(np.frombuffer(values, np.uint8)[: 2 * count])
        except Exception as e:
            self._ring.fail(DeviceLost(f"{self._name}: {type(e).__name__}: {e}"))

    def _do(self, action: Callable[[], Any]) -> Any:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        try:
            return action()
        except Exception as e:
            raise _translated(self._name, e) from e


def _translated(name: str, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    if number == _ACCESS:
        return Unsupported(
            f"{name}: access denied; install the udev rule of rtl-sdr (Debian package librtlsdr0), be in group "
            "plugdev, and plug it in again"
        )
    if number == _BUSY:
        return DeviceBusy(
            f"{name}: in use by another program or by the kernel's DVB driver; for the latter: "
            "echo 'blacklist dvb_usb_rtl28xxu' > /etc/modprobe.d/rtl-sdr.conf, then plug it in again"
        )
    if number in (_NO_DEVICE, _NOT_FOUND):
        return DeviceNotFound(f"{name}: {error}; is it plugged in?")
    return Unsupported(f"{name}: {error}")


def _settings(request: SourceRequest) -> tuple[int, int]:
    request.only()
    for name, value in (("rate", request.rate), ("center", request.center_hz)):
        if value is None:
            raise SourceError(f"{request.text}: {name} must be stated, such as {name} = {_EXAMPLE[name]}")
    assert request.rate is not None and request.center_hz is not None
    rtl2832.check_rate(request.text, request.rate)
    rtl2832.check_ppm(request.text, request.ppm)
    return request.rate, request.center_hz


_EXAMPLE = {"rate": '"2.4M"', "center": '"155.4M"'}


def open_source(request: SourceRequest) -> Source:
    """Open `rtlsdr:…`."""
    rate, center_hz = _settings(request)
    return RtlSdrSource(request.address, rate=rate, center_hz=center_hz, gain_db=request.gain_db, ppm=request.ppm)


def probe(request: SourceRequest) -> SourceInfo:
    """What is known without touching a radio."""
    rate, center_hz = _settings(request)
    start: datetime | None = None
    return SourceInfo(request.text, "iq", rate, center_hz, None, start, _CU8.name, "RTL2832U")
