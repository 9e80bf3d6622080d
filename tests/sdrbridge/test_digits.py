"""A port that looks for DTMF: its digits are told; muted, others hear its speech sample for sample and no digit."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp.blocks import TICK_SAMPLES
from sdrbridge import config
from sdrbridge.bridge import make_ports
from sdrbridge.digits import HELD, PAUSE, with_digits
from sdrbridge.errors import ConfigError
from sdrbridge.matrix import Matrix
from sdrbridge.patch import Member, Patch
from sdrbridge.plainwords import say
from sdrbridge.port import Audio, Loopback, Port
from sdrbridge.transmission import Transmission
from tests.dsp.tones.test_dtmf import dial

SPEECH = Path(__file__).parent.parent / "data"


def passed_on(said: Audio) -> tuple[Audio, Transmission]:
    """What another port hears of it, and the over."""
    mouth, ear = Loopback("mouth", latency=160), Loopback("ear")
    patch = Patch("p", {"mouth": Member(), "ear": Member()})
    matrix = Matrix([Port("mouth", with_digits(mouth, muted=True)), Port("ear", tx=ear)], [patch], lambda event: None)
    over = mouth.say(1600, said)
    for now in range(0, len(said) + 24_000, TICK_SAMPLES):
        matrix.tick(now)
    return ear.sent(), over


@pytest.mark.parametrize("level", [0.02, 0.4])
@pytest.mark.parametrize("on", [400, 640])
def test_nothing_of_a_digit_is_heard(level: float, on: int) -> None:
    said = dial("0123456789ABCD*#", on, 800, level)
    heard, over = passed_on(said)
    assert over.heard_by == ["ear"] and over.facts.dtmf == "0123456789ABCD*#"
    assert np.mean(heard**2) < 1e-5 * np.mean(said**2)


@pytest.mark.parametrize("name", ["speech_male.8000.flac", "speech_female.8000.flac"])
def test_speech_is_not_touched(name: str) -> None:
    said, _ = soundfile.read(SPEECH / name, dtype="float32")
    port = with_digits(Loopback("plain"), muted=True)
    mouth = port.rx
    assert isinstance(mouth, Loopback)
    over = mouth.say(0, said)
    heard, done = [], 0
    for now in range(0, len(said) + 1600, TICK_SAMPLES):
        port.advance(now)
        port.begun()
        end = port.available() if over.end is None else over.end
        if end > done:
            heard.append(port.read(done, end - done))
            done = end
    assert np.array_equal(np.concatenate(heard), said)
    assert over.facts.dtmf is None


def test_a_digit_in_the_middle_of_speech_costs_only_itself() -> None:
    speech, _ = soundfile.read(SPEECH / "speech_male.8000.flac", dtype="float32")
    said = speech[: 3 * 8000].copy()
    said[8000 : 8000 + 560] = dial("5", 560, 0)
    port = with_digits(Loopback("plain"), muted=True)
    mouth = port.rx
    assert isinstance(mouth, Loopback)
    over = mouth.say(0, said)
    for now in range(0, 26_000, TICK_SAMPLES):
        port.advance(now)
        port.begun()
        port.available()
    heard = port.read(0, len(said))
    assert not heard[8000:8560].any() and over.facts.dtmf == "5"
    assert np.array_equal(heard[: 8000 - 250], said[: 8000 - 250]) and np.array_equal(heard[8900:], said[8900:])


def test_what_it_holds_back_is_declared() -> None:
    mouth = Loopback("mouth")
    port = with_digits(mouth, muted=True)
    assert port is with_digits(mouth, muted=True)
    mouth.say(0, np.full(8000, 0.1, np.float32))
    port.advance(1600)
    port.begun()
    assert mouth.available() - port.available() == HELD == port.stages[0].delay_s * 8000


def test_a_receiver_that_is_gone_leaves_nothing_behind() -> None:
    mouth = Loopback("mouth")
    gone, left = weakref.ref(mouth), with_digits(mouth, muted=True)
    del mouth, left
    gc.collect()
    assert gone() is None


SITE = """
[bridge]
name = "s"
[[port]]
name = "gate"
kind = "loopback"
dtmf = "{}"
[[port]]
name = "ear"
kind = "loopback"
"""


def test_the_site_file_chooses(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    gate, ear = Loopback("gate"), Loopback("ear")
    for word in ("mute", "pass"):
        path.write_text(SITE.format(word))
        ports = make_ports(config.load(path), {}, {"gate": (gate, gate), "ear": (ear, ear)})
        assert ports[0].rx is with_digits(gate, muted=word == "mute") and ports[1].rx is ear
    path.write_text(SITE.format("muted"))
    with pytest.raises(ConfigError, match='"pass" or "mute"; did you mean "mute"'):
        config.load(path)


def test_digits_that_pass_are_told_and_nothing_else_changes() -> None:
    said = dial("911", 500, 700, 0.2)
    mouth, ear = Loopback("mouth", latency=160), Loopback("ear")
    port = with_digits(mouth, muted=False)
    assert port.stages == ()
    events: list[dict[str, object]] = []
    patch = Patch("p", {"mouth": Member(), "ear": Member()})
    matrix = Matrix([Port("mouth", port), Port("ear", tx=ear)], [patch], events.append)
    over = mouth.say(1600, said)
    for now in range(0, len(said) + 24_000, TICK_SAMPLES):
        matrix.tick(now)
    heard = ear.sent()
    first = int(np.flatnonzero(heard)[0]) - int(np.flatnonzero(said)[0])
    assert np.array_equal(heard[first : first + len(said)], said)
    assert over.facts.dtmf == "911"
    (told,) = [event for event in events if event["event"] == "dtmf.digits"]
    assert say(told) == "mouth: DTMF 911 was keyed"
    assert told["port"] == "mouth" and told["over"] == over.id and told["muted"] is False
    # The first digit begins after a pause of 700 samples; a window is 20 ms, every 5 ms.
    assert told["start_s"] == pytest.approx((1600 + 700) / 8000, abs=0.02)
    assert told["end_s"] == pytest.approx((1600 + len(said) - 700) / 8000, abs=0.02)


def test_runs_of_digits_are_told_apart_and_each_as_soon_as_it_is_over() -> None:
    runs = [dial(digits, 500, 700, 0.2) for digits in ("12", "3", "4")]
    pause = np.zeros(PAUSE, np.float32)
    said = np.concatenate([runs[0], pause, runs[1], runs[2][: PAUSE // 2], pause[:1000]])
    mouth = Loopback("mouth")
    events: list[dict[str, object]] = []
    matrix = Matrix([Port("mouth", with_digits(mouth, muted=True))], [], events.append)
    over = mouth.say(0, said)
    for now in range(0, len(said) + 800, TICK_SAMPLES):
        matrix.tick(now)
    told = [event for event in events if event["event"] == "dtmf.digits"]
    assert [event["digits"] for event in told] == ["12", "34"] and over.facts.dtmf == "1234"
    ended, at = told[0]["end_s"], told[0]["t_s"]
    assert isinstance(ended, float) and isinstance(at, float)
    assert at == pytest.approx(ended + PAUSE / 8000, abs=0.05)
    assert told[1]["t_s"] == pytest.approx(len(said) / 8000, abs=0.03)
    assert say(told[1]) == "mouth: DTMF 34 was keyed and kept from the others"


def test_digits_of_an_over_that_lasts_when_the_bridge_ends_are_told() -> None:
    mouth = Loopback("mouth")
    events: list[dict[str, object]] = []
    matrix = Matrix([Port("mouth", with_digits(mouth, muted=False))], [], events.append)
    mouth.say(0, np.concatenate([dial("7", 500, 700, 0.2), np.zeros(8000, np.float32)]))
    for now in range(0, 4800, TICK_SAMPLES):
        matrix.tick(now)
    assert not events
    matrix.end()
    assert [event["event"] for event in events] == ["dtmf.digits", "over.done"]
    assert events[0]["digits"] == events[1]["dtmf"] == "7"


@pytest.mark.parametrize("muted", [True, False])
def test_strides_give_what_ticks_give(muted: bool) -> None:
    said, _ = soundfile.read(SPEECH / "speech_male.8000.flac", dtype="float32")
    said = np.concatenate([said[:16_000], dial("0815", 500, 700, 0.2), said[16_000:], dial("A", 500, 700, 0.2)])
    found = []
    for longest in (1, 50):
        mouth, ear = Loopback("mouth", latency=160, decision=700), Loopback("ear", latency=160)
        events: list[dict[str, object]] = []
        patch = Patch("p", {"mouth": Member(), "ear": Member()})
        matrix = Matrix([Port("mouth", with_digits(mouth, muted)), Port("ear", ear, ear)], [patch], events.append)
        mouth.say(1600, said)
        mouth.say(1600 + len(said) + 9000, said)
        now = calls = 0
        while now < 2 * len(said) + 40_000:
            if longest == 1:
                matrix.tick(now)
                now += TICK_SAMPLES
            else:
                now += matrix.stride(now, longest) * TICK_SAMPLES
            calls += 1
        matrix.settle()
        found.append((events, ear.sent()[: 2 * len(said) + 40_000], calls))
    assert found[0][0] == found[1][0]
    told = [event["digits"] for event in found[0][0] if event["event"] == "dtmf.digits"]
    assert told == ["0815", "A"] * 2
    assert np.array_equal(found[0][1], found[1][1])
    assert found[1][2] < found[0][2] / 10
