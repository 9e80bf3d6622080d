"""A replay: the whole bridge over the recordings of a site, under a virtual clock.

The clock is the tick count. At each tick every tuner has been fed up to that time, so the bridge knows what it would
have known at the incident, no more; how fast the disk is and how the files are cut makes no difference.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, TextIO

import sdrbridge
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES, IqBlock, RowBlock
from dsp.events import EventKind
from dsp.waterfall import Waterfall
from hw.base import DiscriminatorSource, Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceError
from hw.registry import open_source
from sdrbridge import report
from sdrbridge.bridge import Bridge, TunerLine
from sdrbridge.channel import Signal
from sdrbridge.config import PortConfig, Site, TunerConfig
from sdrbridge.errors import ReplayError
from sdrbridge.eventlog import EventLog, JsonLines, PatchTally
from sdrbridge.port import FilePort, Loopback
from sdrbridge.ports.iqfile import IqFilePort
from sdrbridge.ports.kinds import FileSettings
from sdrbridge.ports.modulation import FileSink, ModulatorSettings
from sdrbridge.receiveport import ReceivePort
from sdrbridge.receiver import Receiver
from sdrbridge.recorder import Recorder
from sdrbridge.transmission import Transmission

AHEAD = 8 * TICK_SAMPLES
"""Audio samples (160 ms) a tuner is fed beyond the clock, at most: what a block of its file may hold."""

END_BY_RULE = AUDIO_RATE // 5
"""Audio samples (200 ms) after the end of a source at which what is still open ends; most squelches close sooner."""

LONGEST_TAIL_S = 15.0
"""How long speech may still be playing out after the recordings have ended."""

WATERFALL_WINDOWS = 1500
"""Spectra that are taken for the picture of a whole recording."""

Progress = Callable[[float, float | None, str], None]

Sent = FilePort | IqFilePort | Loopback
"""What a port would have transmitted."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay. out: folder for what was heard. block: samples read at a time, None for what suits the rate.
    realtime: as fast as it happened. page: whether to make `report.html`. frames: whether to write `frames.jsonl`."""

    out: Path
    block: int | None = None
    threads: int = 1
    realtime: bool = False
    page: bool = True
    frames: bool = False


@dataclass(slots=True)
class _Feed:
    """One tuner's source, read as far as the clock allows."""

    line: TunerLine
    source: Source | DiscriminatorSource
    block: int
    waterfall: Waterfall | None
    end: int | None = None
    """Bridge time at which the source ended."""
    trouble: str | None = None

    def until(self, now: int) -> None:
        """Read and receive until the samples of bridge time `now` are in."""
        receiver = self.line.receiver
        while receiver.time <= now and self.end is None:
            try:
                block = self.source.read(self.block)
            except DeviceError as problem:
                # What was heard is kept; the replay goes on with the other tuners.
                self.trouble = str(problem)
                block = None
            if block is None:
                self._finish()
                return
            if isinstance(receiver, Receiver):
                assert isinstance(block, IqBlock)
                if self.waterfall is not None:
                    self.waterfall.process(block)
                found = receiver.process(block)
            else:
                assert isinstance(block, RowBlock)
                found = receiver.process(block)
            self.line.deliver(found)

    def _finish(self) -> None:
        """The source has ended: let the detectors see it, and end by rule what they would still hold open."""
        self.end = self.line.receiver.time
        self.line.deliver(self.line.receiver.finish())
        for port in self.line.ports:
            port.rules.put(Signal(EventKind.CLOSE, self.end, self.end + END_BY_RULE))


