"""A tuner of a simulated bridge: the daemon's side of it is the real one, and the process behind it is played.

    talkers ─Over─▶ Worker ─packets, perhaps late─▶ socket ─▶ TunerLink · Supervisor · RemoteTuner ─▶ TunedChannel

The worker says what a receiver would, sample for sample. It can die, hang, leak memory, lose its device, and be slow to
hand over; the link has to notice, end it and start another.
"""

import errno
import socket
from collections import deque
from collections.abc import Callable, Sequence

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.config import ChannelConfig, TunerConfig
from sdrbridge.matrix import Event
from sdrbridge.port import NEVER, Audio
from sdrbridge.remoteport import RemotePort, RemoteTuner
from sdrbridge.simulation.ears import OnOver
from sdrbridge.simulation.house import DECISION, LATENCY, Over, Station, Voice, rest_of
from sdrbridge.supervisor import Limits, State
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.tunerlink import TunerLink
from sdrbridge.wire import MOST_SAMPLES, Beat, Begin, Bye, End, Hello, Known, Message, Setup
from sdrbridge.wire import Audio as Speech
from sdrbridge.worker import Outbox

STARTUP = 3 * AUDIO_RATE // 10
"""Samples from the start of a process to its first word."""

LATE = 5
"""Ticks by which a slow worker hands over late."""

LEAKING = Limits().rss_bytes + 1
"""Bytes of a worker that leaks."""


class _Channel:
    """What a worker has still to say of one channel. Times of the world, but for `_sent` and those of messages.

    born: world time that is its worker's 0.
    """

    def __init__(self, station: Station, overs: Sequence[Over], born: int) -> None:
        self.name = station.name
        self.waiting = deque(rest_of(overs, born))
        self.live: Over | None = None
        self.late = deque[bool]()
        """Of the overs that were told of: whether they were on the air already when it began."""
        self._voice = Voice(station.level)
        self._decision = DECISION[station.kind]
        self._born = born
        self._count = 0
        self._over = ""
        self._start = self._sent = 0
        self._facts = Facts()
        self._revealed = NEVER
        """When it will be known of the over on the air that it is encrypted."""
        self.due = NEVER
        """World time from which on there is more to say than speech that goes on."""
        self.look_ahead()

    def look_ahead(self) -> None:
        """Find out when the over on the air ends or becomes something else, or else when the next one begins."""
        if self.live is not None:
            self.due = min(self.live.end + LATENCY, self._revealed)
        elif self.waiting:
            self.due = self.waiting[0].begin + self._decision + LATENCY
        else:
            self.due = NEVER

    def say(self, world: int, said: list[Message]) -> None:
        """Add all that is known at `world` to what is said."""
        while self.due <= world:
            if self.live is None:
                said.append(self._open(self.waiting.popleft()))
            elif self._revealed <= world:
                self._revealed = NEVER
                self._facts = Facts(snr_db=20.0, emergency=self.live.emergency or None, encrypted=True)
                said.append(Known(self.name, self._over, self._facts))
            else:
                end = max(self._sent, self.live.end - self._born)
                self._speak(self.live, end, said)
                said.append(End(self.name, self._over, end, end, self._facts))
                self.live = None
            self.look_ahead()
        if self.live is not None:
            self._speak(self.live, world - LATENCY - self._born, said)

    def _open(self, over: Over) -> Begin:
        self.live = over
        secret = over.encrypted_at
        self._revealed = NEVER if secret is None else secret + self._decision + LATENCY
        self._count += 1
        self._over = f"{self.name}-{self._count:04d}"
        self._facts = Facts(snr_db=20.0, emergency=over.emergency or None)
        self._start = self._sent = over.begin - self._born
        self.late.append(self._start <= 0)
        return Begin(self.name, self._over, self._start, self._facts)

    def _speak(self, over: Over, end: int, said: list[Message]) -> None:
        while self._sent < end:
            n = min(MOST_SAMPLES, end - self._sent)
            sound = self._voice.say(self._sent - self._start + over.offset, n)
            said.append(Speech(self.name, self._sent, sound.tobytes()))
            self._sent += n


