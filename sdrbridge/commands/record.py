"""`sdrbridge record SOURCE`: captures IQ as SigMF."""

import signal
import threading
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import sdrbridge
from hw.base import Source
from hw.errors import DeviceError, Unsupported
from hw.record import Ending, Recorded, best_type, record
from hw.registry import open_source
from hw.sigmfwriter import SigmfWriter
from sdrbridge.commands.output import note, print_json, progress
from sdrbridge.errors import ReplayError, SdrBridgeError


def run(options: Namespace) -> int:
    """Record until the time is up, the source ends, or Ctrl-C; what was recorded is always kept."""
    try:
        return _record(options)
    except DeviceError as problem:
        raise ReplayError(str(problem)) from problem


def _record(options: Namespace) -> int:
    stop = threading.Event()
    source = open_source(
        options.source,
        base=Path(),
        rate=options.rate,
        center_hz=options.center,
        gain_db=_gain(options.gain),
        ppm=options.ppm,
    )
    try:
        if source.info.kind != "iq" or not isinstance(source, Source):
            raise Unsupported(f"{options.source}: is audio of one channel; `record` captures IQ")
        path = options.out or _default_path(source.info.start)
        writer = SigmfWriter.create(
            path,
            rate=source.info.rate,
            center_hz=source.info.center_hz,
            sample_type=best_type(source.info),
            start=source.info.start or datetime.now(UTC),
            hardware=source.info.hardware or source.info.description,
            recorder=f"sdrbridge {sdrbridge.__version__}",
        )
        before = signal.signal(signal.SIGINT, lambda *_: stop.set())
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        try:
            with writer, progress(f"recording {path}") as advance:
                done = record(
                    source,
                    writer,
                    options.seconds,
                    lambda so_far: advance(so_far.duration_s, options.seconds, _losses(so_far)),
                    stop.is_set,
                )
                band = source.info.rate // 2
                center = source.info.center_hz or 0
                for label in options.label:
                    length = round(done.duration_s * source.info.rate)
                    writer.annotate(0, length, center - band, center + band, label)
        finally:
            signal.signal(signal.SIGINT, before)
    finally:
        source.close()
    _tell(options, path, done)
    return 0


def _gain(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise SdrBridgeError(f"--gain {text} is neither a number of dB nor auto") from None


def _default_path(start: datetime | None) -> Path:
    folder = Path("recordings")
    folder.mkdir(exist_ok=True)
    return folder / f"{start or datetime.now(UTC):%Y%m%d_%H%M%SZ}.sigmf-meta"


def _losses(done: Recorded) -> str:
    return f"{done.lost} samples lost" if done.lost else ""


def _tell(options: Namespace, path: Path, done: Recorded) -> None:
    reason = {Ending.TIME: "time is up", Ending.SOURCE: "the source ended", Ending.STOP: "stopped", None: ""}
    if options.json:
        ending = done.ending.value if done.ending else None
        counts = {"samples": done.samples, "lost_samples": done.lost, "gaps": done.gaps, "clipped": done.clipped}
        print_json({"recording": str(path), "duration_s": done.duration_s, **counts, "ending": ending})
    else:
        print(f"{path}: {done.duration_s:.2f} s, {done.samples} samples; {reason[done.ending]}")
    if done.lost:
        note(f"{done.lost} samples were lost in {done.gaps} places; the recording shows the gaps and keeps its length")
