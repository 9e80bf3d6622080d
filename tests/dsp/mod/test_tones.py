"""Tones and codes: words against a truth from elsewhere, frequency, phase turn and turn-off code measured."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError
from dsp.mod import Ctcss, Dcs, dcs_word

RATE = 24_000


def test_code_words_are_those_of_another_generator(corpus: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for name in ("nfm_dcs_a", "nfm_scene_a"):
        for channel in corpus[name]["truth"]["channels"]:
            if "dcs" in channel:
                assert f"{dcs_word(channel['dcs']):06x}" == channel["dcs_code_word_hex_lsb_first_sent"]
                seen += 1
    assert seen == 3


@pytest.mark.parametrize(("code", "word"), [("023", 0x763813), ("245", 0x58F8A5), ("025", 0x6B7815)])
def test_known_words(code: str, word: int) -> None:
    assert dcs_word(code) == word


@given(st.integers(0, 0o777), st.integers(0, 0o777))
def test_words_lie_seven_bits_apart_as_the_golay_code_has_it(a: int, b: int) -> None:
    one, other = dcs_word(f"{a:03o}"), dcs_word(f"{b:03o}")
    assert one & 0o777 == a and one >> 9 & 0b111 == 0b100 and one < 1 << 23
    assert a == b or (one ^ other).bit_count() >= 7


@pytest.mark.parametrize("code", ["", "N", "23N", "0023", "028N", "023X", "02 N", "٠٢٣N"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(RangeError, match="three octal digits"):
        Dcs(code)


@pytest.mark.parametrize("code", ["023N", "023I"])
def test_bits_can_be_read_in_the_middle_of_each(code: str) -> None:
    wave = Dcs(code).wave(np.arange(RATE * 2), None, RATE)
    middles = np.round((np.arange(200) + 0.75) * RATE / 134.4).astype(int)
    bits = wave[middles] > 0
    sent = [bool(dcs_word(code) >> i & 1) for i in range(23)]
    assert [bool(b) == (code[-1] == "N") for b in bits] == [sent[i % 23] for i in range(200)]
    # Flat over the second half of each bit: full deviation is reached.
    np.testing.assert_allclose(np.abs(wave[middles]), 1.0, atol=1e-9)


def test_the_code_stays_below_the_speech() -> None:
    wave = Dcs("023N").wave(np.arange(RATE * 8), None, RATE)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    # Raised-cosine edges: the harmonics over 400 Hz together are 30 dB down.
    assert power[hz > 400].sum() < 1e-3 * power.sum()


@pytest.mark.parametrize("hz", [67.0, 100.0, 156.7, 254.1, 131.23])
def test_tone_frequency_holds_for_a_day(hz: float) -> None:
    day = np.arange(24_000) + 86_400 * RATE
    wave = Ctcss(hz).wave(day, None, RATE)
    np.testing.assert_allclose(wave, np.sin(2 * np.pi * (hz * 86_400 % 1) + 2 * np.pi * hz * np.arange(24_000) / RATE),
                               atol=2e-4)  # fmt: skip


@pytest.mark.parametrize("burst", [120.0, 180.0])
def test_reverse_burst_turns_the_phase_at_the_release(burst: float) -> None:
    released = 5_000
    wave = Ctcss(100.0, burst_deg=burst, tail_s=0.2).wave(np.arange(10_000), released, RATE)
    n = np.arange(10_000)
    np.testing.assert_allclose(wave[:released], np.sin(2 * np.pi * n[:released] / 240), atol=1e-6)
    np.testing.assert_allclose(wave[released:], np.sin(2 * np.pi * (n[released:] / 240 + burst / 360)), atol=1e-6)


def test_turn_off_code_is_the_tone_of_the_bit_rate() -> None:
    wave = Dcs("023N").wave(np.arange(RATE), 12_000, RATE)[12_000:]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 18))
    assert np.argmax(spectrum) * RATE / (1 << 18) == pytest.approx(134.4, abs=0.3)


@pytest.mark.parametrize("hz", [0.0, 29.9, 301.0])
def test_tones_outside_the_band_below_speech_are_refused(hz: float) -> None:
    with pytest.raises(RangeError, match="outside 30"):
        Ctcss(hz)
