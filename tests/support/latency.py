"""From the antenna to a port through the running bridge, measured: what was said is found again in what was sent.

A recording of speech on an FM carrier is given out in real time by a worker of its own. Every 200 ms of what the port
was sent is aligned with what was said, so each has a moment on the air, and one at which a sound device would play it
that takes a frame when it is written and plays it at 8 kHz from then on.
"""

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from hw.clock import SystemClock
from sdrbridge.daemon import Beat
from sdrbridge.engine import Engine
from sdrbridge.listeners import Folders
from sdrbridge.patch import Member
from sdrbridge.port import Audio
from sdrbridge.ports.memory import LoopbackPort
from sdrbridge.site import load_site
from sdrbridge.station import Station
from tests.support.site import RATE, to_cu8
from tests.support.speech import speech_like

SITE = """
[bridge]
name = "latency"
[recorder]
record = false
[[tuner]]
name = "t"
source = "file:iq.cu8"
center = "155.0M"
rate = "48k"
[[channel]]
name = "A"
tuner = "t"
offset = "0k"
mode = "nfm"
[[port]]
name = "out"
kind = "loopback"
[[port]]
name = "late"
kind = "loopback"
[[patch]]
name = "p"
ports = ["A", "out"]
"""

LEAD_S = 4.0
"""Silence before the over; the second half of it is the bridge at rest."""

WINDOW = AUDIO_RATE // 5


class _Timed:
    """Keeps what a port is sent, and when."""

    def __init__(self, station: Station, name: str) -> None:
        port = station.live[name]
        assert isinstance(port, LoopbackPort)
        self.frames: list[tuple[float, Audio]] = []
        port.end.write = self.write  # type: ignore[method-assign]

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """In the place of the port's own."""
        self.frames.append((time.monotonic(), frame.copy()))


class Measured:
    """latencies_s: of each window of speech. joined_s: from asking for a patch change to the first sound of it.

    cpu_ratio: what this process took of one core while speech passed; idle_ratio: while nobody spoke.
    load: what the work of a tick takes of its 20 ms. late: ticks.
    """

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.joined_s: list[float] = []
        self.cpu_ratio = self.idle_ratio = 0.0
        self.load = 0.0
        self.late = 0

    def percentile_ms(self, percent: float) -> float:
        """Of the latencies."""
        return float(np.percentile(self.latencies_s, percent)) * 1000


def write_recording(folder: Path, seconds: float) -> NDArray[np.float32]:
    """Speech on a carrier; returns what is said, at 8 kHz, from the start of the recording on."""
    speech = np.concatenate([np.zeros(int(LEAD_S * RATE), np.float32), speech_like(seconds, 5, RATE, rms=0.2)])
    smooth = np.convolve(speech, np.hanning(25) / np.hanning(25).sum(), "same")
    phase = 2 * np.pi * np.cumsum(smooth * 2500) / RATE
    keyed = np.arange(len(speech)) >= LEAD_S * RATE
    rng = np.random.default_rng(2)
    noise = 0.005 * (rng.standard_normal(len(speech)) + 1j * rng.standard_normal(len(speech)))
    (folder / "iq.cu8").write_bytes(to_cu8((0.5 * keyed * np.exp(1j * phase) + noise).astype(np.complex64)))
    return smooth[:: RATE // AUDIO_RATE].astype(np.float32)


def measure(folder: Path, seconds: float, joins: int = 0) -> Measured:
    """Run it for that long. joins: how often a port is let into the patch while somebody speaks."""
    said = write_recording(folder, seconds)
    (folder / "site.toml").write_text(SITE)
    clock = SystemClock()
    station = Station(load_site(folder / "site.toml"), Folders(folder / "state"), clock)
    out, late = _Timed(station, "out"), _Timed(station, "late")
    beat, result = Beat(station, clock), Measured()
    never = threading.Event()
    asyncio.run(station.start())
    wall = time.monotonic()
    beat.start()
    asked: list[float] = []
    pause = (seconds - 2.0) / (joins + 1) / 2
    clock.wait(never, LEAD_S / 2)
    rest, cpu = time.monotonic(), time.process_time()
    clock.wait(never, LEAD_S / 2)
    talk, spent = time.monotonic(), time.process_time()
    result.idle_ratio = (spent - cpu) / (talk - rest)
    clock.wait(never, 1.0)
    for _ in range(joins):
        clock.wait(never, pause)
        asked.append(time.monotonic())
        station.engine.perform(_join).result(10)
        clock.wait(never, pause)
        station.engine.perform(_leave).result(10)
    clock.wait(never, max(0.0, LEAD_S + seconds - (time.monotonic() - wall)))
    result.cpu_ratio = (time.process_time() - spent) / (time.monotonic() - talk)
    hello = station.links["t"].remote.hello
    began = hello.began_s if hello is not None else 0.0
    result.load, result.late = station.load, beat.pacer.late
    beat.stop()
    beat.join(5)
    asyncio.run(station.stop())
    assert began > 0
    _align(out, said, began, result)
    for moment in asked:
        result.joined_s += [at - moment for at, frame in late.frames if at > moment and frame.any()][:1]
    return result


def _join(engine: Engine) -> None:
    engine.matrix.add("p", "late", Member(talks=False))


def _leave(engine: Engine) -> None:
    engine.matrix.drop("p", "late")


def _align(out: _Timed, said: NDArray[np.float32], began: float, result: Measured) -> None:
    sent = np.concatenate([frame for _, frame in out.frames])
    played_at = np.concatenate([at + np.arange(len(frame)) / AUDIO_RATE for at, frame in out.frames])
    longest = int(1.5 * AUDIO_RATE)
    for start in range(0, len(sent) - WINDOW, WINDOW):
        window = sent[start : start + WINDOW].astype(np.float64)
        if np.sqrt(np.mean(window**2)) < 0.03:
            continue
        # Where in the last second and a half it was said.
        newest = int((played_at[start] - began) * AUDIO_RATE) + WINDOW
        first = max(0, newest - longest)
        part = said[first:newest].astype(np.float64)
        if len(part) < 2 * WINDOW:
            continue
        product = np.correlate(part, window, "valid")
        energy = np.sqrt(np.convolve(part**2, np.ones(WINDOW), "valid") * np.sum(window**2)) + 1e-9
        score = product / energy
        best = int(np.argmax(score))
        elsewhere = np.abs(np.arange(len(score)) - best) > 40
        # Voiced speech resembles itself a pitch period later; only what is found in one place counts.
        if score[best] > 0.8 and score[best] - score[elsewhere].max() > 0.02:
            result.latencies_s.append(played_at[start] - (began + (first + best) / AUDIO_RATE))