def replay(site: Site, options: Options, progress: Progress, clock: Clock | None = None) -> dict[str, Any]:
    """Run a site's recordings through the bridge; returns the summary that `--json` prints.

    Writes into `options.out`: `overs/` and `ports/` (audio), `events.jsonl`, `report.html`, and `frames.jsonl` with
    each protocol unit of digital channels, in the order in which they became known. Raises `ReplayError` when the
    folder cannot be written, `ConfigError` and `DeviceError` when a source cannot be opened.
    """
    clock = clock or SystemClock()
    started = clock.monotonic()
    with ExitStack() as stack:
        overs = _folder(options.out / "overs")
        ports_folder = _folder(options.out / "ports")
        log = stack.enter_context(EventLog(_create(options.out / "events.jsonl")))
        frames = stack.enter_context(JsonLines(_create(options.out / "frames.jsonl"))) if options.frames else None
        sources = {tuner.name: _open(stack, site, tuner) for tuner in site.tuners}
        infos = {name: source.info for name, source in sources.items()}
        transmit = {port.name: _make_port(port, ports_folder) for port in site.ports}
        heard: list[Transmission] = []
        bridge = Bridge(site, infos, transmit, log, heard.append, frames)
        feeds = [_feed(line, sources[line.config.name], options) for line in bridge.tuners]
        recorder = Recorder(overs, bridge.receive)
        duration = _duration(infos.values())
        stack.callback(recorder.close)
        for port in transmit.values():
            if not isinstance(port, Loopback):
                stack.callback(port.close)
        _run(bridge, feeds, recorder, options, lambda now: progress(now / AUDIO_RATE, duration, ""), clock)
    spent = max(clock.monotonic() - started, 1e-9)
    heard_s = max((feed.end or 0 for feed in feeds), default=0) / AUDIO_RATE
    summary = _summary(bridge, transmit, feeds, heard, recorder, log, options.out, heard_s, heard_s / spent)
    if options.page:
        progress(heard_s, heard_s, "report")
        bands = [_band(feed) for feed in feeds if feed.waterfall is not None]
        _write(options.out / "report.html", report.render(summary, bands, options.out))
    return summary


def _run(
    bridge: Bridge,
    feeds: list[_Feed],
    recorder: Recorder,
    options: Options,
    progress: Callable[[int], None],
    clock: Clock,
) -> None:
    began = clock.monotonic()
    never = threading.Event()
    with ThreadPoolExecutor(max_workers=options.threads) as pool:
        now = 0
        while True:
            if options.threads > 1:
                list(pool.map(_Feed.until, feeds, repeat(now)))
            else:
                for feed in feeds:
                    feed.until(now)
            ends = [feed.end for feed in feeds if feed.end is not None]
            if len(ends) == len(feeds):
                end = max(ends, default=0)
                if (now >= end and not bridge.busy) or now >= end + LONGEST_TAIL_S * AUDIO_RATE:
                    return
            bridge.tick(now)
            recorder.tick()
            now += TICK_SAMPLES
            if now % AUDIO_RATE == 0:
                progress(now)
            if options.realtime:
                clock.wait(never, began + now / AUDIO_RATE - clock.monotonic())


