"""How good the full-rate vocoder is, beside an independent one; writes the table `tests/curves/imbe.md`.

    python -m tests.curves.imbe_scores > tests/curves/imbe.md

Needs a Python with `pesq`, `pystoi`, `soundfile` and `blip25-vocoder` (x86-64 only), never a dependency of the bridge,
and the programs espeak-ng, flite and sox with Debian's `codec2-examples` for speech. Minutes long.

Speech: 8 kHz, 60 s a talker at most, active level −26 dBov. PESQ is P.862 narrow band, mean over pieces of 8 s; STOI
over the whole. Pairs are named encoder–decoder: "own–other" is encoded here and decoded there.
"""

import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import blip25_vocoder as other
import numpy as np
import soundfile
from numpy.typing import NDArray
from pesq import pesq  # type: ignore[import-not-found]
from pystoi import stoi  # type: ignore[import-not-found]
from scipy import signal, special

from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, _model, channel, tables
from tests.conftest import CORPUS
from tests.curves.test_fm_sensitivity import receive
from tests.dsp.radio import fm_channel, sinad_db, tone

Samples = NDArray[np.float32]
Frames = list[NDArray[np.uint8]]

TEXT = """The quick brown fox jumps over the lazy dog. Unit forty two, respond to a vehicle fire at the corner of Main
Street and Seventh Avenue. Engine nine is on scene, heavy smoke showing from the second floor. Dispatch, we need an
ambulance and two additional police units. All stations stand by for traffic. The suspect was last seen heading north,
wearing a blue jacket and grey trousers. Copy that, we are four minutes out. Please repeat your location. Wind from the
south west at fifteen knots, visibility three miles. Jane should have passed through the yellow gate before noon. The
birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the depth of a
well. Four hours of steady work faced us. The boy was there when the sun rose. A rod is used to catch pink salmon. The
source of the huge river is the clear spring. Kick the ball straight and follow through. Help the woman get back to her
feet. A pot of tea helps to pass the evening. Smoky fires lack flame and heat."""

CODEC2 = "/usr/share/codec2/raw/"
TALKERS = {
    "espeak-ng en-us+m3, male": ("espeak-ng", "en-us+m3"),
    "espeak-ng en-gb-scotland, male": ("espeak-ng", "en-gb-scotland"),
    "espeak-ng en-gb+f2, female": ("espeak-ng", "en-gb+f2"),
    "espeak-ng en-us+f4, female": ("espeak-ng", "en-us+f4"),
    "flite slt, female": ("flite", "slt"),
    "flite rms, male": ("flite", "rms"),
    "flite awb, male": ("flite", "awb"),
    "codec2 hts, people, both": ("raw", CODEC2 + "hts.raw"),
    "codec2 ve9qrp, a man on the air": ("raw", CODEC2 + "ve9qrp.raw"),
}
FEW = ["espeak-ng en-us+f4, female", "flite slt, female", "flite rms, male", "codec2 hts, people, both"]
FEW_SECONDS = 16

# Samples from the input to the output of each pair, found once by the envelopes; PESQ finds its own.
DELAY = {"own–own": 480, "own–other": 470, "other–own": 350, "other–other": 340}


def talker(name: str) -> Samples:
    """Speech at 8 kHz, active level −26 dBov."""
    kind, what = TALKERS[name]
    with tempfile.TemporaryDirectory() as folder:
        made, wanted = f"{folder}/made.wav", f"{folder}/8k.wav"
        if kind == "espeak-ng":
            subprocess.run(["espeak-ng", "-v", what, "-w", made, TEXT], check=True, capture_output=True)
        elif kind == "flite":
            subprocess.run(["flite", "-voice", what, "-t", TEXT, "-o", made], check=True, capture_output=True)
        source = [made] if kind != "raw" else ["-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", what]
        subprocess.run(["sox", "-G", *source, "-r", "8000", wanted], check=True, capture_output=True)
        samples, _ = soundfile.read(wanted)
    return levelled(samples[: 60 * 8000])


