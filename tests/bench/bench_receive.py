"""Speed of the receive path beside GNU Radio and liquid-dsp, on the same recordings, in one run.

    scripts/bench receive [--channels 1 8 32 96 192] [--rounds 3] [--short 4] [--long 12] [--no-peers]

Work: a 2.4 MS/s cu8 file with K narrowband FM channels becomes 8 kHz audio of each. Ours has squelch, CTCSS and DCS
detection on every channel; the peers have none. CPU time is user + system of the whole process, on a long recording
minus on a short one, over the difference in length: set-up cancels. Ratios are taken round by round, medians printed.
A figure counts only where the audio scores: SINAD of every tone channel ≥ 29 dB. At the end: the same path alone, 32
channels of a 20 MS/s cs16 stream (at most 35 % of a core), and its largest resident set (at most 200 MB).

The recordings, the peers' flowgraphs and the scoring are the shared bench scripts beside the checkout; the peers come
from Debian (gnuradio, libliquid-dev) and are left out where they are not installed.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "bench"
GOALS = {1: (10.0, 30.0), 8: (4.0, 15.0), 32: (4.5, 15.0), 96: (6.0, 20.0)}
"""K → how many times faster than liquid-dsp and GNU Radio the receive path has to be."""


@dataclass(frozen=True, slots=True)
class Program:
    """One contender: name and command for (recording, output folder or -)."""

    name: str
    command: Callable[[Path, str], list[str]]


def cpu_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_recording(
    folder: Path, channels: int, seconds: float, rate: int = 2_400_000, sample_type: str = "cu8"
) -> Path:
    path = folder / f"k{channels}_{seconds:g}s_{rate // 1000}k.{sample_type}"
    if not path.exists():
        command = [sys.executable, str(SHARED / "make_iq.py"), "-k", str(channels), "--seconds", str(seconds)]
        command += ["--rate", str(rate), "--format", sample_type, "--out", str(path)]
        if channels > 170:  # more than fit at 12.5 kHz
            command += ["--spacing", "11000", "--usable", "0.95"]
        subprocess.run(command, check=True)
    return path


def offsets(recording: Path) -> list[str]:
    return [str(c["offset_hz"]) for c in json.loads(recording.with_suffix(".json").read_text())["channels"]]


def programs(folder: Path, peers: bool) -> list[Program]:
    ours = Program("sdrbridge", lambda r, out: [sys.executable, str(ROOT / "tests/bench/receive.py"), str(r), out])
    found = [ours]
    if not peers:
        return found
    if shutil.which("gcc") and Path("/usr/include/liquid/liquid.h").exists():
        binary = folder / "peer_liquid"
        source = str(SHARED / "peer_liquid.c")
        subprocess.run(["gcc", "-O3", "-march=native", source, "-o", str(binary), "-lliquid", "-lm"], check=True)
        found.append(
            Program("liquid-dsp pfb", lambda r, out: [str(binary), "pfb", str(r), "2400000", out, "2500", *offsets(r)])
        )
    if subprocess.run(["/usr/bin/python3", "-c", "import gnuradio"], capture_output=True, check=False).returncode == 0:
        script = str(SHARED / "peer_gnuradio.py")
        found += [Program(f"gnuradio {mode}", partial(_gnuradio, script, mode)) for mode in ("xlate2", "pfb")]
    return found


def _gnuradio(script: str, mode: str, recording: Path, out: str) -> list[str]:
    command = ["/usr/bin/python3", script, str(recording), "--mode", mode]
    return command if out == "-" else [*command, "--audio-dir", out]


def sinad_db(folder: Path, recording: Path) -> str:
    command = [sys.executable, str(SHARED / "score_audio.py"), str(folder), str(recording.with_suffix(".json"))]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    score = json.loads(result.stdout)
    return f"{score['sinad_median']:.1f} / {score['sinad_min']:.1f}"


def measure(folder: Path, options: argparse.Namespace) -> None:
    contenders = programs(folder, not options.no_peers)
    for channels in options.channels:
        short = make_recording(folder, channels, options.short)
        long = make_recording(folder, channels, options.long)
        costs: dict[str, list[float]] = {}
        scores: dict[str, str] = {}
        for round_number in range(options.rounds):
            for program in contenders:
                # GNU Radio's per-channel flowgraph takes minutes where its filter bank is the better one anyway.
                if (program.name == "gnuradio xlate2" and channels > 8) or (
                    program.name == "gnuradio pfb" and channels < 8
                ):
                    continue
                spent = cpu_s(program.command(long, "-")) - cpu_s(program.command(short, "-"))
                costs.setdefault(program.name, []).append(1e3 * spent / (options.long - options.short))
                if round_number == 0:
                    out = folder / "audio"
                    shutil.rmtree(out, ignore_errors=True)
                    out.mkdir()
                    cpu_s(program.command(short, str(out)))
                    scores[program.name] = sinad_db(out, short)
        print(f"\nK = {channels}   CPU ms per second of signal; SINAD median / lowest of the tone channels, dB")
        for name, cost in costs.items():
            ratio = statistics.median(theirs / ours for theirs, ours in zip(cost, costs["sdrbridge"], strict=True))
            line = f"  {name:16s} {statistics.median(cost):8.1f}  (min {min(cost):.1f}, max {max(cost):.1f})"
            print(f"{line}  × {ratio:6.2f}   SINAD {scores[name]}", flush=True)
        if channels in GOALS:
            print(f"  goal: ≥ {GOALS[channels][0]:g} × liquid-dsp, ≥ {GOALS[channels][1]:g} × the better GNU Radio")


def alone(folder: Path) -> None:
    """A wide band, and memory: what the program says of itself, without its start."""
    print("\nby itself: channels, CPU ms per second of signal, largest resident set in MB")
    wide = make_recording(folder, 32, 2.0, 20_000_000, "cs16")
    for recording in (wide, make_recording(folder, 192, 4.0)):
        command = [sys.executable, str(ROOT / "tests/bench/receive.py"), str(recording), "-"]
        said = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3)]
        cost = 1e3 * statistics.median(s["cpu_per_signal_s"] for s in said)
        memory = max(s["max_rss_mb"] for s in said)
        print(f"  {recording.name:24s} {said[0]['channels']:4d} {cost:8.1f} {memory:8.0f}", flush=True)
    print("  goal: ≤ 350 ms at 20 MS/s, ≤ 100 ms for 192 channels, ≤ 200 MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 8, 32, 96, 192])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", type=float, default=4.0)
    parser.add_argument("--long", type=float, default=12.0)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the recordings here")
    options = parser.parse_args()
    if not SHARED.exists():
        sys.exit(f"the shared bench scripts are not there: {SHARED}")
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        measure(options.folder, options)
        alone(options.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), options)
            alone(Path(folder))


if __name__ == "__main__":
    main()
