"""Who listens beside the path of a running bridge: the journal and the recordings.

    Engine ─events─▶ JournalWriter          ports ─tick─▶ Recorder ─▶ RecordingDesk ◀─events─ Engine

Each has a thread of its own and a queue with a bound; a full disk is a state with a reason, and the bridge goes on.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dsp.blocks import AUDIO_RATE
from hw.clock import Clock
from sdrbridge.config import Site
from sdrbridge.engine import Engine
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.matrix import Event
from sdrbridge.ports.live import Health
from sdrbridge.recorder import Followed, Recorder
from sdrbridge.recordingdesk import RecordingDesk
from sdrbridge.recordingroom import Room


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things lie. state: what survives; everything else is in it."""

    state: Path

    @property
    def ports(self) -> Path:
        """Files of ports."""
        return self.state / "ports"

    @property
    def overs(self) -> Path:
        """Recordings of overs."""
        return self.state / "recordings"

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.state / "journal"


class Listeners:
    """All of them. site: says what is kept. tell: takes events of theirs, from any thread. ports: that can be recorded.

    What is kept is read once; another folder or size in the site file counts from the next start on.
    """

    def __init__(
        self,
        site: Site,
        folders: Folders,
        clock: Clock,
        engine: Engine,
        tell: Callable[[Event], None],
        ports: Iterable[Followed],
    ) -> None:
        self._engine = engine
        self._tell = tell
        self._closing = False
        keep, book = site.recorder, site.journal
        self._records = keep.record
        self.journal = JournalWriter(
            book.folder or folders.journal,
            site.name,
            clock,
            heads=book.heads,
            rotate=book.rotate,
            sign_every=book.sign_every,
            sign_s=book.sign_s,
        )
        overs = keep.folder or folders.overs
        self.desk = RecordingDesk(
            Room(overs, keep.keep, keep.full == "remove-oldest"), clock, self._told, flac=keep.flac
        )
        self.recorder = Recorder(overs, ports, self.desk)
        engine.add_sink(self.journal)
        engine.add_sink(self.desk)

    def start(self) -> None:
        """Start their threads."""
        self.journal.start()
        self.desk.start()

    def follow(self, ports: Iterable[Followed]) -> None:
        """Record these ports from now on."""
        self.recorder.follow(ports)

    def tick(self, paused: bool) -> None:
        """After the engine's. paused: record no over that begins now."""
        self.recorder.paused = paused or not self._records
        self.recorder.tick(self._engine.now)

    def health(self) -> dict[str, Health]:
        """How they are."""
        return {"journal": self.journal.health(), "recordings": self.desk.health()}

    def close(self) -> None:
        """Write what waits, and end. The ticks must have stopped."""
        self._closing = True
        self.recorder.close()
        self.desk.close()
        self.journal.close()

    def _told(self, event: Event) -> None:
        """What the recordings tell. At the end nobody takes it in any more, and it still belongs into the journal."""
        if self._closing:
            self.journal({"t_s": self._engine.now / AUDIO_RATE, **event})
        else:
            self._tell(event)
