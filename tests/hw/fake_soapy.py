"""A stand-in for SoapySDR's Python module: the constants and the objects of version 0.8, one device."""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np

CONSTANTS = {
    "SOAPY_SDR_TX": 0,
    "SOAPY_SDR_RX": 1,
    "SOAPY_SDR_END_BURST": 2,
    "SOAPY_SDR_HAS_TIME": 4,
    "SOAPY_SDR_TIMEOUT": -1,
    "SOAPY_SDR_STREAM_ERROR": -2,
    "SOAPY_SDR_CORRUPTION": -3,
    "SOAPY_SDR_OVERFLOW": -4,
    "SOAPY_SDR_NOT_SUPPORTED": -5,
    "SOAPY_SDR_UNDERFLOW": -7,
}
ERRORS = {
    -1: "TIMEOUT",
    -2: "STREAM_ERROR",
    -3: "CORRUPTION",
    -4: "OVERFLOW",
    -5: "NOT_SUPPORTED",
    -7: "UNDERFLOW",
}


class StreamResult:
    def __init__(self, ret: int, flags: int = 0, timeNs: int = 0) -> None:
        self.ret = ret
        self.flags = flags
        self.timeNs = timeNs
        self.chanMask = 0


class Range:
    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def minimum(self) -> float:
        return self._low

    def maximum(self) -> float:
        return self._high

    def step(self) -> float:
        return 0.0


@dataclass
class Burst:
    """One carrier."""

    pieces: list[np.ndarray[Any, Any]] = field(default_factory=list)
    marked: bool = False

    @property
    def samples(self) -> np.ndarray[Any, Any]:
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, np.complex64)


class Radio:
    """The device. feed: (samples, time in ns or None), an error number, an exception, or a callable, in order.

    What is transmitted: `bursts`, each the samples between activation and deactivation, and whether its end was marked;
    `active`, `marked` and `off` say how far the last one is.
    answers: what `writeStream` answers before it takes samples again: an error number, an exception, or a callable that
    gives such a number or None to take them. statuses: what `readStreamStatus` says. most: samples it takes at once.
    """

    def __init__(
        self, *, automatic: bool = True, correction: bool = True, makes: float | None = None, transmitters: int = 2
    ) -> None:
        self.transmitters = transmitters
        self.most = 3000
        self.active, self.marked, self.off = Event(), Event(), Event()
        self.bursts: list[Burst] = []
        self.answers: SimpleQueue[int | Exception | Callable[[], int | None]] = SimpleQueue()
        self.statuses: SimpleQueue[int] = SimpleQueue()
        self.automatic = automatic
        self.correction = correction
        self.makes = makes
        self.feed: SimpleQueue[tuple[np.ndarray[Any, Any], int | None] | int | Exception | Callable[[], object]] = (
            SimpleQueue()
        )
        self.calls: list[tuple[Any, ...]] = []
        self.values: dict[str, Any] = {"ppm": 0.0, "gain": 0.0}