def _feed(line: TunerLine, source: Source | DiscriminatorSource, options: Options) -> _Feed:
    rate = source.info.rate
    # A block never reaches further ahead than the look-back of the slowest decision allows.
    most = AHEAD * rate // AUDIO_RATE
    block = min(options.block or most, most)
    waterfall = None
    if options.page and source.info.kind == "iq":
        length = source.info.length or 60 * rate
        columns = 512 if rate < 1_000_000 else 1024
        waterfall = Waterfall(rate, columns, skip=max(1, length // columns // WATERFALL_WINDOWS))
    return _Feed(line, source, max(1, block), waterfall)


def _open(stack: ExitStack, site: Site, tuner: TunerConfig) -> Source | DiscriminatorSource:
    source = open_source(
        tuner.source,
        base=site.folder,
        rate=tuner.rate,
        center_hz=tuner.center_hz,
        format=tuner.format,
        gain_db=tuner.gain_db,
        ppm=tuner.ppm,
    )
    stack.callback(source.close)
    return source


def _duration(infos: Iterable[SourceInfo]) -> float | None:
    lengths = [None if info.length is None else info.length / info.rate for info in infos]
    return None if None in lengths else max((length for length in lengths if length is not None), default=None)


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
        # What an earlier replay left would be taken for this one's.
        for old in [*path.glob("*.wav"), *path.glob("*.sigmf-*")]:
            old.unlink()
    except OSError as problem:
        raise ReplayError(
            f"{path}: cannot be written: {problem.strerror}; choose another folder with --out"
        ) from problem
    return path


def _create(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as problem:
        raise ReplayError(f"{path}: cannot be written: {problem.strerror}") from problem


def _write(path: Path, text: str) -> None:
    with _create(path) as stream:
        stream.write(text)


def _band(feed: _Feed) -> report.Band:
    assert feed.waterfall is not None
    info = feed.line.info
    return report.Band(
        feed.line.config.name, info.center_hz or 0, info.rate, feed.waterfall.image_db(), feed.waterfall.seconds_per_row
    )


def _make_port(config: PortConfig, folder: Path) -> Sent:
    """What stands for a port: its file, or memory for what has a device behind it; a replay never transmits."""
    match config.settings:
        case FileSettings(path):
            return FilePort(config.name, path or folder / f"{config.name}.wav")
        case ModulatorSettings(sink=FileSink(path)) as settings:
            return IqFilePort(config.name, path or folder / f"{config.name}.sigmf-meta", settings)
    return Loopback(config.name)


def _summary(
    bridge: Bridge,
    transmit: Mapping[str, Sent],
    feeds: list[_Feed],
    overs: Sequence[Transmission],
    recorder: Recorder,
    log: EventLog,
    out: Path,
    duration_s: float,
    factor: float,
) -> dict[str, Any]:
    return {
        "site": bridge.site.name,
        "version": sdrbridge.__version__,
        "out": str(out),
        "duration_s": round(duration_s, 4),
        "realtime_factor": round(factor, 2),
        "dropped_samples": sum(feed.source.statistics().lost for feed in feeds),
        "tuners": {feed.line.config.name: _tuner(feed) for feed in feeds},
        "channels": {port.name: _channel(port, overs, recorder, out) for port in bridge.receive},
        "ports": {name: _port(name, port, overs, out) for name, port in transmit.items()},
        "patches": {
            patch.name: {"ports": list(patch.ports), **asdict(log.patches.get(patch.name, PatchTally()))}
            for patch in bridge.site.patches
        },
    }


def _tuner(feed: _Feed) -> dict[str, Any]:
    seen = feed.source.statistics()
    return {
        "source": feed.line.info.description,
        "samples": seen.samples,
        "lost_samples": seen.lost,
        "clipped_samples": seen.clipped,
        "invalid_samples": seen.invalid,
        "notes": list(feed.source.info.notes),
        **({"trouble": feed.trouble} if feed.trouble else {}),
    }


def _channel(port: ReceivePort, overs: Sequence[Transmission], recorder: Recorder, out: Path) -> dict[str, Any]:
    config = port.rules.config
    transmissions = [
        {**_rounded(over.to_dict()), "audio": _relative(recorder.files[over.id], out)}
        for over in overs
        if over.port == port.name
    ]
    return {
        "mode": config.mode,
        "tuner": config.tuner,
        **({} if port.freq_hz is None else {"freq_hz": port.freq_hz}),
        "bandwidth_hz": config.bandwidth_hz,
        "transmissions": transmissions,
    }


def _rounded(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in entry.items()}


def _port(name: str, port: Sent, overs: Sequence[Transmission], out: Path) -> dict[str, Any]:
    keyed = [
        {"start_s": start / AUDIO_RATE, "end_s": end / AUDIO_RATE, "from": _heard_between(name, overs, start, end)}
        for start, end in port.keyed.intervals
    ]
    made = {"keyed_s": round(port.keyed.total_s, 4), "keyed": keyed}
    if not isinstance(port, Loopback):
        made["audio" if isinstance(port, FilePort) else "iq"] = _relative(port.path, out)
    return made


def _heard_between(name: str, overs: Sequence[Transmission], start: int, end: int) -> list[str]:
    heard = [o for o in overs if name in o.heard_by and o.start < end and (o.end is None or o.end > start)]
    return list(dict.fromkeys(over.port for over in sorted(heard, key=lambda o: o.start)))


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
