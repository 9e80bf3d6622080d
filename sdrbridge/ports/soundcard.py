"""A donor radio on a sound card: what it hears comes in, what is patched to it goes out, and its PTT is keyed.

    card ─take─▶ ring ─Elastic: 8 kHz, bridge clock─▶ VOX or COR line ─▶ overs (an RxPort)
    TxPort ─▶ ring ─Elastic: card's rate and clock─▶ give ─▶ card        keyed ─▶ KeyerHandle

PortAudio's threads and the matrix meet in two bounded rings only, so that nobody waits for anybody. A third thread
opens the cards, sees when one is gone, and opens it again.
"""

import asyncio
import logging
from collections.abc import Sequence
from threading import Event as ThreadEvent
from threading import Thread

from hw.serialkeyer import CorLine, parse_cor
from hw.soundcard import PortAudio, SoundBackend
from sdrbridge.bank import Stage
from sdrbridge.config import PortConfig
from sdrbridge.ports.card import LOOK_S
from sdrbridge.ports.cardrx import CardReceiver, OpenLine
from sdrbridge.ports.cardtx import CardTransmitter
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.live import Direction, Health, HealthNews, PortContext, State

log = logging.getLogger(__name__)


def open_port(config: PortConfig, context: PortContext) -> "SoundCardPort":
    """The port of a site file's entry; nothing is opened before `start`."""
    settings = config.settings
    assert isinstance(settings, SoundCardSettings)
    return SoundCardPort(config.name, settings, context, PortAudio())


def _cor_line(spec: str) -> OpenLine:
    read = parse_cor(spec)
    return lambda: CorLine(read)


class SoundCardPort:
    """A LivePort. backend: what opens the cards. open_line: opens the COR line, None for the one of the settings."""

    def __init__(
        self,
        name: str,
        settings: SoundCardSettings,
        context: PortContext,
        backend: SoundBackend,
        open_line: OpenLine | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._context = context
        self._stop = ThreadEvent()
        self._thread: Thread | None = None
        self._news = HealthNews(name, context.sink)
        self.rx: CardReceiver | None = None
        self.tx: CardTransmitter | None = None
        if settings.input is not None:
            if open_line is None and settings.cor is not None:
                open_line = _cor_line(settings.cor)
            self.rx = CardReceiver(name, settings, context.clock, backend, open_line)
        if settings.output is not None:
            self.tx = CardTransmitter(settings, context.clock, backend)

    async def start(self) -> None:
        """Open the COR line, then the PTT line (opening a serial port moves its lines), then the cards."""
        if self.rx is not None and self.rx.cor is not None:
            await asyncio.to_thread(self.rx.cor.start)
        if self.tx is not None:
            self.tx.attach(self._context.keyer(self.name, self._settings.keyer))
        self._thread = Thread(target=self._serve, name=f"cards of {self.name}", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Unkey, then let everything go."""
        if self.tx is not None:
            self.tx.unkey()
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10.0)
            self._thread = None
        for part in (self.rx, self.tx):
            if part is not None:
                await asyncio.to_thread(part.close)

    def look_after(self) -> None:
        """Open what is not open, let go of what is dead. Blocks as long as the driver does."""
        for part in (self.rx, self.tx):
            if part is not None:
                part.card.look_after()
        self._news.tell(self.health())

    def _serve(self) -> None:
        while True:
            try:
                self.look_after()
            except Exception:
                # A driver that raises what it never should must not leave the port without anybody to look after it.
                log.exception("%s: looking after the sound cards failed", self.name)
            if self._context.clock.wait(self._stop, LOOK_S):
                return

    def health(self) -> Health:
        """Cards, COR line and PTT line; the worst counts."""
        problems, working, counters = [], 0, dict[str, int | float]()
        if self.rx is not None:
            problems += self.rx.problems()
            working += self.rx.card.working
            counters |= self.rx.counters()
        if self.tx is not None:
            problems += self.tx.problems()
            working += self.tx.card.working
            counters |= self.tx.counters()
        reason = "; ".join(dict.fromkeys(problems))
        state = State.DOWN if not working else State.DEGRADED if reason else State.UP
        return Health(state, reason, counters)

    def stages(self, direction: Direction) -> Sequence[Stage]:
        """What the card, the elastic buffer and the leveler hold back, and what waits for the transmitter's lead."""
        if direction == "rx":
            return () if self.rx is None else self.rx.stages()
        return () if self.tx is None else self.tx.stages()
