"""Band levels and likeness against their twins; what is an echo and what is none."""

import numpy as np
import pytest

from dsp import echo
from dsp.echo import EchoJudge, EchoTrack, Match
from dsp.errors import RangeError, ShapeError
from sdrbridge.port import Audio
from tests.reference import echo as reference
from tests.support.elsewhere import imbe, talker, through
from tests.support.speech import speech_like

MALE, FEMALE = talker("male"), talker("female")


def track(samples: Audio, at: int = 0) -> EchoTrack:
    found = EchoTrack(4000)
    found.process(at, samples)
    return found


def test_levels_agree_with_their_twin() -> None:
    samples = speech_like(3, 1)
    samples[100] = np.nan
    samples.flags.writeable = False
    np.testing.assert_allclose(track(samples).levels[:300], reference.levels(samples), atol=2e-2)


@pytest.mark.parametrize("sizes", [(1,), (7, 160), (80,), (1000, 3)])
def test_any_length_gives_the_same_bits(sizes: tuple[int, ...]) -> None:
    samples = np.concatenate([speech_like(2, 2), np.zeros(24_000, np.float32)])
    whole, cut = track(samples, 37), EchoTrack(4000)
    at = turn = 0
    while at < len(samples):
        n = sizes[turn % len(sizes)]
        cut.process(37 + at, samples[at : at + n])
        at, turn = at + n, turn + 1
    assert (cut.begin, cut.end) == (whole.begin, whole.end)
    np.testing.assert_array_equal(cut.levels, whole.levels)


@pytest.mark.parametrize("last", [127, 300, 420])
@pytest.mark.parametrize("delay", [0, 777, 20_000])
def test_likeness_agrees_with_its_twin(last: int, delay: int) -> None:
    sent, said = speech_like(5, 3), np.concatenate([speech_like(0.5, 4), speech_like(5, 3)])
    a, b = track(said, delay), track(sent)
    levels = np.concatenate([np.full((delay // 80, 8), np.log2(1e-10)), a.levels[a.begin : a.end].astype(float)])
    found = echo.find(a, last + delay // 80, b)
    likeness, lag = reference.find(levels, last + delay // 80, b.levels[: b.end].astype(float))
    assert found.likeness == pytest.approx(likeness, abs=1e-4)
    assert found.lag == lag


def test_a_jump_is_silence_and_a_jump_back_a_new_beginning() -> None:
    found = EchoTrack()
    found.process(0, MALE[:8000])
    found.process(12_000, MALE[:8000])
    np.testing.assert_array_equal(found.levels[120:149], np.full((29, 8), np.log2(np.float32(1e-10))))
    found.process(4000, MALE[:800])
    assert (found.begin, found.end) == (50, 60)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(RangeError, match="takes 128"):
        EchoTrack(127)
    with pytest.raises(ShapeError, match=r"float32 \(n,\)"):
        EchoTrack().process(0, np.zeros(10))  # type: ignore[arg-type]


def test_an_echo_through_a_vocoder_is_found_with_its_delay_and_another_talker_is_not() -> None:
    sent = track(MALE)
    for last in range(250, 480, 32):
        found = echo.find(track(through(imbe(), MALE), 8000), last, sent)
        assert found.counts and 100 <= found.lag <= 110
        assert not echo.find(track(FEMALE, 4000), last, sent).counts


@pytest.mark.parametrize("hertz", [(1000.0,), (480.0, 620.0)])
def test_the_same_tones_in_the_same_rhythm_are_no_echo(hertz: tuple[float, ...]) -> None:
    t = np.arange(80_000) / 8000
    tones = sum(0.1 * np.sin(2 * np.pi * f * t) for f in hertz) * (t % 1 < 0.5)
    sent, said = track(tones.astype(np.float32)), track(tones.astype(np.float32), 3200)
    assert not any(echo.find(said, last, sent).counts for last in range(200, 990, 16))


def match(likeness: float = 0.9, lag: int = 100, active: int = 40) -> Match:
    return Match(likeness, lag, 0.3, active, 0.2)


def test_a_verdict_takes_three_matches_with_one_delay() -> None:
    judge = EchoJudge()
    assert judge.weigh(0, match()) is None
    assert judge.weigh(64, match(lag=103)) is None
    assert judge.weigh(128, match(lag=102)) is None
    assert judge.weigh(192, match(0.95, 102)) == match(0.95, 102)
    # Silence in between does no harm; a stretch that does not fit begins anew, and so does a long wait.
    for between, verdict in ((match(active=3), True), (match(0.4), False)):
        judge.reset()
        judge.weigh(0, match())
        judge.weigh(64, match())
        judge.weigh(128, between)
        assert (judge.weigh(192, match()) is not None) == verdict
    judge.reset()
    judge.weigh(0, match())
    judge.weigh(64, match())
    assert judge.weigh(1070, match()) is None


def test_evidence_from_one_over_is_not_enough_where_two_are_wanted() -> None:
    judge = EchoJudge()
    for last in range(0, 640, 64):
        assert judge.weigh(last, match(), "C-0001", overs=2) is None
    assert judge.weigh(640, match(), "C-0002", overs=2) is not None
