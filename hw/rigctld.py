"""PTT through Hamlib's rigctld: a transceiver keyed by its own control protocol, over TCP.

    T 1 ─▶  RPRT 0     keyed (0 unkeys)
    t   ─▶  1          is it keyed?

rigctld refuses PTT with `RPRT -1` unless it was told how to key: `rigctld -P RIG` (or RTS, DTR, CM108 …). Every answer
is waited for at most `TIMEOUT_S`; a connection that failed is opened anew once, because a transmitter must be unkeyed
even if rigctld was started again in between. Keying is not tried again where no answer came: by then unkeying may be
due.
"""

import contextlib
import socket

from hw.errors import DeviceError, DeviceLost, DeviceNotFound, Unsupported

TIMEOUT_S = 0.2
"""For one step. Two tries of two steps each, connect and exchange: 0.8 s at worst, where it does not answer at all.

A rig that answers within 140 ms is off the air 500 ms after the last word of a daemon that hangs, two answers after the
death of one that dies (`sdrbridge.guard`).
"""

_LONGEST_ANSWER = 4096

_MEANINGS = {
    -1: "PTT is not set up; start rigctld with -P RIG (or the way this rig is keyed)",
    -5: "the rig does not answer it",
    -6: "it has an I/O error with the rig",
    -11: "this rig has no PTT command; start rigctld with -P RTS or another way",
}


class RigctldKeyer:
    """A transceiver behind rigctld at host:port. Raises `DeviceNotFound` where nobody answers."""

    def __init__(self, host: str, port: int, timeout_s: float = TIMEOUT_S) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._name = f"rigctld {host}:{port}"
        self._socket: socket.socket | None = None
        self._connect()

    def key(self) -> None:
        """Raises `Unsupported` if rigctld may not key, `DeviceLost` if it does not answer."""
        self._told("T 1", patient=False)

    def unkey(self) -> None:
        """Raises as `key`."""
        self._told("T 0")

    def is_keyed(self) -> bool:
        """Ask the rig. Raises as `key`."""
        answer = self._ask("t")
        self._refused(answer, "t")
        if answer not in ("0", "1", "2", "3"):  # 2 and 3: keyed with microphone or data input
            raise DeviceLost(f'{self._name}: answers "{answer}" when asked for PTT; it must be 0 or 1')
        return answer != "0"

    def close(self) -> None:
        """Unkey and hang up; never raises."""
        if self._socket is None:
            return
        with contextlib.suppress(DeviceError):
            self._told("T 0")
        self._hang_up()

    def _told(self, command: str, patient: bool = True) -> None:
        answer = self._ask(command, patient)
        self._refused(answer, command)
        if answer != "RPRT 0":
            raise DeviceLost(f'{self._name}: answers "{answer}" to {command}; it must be RPRT 0')

    def _refused(self, answer: str, command: str) -> None:
        word, _, code = answer.partition(" ")
        if word == "RPRT" and code.lstrip("-").isdigit() and int(code):
            meaning = _MEANINGS.get(int(code), "see the Hamlib error codes")
            raise Unsupported(f"{self._name}: {command} was refused with {answer}: {meaning}")

    def _ask(self, command: str, patient: bool = True) -> str:
        try:
            if self._socket is None:
                self._connect()
            return self._exchange(command)
        except OSError as problem:
            self._hang_up()
            if isinstance(problem, TimeoutError) and not patient:
                raise DeviceLost(f"{self._name}: no answer to {command} within {self._timeout_s:g} s") from problem
        try:
            self._connect()
            return self._exchange(command)
        except OSError as problem:
            self._hang_up()
            raise DeviceLost(f"{self._name}: no answer to {command}: {problem}") from problem

    def _exchange(self, command: str) -> str:
        assert self._socket is not None
        self._socket.sendall(command.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._socket.recv(256)
            if not part or len(answer) > _LONGEST_ANSWER:
                raise ConnectionError("it hung up" if not part else "it talks on without end")
            answer += part
        return answer.decode("ascii", "replace").strip()

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection((self._host, self._port), self._timeout_s)
        except OSError as problem:
            raise DeviceNotFound(
                f"{self._name} does not answer ({problem}); start it, e.g. rigctld -m MODEL -r /dev/ttyUSB0 -P RIG"
            ) from problem
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
