"""CPU time of the full-rate vocoder, in milliseconds per second of speech; run it by hand:

    python -m tests.bench.bench_imbe

A buzz of gliding pitch with pauses of noise, 20 s, best of five, CPU time of the process.
"""

import time
from collections.abc import Callable

import numpy as np

from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, channel

SECONDS = 20


def best_ms(call: Callable[[], object]) -> float:
    """Milliseconds a second of `call`, which handles `SECONDS` of speech."""
    spent = []
    for _ in range(5):
        begun = time.process_time_ns()
        call()
        spent.append(time.process_time_ns() - begun)
    return min(spent) / 1e6 / SECONDS


def main() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(SECONDS * 8000) / 8000
    phase = 2 * np.pi * np.cumsum(140 + 60 * np.sin(2 * np.pi * 0.5 * t)) / 8000
    x = sum((np.cos(k * phase + k * k) / k for k in range(1, 18)), start=np.zeros_like(t))
    x = 0.02 * np.where(t % 1 < 0.7, x, 0.3 * rng.standard_normal(len(t)))
    parts = x.astype(np.float32).reshape(-1, 160)
    encoder, decoder = ImbeEncoder(), ImbeDecoder()
    frames = [encoder.encode(part) for part in parts]
    sent = [channel.protect(frame) for frame in frames]
    llr = [(bits * 2.0 - 1 + 0.6 * rng.standard_normal(144)).astype(np.float32) for bits in sent]
    print(f"encode              {best_ms(lambda: [encoder.encode(part) for part in parts]):6.2f} ms/s")
    print(f"decode, speech bits {best_ms(lambda: [decoder.decode(frame) for frame in frames]):6.2f} ms/s")
    print(f"decode, hard        {best_ms(lambda: [decoder.decode_hard(bits) for bits in sent]):6.2f} ms/s")
    print(f"decode, soft, 5 %   {best_ms(lambda: [decoder.decode_soft(value) for value in llr]):6.2f} ms/s")


if __name__ == "__main__":
    main()
