"""A transmitter of the bridge's own: frames become IQ, IQ goes to a SigMF recording or to an SDR.

    matrix ─frame, keyed, who─▶ ring ─▶ thread: Exciter ─▶ IqFile │ SoapyTransmitter
       └─ each tick: PTT line of an amplifier, while the SDR is busy ───────────┘

The matrix and the thread meet in a bounded ring, so that neither modulation nor a device holds up a tick. A device that
is gone is opened anew. A file that cannot be written stays as it is, and goes on behind a gap when there is room again.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES, IqBlock
from dsp.p25.transmitter import Call
from hw.errors import DeviceError
from hw.soapytx import SoapyTransmitter
from sdrbridge.bank import Stage
from sdrbridge.config import PortConfig
from sdrbridge.exciter import Caller, Exciter
from sdrbridge.matrix import Event
from sdrbridge.port import Audio
from sdrbridge.ports.iqfile import IqFile
from sdrbridge.ports.live import Direction, Health, HealthNews, KeyerHandle, PortContext, State
from sdrbridge.ports.modulation import ModulatorSettings, P25Settings, RadioSink
from sdrbridge.transmission import Transmission

log = logging.getLogger(__name__)

RING_FRAMES = 50
"""Frames (a second) between the matrix's thread and the transmitter's."""

AGAIN_S = 2.0
"""After a failure a device is tried again in so long."""

VOCODER_AGAIN_S = 5.0
"""After a failure the vocoder is tried again in so long, while nothing is on the air."""

_LOOK_S = 0.2


class Sink(Protocol):
    """Where IQ goes. Both verbs may raise `DeviceError`."""

    @property
    def busy(self) -> bool:
        """Something is on the air, or waits to be."""
        ...

    def write(self, block: IqBlock, about: str) -> None:
        """Take IQ, in order. about: who talks."""
        ...

    def close(self) -> None:
        """End what is on the air and let go."""
        ...

    def resume(self) -> bool:
        """After a failure and `close`: go on with it. False where another has to be opened. May raise `DeviceError`."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Since it was opened."""
        ...


class _File:
    """A recording as a sink: nothing waits, nothing is keyed."""

    busy = False

    def __init__(self, name: str, path: Path, settings: ModulatorSettings) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = IqFile(name, path, settings)
        self.write, self.close, self.resume = self._file.write, self._file.close, self._file.resume

    def counters(self) -> Mapping[str, int]:
        return {}


class _Radio:
    """An SDR as a sink."""

    def __init__(self, radio: SoapyTransmitter) -> None:
        self._radio = radio
        self.close, self.counters = radio.close, radio.counters

    @property
    def busy(self) -> bool:
        return self._radio.busy

    def write(self, block: IqBlock, about: str) -> None:
        self._radio.write(block)

    def resume(self) -> bool:
        return False


def open_port(config: PortConfig, context: PortContext) -> "ModulatorPort":
    """The port of a site file's entry; nothing is opened before `start`."""
    settings = config.settings
    assert isinstance(settings, ModulatorSettings)

    def open_sink() -> Sink:
        sink = settings.sink
        if not isinstance(sink, RadioSink):
            return _File(config.name, sink.path or context.folder / f"{config.name}.sigmf-meta", settings)
        return _Radio(
            SoapyTransmitter(
                sink.address,
                rate=settings.rate,
                center_hz=settings.center_hz,
                gain_db=sink.gain_db,
                ppm=sink.ppm,
                channel=sink.channel,
                antenna=sink.antenna,
                buffer_s=sink.buffer_ms / 1000,
                clock=context.clock,
            )
        )

    return ModulatorPort(config.name, settings, context, open_sink)


