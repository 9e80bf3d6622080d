"""How often a tone is taken for its neighbour, with seeds nobody has seen; writes the table `tests/curves/tones.md`.

    python -m tests.curves.tone_scores [ROUNDS [SEED]] > tests/curves/tones.md

Every trial is one decision of its own: hiss, then a carrier with one of the 50 tones under speech for half a second,
noise, speech, phase and moment of the key drawn anew. Wrong is a trial in which any other tone was found at any moment;
a channel that requires that other one would have opened. C/N is in 12.5 kHz: 6 dB is about 12 dB SINAD of a plain
discriminator. Four minutes of one core for 800 rounds of 50 tones; SEED is drawn from the system when left out.
"""

import math
import secrets
import sys

import numpy as np

from dsp.blocks import RowBlock
from dsp.events import EventKind
from dsp.tones.ctcss import CtcssDetector
from dsp.tones.tables import CTCSS_HZ
from tests.support.onair import RATE, discriminated, fm, received, voice

CN_DB, DEVIATION_HZ = 6.0, 350.0
HISS_S, TRIAL_S = 0.1, 0.5
ASKED = 1e-4
TONES = np.array(CTCSS_HZ)


def round_of_trials(seed: int) -> tuple[list[tuple[float, float]], int]:
    """One trial of each tone: ((sent, taken for), …) of those that went wrong, and how many were not found at all."""
    rng = np.random.default_rng(seed)
    rows = len(TONES)
    seconds = HISS_S + 0.05 + TRIAL_S
    n = int(seconds * RATE)
    keyed = int((HISS_S + rng.uniform(0, 0.05)) * RATE)
    phase = rng.uniform(0, 2 * np.pi, (rows, 1))
    tone = DEVIATION_HZ * np.cos(2 * np.pi * TONES[:, None] * np.arange(n) / RATE + phase)
    carrier = fm(tone + voice(rows, seconds, int(rng.integers(2**63))))
    carrier[:, :keyed] = 0
    carrier[:, keyed + int(TRIAL_S * RATE) :] = 0
    heard = discriminated(received(carrier, CN_DB, int(rng.integers(2**63))))
    found = [e for e in CtcssDetector(rows).process(RowBlock(heard, RATE, 0)) if e.kind is EventKind.CTCSS]
    wrong = [(float(TONES[e.row]), float(e.value)) for e in found if isinstance(e.value, float)]
    return [w for w in wrong if w[0] != w[1]], rows - len({e.row for e in found if e.value == TONES[e.row]})


def bound(wrong: int, trials: int) -> float:
    """Rate that lies above the true one with 95 % confidence (Poisson; Clopper and Pearson's upper limit)."""
    low, high = 0.0, 50.0 + 10 * wrong
    for _ in range(100):
        middle = (low + high) / 2
        seen = sum(math.exp(-middle) * middle**k / math.factorial(k) for k in range(wrong + 1))
        low, high = (middle, high) if seen > 0.05 else (low, middle)
    return high / trials


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 800
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(32)
    spawned = np.random.SeedSequence(seed).generate_state(rounds, np.uint64)
    wrong: list[tuple[float, float]] = []
    missed = 0
    for own in spawned:
        fresh, absent = round_of_trials(int(own))
        wrong += fresh
        missed += absent
    trials = rounds * len(TONES)
    print("# Tones taken for their neighbours: measured\n")
    print("Written by `python -m tests.curves.tone_scores`; what is measured how stands at the top of that file.\n")
    print("| seed | trials | taken for another | at most, 95 % | asked | not found in half a second |")
    print("|---|---|---|---|---|---|")
    print(f"| {seed} | {trials} | {len(wrong)} | {bound(len(wrong), trials):.1e} | {ASKED:.0e} | {missed} |")
    for sent, taken in wrong:
        print(f"\n{sent:g} Hz was taken for {taken:g} Hz.")


if __name__ == "__main__":
    main()
