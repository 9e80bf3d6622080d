"""What receiving from and transmitting to a SoapySDR device have in common: finding it, setting it, giving it back."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from hw.errors import DeviceError, DeviceLost, DeviceNotFound, Unsupported

log = logging.getLogger(__name__)


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


class SoapyDevice:
    """One direction of a device, opened at once; its stream is set up later.

    name: for messages. address: SoapySDR's arguments. soapy: its module, or what behaves like it. direction: its
    SOAPY_SDR_RX or SOAPY_SDR_TX. channel: which receiver or transmitter. Raises `DeviceNotFound` when nothing matches
    the address.
    """

    def __init__(self, name: str, address: str, soapy: Any, direction: int, channel: int) -> None:
        self.name = name
        self.soapy = soapy
        self.lost: DeviceLost | None = None
        """Set once the device is gone; nothing is asked of it any more."""
        self.stream: Any = None
        self._side = direction, channel
        self.device = self._make(address)

    def _make(self, address: str) -> Any:
        try:
            return self.soapy.Device(address)
        except Exception as e:
            try:
                found = [", ".join(f"{k}={v}" for k, v in dict(d).items()) for d in self.soapy.Device.enumerate()]
            except Exception as unseen:
                found = [f"cannot be listed ({unseen})"]
            raise DeviceNotFound(
                f"{self.name}: {e}; attached are: " + ("; ".join(found) or "none (is its SoapySDR module installed?)")
            ) from e

    def prepare(self, rate: int, antenna: str | None) -> str:
        """Check the channel, choose the antenna (None leaves the device's choice) and the rate; returns what it is."""
        device, (direction, channel) = self.device, self._side
        channels = self.do(device.getNumChannels, direction)
        if not 0 <= channel < channels:
            there = f"0 to {channels - 1}" if channels else "none in this direction"
            raise Unsupported(f"{self.name}: channel = {channel} is not there; the device has {there}")
        hardware = f"{self.do(device.getDriverKey)} {self.do(device.getHardwareKey)}".strip()
        if antenna is not None:
            known = list(self.do(device.listAntennas, direction, channel))
            if antenna not in known:
                raise Unsupported(f"{self.name}: antenna = {antenna!r} is not there; known are {', '.join(known)}")
            self.do(device.setAntenna, direction, channel, antenna)
        self.within("rate", rate, "S/s", self.do(device.getSampleRateRange, direction, channel))
        self.do(device.setSampleRate, direction, channel, float(rate))
        got = self.do(device.getSampleRate, direction, channel)
        if abs(got - rate) >= 1:
            raise Unsupported(f"{self.name}: asked for {rate} S/s, the device makes {got:.1f}; use {round(got)}")
        return hardware

    def start(self, format: str) -> int:
        """Set up the stream; returns how many samples it takes or gives at a time."""
        direction, channel = self._side
        self.stream = self.do(self.device.setupStream, direction, format, [channel])
        return max(1024, int(self.do(self.device.getStreamMTU, self.stream)))

    def activate(self) -> None:
        """Let the stream run. Raises `Unsupported` if it will not."""
        result = self.do(self.device.activateStream, self.stream)
        if result:
            raise Unsupported(f"{self.name}: the stream does not start: {self.soapy.errToStr(result)}")

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency; returns what the device made of it, in whole hertz."""
        self.within("center", center_hz, "Hz", self.do(self.device.getFrequencyRange, *self._side))
        self.do(self.device.setFrequency, *self._side, float(center_hz))
        return round(float(self.do(self.device.getFrequency, *self._side)))

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the overall gain; None for automatic. Returns what was set."""
        automatic = self.do(self.device.hasGainMode, *self._side)
        if gain_db is None:
            if not automatic:
                limits = self.do(self.device.getGainRange, *self._side)
                raise Unsupported(
                    f"{self.name}: has no automatic gain; "
                    f"state gain in dB, {limits.minimum():g} to {limits.maximum():g}"
                )
            self.do(self.device.setGainMode, *self._side, True)
            return None
        self.within("gain", gain_db, "dB", [self.do(self.device.getGainRange, *self._side)])
        if automatic:
            self.do(self.device.setGainMode, *self._side, False)
        self.do(self.device.setGain, *self._side, float(gain_db))
        return float(self.do(self.device.getGain, *self._side))

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction; returns what was set."""
        if not self.do(self.device.hasFrequencyCorrection, *self._side):
            if ppm:
                raise Unsupported(f"{self.name}: ppm = {ppm} cannot be set on this device; leave ppm out")
            return 0.0
        self.do(self.device.setFrequencyCorrection, *self._side, float(ppm))
        return float(self.do(self.device.getFrequencyCorrection, *self._side))

    def within(self, key: str, value: float, unit: str, ranges: Iterable[Any]) -> None:
        """Raise `Unsupported` unless a value lies in one of the ranges, or the device names none."""
        limits = [(r.minimum(), r.maximum()) for r in ranges]
        if limits and not any(low <= value <= high for low, high in limits):
            nearest = min((edge for pair in limits for edge in pair), key=lambda edge: abs(edge - value))
            listed = ", ".join(f"{low:.10g}" if low == high else f"{low:.10g}–{high:.10g}" for low, high in limits)
            raise Unsupported(
                f"{self.name}: {key} = {value} {unit} is not possible; the device has {listed}; "
                f"nearest is {nearest:.10g}"
            )

    def do(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """Call the driver. Raises `Unsupported` for what it raises, `DeviceLost` once the device is gone."""
        if self.lost is not None:
            raise DeviceLost(str(self.lost))
        try:
            return action(*arguments)
        except DeviceError:
            raise
        except Exception as e:
            raise Unsupported(f"{self.name}: {getattr(action, '__name__', 'call')}: {e}") from e

    def give_back(self) -> None:
        """Stop the stream and close the device; what the driver says against it is logged."""
        device = self.device
        steps = [device.close]
        if self.stream is not None:
            steps = [lambda: device.deactivateStream(self.stream), lambda: device.closeStream(self.stream), *steps]
        for step in steps:
            try:
                step()
            except Exception as e:
                log.warning("%s: closing: %s", self.name, e)
