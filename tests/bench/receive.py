"""The receive path as a program, for the benchmarks: a recording in, 8 kHz float audio of every channel out.

    receive.py IQ.cu8 OUTDIR|-      with IQ.json beside it: rate, format and the channels' offsets

Every channel has carrier squelch, CTCSS and DCS detection, de-emphasis and speech filter, as in a replay. Prints one
JSON object: CPU seconds per second of signal, largest resident set, and how much the detectors said.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np

from dsp.blocks import AUDIO_RATE, IqBlock
from hw.registry import open_source
from sdrbridge.modes import PRESETS
from sdrbridge.receiver import Receiver, Tuned

BLOCKS = 16
"""Blocks of 10 ms read at a time, as a replay does."""


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(recording: str, out: str) -> None:
    truth = json.loads(Path(recording).with_suffix(".json").read_text())
    rate = int(truth["rate"])
    source = open_source(f"file:{recording}", base=Path(), rate=rate, center_hz=0, format=truth["format"])
    preset = PRESETS["nfm"][0]
    receiver = Receiver(rate, [Tuned(preset, c["offset_hz"]) for c in truth["channels"]])
    sinks = [] if out == "-" else [(Path(out) / f"{c['index']}.f32").open("wb") for c in truth["channels"]]
    started = cpu_s()
    events = 0
    read = 0
    while (block := source.read(BLOCKS * rate // 100)) is not None:
        assert isinstance(block, IqBlock)
        events += len(receiver.process(block))
        end = max(read, receiver.available(receiver.time))
        for position, sink in enumerate(sinks):
            sink.write(np.ascontiguousarray(receiver.heard(position, read, end - read)).tobytes())
        read = end
    used = cpu_s() - started
    print(
        json.dumps(
            {
                "channels": len(truth["channels"]),
                "cpu_per_signal_s": used / (receiver.time / AUDIO_RATE),
                "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "events": events,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