def levelled(x: NDArray[np.floating]) -> Samples:
    rms = np.sqrt((x[: len(x) // 160 * 160].reshape(-1, 160) ** 2).mean(axis=1))
    active = np.sqrt((rms[rms > 0.03 * rms.max()] ** 2).mean())
    return np.asarray(np.clip(x * (10 ** (-26 / 20) / active), -1, 1), dtype=np.float32)


def radio_band(x: Samples) -> Samples:
    """300–3000 Hz, and 40 dB down what lies beyond: no radio is dead there, and STOI looks at all bands alike."""
    taps = 0.99 * signal.firwin(257, [300, 3000], pass_zero=False, fs=8000)
    taps[128] += 0.01
    return np.asarray(signal.fftconvolve(x, taps, "same"), dtype=np.float32)


def padded(x: Samples) -> Samples:
    return np.concatenate([x, np.zeros(-len(x) % 160 + 480, dtype=np.float32)]).reshape(-1, 160)


def own_encode(x: Samples) -> Frames:
    encoder = ImbeEncoder()
    return [encoder.encode(part) for part in padded(x)]


def other_encode(x: Samples) -> Frames:
    encoder = other.Vocoder(other.Rate.FULL_RATE_7200X4400)
    sent = [encoder.encode_pcm(np.round(32767 * part).astype(np.int16)) for part in padded(x)]
    return [channel.unprotect(np.unpackbits(np.frombuffer(bytes(s), np.uint8)))[0] for s in sent]


def own_decode(frames: Frames) -> Samples:
    decoder = ImbeDecoder()
    return np.concatenate([decoder.decode(frame) for frame in frames])


def other_decode(frames: Frames) -> Samples:
    return other_hard([channel.protect(frame) for frame in frames])


def other_hard(received: Sequence[NDArray[np.uint8]]) -> Samples:
    decoder = other.Vocoder(other.Rate.FULL_RATE_7200X4400)
    out = [decoder.decode_bits(np.packbits(bits).tobytes()) for bits in received]
    return (np.concatenate(out) / 32768).astype(np.float32)


def other_soft(received: Sequence[NDArray[np.floating]]) -> Samples:
    decoder = other.Vocoder(other.Rate.FULL_RATE_7200X4400)
    out = [decoder.decode_soft(np.round(127 * llr / np.abs(llr).max()).astype(np.int8)) for llr in received]
    return (np.concatenate(out) / 32768).astype(np.float32)


def other_lost(frames: Frames, lost: NDArray[np.bool_]) -> Samples:
    decoder = other.Vocoder(other.Rate.FULL_RATE_7200X4400)
    states = [other.FrameStatus.lost() if gone else other.FrameStatus.clean() for gone in lost]
    sent = [np.packbits(channel.protect(frame)).tobytes() for frame in frames]
    out = [decoder.decode_bits_with_status(s, state) for s, state in zip(sent, states)]
    return (np.concatenate(out) / 32768).astype(np.float32)


def own_lost(frames: Frames, lost: NDArray[np.bool_]) -> Samples:
    decoder = ImbeDecoder()
    return np.concatenate([decoder.erase() if gone else decoder.decode(f) for f, gone in zip(frames, lost)])


def score(clean: Samples, heard: Samples, delay: int) -> tuple[float, float]:
    """(PESQ, STOI)."""
    heard = heard[delay:]
    n = min(len(clean), len(heard))
    x, y = clean[:n], heard[:n]
    pieces = [slice(i, i + 64000) for i in range(0, n - 32000, 64000)]
    return float(np.mean([pesq(8000, x[p], y[p], "nb") for p in pieces])), float(stoi(x, y, 8000))


def pairs(clean: Samples, given: Samples, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Scores of encoding `given`, against `clean`."""
    frames = {"own": own_encode(given), "other": other_encode(given)}
    decode = {"own": own_decode, "other": other_decode}
    heard = {name: decode[name.split("–")[1]](frames[name.split("–")[0]]) for name in names}
    return {name: score(clean, heard[name], DELAY[name]) for name in names}


def clean_job(name: str) -> dict[str, tuple[float, float]]:
    x = talker(name)
    return pairs(x, x, list(DELAY))


def band_job(name: str) -> dict[str, tuple[float, float]]:
    x = levelled(radio_band(talker(name)[: 30 * 8000]))
    return pairs(x, x, list(DELAY))


def noise_job(name: str) -> dict[str, tuple[float, float]]:
    x = talker(name)[: 30 * 8000]
    noise = np.random.default_rng(1).normal(size=len(x)) * 10 ** (-(26 + 15) / 20)
    return pairs(x, (x + noise).astype(np.float32), list(DELAY))


SINAD_CN_DB = 12.7


def nfm_job(name: str) -> dict[str, tuple[float, float]]:
    """12.5 kHz FM: 300–3000 Hz, pre-emphasis, limited to 2.5 kHz, C/N for 20 dB SINAD, our demodulator and filter."""
    x = radio_band(talker(name)[: 30 * 8000])
    up = signal.resample_poly(x.astype(np.float64), 6, 1)
    up = np.diff(up, prepend=0) / (2 * np.pi * 1000 / 48000)
    speech = np.clip(up * 10_000, -2500, 2500)
    deviation = signal.fftconvolve(speech, signal.firwin(401, 3000, fs=48000), "same")
    heard = receive(fm_channel(deviation, SINAD_CN_DB))
    return pairs(levelled(x), levelled(heard), list(DELAY))


def lost_job(job: tuple[str, float]) -> dict[str, tuple[float, float]]:
    name, share = job
    x = talker(name)[: FEW_SECONDS * 8000]
    own, theirs = own_encode(x), other_encode(x)
    lost = np.random.default_rng(round(1000 * share)).random(len(own)) < share
    return {
        "own–own": score(x, own_lost(own, lost), DELAY["own–own"]),
        "own–other": score(x, other_lost(own, lost), DELAY["own–other"]),
        "other–other": score(x, other_lost(theirs, lost), DELAY["other–other"]),
    }


def errors_job(job: tuple[str, float]) -> dict[str, tuple[float, float]]:
    """White Gaussian noise on antipodal bits, so that this share of the signs is wrong."""
    name, share = job
    x = talker(name)[: FEW_SECONDS * 8000]
    out = {}
    sigma = np.sqrt(0.5) / special.erfcinv(2 * share)
    for who, frames in (("own", own_encode(x)), ("other", other_encode(x))):
        rng = np.random.default_rng(round(1000 * share))
        llr = [(channel.protect(f) * 2.0 - 1 + sigma * rng.normal(size=144)) * 2 / sigma**2 for f in frames]
        bits = [(value > 0).astype(np.uint8) for value in llr]
        out[f"{who}–other, hard"] = score(x, other_hard(bits), DELAY[f"{who}–other"])
        out[f"{who}–other, soft"] = score(x, other_soft(llr), DELAY[f"{who}–other"])
        if who == "own":
            hard, soft = ImbeDecoder(), ImbeDecoder()
            out["own–own, hard"] = score(x, np.concatenate([hard.decode_hard(b) for b in bits]), 480)
            out["own–own, soft"] = score(x, np.concatenate([soft.decode_soft(v) for v in llr]), 480)
    return out


def distances_db(a: Samples, b: Samples, voiced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each voiced frame the RMS difference of two spectra, 250–3250 Hz in bands of 250 Hz.

    Bands, because the phases of the two decoders differ and so does what stands between two harmonics; 250 Hz, so that
    nearly every band holds a harmonic.
    """

    def bands(x: Samples) -> NDArray[np.float64]:
        parts = np.stack([x[160 * k + 80 : 160 * k + 336] for k in range(len(voiced))])
        power = np.abs(np.fft.rfft(parts * np.hanning(256))) ** 2
        return np.asarray(10 * np.log10(power[:, 8:104].reshape(len(voiced), 12, 8).sum(axis=2) + 1e-9))

    return np.asarray(np.sqrt(((bands(a) - bands(b)) ** 2).mean(axis=1))[voiced])


def pitch_of(frames: Frames) -> NDArray[np.float64]:
    values = np.zeros(59, dtype=np.int32)
    out = []
    for frame in frames:
        _model.unpack(frame, values)
        out.append((values[0] + 39.5) / 2)
    return np.array(out)


def corpus_frames(path: Path) -> Frames:
    return [np.frombuffer(bytes.fromhex(line.split()[0]), np.uint8) for line in path.read_text().splitlines() if line]


def corpus_job(path: Path) -> tuple[str, NDArray[np.float64], float]:
    """(name, spectral distances of its voiced frames, share of them whose pitch is heard alike in both)."""
    frames = corpus_frames(path)
    decoder = ImbeDecoder()
    own, voiced = [], []
    for frame in frames:
        own.append(decoder.decode(frame))
        _, count, flags, loud = decoder._kernel.model()
        voiced.append(2 * sum(flags) > count and sum(loud) > 500)
    a, b = np.concatenate(own), other_decode(frames)[: 160 * len(frames)]
    mask = np.array(voiced)[:-3]
    # Where both were decoded from the same bits, the same encoder must find the same pitch in both.
    heard = [pitch_of(own_encode(x))[3:][: len(mask)] for x in (a, b)]
    alike = np.abs(heard[0] / heard[1] - 1) < 0.03
    return path.name.split(".")[0], distances_db(a, b, mask), float(alike[mask].mean()) if mask.any() else 1.0


def cpu_ms(call: Callable[[], object], seconds: float) -> float:
    spent = []
    for _ in range(5):
        begun = time.process_time()
        call()
        spent.append(time.process_time() - begun)
    return 1000 * min(spent) / seconds


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def rated(value: tuple[float, float]) -> str:
    return f"{value[0]:.2f} / {value[1]:.3f}"


def mean(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    pesq_mean, stoi_mean = np.mean(values, axis=0)
    return float(pesq_mean), float(stoi_mean)


def talkers_table(title: str, pool: ProcessPoolExecutor, job: Callable[[str], dict[str, tuple[float, float]]]) -> None:
    print(f"## {title}\n")
    scores = dict(zip(TALKERS, pool.map(job, TALKERS)))
    names = list(DELAY)
    rows = [[name, *(rated(scores[name][pair]) for pair in names)] for name in TALKERS]
    rows.append(["**mean**", *(rated(mean([scores[t][pair] for t in TALKERS])) for pair in names)])
    table(["talker, PESQ / STOI", *names], rows)


def damage_table(title: str, pool: ProcessPoolExecutor, job: Callable[..., dict[str, tuple[float, float]]],
                 shares: Sequence[float]) -> None:  # fmt: skip
    print(f"## {title}\n")
    rows: list[list[object]] = []
    names: list[str] = []
    for share in shares:
        scores = list(pool.map(job, [(name, share) for name in FEW]))
        names = sorted(scores[0])
        rows.append([f"{100 * share:.0f} %", *(rated(mean([s[pair] for s in scores])) for pair in names)])
    table(["share, PESQ / STOI", *names], rows)


def main() -> None:
    print("# Full-rate IMBE: measured\n")
    print("Written by `python -m tests.curves.imbe_scores`; what is measured how stands at the top of that file.")
    print(f'"other" is blip25-vocoder 1.0.0. Python {platform.python_version()}, NumPy {np.__version__}.\n')
    with ProcessPoolExecutor(2) as pool:
        talkers_table("Clean speech, up to 60 s each", pool, clean_job)
        talkers_table("Band of 300–3000 Hz, 30 s", pool, band_job)
        talkers_table("White noise at 15 dB SNR, 30 s, against the clean", pool, noise_job)
        heard = sinad_db(receive(fm_channel(tone(1000, 1500, 8.0), SINAD_CN_DB)), 1000)
        talkers_table(f"Through the NFM channel at {heard:.1f} dB SINAD, 30 s, against 300–3000 Hz", pool, nfm_job)
        damage_table(f"Frames lost, {len(FEW)} talkers, {FEW_SECONDS} s each", pool, lost_job, (0.02, 0.05, 0.10))
        damage_table(f"Bits wrong, {len(FEW)} talkers", pool, errors_job, (0.01, 0.03, 0.05, 0.08, 0.10))
        print("## Frames off the air, decoded by both\n")
        clear = sorted(p for p in CORPUS.glob("*.imbe.txt") if "_des_" not in p.name)
        measured = list(pool.map(corpus_job, clear))
        rows = [
            [name, len(d), f"{np.median(d):.2f}", f"{100 * alike:.0f} %"] for name, d, alike in measured if len(d) >= 20
        ]
        every = np.concatenate([d for _, d, _ in measured])
        rows.append(["**all**", len(every), f"{np.median(every):.2f}", ""])
        table(["recording", "voiced frames", "median spectral distance, dB", "same pitch heard in both, ±3 %"], rows)
    print("## CPU and delay\n")
    x = talker(FEW[3])[: 20 * 8000]
    frames = own_encode(x)
    llr = [channel.protect(f) * 2.0 - 1 + 0.6 * np.random.default_rng(0).normal(size=144) for f in frames]
    decoder = ImbeDecoder()
    table(
        ["", "ms of CPU a second of speech"],
        [
            ["encode", f"{cpu_ms(lambda: own_encode(x), 20):.2f}"],
            ["decode, speech bits", f"{cpu_ms(lambda: own_decode(frames), 20):.2f}"],
            ["decode, soft, 5 % of bits wrong", f"{cpu_ms(lambda: [decoder.decode_soft(v) for v in llr], 20):.2f}"],
            ["other: encode", f"{cpu_ms(lambda: other_encode(x), 20):.2f}"],
            ["other: decode", f"{cpu_ms(lambda: other_decode(frames), 20):.2f}"],
        ],
    )
    print(f"Delay: encoder {ImbeEncoder.delay / 8:.0f} ms with its look-ahead, decoder {ImbeDecoder.delay / 8:.0f} ms")
    print("(`test_delay_of_both_ways`). Harmonics: 9 … " + f"{tables.MAX_HARMONICS}.")


if __name__ == "__main__":
    main()
