"""Recordings of a simulated bridge around the times at which its disk is full: the recorder and its desk are the real
ones, the disk takes so many bytes and no more.

    Ear, channel ─Tap─▶ Matrix
                  └──▶ Recorder ─▶ Reference: what was heard, and when ─▶ RecordingDesk ─▶ files

What is held against the files, once there is room again (invariant 4):

    an over that began while there was room has a recording, and each one is finished
    it has its whole length; what was handed over while there was room is in it, sample for sample
    what is missing is silence of the same length, no more of it than the recording says
    while something is lost the desk says so, with a reason; later it says that all is well, by itself
"""

import errno
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import soundfile

from dsp.blocks import AUDIO_RATE
from hw.clock import Clock
from sdrbridge.matrix import Event
from sdrbridge.port import Audio, QuietPort, RxPort
from sdrbridge.ports.live import State
from sdrbridge.recorder import BATCH, Recorder
from sdrbridge.recording import Recording, audio_hash, read_side, recover
from sdrbridge.recordingdesk import LOOK_S, RecordingDesk
from sdrbridge.recordingroom import Room
from sdrbridge.transmission import Transmission
from sdrbridge.wav import WavWriter

BEFORE = 5 * AUDIO_RATE
"""Samples before the disk is full, and before there is room again, from which on overs are recorded."""

AFTER = round((LOOK_S + 5) * AUDIO_RATE)
"""Samples after either until which they are: long enough for the desk to see that there is room."""

LOOK_TICKS = 50
"""Ticks between two looks of the recorder: a second, of which every receiver keeps the sound."""

_SIDE_BYTES = 600
"""Of the JSON file of a recording, about."""

Broke = Callable[[str], None]
"""Told what does not hold."""


class Disk:
    """left: bytes it still takes; None for as many as there are."""

    left: int | None = None

    @property
    def full(self) -> bool:
        """Whether it takes so much and no more."""
        return self.left is not None

    def take(self, size: int) -> bool:
        """Whether so many bytes find room; then they are used."""
        if self.left is None:
            return True
        if size > self.left:
            return False
        self.left -= size
        return True

    def refuse(self, path: Path) -> OSError:
        """What a write there ends with."""
        return OSError(errno.ENOSPC, "No space left on device", str(path))


class _Wav(WavWriter):
    """On a disk. What finds no room is written in part."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._disk = disk
        self._size = 0
        super().__init__(path)

    def _put(self, at: int, data: bytes) -> None:
        more = max(0, at + len(data) - self._size)
        if not self._disk.take(more):
            super()._put(at, data[: len(data) - more + more // 2])
            raise self._disk.refuse(self.path)
        super()._put(at, data)
        self._size += more


class _Room(Room):
    """On a disk that does not say how much room it has."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(folder, None, False, free=None)
        self._disk = disk

    def probe(self) -> None:
        if self._disk.full:
            raise self._disk.refuse(self.folder / ".probe")


class Tap:
    """A receiver, and the overs that begin there while they are recorded: what the recorder follows."""

    def __init__(self, name: str, rx: RxPort) -> None:
        self.name = name
        self.overs: deque[Transmission] = deque()
        self._rx = rx
        self.begun: Callable[[], Sequence[Transmission]] = rx.begun
        self.advance: Callable[[int], None] = rx.advance
        self.available: Callable[[], int] = rx.available
        self.read: Callable[[int, int], Audio] = rx.read
        assert isinstance(rx, QuietPort)
        self.quiet_until: Callable[[int], int] = rx.quiet_until

    @property
    def over(self) -> Transmission | None:
        return self.overs[0] if self.overs else None

    def record(self, recording: bool) -> None:
        """Follow what begins from now on, or nothing any more."""
        self.begun = self._begun if recording else self._rx.begun
        if not recording:
            self.overs.clear()

    def _begun(self) -> Sequence[Transmission]:
        begun = self._rx.begun()
        self.overs.extend(begun)
        return begun

    def pass_on(self) -> bool:
        """Let go of an over that the recorder has had to its end; returns whether there was one."""
        over = self.over
        if over is None or over.end is None or self.available() < over.end:
            return False
        self.overs.popleft()
        return True


@dataclass(slots=True)
class _Heard:
    """An over as it was handed over: pieces, and whether the disk was full by then. room: when it began, it was not.

    length: of the over as its port says at its end; a sound card that is pulled may have given more of it than that.
    """

    room: bool
    length: int = 0
    pieces: list[tuple[Audio, bool]] = field(default_factory=list)


