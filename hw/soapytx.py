"""A transmitter behind SoapySDR: IQ in, carriers out, each a burst with nothing on the air between them.

    write ─▶ queue, up to a second ─▶ thread: activate ─▶ writeStream … END_BURST ─▶ played out ─▶ deactivate

A burst is IQ that is not zero. It begins when `buffer_s` of it is there, so that the source may be that uneven, and the
stream is deactivated when its last sample has been on the air: unkeyed, the device does not transmit at all. Where
nothing comes for `STALL_S` in the middle of a burst, it is cut off: whoever feeds it hangs.
"""

import logging
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from hw.clock import Clock, SystemClock
from hw.errors import DeviceError, DeviceLost
from hw.soapydevice import SoapyDevice, driver

log = logging.getLogger(__name__)

STALL_S = 0.2
"""Patience with a burst that does not go on."""

DRAIN_S = 0.1
"""How much longer than its samples a burst may be on its way through driver and device."""

MOST_S = 1.0
"""Samples that may wait."""

STUCK_S = 1.0
"""A device that takes nothing for so long does not work."""

HUNG_S = 0.4
"""A driver that gives no answer for so long is taken for hung."""

_TIMEOUT_US = 100_000
_JOIN_S = 3.0
_LOOK_S = 0.02
_MOST_STATUSES = 16


