"""Keeps recordings beside the path: whatever the disk does, the tick never waits for it.

    Recorder ─begin · audio · end─▶ queue ─▶ one thread: WAV, FLAC, JSON, room
    Matrix   ─over.done, floor.granted─▶ (it is a sink of events too)

An over is finished when all its audio is written and the matrix has said who heard it. On a full disk audio is lost and
counted, silence stands for it, and recording goes on by itself when there is room; what could not be finished is
finished then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hw.clock import Clock
from sdrbridge.backlog import Backlog
from sdrbridge.port import Audio
from sdrbridge.ports.live import Health, State
from sdrbridge.recording import Event, Recording, begun_at, recover
from sdrbridge.recordingroom import Room
from sdrbridge.transmission import Transmission

BOUND = 2048
"""Items that may wait: 32 ports for 16 s, 33 MB at most."""

MOST_EARLY = 256
"""Overs of which something may be told before they are known to have begun."""

LOOK_S = 10.0
"""Seconds between two looks at how much room there is, where nothing begins or ends."""


@dataclass(frozen=True, slots=True)
class _Begin:
    over: str
    port: str
    start: int
    wall: datetime


@dataclass(frozen=True, slots=True)
class _Audio:
    over: str
    start: int
    samples: Audio


@dataclass(frozen=True, slots=True)
class _End:
    over: str
    end: int | None
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Told:
    over: str
    event: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Recover:
    pass


class RecordingDesk:
    """A desk (see `sdrbridge.recorder`) and a sink of events. room: where, and how much of it. told: gets its events,
    from its own thread. flac: whether overs are compressed when they are over. recording: what keeps one, on its disk.

    Call `start` for a thread of its own, or `work` by hand; `close` in both cases.
    """

    def __init__(
        self,
        room: Room,
        clock: Clock,
        told: Callable[[Event], None],
        *,
        flac: bool = True,
        bound: int = BOUND,
        recording: type[Recording] = Recording,
    ) -> None:
        self._recording = recording
        self._room = room
        self._clock = clock
        self._told = told
        self._flac = flac
        self._open: dict[str, Recording] = {}
        self._late: list[Recording] = []
        """Overs that are at their end and could not be finished."""
        self._early: dict[str, list[Mapping[str, object]]] = {}
        self._trouble = ""
        self._lack = ""
        self._looked = float("-inf")
        self._counts = {"recorded": 0, "left_out": 0, "lost_samples": 0, "removed": 0}
        self._dropped = 0
        self._backlog: Backlog[_Begin | _Audio | _End | _Told | _Recover] = Backlog(
            "recordings", self._work, clock, bound=bound, idle=self._look
        )
        self._backlog.put(_Recover())

    # From the tick.

    def begin(self, over: Transmission, age: int) -> None:
        self._put(_Begin(over.id, over.port, over.start, begun_at(self._clock.now(), age)))

    def write(self, over: Transmission, start: int, samples: Audio) -> None:
        if not self._put(_Audio(over.id, start, samples)):
            self._dropped += len(samples)

    def end(self, over: Transmission) -> None:
        facts = over.to_dict()
        del facts["id"]
        self._put(_End(over.id, over.end, facts))

    def __call__(self, event: Mapping[str, object]) -> None:
        """Take an event; what is none of its business is left alone. Never waits, never raises."""
        if event["event"] in ("over.done", "floor.granted") and "over" in event:
            self._put(_Told(str(event["over"]), event))

    # From anywhere.

    def start(self) -> None:
        """Work in a thread."""
        self._backlog.start()

    def work(self) -> None:
        """Do what waits, where there is no thread."""
        self._backlog.drain()

    def close(self, bound_s: float = 10.0) -> None:
        """Finish everything, and end."""
        if not self._backlog.close(bound_s) and self._backlog.running:
            return
        for over in list(self._open):
            try:
                self._finish(over, at_last=True)
            except OSError as problem:
                self._note(problem)
        for recording in self._late:
            try:
                self._told(recording.close(self._flac))
            except OSError as problem:
                # What is on the disk is finished at the next start.
                recording.abandon()
                self._note(problem)

    def health(self) -> Health:
        """Up, or degraded and why; from any thread."""
        reasons = [reason for reason in (self._lack, self._trouble) if reason]
        counters = {
            **self._counts,
            "dropped_samples": self._dropped,
            "waiting": len(self._backlog),
            "running": len(self._open),
            "bytes": self._room.used,
        }
        return Health(State.DEGRADED if reasons else State.UP, "; ".join(reasons), counters)

    def _put(self, item: _Begin | _Audio | _End | _Told) -> bool:
        return self._backlog.put(item)

    # In its own thread.

    def _work(self, item: _Begin | _Audio | _End | _Told | _Recover) -> bool:
        try:
            if isinstance(item, _Recover):
                self._room.folder.mkdir(parents=True, exist_ok=True)
                recover(self._room.folder, self._flac, self._told)
                self._room.scan()
            elif isinstance(item, _Begin):
                self._begin(item)
            elif item.over not in self._open:
                # Left out; or the matrix, which is told first, was quicker than the recorder.
                if isinstance(item, _Told):
                    self._early.setdefault(item.over, []).append(item.event)
                    if len(self._early) > MOST_EARLY:
                        del self._early[next(iter(self._early))]
            elif isinstance(item, _Audio):
                self._write(self._open[item.over], item)
            elif isinstance(item, _End):
                recording = self._open[item.over]
                recording.facts = {**item.facts, **recording.facts}
                recording.end = item.end
                self._finish(item.over)
            else:
                self._learn(self._open[item.over], item.event)
                self._finish(item.over)
        except OSError as problem:
            self._note(problem)
        return True

    def _note(self, problem: OSError) -> None:
        self._trouble = f"{problem.filename or self._room.folder}: {problem.strerror or problem}"

    def _begin(self, item: _Begin) -> None:
        early = self._early.pop(item.over, [])
        self._look(at_once=True)
        if self._lack:
            self._counts["left_out"] += 1
            return
        try:
            self._open[item.over] = self._recording(self._room.folder, item.over, item.port, item.start, item.wall)
        except OSError:
            self._counts["left_out"] += 1
            raise
        for event in early:
            self._learn(self._open[item.over], event)

    def _write(self, recording: Recording, item: _Audio) -> None:
        try:
            recording.write(item.start, item.samples)
        except OSError:
            self._look(at_once=True)
            self._counts["lost_samples"] += len(item.samples)
            raise

    def _learn(self, recording: Recording, event: Mapping[str, object]) -> None:
        if event["event"] == "over.done":
            frame = ("t_s", "event", "over", "port")
            recording.facts = {key: value for key, value in event.items() if key not in frame}
            recording.done = True
        elif "patch" in event and event["patch"] not in recording.patches:
            recording.patches.append(str(event["patch"]))

    def _finish(self, over: str, at_last: bool = False) -> None:
        recording = self._open[over]
        if not at_last and (recording.end is None or not recording.done):
            return
        del self._open[over]
        try:
            self._close(recording)
        except OSError:
            self._late.append(recording)
            raise

    def _close(self, recording: Recording) -> None:
        event = recording.close(self._flac)
        self._counts["recorded"] += 1
        self._room.add(self._room.folder / str(event["file"]))
        self._told(event)
        self._look(at_once=True)

    def _look(self, at_once: bool = False) -> None:
        """Whether there is room, and what has to go for it."""
        now = self._clock.monotonic()
        due = now - self._looked >= LOOK_S
        if not (due or at_once):
            return
        if due:
            self._looked = now
            if self._lack:
                self._room.scan()  # somebody may have tidied up
        running = sum(recording.size for recording in [*self._open.values(), *self._late])
        removed, self._lack = self._room.make(running)
        for path in removed:
            self._counts["removed"] += 1
            file = str(path.relative_to(self._room.folder))
            self._told({"event": "recording.removed", "file": file, "reason": "to make room for newer ones"})
        if due and (self._trouble or self._late) and not self._lack:
            self._try_again()

    def _try_again(self) -> None:
        """After an error: see whether the disk takes something by now, and finish what is late.

        Only then it is over: one write that found a little room is no sign, and so no error is too short to be seen.
        """
        try:
            self._room.probe()
            while self._late:
                recording = self._late.pop()
                try:
                    self._close(recording)
                except OSError:
                    self._late.append(recording)
                    raise
        except OSError as problem:
            self._note(problem)
        else:
            self._trouble = ""
