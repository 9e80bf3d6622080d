"""Run by `test_soundcard_pulse.py` in a process of its own: a sound card port on real PortAudio, in real time.

Speaks two seconds into the output, hears them on the input, keys a line, and prints what happened as JSON.
"""

import asyncio
import json
import sys
from threading import Event

import numpy as np
import soundfile
from numpy.typing import NDArray

from hw.clock import SystemClock
from hw.keyer import open_keyer
from hw.soundcard import PortAudio
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.live import PortContext
from sdrbridge.ports.soundcard import SoundCardPort
from sdrbridge.transmission import Transmission

Audio = NDArray[np.float32]

SPEAK_FROM, SPEAK_TICKS, TICKS = 75, 100, 275


class Handle:
    """A line that is driven where it is used; the daemon has the guard for that."""

    problem = ""

    def __init__(self, spec: str) -> None:
        self.line = open_keyer(spec)
        self.keyed = False
        self.read_back: list[bool] = []

    def set(self, keyed: bool) -> None:
        if keyed != self.keyed:
            self.keyed = keyed
            (self.line.key if keyed else self.line.unkey)()
            self.read_back.append(self.line.is_keyed())


def likeness(sound: Audio, speech: Audio, lag: int, piece: int = 1600, reach: int = 120) -> float:
    """Mean correlation of pieces of 200 ms, each where it fits best: two clocks drift apart."""
    scores = []
    for at in range(0, len(speech) - piece, piece):
        part = speech[at : at + piece]
        if np.std(part) > 0.01:
            places = range(max(0, lag + at - reach), min(len(sound) - piece, lag + at + reach))
            scores.append(max((float(np.corrcoef(sound[p : p + piece], part)[0, 1]) for p in places), default=0.0))
    return float(np.mean(scores))


def main(output: str, into: str, keyer: str, speech_file: str) -> None:
    clock, handles = SystemClock(), list[Handle]()

    def attach(name: str, spec: str) -> Handle:
        handles.append(Handle(spec))
        return handles[-1]

    context = PortContext(clock, attach, lambda event: None, "test")
    settings = SoundCardSettings(into, output, keyer=keyer, buffer_ms=100)
    port = SoundCardPort("donor", settings, context, PortAudio())
    speech, _ = soundfile.read(speech_file, dtype="float32")
    speech = speech[np.flatnonzero(np.abs(speech) > 0.02 * np.abs(speech).max())[0] :][: SPEAK_TICKS * 160]
    speech = (0.2 * speech / np.abs(speech).max()).astype(np.float32)
    heard, read = [np.zeros(0, np.float32)], 0
    overs: list[Transmission] = []

    async def run() -> None:
        nonlocal read
        await port.start()
        rx, tx, never = port.rx, port.tx, Event()
        assert rx is not None and tx is not None
        while not (rx.card.working and tx.card.working):
            if clock.wait(never, 0.02) or clock.monotonic() > start + 20:
                break
        begin = clock.monotonic()
        for tick in range(TICKS):
            clock.wait(never, begin + tick * 0.02 - clock.monotonic())
            now = tick * 160
            rx.advance(now)
            for over in rx.begun():
                overs.append(over)
                read = over.start if len(overs) == 1 else read
            if overs:
                end = rx.available() if overs[0].end is None else overs[0].end
                if end > read:
                    heard.append(rx.read(read, end - read).copy())
                    read = end
            at = (tick - SPEAK_FROM) * 160
            talks = 0 <= at < len(speech)
            tx.write(speech[at : at + 160] if talks else np.zeros(160, np.float32), now, talks)
        health = port.health()
        counters.update(health.counters)
        result["state"], result["reason"] = health.state.value, health.reason
        await port.stop()

    start = clock.monotonic()
    counters: dict[str, float] = {}
    result: dict[str, object] = {}
    asyncio.run(run())
    result |= {"overs": len(overs), "counters": counters, "read_back": handles[0].read_back}
    if overs:
        sound = np.concatenate(heard)
        n = 1 << (len(sound) + len(speech)).bit_length()
        cross = np.fft.irfft(np.fft.rfft(sound, n) * np.conj(np.fft.rfft(speech, n)))
        lag = int(np.argmax(cross[: len(sound)]))
        score = likeness(sound, speech, lag)
        late = (overs[0].start + lag - SPEAK_FROM * 160) / 8000
        result |= {"likeness": float(score), "late_s": late, "heard_s": len(sound) / 8000}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
