"""The keyer guard: a small process that holds every PTT line, and drops them when the bridge falls silent.

    daemon ─a message each 20 ms: who shall be keyed─▶ guard ─▶ a thread for each line ─▶ hw.keyer
           ◀─what the lines say when read back────────

Lines are unkeyed when no message came for `SILENCE_S`, at the end of the connection (the daemon died), at SIGTERM, and
when the daemon says so. If the guard itself dies, the kernel closes serial lines, whose drivers then drop RTS and DTR;
the daemon starts it again, and every line is made unkeyed when it is opened.

Messages are JSON, a packet of `SOCK_SEQPACKET` each:

    to the guard      {"n": 7, "lines": {NAME: SPEC}, "keyed": [NAME]}      lines: only where they changed
    from the guard    {"n": 7, "lines": {NAME: {"keyed": bool, "problem": ""}}}

Nothing but the standard library and `hw.keyer` is imported here, so it starts at once and hardly ever fails.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hw.errors import DeviceError
from hw.keyer import Keyer, open_keyer, prepare
from sdrbridge.urgent import GUARD, urgent

SILENCE_S = 0.2
"""Without a message for this long, every line is unkeyed: ten ticks of the bridge."""

SPARE_S = 1.0
"""A guard without lines holds nothing that could stay keyed; it sleeps this long where nobody speaks to it."""

REPORT_S = 0.1
"""The guard says at least this often how the lines are, so that the daemon knows that it lives."""

RETRY_S = 0.25
"""Between two attempts to open a line, or to make it do what it does not."""

PROOF_S = 1.0
"""How often an idle line is read back."""

LAST_S = 0.4
"""What the guard waits for a line to be let go before another takes its place."""

ENDING_S = 2.0
"""What it allows the lines for being unkeyed before it ends; who ends earlier leaves a slow transceiver on the air."""

MOST_BYTES = 1 << 16
"""Longest message."""


@dataclass(frozen=True, slots=True)
class LineState:
    """One line as it is. keyed: as read back; None before it was opened. problem: what keeps it from obeying."""

    keyed: bool | None = None
    problem: str = ""


class Line:
    """One PTT line, with a thread of its own, because a line may take its time. opener: opens a keyer from its spec.

    A transceiver asked by its control protocol may take 150 ms for an answer. Whatever is asked of it when it has to be
    unkeyed, unkeying comes next: nothing is read back between, and nothing first. So it is off the air after two
    answers, and 500 ms after the last word of a daemon that hangs.
    """

    def __init__(self, name: str, spec: str, opener: Callable[[str], Keyer], changed: Callable[[], None]) -> None:
        self.name, self.spec = name, spec
        self.state = LineState()
        self._open, self._changed = opener, changed
        self._keyer: Keyer | None = None
        self._wanted = self._closing = False
        self._unsure = False
        """It was to be keyed, and has not been seen unkeyed since."""
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"line {name}", daemon=True)
        self._thread.start()

    def set(self, keyed: bool) -> None:
        """Key or unkey; never waits."""
        with self._wake:
            if keyed != self._wanted:
                self._wanted = keyed
                self._wake.notify()

    def close(self) -> None:
        """Unkey and let go; never waits."""
        with self._wake:
            self._wanted, self._closing = False, True
            self._wake.notify()

    def join(self, timeout_s: float) -> None:
        """Wait until it is let go."""
        self._thread.join(max(0.0, timeout_s))

    def _run(self) -> None:
        while True:
            with self._wake:
                wanted, closing = self._wanted, self._closing
            if closing:
                break
            state = self._obey(wanted)
            if state != self.state:
                self.state = state
                self._changed()
            with self._wake:
                if self._wanted == wanted and not self._closing:
                    self._wake.wait(RETRY_S if state.problem else PROOF_S)
        if self._keyer is None and self._unsure:
            with contextlib.suppress(DeviceError, OSError):
                self._keyer = self._open(self.spec)
        if self._keyer is not None:
            self._keyer.close()
        self.state = LineState()

    def _obey(self, wanted: bool) -> LineState:
        try:
            if self._keyer is None:
                self._keyer = self._open(self.spec)
                self._unsure = False
            elif not wanted and self.state.keyed is not False:
                self._keyer.unkey()
            keyed = self._keyer.is_keyed()
            if keyed != wanted and not self._outdated(wanted):
                if wanted:
                    self._unsure = True
                    self._keyer.key()
                    if self._outdated(wanted):
                        return LineState(True)
                else:
                    self._keyer.unkey()
                keyed = self._keyer.is_keyed()
        except (DeviceError, OSError) as problem:
            # It is opened anew, and thereby made unkeyed, before it is used again.
            if self._keyer is not None:
                self._keyer.close()
                self._keyer = None
            return LineState(None, str(problem))
        self._unsure = self._unsure and keyed
        stays = keyed != wanted and not self._outdated(wanted)
        return LineState(keyed, f"stays {'keyed' if keyed else 'unkeyed'}" if stays else "")

    def _outdated(self, wanted: bool) -> bool:
        """Whether something else is wanted by now."""
        with self._wake:
            return self._closing or self._wanted != wanted


class Held(Protocol):
    """A line as the guard sees it; `Line` is one."""

    @property
    def spec(self) -> str: ...
    @property
    def state(self) -> LineState: ...
    def set(self, keyed: bool) -> None: ...
    def close(self) -> None: ...
    def join(self, timeout_s: float) -> None: ...


MakeLine = Callable[[str, str, Callable[[str], Keyer], Callable[[], None]], Held]
"""Makes a line from name, spec, opener, and whom to tell of changes."""


class Guard:
    """All lines, and what the daemon wants of them. opener: opens a keyer from its spec. Times are of a clock that
    never steps."""

    def __init__(
        self, opener: Callable[[str], Keyer], changed: Callable[[], None] = lambda: None, line: MakeLine = Line
    ) -> None:
        self.lines: dict[str, Held] = {}
        self._line = line
        self.number = 0
        """Of the last message."""
        self._opener, self._changed = opener, changed
        self._heard_at: float | None = None

    def hear(self, message: Mapping[str, Any], now: float) -> None:
        """Take a message. Raises `ValueError` for one that cannot be understood."""
        lines, keyed, number = message.get("lines"), message.get("keyed", []), message.get("n", 0)
        if not isinstance(keyed, list) or not isinstance(lines, dict | None) or not isinstance(number, int):
            raise ValueError("a message needs n, a list keyed, and may have a table lines")
        self._heard_at, self.number = now, number
        if lines is not None:
            self._attach({str(name): str(spec) for name, spec in lines.items()})
        for name, line in self.lines.items():
            line.set(name in keyed)

    def _attach(self, lines: Mapping[str, str]) -> None:
        for name, line in list(self.lines.items()):
            if lines.get(name) != line.spec:
                line.close()
                del self.lines[name]
                # Two threads must not hold one line.
                line.join(LAST_S)
        for name, spec in lines.items():
            if name not in self.lines:
                self.lines[name] = self._line(name, spec, self._opener, self._changed)

    def tick(self, now: float) -> bool:
        """Look at the clock: unkey everything if the daemon has fallen silent. Returns whether it has."""
        silent = self._heard_at is None or now - self._heard_at > SILENCE_S
        if silent:
            for line in self.lines.values():
                line.set(False)
        return silent

    def report(self) -> dict[str, Any]:
        """How the lines are."""
        states = {name: {"keyed": x.state.keyed, "problem": x.state.problem} for name, x in self.lines.items()}
        return {"n": self.number, "lines": states}

    def close(self) -> None:
        """Unkey all at once, and give them a moment for it."""
        until = time.monotonic() + ENDING_S
        for line in self.lines.values():
            line.close()
        for line in self.lines.values():
            line.join(until - time.monotonic())


def serve(connection: socket.socket, opener: Callable[[str], Keyer] = open_keyer) -> None:
    """Hold the lines until the connection ends or SIGTERM comes. Without lines it is a spare, and only answers."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the daemon, which says what is to be done
    news = threading.Event()
    guard = Guard(opener, news.set)
    reported = -REPORT_S
    prepared = False
    try:
        while not ending.is_set():
            try:
                connection.settimeout(SILENCE_S / 10 if guard.lines else SPARE_S)
                data = connection.recv(MOST_BYTES)
                if not data:
                    return
                guard.hear(json.loads(data), time.monotonic())
            except TimeoutError:
                pass
            except ValueError as problem:
                print(f"sdrbridge guard: {problem}", file=sys.stderr)
            now = time.monotonic()
            guard.tick(now)
            if news.is_set() or now - reported >= REPORT_S:
                news.clear()
                reported = now
                with contextlib.suppress(TimeoutError):
                    connection.settimeout(SILENCE_S / 10)
                    connection.send(json.dumps(guard.report()).encode())
            if not guard.lines and not prepared:
                prepared = True
                prepare()
    except OSError:
        return
    finally:
        guard.close()


def main() -> None:
    """Entry of the process: `python -m sdrbridge.guard FD`."""
    urgent(GUARD)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection)
    os._exit(0)


if __name__ == "__main__":
    main()
