"""How surely an echo is found, and how seldom another talker is taken for one.

Found: two recorded talkers, through vocoder and telephone line, 40 dB of levels and 0.05 to 4.5 s of delay.
Taken for one: an hour of the one talker's words in ever new order against the other's, looked at as the bridge does.
"""

from collections.abc import Callable

import numpy as np
import pytest

from dsp import echo
from dsp.echo import EchoJudge, EchoTrack
from sdrbridge.port import Audio
from tests.support.elsewhere import Way, imbe, pcmu, talker, through

pytestmark = pytest.mark.curve

TALKERS = {"male": talker("male"), "female": talker("female")}


def track(samples: Audio, at: int = 0) -> EchoTrack:
    found = EchoTrack(len(samples) // echo.HOP + at // echo.HOP + echo.WINDOW)
    found.process(at, samples)
    return found


def words(which: str, seconds: int, seed: int) -> Audio:
    """A talker's recording cut into pieces of 0.4 to 1.2 s, in random order."""
    rng = np.random.default_rng(seed)
    whole, parts, n = TALKERS[which], [], 0
    while n < seconds * 8000:
        length = int(rng.integers(3200, 9600))
        start = int(rng.integers(0, len(whole) - length))
        parts.append(whole[start : start + length])
        n += length
    return np.concatenate(parts)[: seconds * 8000]


def verdict(said: EchoTrack, sent: EchoTrack, first: int, last: int) -> int | None:
    """The hop at which an echo is found."""
    judge = EchoJudge()
    for hop in range(first, last, echo.STEP):
        if judge.weigh(hop, echo.find(said, hop, sent)) is not None:
            return hop
    return None


def waits(way: Callable[[], Way], before: float, after: float) -> list[float]:
    """Seconds of echo until it is found, of 16 talks. before, after: factors there and back; it clips at 1."""
    found = []
    for seed in range(8):
        for which in TALKERS:
            said = words(which, 12, seed) * np.float32(before)
            back = np.clip(after * through(way(), said), -1, 1).astype(np.float32)
            rng = np.random.default_rng(seed)
            delay = int(rng.uniform(0.05, 4.5) * 8000)
            begin = delay // echo.HOP
            phase = int(rng.integers(0, echo.STEP))
            at = verdict(track(back, delay), track(said), begin + phase, begin + 1200)
            found.append(np.inf if at is None else (at - begin) * echo.HOP / 8000)
    return found


@pytest.mark.parametrize("way", [imbe, pcmu])
@pytest.mark.parametrize(("before", "after"), [(1.0, 0.1), (1.0, 1.0), (0.1, 10.0)])
def test_found_within_four_seconds_of_speech(way: Callable[[], Way], before: float, after: float) -> None:
    found = np.array(waits(way, before, after))
    assert np.mean(found <= 4.0) >= 0.9
    assert np.max(found) <= 10


def test_found_later_where_the_line_is_overdriven_by_20_db() -> None:
    found = np.array(waits(imbe, 1.0, 10.0))
    assert np.mean(found <= 10.5) >= 0.8


def test_another_talker_is_not_taken_for_an_echo_in_an_hour() -> None:
    matches = 0
    for seed in range(30):
        said, sent = track(words("male", 120, seed)), track(words("female", 120, seed + 1000))
        judge = EchoJudge()
        for hop in range(echo.WINDOW, 12_000, echo.STEP):
            found = echo.find(said, hop, sent)
            matches += found.counts
            assert judge.weigh(hop, found) is None
    # Three in a row with one delay make a verdict; single ones are rare already.
    assert matches <= 10