class Worker:
    """The process of a tuner. connection: its end. born: world time at which its receiver begins."""

    def __init__(self, pid: int, connection: socket.socket, born: int, channels: Sequence[_Channel]) -> None:
        self.pid = pid
        self.born = born
        self.rss_bytes = 100 << 20
        self.hangs = False
        self.delay = 0
        """Samples by which it hands over late."""
        self._connection = connection
        self._connection.setblocking(False)
        self._outbox = Outbox(self._send)
        self._held: deque[tuple[int, list[Message]]] = deque()
        self.channels = {channel.name: channel for channel in channels}
        self._code: int | None = None
        self._greeted = False

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """As `subprocess.Popen.wait`, of a process that was killed: it ends at once."""
        assert self._code is not None
        return self._code

    def kill(self) -> None:
        """SIGKILL."""
        self.end(-9)

    def end(self, code: int) -> None:
        """It is no more."""
        if self._code is None:
            self._code = code
            self._connection.close()

    def leave(self, reason: str) -> None:
        """Say why, and exit as a worker does whose source has failed."""
        self._outbox.put([Bye(reason)])
        self.end(69)

    @property
    def plain(self) -> bool:
        """Whether all that it knows has been handed over at once and will be."""
        return self._code is None and self._greeted and not (self.hangs or self.delay or self._held)

    def talk(self, over: Over) -> None:
        """Somebody begins to talk."""
        channel = self.channels[over.who]
        channel.waiting.append(over)
        channel.look_ahead()

    def step(self, world: int) -> None:
        """The world has come that far."""
        if self._code is not None or self.hangs or world < self.born:
            return
        messages: list[Message] = []
        if not self._greeted:
            self._greeted = True
            messages.append(Hello("simulated radio", "iq", 240_000, 155_000_000, began_s=self.born / AUDIO_RATE))
        for channel in self.channels.values():
            if channel.live is not None or channel.due <= world:
                channel.say(world, messages)
        messages.append(Beat(world - self.born, rss_bytes=self.rss_bytes, sent_s=world / AUDIO_RATE))
        self._held.append((world + self.delay, messages))
        while self._held and self._held[0][0] <= world:
            self._outbox.put(self._held.popleft()[1])

    def _send(self, data: bytes) -> int:
        try:
            return self._connection.send(data)
        except OSError as problem:
            if problem.errno in (errno.EAGAIN, errno.EPIPE, errno.ECONNRESET):
                return 0
            raise


class TunedChannel:
    """One channel of a tuner: the daemon's receive port, which a simulation may ask when something will happen."""

    def __init__(self, remote: RemotePort, tuner: "Tuner") -> None:
        self.remote = remote
        self._tuner = tuner
        self.name = remote.name
        self.due = 0
        """Bridge time from which on there is something to say beside speech that goes on."""
        self.begun = remote.begun
        self.available = remote.available
        self.read: Callable[[int, int], Audio] = remote.read

    def advance(self, now: int) -> None:
        """Take what its tuner's worker has said by now, where it can have said anything about this channel."""
        over = self.remote.over
        if self.due <= now or (over is not None and over.end is None) or not self._tuner.plain:
            self._tuner.advance(now)
        self.remote.advance(now)

    def quiet_until(self, now: int) -> int:
        """When there is something to say of it beside speech that goes on; `now` where anything may be."""
        return self.due if self._tuner.plain else now


