"""The full-rate vocoder's scores, with floor and ceiling; skipped where the judges are not installed.

The whole table is `imbe.md`, written by `imbe_scores`. Ceilings so that an improvement is written down.
"""

import shutil

import numpy as np
import pytest

from tests.conftest import CORPUS

pytestmark = pytest.mark.curve

# Talker: PESQ and STOI measured; a window of ±0.1 and ±0.02, since the synthesisers' versions differ a little.
SCORES = {
    "espeak-ng en-us+f4, female": (3.02, 0.942),
    "espeak-ng en-gb-scotland, male": (2.44, 0.914),
    "flite slt, female": (3.24, 0.958),
}


@pytest.mark.parametrize("name", SCORES)
def test_encode_and_decode(name: str) -> None:
    for module in ("pesq", "pystoi", "blip25_vocoder"):
        pytest.importorskip(module)
    from tests.curves import imbe_scores

    kind, _ = imbe_scores.TALKERS[name]
    if not (shutil.which(kind) and shutil.which("sox")):
        pytest.skip(f"{kind} or sox is not installed")
    x = imbe_scores.talker(name)
    pesq, stoi = imbe_scores.pairs(x, x, ["own–own"])["own–own"]
    assert pesq == pytest.approx(SCORES[name][0], abs=0.1)
    assert stoi == pytest.approx(SCORES[name][1], abs=0.02)


def test_decoded_like_an_independent_decoder() -> None:
    """Median log-spectral distance of the corpus's voiced frames at most 2.5 dB."""
    for module in ("pesq", "pystoi", "blip25_vocoder"):
        pytest.importorskip(module)
    from tests.curves import imbe_scores

    paths = [p for p in sorted(CORPUS.glob("*.imbe.txt")) if "_des_" not in p.name]
    if not paths:
        pytest.skip("the signal corpus is not beside this checkout")
    distances = np.concatenate([imbe_scores.corpus_job(path)[1] for path in paths])
    assert len(distances) > 100
    assert np.median(distances) <= 2.5