def module(radio: Radio) -> SimpleNamespace:
    class Device:
        def __init__(self, args: str) -> None:
            if "driver=fake" not in args:
                raise RuntimeError("SoapySDR::Device::make() no match")
            radio.calls.append(("make", args))

        @staticmethod
        def enumerate(args: str = "") -> tuple[dict[str, str], ...]:
            return ({"driver": "fake", "serial": "7"},)

        def getNumChannels(self, direction: int) -> int:
            return 2 if direction == CONSTANTS["SOAPY_SDR_RX"] else radio.transmitters

        def getDriverKey(self) -> str:
            return "fake"

        def getHardwareKey(self) -> str:
            return "F1"

        def listAntennas(self, direction: int, channel: int) -> tuple[str, ...]:
            return ("RX", "TX/RX")

        def setAntenna(self, direction: int, channel: int, name: str) -> None:
            radio.calls.append(("antenna", channel, name))

        def getSampleRateRange(self, direction: int, channel: int) -> tuple[Range, ...]:
            return (Range(1e6, 1e6), Range(2e6, 20e6))

        def setSampleRate(self, direction: int, channel: int, rate: float) -> None:
            radio.values["rate"] = radio.makes or rate

        def getSampleRate(self, direction: int, channel: int) -> float:
            return float(radio.values["rate"])

        def getFrequencyRange(self, direction: int, channel: int) -> tuple[Range, ...]:
            return (Range(1e6, 6e9),)

        def setFrequency(self, direction: int, channel: int, frequency: float) -> None:
            radio.values["frequency"] = frequency + 0.4

        def getFrequency(self, direction: int, channel: int) -> float:
            return float(radio.values["frequency"])

        def hasGainMode(self, direction: int, channel: int) -> bool:
            return radio.automatic

        def setGainMode(self, direction: int, channel: int, automatic: bool) -> None:
            radio.calls.append(("gain mode", automatic))

        def getGainRange(self, direction: int, channel: int) -> Range:
            return Range(0.0, 62.0)

        def setGain(self, direction: int, channel: int, value: float) -> None:
            radio.values["gain"] = float(round(value))

        def getGain(self, direction: int, channel: int) -> float:
            return float(radio.values["gain"])

        def hasFrequencyCorrection(self, direction: int, channel: int) -> bool:
            return radio.correction

        def setFrequencyCorrection(self, direction: int, channel: int, value: float) -> None:
            radio.values["ppm"] = value

        def getFrequencyCorrection(self, direction: int, channel: int) -> float:
            return float(radio.values["ppm"])

        def setupStream(self, direction: int, format: str, channels: list[int]) -> str:
            radio.calls.append(("setup", format, tuple(channels)))
            return "stream"

        def getStreamMTU(self, stream: str) -> int:
            return 4096

        def activateStream(self, stream: str, flags: int = 0, timeNs: int = 0, numElems: int = 0) -> int:
            radio.calls.append(("activate",))
            radio.bursts.append(Burst())
            radio.marked.clear()
            radio.off.clear()
            radio.active.set()
            return 0

        def writeStream(
            self,
            stream: str,
            buffs: list[np.ndarray[Any, Any]],
            numElems: int,
            flags: int = 0,
            timeNs: int = 0,
            timeoutUs: int = 100000,
        ) -> StreamResult:
            assert radio.active.is_set(), "a stream that is not active takes nothing"
            assert buffs[0].dtype == np.complex64 and buffs[0].flags.c_contiguous and len(buffs[0]) >= numElems
            if not radio.answers.empty():
                answer = radio.answers.get()
                if isinstance(answer, Exception):
                    raise answer
                said = answer if isinstance(answer, int) else answer()
                if said is not None:
                    return StreamResult(said)
            taken = min(numElems, radio.most)
            burst = radio.bursts[-1]
            assert not burst.marked, "nothing follows the end of a burst"
            burst.pieces.append(buffs[0][:taken].copy())
            burst.marked = taken == numElems and bool(flags & CONSTANTS["SOAPY_SDR_END_BURST"])
            if burst.marked:
                radio.marked.set()
            return StreamResult(taken)

        def readStreamStatus(self, stream: str, timeoutUs: int = 100000) -> StreamResult:
            return StreamResult(
                CONSTANTS["SOAPY_SDR_TIMEOUT"] if radio.statuses.empty() else radio.statuses.get(), 0, 0
            )

        def readStream(
            self, stream: str, buffs: list[np.ndarray[Any, Any]], numElems: int, flags: int = 0, timeoutUs: int = 100000
        ) -> StreamResult:
            assert ("close",) not in radio.calls
            try:
                item = radio.feed.get(timeout=0.01)
            except Empty:
                return StreamResult(CONSTANTS["SOAPY_SDR_TIMEOUT"])
            if isinstance(item, Exception):
                raise item
            if isinstance(item, int):
                return StreamResult(item)
            if callable(item):
                item()
                return StreamResult(CONSTANTS["SOAPY_SDR_TIMEOUT"])
            samples, time = item
            out = buffs[0]
            out[: len(samples)] = samples
            per_sample = 1 if np.iscomplexobj(samples) else 2
            has_time = 0 if time is None else CONSTANTS["SOAPY_SDR_HAS_TIME"]
            return StreamResult(len(samples) // per_sample, has_time, time or 0)

        def deactivateStream(self, stream: str, flags: int = 0, timeNs: int = 0) -> int:
            radio.calls.append(("deactivate",))
            radio.active.clear()
            radio.off.set()
            return 0

        def closeStream(self, stream: str) -> None:
            radio.calls.append(("close stream",))

        def close(self) -> None:
            radio.calls.append(("close",))

    return SimpleNamespace(Device=Device, errToStr=lambda n: ERRORS[n], **CONSTANTS)