class _Frames:
    """The TxPort: what the matrix's thread hands over. each_tick: called with every frame."""

    def __init__(self, settings: ModulatorSettings, each_tick: Callable[[], None]) -> None:
        self._each_tick = each_tick
        self._caller = Caller(settings.signal) if isinstance(settings.signal, P25Settings) else None
        self.ring: deque[tuple[Audio, int, bool, Call | None]] = deque()
        self.fresh = threading.Event()
        self.dropped = 0
        self.taken = False
        """Whether there is anybody to take frames."""

    def talker(self, over: Transmission | None) -> None:
        """Whose speech comes next."""
        if self._caller is not None:
            self._caller.talker(over)

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Hand over a frame. Never waits."""
        self._each_tick()
        call = self._caller.call(keyed) if self._caller is not None else None
        if not self.taken:
            self.dropped += keyed
            return
        if len(self.ring) >= RING_FRAMES:
            self.dropped += self.ring.popleft()[2]
        self.ring.append((frame.copy(), index, keyed, call))
        self.fresh.set()


class ModulatorPort:
    """A LivePort. open_sink: opens where IQ goes, raises `DeviceError` or `OSError`."""

    rx = None

    def __init__(
        self, name: str, settings: ModulatorSettings, context: PortContext, open_sink: Callable[[], Sink]
    ) -> None:
        self.name = name
        self.tx = _Frames(settings, self._key)
        self._settings = settings
        self._context = context
        self._open_sink = open_sink
        self._exciter = Exciter(name, settings)
        self._sink: Sink | None = None
        self._halted: Sink | None = None
        """A sink that failed and may go on."""
        self._lost = 0
        """Frames that were dropped up to its failure."""
        self._keyer: KeyerHandle | None = None
        self._problem = "not started"
        self._news = HealthNews(name, context.sink)
        self._again_s = float("-inf")
        self._vocoder_again_s = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Open the PTT line and the sink."""
        sink = self._settings.sink
        if isinstance(sink, RadioSink) and sink.keyer != "none:":
            self._keyer = self._context.keyer(self.name, sink.keyer)
        self._thread = threading.Thread(target=self._serve, name=f"transmitter {self.name}", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End what is on the air, and let everything go."""
        self._stop.set()
        self.tx.fresh.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10.0)
            self._thread = None

    def health(self) -> Health:
        """The device, and the PTT line."""
        sink, problem = self._sink, self._problem
        counters: dict[str, int | float] = {"tx_dropped_frames": self.tx.dropped}
        if sink is not None:
            counters |= {f"tx_{key}": value for key, value in sink.counters().items()}
        if sink is None:
            return Health(State.DOWN, problem, counters)
        line = self._keyer.problem if self._keyer is not None else ""
        wrong = "; ".join(filter(None, (line and f"PTT: {line}", self._exciter.silent)))
        return Health(State.DEGRADED if wrong else State.UP, wrong, counters)

    def stages(self, direction: Direction) -> Sequence[Stage]:
        """What modulation and the device's buffer hold back."""
        if direction == "rx":
            return ()
        sink = self._settings.sink
        held = (Stage("transmit buffer", sink.buffer_ms / 1000),) if isinstance(sink, RadioSink) else ()
        return (*self._exciter.stages(), *held)

    def _key(self) -> None:
        # By the matrix's thread: should this port's own thread or the driver hang, the line is still let go.
        keyer, sink = self._keyer, self._sink
        if keyer is not None:
            keyer.set(sink is not None and sink.busy)

    # On its thread.

    def _serve(self) -> None:
        while not self._stop.is_set():
            self.tx.fresh.clear()
            self.work()
            self._context.clock.wait(self.tx.fresh, _LOOK_S)
        self._finish()

    def work(self) -> None:
        """Open what is not open, and send what was handed over. Blocks as long as opening does."""
        self._find_voice()
        if self._sink is None:
            self._open()
        unsent = False
        try:
            while self._sink is not None and self.tx.ring:
                frame, index, unsent, call = self.tx.ring.popleft()
                for block in self._exciter.write(frame, index, unsent, call):
                    self._sink.write(block, self._exciter.about(call))
                unsent = False
        except DeviceError as problem:
            self._lose(str(problem), unsent)
        except Exception as problem:
            # Whatever a driver raises, nobody may be left without somebody to look after the port.
            log.exception("%s: transmitting failed", self.name)
            self._lose(f"{type(problem).__name__}: {problem}", unsent)
        self._news.tell(self.health())

    def _find_voice(self) -> None:
        """Open the vocoder, where that holds up nobody."""
        now, exciter = self._context.clock.monotonic(), self._exciter
        if exciter.silent is None or exciter.on_air or self.tx.ring or now < self._vocoder_again_s:
            return
        exciter.prepare()
        self._vocoder_again_s = now + VOCODER_AGAIN_S

    def _open(self) -> None:
        now = self._context.clock.monotonic()
        if now < self._again_s:
            return
        self._again_s = now + AGAIN_S
        halted = self._halted
        try:
            self._sink = halted if halted is not None and halted.resume() else self._open_sink()
        except (DeviceError, OSError) as problem:
            if halted is None:
                self._problem = str(problem)
            return
        missing = self.tx.dropped - self._lost
        if halted is not None and missing:
            missing_s = round(missing * TICK_SAMPLES / AUDIO_RATE, 2)
            told: Event = {"event": "port.gap", "port": self.name, "missing_s": missing_s, "reason": self._problem}
            self._context.sink(told)
        self._halted, self._problem, self.tx.taken = None, "", True

    def _lose(self, problem: str, unsent: bool) -> None:
        """The sink is gone: the carrier is off, and what would have followed is not sent. unsent: a frame before it."""
        sink, self._sink, self._problem = self._sink, None, problem
        self.tx.taken = False
        self._halted, self._lost = sink, self.tx.dropped
        self.tx.dropped += unsent + sum(keyed for _, _, keyed, _ in self.tx.ring)
        self.tx.ring.clear()
        self._exciter.flush()
        if sink is not None:
            try:
                sink.close()
            except DeviceError as more:
                log.warning("%s: closing: %s", self.name, more)

    def _finish(self) -> None:
        self.tx.taken = False
        if self._sink is not None:
            self.work()
        sink = self._sink
        try:
            rest = self._exciter.flush()
            if sink is not None and len(rest.samples):
                sink.write(rest, "")
            if sink is not None:
                sink.close()
        except DeviceError as problem:
            log.warning("%s: stopping: %s", self.name, problem)
        self._exciter.close()
        self._sink, self._problem = None, "stopped"
        if self._keyer is not None:
            self._keyer.set(False)
