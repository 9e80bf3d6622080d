"""Where the frame sync may begin, and whether a network identifier stands behind it (TIA-102.BAAA-B clause 7).

The sync alone, 48 bits, comes about in noise too often once as many errors are allowed as a weak signal has. So it only
proposes places; sync and network identifier, 112 bits, are judged together, by their wrong bits and by how well their
soft bits agree:

    what is known                                wrong bits   strength   of the NID   false ones an hour in noise
    nothing                                      ≤ 20         ≥ 7.6      ≥ 5.5        0.02
    the NAC                                      ≤ 22         ≥ 6.3      ≥ 3.5        0.001
    the NAC, and that a unit must begin here     ≤ 30         ≥ 4.8                   0.05 of continuous expectation

strength = ∑ ±level / √∑ level²: how many standard deviations the sum lies above that of noise. Of hard bits it says the
same as their errors: 7.6 is 16 wrong of 112. Of soft ones it says more, because the wrong bits of a weak signal are the
faint ones: at 8 % wrong bits, 9 ± 2.9 of them, 99.9 % of all heads have 7.6 and their identifiers 5.6. The rates follow
from counting: noise above so many standard deviations for one of 28672 (or 7) code words, at 17.3 million symbols an
hour. The identifier has a limit of its own because other modes have stretches that are nearly the sync, and noise
beyond the outer symbols has all its second bits right there; of random words one of 2000 reaches 5.5. In an hour of
other modes the strongest stretch had 7.1, and 5.1 in its identifier.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.fec import soft
from dsp.p25 import _sync, nid
from dsp.p25.symbols import SYNC, SYNC_BITS, SYNC_DIBITS, SoftDibits, hard_dibits, information, symbols_for

MOST_SYNC_ERRORS = 11
"""A place with more wrong sync bits is not proposed. At 8 % wrong bits one sync of 3000 has more."""

LEAST_SYNC_AGREEMENT = 0.6
"""Nor one whose soft bits agree less. At 15 % wrong bits a sync has 0.87; of 900 places in voice and noise that passed
the test above none had more than 0.6."""

HEAD_DIBITS = 56
HEAD_BITS = 112

MOST_ALIKE = 48
"""Of the 56 dibits of a head at most 45 are alike: 13 of its sync, and the identifier."""

_HEAD = information(symbols_for(HEAD_DIBITS))
_SIGNS = soft.from_bits(SYNC_BITS)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A place where a sync may begin.

    place: symbol. inverted: the polarity is turned over. score: 1 when every soft bit agrees, 0 when half do.
    """

    place: int
    inverted: bool
    score: float


NEIGHBOURS = SYNC_DIBITS
"""Of places so close only the best score is a sync. A sync a symbol late has but ten wrong bits, and because the code
of the identifier is cyclic, one shifted by some symbols is nearly a word of another NAC."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a head may have wrong at most, and how strong it must be."""

    errors: int
    strength: float
    nid_strength: float


COLD = Limits(20, 7.6, 5.5)
KNOWN_NAC = Limits(22, 6.3, 3.5)
EXPECTED = Limits(30, 4.8, 0.0)

SURE = 8.0
"""A head so strong makes its NAC known; of a weaker one something else must say the same.
97 % have it at 8 % wrong bits."""

RUNS = (nid.Nid(0x000, nid.Duid.HDU), nid.Nid(0xFFF, nid.Duid.TDULC))
"""Identifiers all of one symbol: a tone off the carrier, or a slower mode, has these, and stretches like a sync too."""

MOST_RUN_ERRORS = 4
"""What a head with such an identifier may have wrong at most. Of thousands made by other modes in an hour one had 7."""


@dataclass(frozen=True, slots=True)
class Head:
    """A frame sync with the network identifier behind it.

    errors: wrong bits of 112. strength: see above; at most 10.6. nid_strength: of the identifier alone, at most 8.
    """

    nid: nid.Nid
    errors: int
    strength: float
    nid_strength: float

    def within(self, limits: Limits) -> bool:
        """It is good enough."""
        most = min(limits.errors, MOST_RUN_ERRORS) if self.nid in RUNS else limits.errors
        strong = self.strength >= limits.strength and self.nid_strength >= limits.nid_strength
        return self.errors <= most and strong


def proposals(llr: SoftDibits, first: int = 0, end: int | None = None) -> list[Proposal]:
    """Places where a sync may begin, in order.

    llr: (n, 2) float32, C-contiguous; only the symbols from `first` to before `end` are looked at.
    """
    end = len(llr) if end is None else end
    count = end - first - SYNC_DIBITS + 1
    if count <= 0:
        return []
    places, inverted = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.uint8)
    scores = np.empty(count, dtype=np.float32)
    found = _sync.search(llr, first, end, SYNC, MOST_SYNC_ERRORS, LEAST_SYNC_AGREEMENT, places, inverted, scores)
    return [Proposal(int(places[i]), bool(inverted[i]), float(scores[i])) for i in range(found)]


def score(llr: SoftDibits) -> float:
    """How well the soft bits of 24 symbols agree with the sync: 1 when all do, 0 when half do."""
    known = np.nan_to_num(llr.reshape(-1))
    total = float(np.abs(known).sum())
    return float(_SIGNS @ known) / total if total > 0 else 0.0


def steady(llr: SoftDibits) -> bool:
    """Whether the first 57 symbols of a unit are one symbol on and on, as of a carrier that is gone.

    All ones are a word of the identifier's code, and agree with three quarters of the sync.
    """
    head = llr[_HEAD]
    if HEAD_DIBITS - MOST_ALIKE <= np.count_nonzero(head[:, 0] > 0) <= MOST_ALIKE:
        return False
    return int(np.bincount(hard_dibits(head)).max()) > MOST_ALIKE


def read_head(llr: SoftDibits, nac: int | None = None) -> Head:
    """The likeliest head in the first 57 symbols of a unit, among all NACs or with a known one."""
    levels = soft.levels(llr[_HEAD]).reshape(-1)
    verdict = nid.decode(levels[48:], nac)
    # Whole numbers below 2²⁴: sums of them and of their squares are exact.
    sync, network = levels[: SYNC_BITS.size], levels[SYNC_BITS.size :]
    power = float(network @ network)
    agreement = float(_SIGNS @ sync) + verdict.agreement
    return Head(
        verdict.nid,
        int(np.count_nonzero(soft.to_bits(sync) != SYNC_BITS)) + verdict.errors,
        agreement / (math.sqrt(power + float(sync @ sync)) or 1.0),
        verdict.agreement / (math.sqrt(power) or 1.0),
    )


def known_head(network: nid.Nid) -> NDArray[np.uint8]:
    """The 56 dibits of sync and network identifier: what an equaliser may train on once the identifier is decoded."""
    bits = np.concatenate([SYNC_BITS, network.encode()])
    return np.asarray(bits[0::2] << 1 | bits[1::2], dtype=np.uint8)
