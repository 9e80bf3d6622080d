"""A client of rtl_tcp: an RTL-SDR elsewhere on the network, or anything that speaks its protocol.

A thread receives into a ring; `read` takes from it. When the server closes the connection, or sends nothing for
`stall_s`, the thread connects again, waiting a little longer after each failure, sets everything as it was and goes on;
the time away is a gap in the index, as long as the clock says. After `give_up_s` without a sample, `read` raises
`DeviceLost`.
"""

import logging
import socket
import threading
from datetime import datetime

from dsp.convert import sample_type
from hw import rtl2832
from hw.base import Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.losses import LossEstimator
from hw.ring import SampleRing
from hw.rtltcp_protocol import DEFAULT_PORT, HEADER_BYTES, Command, CommandCode, Header
from hw.spec import SourceRequest
from hw.stream import RingReader, Streamed

log = logging.getLogger(__name__)

_CU8 = sample_type("cu8")
_LOOK_S = 0.1  # how often a waiting thread looks whether it should stop
_RECEIVE_BYTES = 1 << 16
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_JOIN_S = 5.0
_LARGEST_RATE = 20_000_000
_LARGEST_HZ = 0xFFFFFFFF


class RtlTcpSource(Streamed):
    """A Tuner behind rtl_tcp; connects at once, so that a wrong address is told at once.

    rate: samples per second. center_hz: centre frequency. gain_db: None for automatic. ppm: frequency correction.
    timeout_s: to connect and to get the header. stall_s: silence after which the connection is given up.
    give_up_s: time without a sample after which the device counts as lost. buffer_s: what the ring holds.

    Raises `DeviceNotFound` (nobody there), `DeviceBusy` (connected, but no header comes: it serves somebody else),
    `SourceError` (not an rtl_tcp server), `Unsupported` (a setting out of range).
    """

    def __init__(
        self,
        host: str,
        port: int = DEFAULT_PORT,
        *,
        rate: int,
        center_hz: int,
        gain_db: float | None = None,
        ppm: float = 0.0,
        clock: Clock | None = None,
        timeout_s: float = 5.0,
        stall_s: float = 3.0,
        give_up_s: float = 60.0,
        buffer_s: float = 1.0,
    ) -> None:
        self._name = f"rtltcp:{f'[{host}]' if ':' in host else host}:{port}"
        self._address = (host, port)
        if not 1 <= rate <= _LARGEST_RATE:
            raise Unsupported(f"{self._name}: rate = {rate} S/s is out of range; rtl_tcp takes 1 to {_LARGEST_RATE}")
        self._rate = rate
        self._clock: Clock = SystemClock() if clock is None else clock
        self._timeout_s, self._stall_s, self._give_up_s = timeout_s, stall_s, give_up_s
        self._ring = SampleRing(max(1, round(buffer_s * rate)), _CU8.size)
        self._reader = RingReader(self._ring, _CU8, rate)
        self._losses = LossEstimator(rate, window_s=2.0, threshold_s=0.25)
        self._stop = threading.Event()
        self._settings: dict[CommandCode, int] = {CommandCode.SAMPLE_RATE: rate}
        self._sending = threading.Lock()
        self._socket: socket.socket | None = None
        self._gains: tuple[int, ...] = ()
        self._reconnections = 0
        self._tuned = center_hz
        self.tune(center_hz)
        self.set_ppm(ppm)
        connection, header = self._connect()
        self._header = header
        self._gains = _gains(header)
        self.set_gain(gain_db)
        self._start = self._clock.now()
        self._adopt(connection)
        self._thread = threading.Thread(target=self._run, args=(connection,), name=self._name, daemon=True)
        self._thread.start()

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""
        return _info(self._name, self._rate, self._tuned, self._start, _tuner(self._header))

    @property
    def reconnections(self) -> int:
        """How often the connection was made anew."""
        return self._reconnections

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency; the protocol tells no answer, so what was asked is what is returned."""
        if not 0 < center_hz <= _LARGEST_HZ:
            raise Unsupported(
                f"{self._name}: center = {center_hz} Hz is out of range; rtl_tcp takes 1 to {_LARGEST_HZ}"
            )
        self._set({CommandCode.FREQUENCY: center_hz})
        self._tuned = center_hz
        return center_hz

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the gain to the nearest one of the tuner, if the tuner is known; None for automatic."""
        if gain_db is None:
            self._set({CommandCode.GAIN_MODE: 0})
            return None
        if not -100.0 <= gain_db <= 100.0:
            raise Unsupported(f"{self._name}: gain = {gain_db} dB is out of range; tuners have −9.9 to 49.6 dB")
        tenths = rtl2832.nearest_gain(self._gains, gain_db) if self._gains else round(10 * gain_db)
        self._set({CommandCode.GAIN_MODE: 1, CommandCode.GAIN: tenths})
        return tenths / 10

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction, in whole ppm."""
        whole = rtl2832.check_ppm(self._name, ppm)
        self._set({CommandCode.PPM: whole})
        return float(whole)

    def close(self) -> None:
        """Disconnect. May be called twice."""
        self._stop.set()
        self._ring.close()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            log.error("%s: the receiving thread did not end within %.0f s", self._name, _JOIN_S)

    def _set(self, settings: dict[CommandCode, int]) -> None:
        # What cannot be sent now is sent with the next connection.
        with self._sending:
            self._settings.update(settings)
            if self._socket is not None:
                try:
                    self._socket.sendall(_encode(settings))
                except OSError as e:
                    log.warning("%s: command not sent: %s", self._name, e)

    def _adopt(self, connection: socket.socket) -> None:
        with self._sending:
            # An automatic gain must not be followed by the gain of an earlier time.
            if not self._settings.get(CommandCode.GAIN_MODE):
                self._settings.pop(CommandCode.GAIN, None)
            self._socket = connection
            try:
                connection.sendall(_encode(self._settings))
            except OSError as e:
                log.warning("%s: settings not sent: %s", self._name, e)

    def _connect(self) -> tuple[socket.socket, Header]:
        try:
            connection = socket.create_connection(self._address, self._timeout_s)
        except TimeoutError as e:
            raise DeviceNotFound(f"{self._name} does not answer within {self._timeout_s:g} s") from e
        except ConnectionRefusedError as e:
            raise DeviceNotFound(
                f"{self._name}: nobody listens there (connection refused); is rtl_tcp running, with -a for other hosts?"
            ) from e
        except (OSError, UnicodeError) as e:
            raise DeviceNotFound(f"{self._name} cannot be reached: {e}") from e
        try:
            connection.settimeout(_LOOK_S)
            return connection, self._header_of(connection)
        except (OSError, DeviceError) as e:
            connection.close()
            if isinstance(e, DeviceError):
                raise
            raise SourceError(f"{self._name} broke the connection: {e}") from e

    def _header_of(self, connection: socket.socket) -> Header:
        raw, deadline = b"", self._clock.monotonic() + self._timeout_s
        while len(raw) < HEADER_BYTES:
            try:
                piece = connection.recv(HEADER_BYTES - len(raw))
            except TimeoutError as e:
                if self._stop.is_set() or self._clock.monotonic() >= deadline:
                    if raw:
                        raise SourceError(f"{self._name} sent {raw!r} and stopped, instead of an rtl_tcp header") from e
                    raise DeviceBusy(
                        f"{self._name} accepts the connection but sends nothing for {self._timeout_s:g} s; "
                        "rtl_tcp serves one client at a time: is another connected?"
                    ) from e
                continue
            if not piece:
                got = f"sent {raw!r} and" if raw else "sent nothing and"
                raise SourceError(f"{self._name} {got} closed the connection, instead of an rtl_tcp header")
            raw += piece
        try:
            return Header.parse(raw)
        except SourceError as e:
            raise SourceError(f"{self._name} sent {e}") from e

    def _run(self, connection: socket.socket) -> None:
        last = self._clock.monotonic()
        away = False
        try:
            while True:
                before = last
                reason, last = self._receive(connection, last, away)
                self._release(connection)
                if self._stop.is_set():
                    return
                if last == before:
                    # Connected, but without a sample: that is no better than not connected.
                    self._check_patience(last, reason)
                log.warning("%s: %s; connecting again", self._name, reason)
                fresh = self._reconnect(last, reason)
                if fresh is None:
                    return
                connection, away = fresh, True
        except Exception as e:
            # Whatever it is, a reader must not wait for a thread that is gone.
            self._ring.fail(e if isinstance(e, DeviceError) else DeviceLost(f"{self._name}: {e!r}"))
        finally:
            self._release(connection)
            self._ring.finish()

    def _receive(self, connection: socket.socket, last: float, away: bool) -> tuple[str, float]:
        """Receive until the connection ends. last: when a sample last came. Returns why it ended, and `last` anew."""
        buffer = bytearray(_RECEIVE_BYTES + 1)
        view = memoryview(buffer)
        held = 0  # 1 when the I of a sample is there and its Q is not
        began = self._clock.monotonic()
        self._losses.reset()
        while not self._stop.is_set():
            try:
                got = connection.recv_into(view[held:], _RECEIVE_BYTES)
            except TimeoutError:
                if self._clock.monotonic() - max(began, last) >= self._stall_s:
                    return f"nothing came for {self._stall_s:g} s", last
                continue
            except OSError as e:
                return f"the connection broke ({e.strerror or e})", last
            if not got:
                return "the server closed the connection", last
            samples, rest = divmod(held + got, 2)
            if samples:
                now = self._clock.monotonic()
                missing = self._losses.count(now, samples)
                if away:
                    missing, away = max(0, round((now - last) * self._rate) - samples), False
                self._ring.skip(missing)
                self._ring.write(view[: 2 * samples])
                last = now
            if rest:
                buffer[0] = buffer[held + got - 1]
            held = rest
        return "closed", last

    def _reconnect(self, last: float, reason: str) -> socket.socket | None:
        wait = _FIRST_WAIT_S
        while not self._clock.wait(self._stop, wait):
            # Judged only after a try to connect has failed, so that one try is made however short the patience.
            try:
                connection, header = self._connect()
            except DeviceError as e:
                log.info("%s", e)
                self._check_patience(last, f"{reason}; then: {e}")
                wait = min(2 * wait, _LONGEST_WAIT_S)
                continue
            self._header = header
            self._reconnections += 1
            self._adopt(connection)
            return connection
        return None

    def _check_patience(self, last: float, reason: str) -> None:
        away = self._clock.monotonic() - last
        if away >= self._give_up_s:
            raise DeviceLost(
                f"{self._name}: no sample came for {away:.0f} s (the limit is {self._give_up_s:g} s): {reason}"
            )

    def _release(self, connection: socket.socket) -> None:
        with self._sending:
            if self._socket is connection:
                self._socket = None
        connection.close()


def _encode(settings: dict[CommandCode, int]) -> bytes:
    # Mode before gain, rate before frequency: the order in which a tuner takes them.
    order = [CommandCode.SAMPLE_RATE, CommandCode.PPM, CommandCode.FREQUENCY, CommandCode.GAIN_MODE, CommandCode.GAIN]
    return b"".join(Command(code, settings[code]).encode() for code in order if code in settings)


def _tuner(header: Header) -> str:
    return rtl2832.TUNERS[header.tuner] if header.tuner < len(rtl2832.TUNERS) else f"type {header.tuner}"


def _gains(header: Header) -> tuple[int, ...]:
    gains = rtl2832.GAINS_TENTH_DB.get(_tuner(header), ())
    return gains if len(gains) == header.gains else ()


def _info(name: str, rate: int, center_hz: int, start: datetime | None, tuner: str | None) -> SourceInfo:
    notes: tuple[str, ...] = ()
    if not rtl2832.rate_is_possible(rate):
        notes = (
            f"{rate} S/s is not a rate of an RTL2832; only a server with another receiver, or a recording, has it",
        )
    hardware = f"rtl_tcp, tuner {tuner}" if tuner else "rtl_tcp"
    return SourceInfo(name, "iq", rate, center_hz, None, start, _CU8.name, hardware, notes)


def _address(request: SourceRequest) -> tuple[str, int]:
    """Host and port of "HOST", "HOST:PORT", "[IPV6]:PORT"; rtl_433's way to write it, "//HOST:PORT", too."""
    text = request.address.removeprefix("//")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if bracket and (not rest or rest[0] == ":") else "?"
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0 if port else DEFAULT_PORT
    if not host or not 1 <= number <= 65535:
        raise SourceError(f"{request.text}: not rtltcp:HOST:PORT, such as rtltcp:127.0.0.1:1234 or rtltcp:[::1]:1234")
    return host, number


def _settings(request: SourceRequest) -> tuple[int, int]:
    request.only()
    for name, value in (("rate", request.rate), ("center", request.center_hz)):
        if value is None:
            raise SourceError(f"{request.text}: {name} must be stated, since the server does not say it")
    assert request.rate is not None and request.center_hz is not None
    return request.rate, request.center_hz


def open_source(request: SourceRequest) -> Source:
    """Open `rtltcp:HOST:PORT`."""
    host, port = _address(request)
    rate, center_hz = _settings(request)
    return RtlTcpSource(host, port, rate=rate, center_hz=center_hz, gain_db=request.gain_db, ppm=request.ppm)


def probe(request: SourceRequest) -> SourceInfo:
    """What is known without connecting."""
    host, port = _address(request)
    rate, center_hz = _settings(request)
    return _info(f"rtltcp:{f'[{host}]' if ':' in host else host}:{port}", rate, center_hz, None, None)