class SoapyTransmitter:
    """A transmitter; opens at once, silent.

    address: SoapySDR's arguments, "driver=hackrf". rate: samples per second. center_hz: of the band. gain_db: overall.
    ppm: frequency correction. channel: which transmitter of the device. antenna: None for the device's choice.
    module: SoapySDR, or what behaves like it.

    Raises `DeviceNotFound` when nothing matches the address, `Unsupported` for a setting the device does not have.
    """

    def __init__(
        self,
        address: str,
        *,
        rate: int,
        center_hz: int,
        gain_db: float,
        ppm: float = 0.0,
        channel: int = 0,
        antenna: str | None = None,
        buffer_s: float = 0.06,
        clock: Clock | None = None,
        module: Any = None,
    ) -> None:
        self.name = f"soapy:{address}"
        self.rate = rate
        self._soapy = driver() if module is None else module
        self._clock: Clock = SystemClock() if clock is None else clock
        self._buffer = round(buffer_s * rate)
        self._queue: deque[NDArray[np.complex64] | None] = deque()
        self._queued = self._ends = 0
        self._open = False  # a burst has begun and not ended, as far as was written
        self._next = 0
        self._on_air = False
        self._last_s = self._alive_s = self._clock.monotonic()
        self._fresh, self._stop = threading.Event(), threading.Event()
        self._statuses = True
        self._underflows = self._stalls = self._dropped = self._bursts = 0
        self._closing, self._closed = threading.Lock(), False
        self._device = SoapyDevice(self.name, address, self._soapy, self._soapy.SOAPY_SDR_TX, channel)
        try:
            self.hardware = self._device.prepare(rate, antenna)
            self._device.set_ppm(ppm)
            self.center_hz = self._device.tune(center_hz)
            self.gain_db = self._device.set_gain(gain_db)
            self._mtu = self._device.start("CF32")
        except Exception:
            self._device.give_back()
            raise
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Something is on the air, or waits to be; not so once a driver that hangs has been silent for `HUNG_S`."""
        if self._on_air and self._clock.monotonic() > self._alive_s:
            return False
        return self._on_air or self._open or bool(self._queue)

    def counters(self) -> dict[str, int]:
        """Since it was opened. bursts: carriers. dropped: samples that found no room. stalls: bursts cut off."""
        return {
            "bursts": self._bursts,
            "underflows": self._underflows,
            "stalls": self._stalls,
            "dropped": self._dropped,
        }

    def write(self, block: IqBlock) -> None:
        """Send IQ, complex64 within ±1. Never waits. A gap inside a burst is silence; a long one ends it.

        Raises `DeviceLost` once the device is gone, `ValueError` for another rate.
        """
        if block.rate != self.rate:
            raise ValueError(f"{self.name}: a block at rate {block.rate}; the device makes {self.rate}")
        if self._device.lost is not None:
            raise DeviceLost(str(self._device.lost))
        on = np.flatnonzero(block.samples)
        if self._open and block.index - self._next > STALL_S * self.rate:
            self._end()
        if len(on):
            samples = block.samples if self._open else block.samples[on[0] :]
            if self._open and block.index > self._next:
                samples = np.concatenate([np.zeros(block.index - self._next, np.complex64), samples])
            self._put(np.ascontiguousarray(samples, np.complex64))
            self._open = True
        elif self._open:
            self._end()
        self._next = block.end

    def close(self) -> None:
        """End what is on the air, and give the device back. May be called twice; waits some seconds at most."""
        with self._closing:
            if self._open:
                self._end()
            self._stop.set()
            self._fresh.set()
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                # Closing a stream that is being written to crashes some drivers.
                log.error("%s: the driver did not stop within %.0f s; the device stays open", self.name, _JOIN_S)
            elif not self._closed:
                self._closed = True
                self._device.give_back()

    def _put(self, samples: NDArray[np.complex64]) -> None:
        if self._queued + len(samples) > MOST_S * self.rate:
            self._dropped += len(samples)
            return
        self._queued += len(samples)
        self._queue.append(samples)
        self._fresh.set()

    def _end(self) -> None:
        self._open = False
        self._ends += 1
        self._queue.append(None)
        self._fresh.set()

    # On its thread.

    def _run(self) -> None:
        try:
            while self._begun():
                if self._queue[0] is None:  # the end of one that was cut off
                    self._take()
                else:
                    self._burst()
        except Exception as e:
            reason = str(e) if isinstance(e, DeviceError) else f"{self.name}: {type(e).__name__}: {e}"
            self._device.lost = DeviceLost(reason)
            log.error("%s", reason)
        finally:
            self._on_air = False
            self._queue.clear()

    def _begun(self) -> bool:
        """Wait for something to do; False when it is time to stop and nothing waits."""
        while not self._queue:
            if self._stop.is_set():
                return False
            self._fresh.clear()
            if not self._queue:
                self._clock.wait(self._fresh, _LOOK_S)
        return True

    def _burst(self) -> None:
        began = self._clock.monotonic()
        while self._queued < self._buffer and not self._ends:
            if self._stop.is_set() or self._clock.monotonic() - began > STALL_S:
                break
            self._fresh.clear()
            self._clock.wait(self._fresh, _LOOK_S)
        self._bursts += 1
        self._alive_s = self._clock.monotonic() + HUNG_S
        self._on_air = True
        sent = 0
        self._device.activate()
        began = self._last_s = self._clock.monotonic()
        try:
            piece, whole = self._next_piece()
            while piece is not None:
                after, whole = self._next_piece()
                self._send(piece, self._soapy.SOAPY_SDR_END_BURST if after is None and whole else 0)
                sent += len(piece)
                piece = after
            if whole:
                played_s = max(began + sent / self.rate, self._clock.monotonic()) + DRAIN_S
                self._alive_s = played_s + HUNG_S
                self._clock.wait(threading.Event(), played_s - self._clock.monotonic())
            else:
                self._stalls += 1
                log.warning("%s: nothing more came in the middle of a carrier; it is cut off", self.name)
        finally:
            self._device.device.deactivateStream(self._device.stream)
            self._on_air = False

    def _next_piece(self) -> tuple[NDArray[np.complex64] | None, bool]:
        """The next samples of the burst; None at its end, and whether that is where it should end."""
        while not self._queue:
            self._alive_s = self._clock.monotonic() + HUNG_S
            if self._stop.is_set() or self._clock.monotonic() - self._last_s > STALL_S:
                return None, False
            self._fresh.clear()
            if not self._queue:
                self._clock.wait(self._fresh, _LOOK_S)
        self._last_s = self._clock.monotonic()
        return self._take(), True

    def _take(self) -> NDArray[np.complex64] | None:
        piece = self._queue.popleft()
        if piece is None:
            self._ends -= 1
        else:
            self._queued -= len(piece)
        return piece

    def _send(self, samples: NDArray[np.complex64], flags: int) -> None:
        at, soapy, stream = 0, self._soapy, self._device.stream
        since = self._clock.monotonic()
        while at < len(samples):
            piece = samples[at : at + self._mtu]
            last = flags if at + len(piece) == len(samples) else 0
            count = self._device.device.writeStream(stream, [piece], len(piece), last, 0, _TIMEOUT_US).ret
            self._alive_s = self._clock.monotonic() + HUNG_S
            if count == soapy.SOAPY_SDR_UNDERFLOW:
                self._underflows += 1
            elif count in (0, soapy.SOAPY_SDR_TIMEOUT):
                if self._clock.monotonic() - since > STUCK_S:
                    raise DeviceLost(f"{self.name}: took nothing for {STUCK_S:g} s; it hangs or was unplugged")
            elif count < 0:
                raise DeviceLost(
                    f"{self.name}: the stream broke: {soapy.errToStr(count)} ({count}); was the device unplugged?"
                )
            else:
                at, since = at + count, self._clock.monotonic()
        self._last_s = self._clock.monotonic()
        self._look_at_status()

    def _look_at_status(self) -> None:
        """Underflows that the driver tells of beside the stream; not every driver does."""
        for _ in range(_MOST_STATUSES if self._statuses else 0):
            status = self._device.device.readStreamStatus(self._device.stream, 0).ret
            if status != self._soapy.SOAPY_SDR_UNDERFLOW:
                self._statuses = status != self._soapy.SOAPY_SDR_NOT_SUPPORTED
                return
            self._underflows += 1
