"""A stand-in for pyrtlsdr: same names, same arguments, same bad habits (a failing setter closes the device).

`test_rtlsdr.py` compares its signatures with the installed package.
"""

import ctypes
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event
from types import SimpleNamespace
from typing import Any

GAINS = [0, 9, 14, 27, 37, 77, 87, 125, 144, 157, 166, 197, 207, 229, 254, 280, 297, 328, 338, 364, 372, 386, 402, 421]
GAINS += [434, 439, 445, 480, 496]


class LibUSBError(OSError):
    def __init__(self, errno: int, msg: str = "") -> None:
        self.errno = errno
        self.msg = msg

    def __str__(self) -> str:
        return f'<LIBUSB ({self.errno})> "{self.msg}"'


class Dongle:
    """What is plugged in. serial: its serial number. open_error: libusb's number when opening fails.

    feed: what the driver delivers, item by item: bytes of a transfer, an exception to raise, a callable to call on the
    driver's thread, or None for an end without a word, which is how an unplugged dongle often shows. After the last
    item the driver hangs until it is cancelled.
    """

    def __init__(self, serial: str = "00000001", open_error: int = 0, tuner: int = 5) -> None:
        self.serial = serial
        self.open_error = open_error
        self.tuner = tuner
        self.feed: SimpleQueue[bytes | Exception | Callable[[], object] | None] = SimpleQueue()
        self.calls: list[tuple[str, Any]] = []
        self.opened = 0
        self.closed = 0
        self.num_bytes = 0
        self.deaf = False
        """Ignores a cancel."""
        self.release = Event()
        self.setter_error = 0


def module(*dongles: Dongle) -> SimpleNamespace:
    """What `import rtlsdr` gives on a machine with these dongles."""

    class RtlSdr:
        DEFAULT_READ_SIZE = 1024
        gain_values: Sequence[int] = ()
        device_opened = False
        read_async_canceling = False

        @staticmethod
        def get_device_serial_addresses() -> list[str]:
            return [d.serial for d in dongles]

        def __init__(
            self,
            device_index: int = 0,
            test_mode_enabled: bool = False,
            serial_number: str | None = None,
            dithering_enabled: bool = True,
        ) -> None:
            self._dongle = d = dongles[device_index]
            if d.open_error:
                raise LibUSBError(d.open_error, f"Could not open SDR (device index = {device_index})")
            d.opened += 1
            self.device_opened = True
            self.gain_values = list(GAINS)
            self._ppm = 0
            self._rate = 1_024_000
            self._cancelled = Event()
            self._reading = False

        def close(self) -> None:
            if self.device_opened:
                assert not self._reading, "closed under a running read: the real one crashes the process here"
                self.device_opened = False
                self._dongle.closed += 1

        def _call(self, name: str, value: Any, result: int = 0) -> None:
            assert self.device_opened, f"{name} on a closed device"
            self._dongle.calls.append((name, value))
            if result := result or self._dongle.setter_error:
                self.device_opened = False
                self._dongle.closed += 1
                raise LibUSBError(result, f"Could not {name} {value}")

        def set_center_freq(self, freq: float) -> None:
            self._call("set_center_freq", int(freq))

        def set_sample_rate(self, rate: float) -> None:
            self._call("set_sample_rate", int(rate))
            self._rate = int(rate)

        def get_sample_rate(self) -> float:
            ratio = (28_800_000 * 2**22 // self._rate) & ~3
            return 28_800_000 * 2**22 / ratio

        def set_freq_correction(self, err_ppm: int) -> None:
            self._call("set_freq_correction", err_ppm, -2 if err_ppm == self._ppm else 0)
            self._ppm = err_ppm

        def get_freq_correction(self) -> int:
            return self._ppm

        def set_gain(self, gain: float | str) -> None:
            self._call("set_gain", gain)

        def get_tuner_type(self) -> int:
            return self._dongle.tuner

        def read_bytes_async(
            self, callback: Callable[[Any, Any], None], num_bytes: int = DEFAULT_READ_SIZE, context: Any = None
        ) -> None:
            assert self.device_opened
            self._dongle.num_bytes = num_bytes
            self.read_async_canceling = False
            self._reading = True
            try:
                while not self._cancelled.is_set():
                    try:
                        item = self._dongle.feed.get(timeout=0.01)
                    except Empty:
                        continue
                    if isinstance(item, Exception):
                        raise item
                    if item is None:
                        return
                    if callable(item):
                        item()
                    elif not self.read_async_canceling:
                        callback((ctypes.c_ubyte * len(item)).from_buffer_copy(item), context or self)
                if self._dongle.deaf:
                    self._dongle.release.wait(10.0)
            finally:
                self._reading = False

        def cancel_read_async(self) -> None:
            if not self._reading and not self.read_async_canceling:
                self.close()
                raise LibUSBError(-2, "Could not cancel async read")
            self.read_async_canceling = True
            self._cancelled.set()

    return SimpleNamespace(RtlSdr=RtlSdr, LibUSBError=LibUSBError)