class Recordings:
    """Of one process. folder: where. disk: whether it takes anything. broke: told what does not hold."""

    def __init__(self, folder: Path, disk: Disk, clock: Clock, taps: Iterable[Tap], broke: Broke) -> None:
        self.kept = self.cut = 0
        """Recordings that were held against what was heard, and those of them with something missing or left out."""
        self._folder = folder
        self._disk = disk
        self._clock = clock
        self._broke = broke
        self._taps = tuple(taps)
        # A radio's card and what stands for it count overs each for themselves; here every over has a name of its own.
        self._named: dict[Transmission, Transmission] = {}
        self._heard: dict[str, _Heard] = {}
        self._made: dict[str, Recording] = {}
        self._closed: dict[str, Event] = {}
        self._room_since: float | None = None
        self._lost = 0.0
        made = self._made

        class OnDisk(Recording):
            def __init__(self, root: Path, over: str, port: str, start: int, wall: datetime) -> None:
                super().__init__(root, over, port, start, wall)
                made[over] = self

            def _create(self, path: Path) -> WavWriter:
                return _Wav(path, disk)

            def _describe(self, state: str, **more: object) -> dict[str, object]:
                if state == "closed" and not disk.take(_SIDE_BYTES):
                    raise disk.refuse(self.path.with_suffix(".json"))
                return super()._describe(state, **more)

        self._desk = RecordingDesk(_Room(folder, disk), clock, self._told, flac=False, recording=OnDisk)
        self._recorder = Recorder(folder, self._taps, self)
        self._follow(True)

    # A desk: what the recorder hands over goes to the real one.

    def begin(self, over: Transmission, age: int) -> None:
        name = over.id
        while name in self._heard:
            name += "+"
        named = self._named[over] = replace(over, id=name)
        self._heard[name] = _Heard(not self._disk.full)
        self._desk.begin(named, age)

    def write(self, over: Transmission, start: int, samples: Audio) -> None:
        named = self._named[over]
        # In pieces as they come when the recorder looks at every tick.
        for at in range(0, len(samples), BATCH):
            piece = samples[at : at + BATCH]
            self._heard[named.id].pieces.append((piece, self._disk.full))
            self._desk.write(named, start + at, piece)

    def end(self, over: Transmission) -> None:
        name = self._named.pop(over).id
        heard = sum(len(piece) for piece, _ in self._heard[name].pieces)
        # Where the recorder stops first, the rest of the over is nobody's loss.
        end = over.end if self._following else over.start + heard
        self._heard[name].length = heard if end is None else end - over.start
        self._desk.end(replace(over, id=name, end=end))
        # Nobody waits here until others have heard it; who did is no matter of the disk.
        self._desk({"event": "over.done", "over": name, "port": over.port, "heard_by": []})

    # The world's.

    def work(self, now: int) -> None:
        """After some ticks, of which everything has been played."""
        self._recorder.tick(now)
        while [tap for tap in self._taps if tap.pass_on()]:
            self._recorder.tick(now)
        self._desk.work()
        self._look()

    def go_on(self) -> None:
        """Record overs that begin from now on, too."""
        self._follow(True)

    def stop(self) -> bool:
        """Record no more for now; returns whether there was room, and everything has been finished and looked at."""
        self._follow(False)
        self._recorder.close()
        self._desk.work()
        if self._disk.full:
            return False
        self._desk.close()
        self._look()
        self._compare_all(finished=True)
        self._clear_away()
        return True

    def die(self) -> None:
        """The process has been killed; another one finishes what was left open."""
        self._follow(False)
        self.abandon()
        recover(self._folder, flac=False)
        self._compare_all(finished=False)
        self._clear_away()

    def abandon(self) -> None:
        """Leave all files as they are."""
        for recording in self._made.values():
            recording.abandon()

    def _follow(self, recording: bool) -> None:
        self._following = recording
        for tap in self._taps:
            tap.record(recording)

    def _clear_away(self) -> None:
        """Make room for those of the next full disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _told(self, event: Event) -> None:
        if event["event"] == "recording.closed":
            self._closed[str(event["file"])] = event

    def _look(self) -> None:
        """Whether the desk says how it is."""
        health, now = self._desk.health(), self._clock.monotonic()
        lost = health.counters["lost_samples"] + health.counters["left_out"]
        if lost > self._lost and (health.state is State.UP or "No space" not in health.reason):
            self._broke("recordings are lost to a full disk, and nobody is told")
        self._lost = lost
        if self._disk.full:
            self._room_since = None
        elif self._room_since is None:
            self._room_since = now
        elif now - self._room_since > LOOK_S + 1 and health.state is not State.UP:
            self._broke(f"recordings do not return {now - self._room_since:.1f} s after there is room: {health.reason}")

    def _compare_all(self, finished: bool) -> None:
        for name, heard in self._heard.items():
            self._compare(name, self._made.get(name), heard, finished)

    def _compare(self, over: str, recording: Recording | None, heard: _Heard, finished: bool) -> None:
        """Hold a recording against what was heard."""
        if recording is None:
            self.cut += 1
            if heard.room and (finished or heard.pieces):
                self._broke(f"{over} was not recorded though there was room")
            return
        self.kept += 1
        about = read_side(recording.path.with_suffix(".json"))
        if about.get("state") != "closed":
            self._broke(f"the recording of {over} is not finished")
            return
        got = soundfile.read(recording.path, dtype="int16")[0]
        at = silent = 0
        for piece, full in heard.pieces:
            wanted = np.clip(np.rint(piece * np.float32(32768.0)), -32768, 32767)
            if finished and len(got) == heard.length:
                wanted = wanted[: heard.length - at]
            part = got[at : at + len(wanted)]
            if not np.array_equal(part, wanted[: len(part)]) or (len(part) < len(wanted) and (finished or not full)):
                if not full or part.any():
                    self._broke(
                        f"the recording of {over} is not what was heard, {at / AUDIO_RATE:.2f} s after its start"
                    )
                    return
                silent += len(wanted)
            at += len(wanted)
            if finished and len(got) == heard.length <= at:
                at = heard.length
                silent = min(silent, at)
                break
        self.cut += silent > 0
        if finished and (len(got) != at or silent > round(about.get("lost_s", 0.0) * AUDIO_RATE)):
            lost_s = about.get("lost_s", 0.0)
            said = f"{len(got)} samples of {at}, {silent} of them silence, and says {lost_s} s are lost"
            self._broke(f"the recording of {over} has {said}")
        told = self._closed.get(str(recording.path.relative_to(self._folder)), {})
        if finished and told.get("audio_sha256") != audio_hash(recording.path):
            self._broke(f"the recording of {over} is not the one that was told of")