class Tuner:
    """One tuner.
    on_state: told when the supervisor sees it in another state."""

    def __init__(
        self,
        name: str,
        stations: Sequence[Station],
        on_over: OnOver,
        on_state: Callable[["Tuner"], None],
    ) -> None:
        self.name = name
        self._on_state = on_state
        self._stations = stations
        self._on_over = on_over
        self._overs: dict[str, deque[Over]] = {s.name: deque() for s in stations}
        self._setup = Setup(
            "",
            (),
            TunerConfig(name, f"rtlsdr:serial={name}"),
            tuple(ChannelConfig(s.name, name, "nfm", 12_500, offset_hz=0) for s in stations),
        )
        self._gone_until = 0
        self._late_until = 0
        self._worker: Worker | None = None
        self._pids = 0
        self._world = 0

    def boot(self, origin: int, sink: Callable[[Event], None]) -> None:
        """A bridge begins to use it, whose time 0 is the world's `origin`."""
        self._origin = self._world = origin
        self._done = -TICK_SAMPLES
        self._unread = False
        self._worker = None
        self._pairs: list[tuple[TunedChannel, _Channel]] = []
        """Each channel as the bridge hears it and as the worker has it."""
        self.plain = False
        """Whether all is well with its worker, and it has said all it knows."""
        self.remote = RemoteTuner(self.name, self._overs, sink, self._began)
        self.link = TunerLink(self._setup, self.remote, self._start)
        self.channels = {name: TunedChannel(port, self) for name, port in self.remote.ports.items()}
        self.link.start(origin / AUDIO_RATE)

    def unplug(self) -> None:
        """The bridge is dead: its worker sees that, and ends."""
        if self._worker is not None:
            self._worker.kill()
        self.link.stop(0)

    def give_up(self, samples: int) -> None:
        """The bridge stood still for so long; its time goes on without them."""
        self._origin += samples
        self._look_ahead()

    def talk(self, over: Over) -> None:
        """Somebody begins to talk on one of its channels."""
        overs = self._overs[over.who]
        if overs and overs[-1].end >= over.start - AUDIO_RATE // 5:
            return
        while overs and overs[0].end < over.start - 60 * AUDIO_RATE:
            overs.popleft()
        overs.append(over)
        if self._worker is not None:
            self._worker.talk(over)
            self._look_ahead()

    def fail(self, how: str, world: int, until: int) -> None:
        """Something goes wrong with the worker (see `script.WORKER_FAULTS`), or with its device until a later time."""
        self.plain = False
        worker = self._worker
        match how:
            case "loses its device":
                self._gone_until = max(self._gone_until, until)
                if worker is not None and world >= worker.born:
                    worker.leave("the radio was unplugged")
            case "is late":
                self._late_until = max(self._late_until, until)
            case "dies" if worker is not None:
                worker.kill()
            case "hangs" if worker is not None:
                worker.hangs = True
            case "leaks" if worker is not None:
                worker.rss_bytes = LEAKING

    def run(self, world: int) -> None:
        """The worker's time goes on, whatever the bridge does."""
        worker, self._world = self._worker, max(world, self._world)
        if worker is None:
            return
        if self._gone_until > self._world >= worker.born:
            if worker.poll() is None:
                worker.leave("there is no such radio")
            return
        worker.delay = LATE * TICK_SAMPLES if self._world < self._late_until else 0
        worker.step(self._world)
        self._unread, self.plain = True, False

    def pump(self, now: int) -> None:
        """In the bridge's tick of `now`, before its matrix listens."""
        self.run(now + self._origin)
        before = self.link.supervisor.state
        self.link.pump(now, self._world / AUDIO_RATE)
        self._done, self._unread = now, False
        self._look_ahead()
        if self.link.supervisor.state is not before:
            self._on_state(self)

    def advance(self, now: int) -> None:
        """The tick at `now`, with those of a stride before it, in which there is nothing but speech that goes on."""
        if now > self._done:
            self.pump(now)

    def _look_ahead(self) -> None:
        """Find out whether all is well, and when there will be something to say of each channel."""
        worker = self._worker
        self.plain = (
            worker is not None
            and self.link.supervisor.state is State.UP
            and self._late_until <= self._world >= self._gone_until
            and not self._unread
            and worker.plain
            and worker.rss_bytes != LEAKING
        )
        for heard, said in self._pairs:
            heard.due = said.due - self._origin

    def _start(self, connection: socket.socket) -> Worker:
        self._pids += 1
        born = self._world + STARTUP
        channels = [_Channel(s, self._overs[s.name], born) for s in self._stations]
        self._pairs = [(self.channels[channel.name], channel) for channel in channels]
        self._worker = Worker(self._pids, connection.dup(), born, channels)
        return self._worker

    def _began(self, over: Transmission) -> None:
        assert self._worker is not None
        self._on_over(over, self._worker.channels[over.port].late.popleft())
