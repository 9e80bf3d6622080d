"""CPU time of the channelizer, in milliseconds per second of signal, beside scipy.fft; run it by hand:

    python -m tests.bench.bench_channelizer

Blocks of 10 ms, medians over 100 of them, CPU time of the process.
"""

import time
from collections.abc import Callable

import numpy as np
import scipy.fft

from dsp.blocks import IqBlock
from dsp.channelizer import Channelizer
from dsp.fft import ForwardFft

BLOCKS = 100


def median_ms(call: Callable[[int], object]) -> float:
    """Milliseconds a second of `call(i)`, which handles 10 ms of signal."""
    spent = []
    for i in range(BLOCKS):
        begun = time.process_time_ns()
        call(i)
        spent.append(time.process_time_ns() - begun)
    return float(np.median(spent)) * 100 / 1e6


def main() -> None:
    rng = np.random.default_rng(1)
    print("forward transform      own    scipy")
    for rate in (48_000, 240_000, 1_024_000, 2_048_000, 2_400_000, 3_200_000, 10_000_000, 20_000_000):
        n = rate // 80
        x = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64)
        fft, empty = ForwardFft(n), np.zeros(0, dtype=np.complex64)
        own = median_ms(lambda _: fft.run(empty, 0, x, 0))  # noqa: B023
        print(f"{rate:>12} S/s {own:>9.2f} {median_ms(lambda _: scipy.fft.fft(x)):>8.2f}")  # noqa: B023
    print("\nchannelizer      channels   method   ms/s")
    for rate, counts in (
        (240_000, (1, 8)),
        (2_400_000, (1, 2, 8, 32, 96, 192)),
        (2_400_001, (8,)),
        (20_000_000, (32,)),
    ):
        hop = rate // 100
        x = (rng.standard_normal(hop) + 1j * rng.standard_normal(hop)).astype(np.complex64)
        for count in counts:
            for method in ("auto", "fft", "direct") if count <= 2 and rate % 24_000 == 0 else ("auto",):
                channelizer = Channelizer(rate, method)
                for offset_hz in np.linspace(-0.4, 0.4, count + 2)[1:-1] * rate:
                    channelizer.add(float(offset_hz), 11_000)
                spent = median_ms(lambda i: channelizer.process(IqBlock(x, rate, i * hop)))  # noqa: B023
                print(f"{rate:>12} S/s {count:>8} {method:>8} {spent:>6.2f}")


if __name__ == "__main__":
    main()
