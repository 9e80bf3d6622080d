"""What the bridge says itself: busy tone, alignment tone, station identification."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp import morse, sounds
from dsp.errors import RangeError
from sdrbridge.announcer import PATIENCE, UNDER_SPEECH, Announcer, Situation, recorded
from sdrbridge.errors import PortError
from sdrbridge.handling import Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Audio, Loopback, Port
from tests.sdrbridge.test_matrix import members, noise

TICK = 160
IDLE = Situation(None, False, False)


def tone_hz(x: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    return float(np.argmax(spectrum)) * 8000 / len(x)


def test_morse_code_is_that_of_the_table() -> None:
    # PARIS and the pause after it are the 50 dots that speed is counted by.
    assert morse.marks("PARIS PARIS")[14][0] == 50
    assert morse.marks("et") == [(0, 1), (4, 7)]
    assert len(set(morse.CODE.values())) == len(morse.CODE)
    with pytest.raises(RangeError, match="'#' in 'W#' has no Morse code"):
        morse.marks("W#")


def test_a_call_sign_is_keyed_at_the_speed_and_level_said() -> None:
    x = sounds.call_sign("e t", words_per_minute=20, level_dbfs=-20.0)
    # A dot is 60 ms: one for E, seven for the space, three for T.
    assert len(x) == 11 * 480
    assert x[:480].any() and not x[480 : 8 * 480].any() and x[8 * 480 :].any()
    assert np.abs(x).max() == pytest.approx(0.1, rel=0.01)
    assert tone_hz(x[8 * 480 :]) == pytest.approx(750, abs=6)
    assert np.abs(np.diff(x)).max() < 0.1 * 2 * np.pi * 750 / 8000 * 1.1


def test_the_alignment_tone_has_its_level_whatever_the_cut() -> None:
    whole = sounds.alignment(0, 8000, 8000, -10.0)
    parts = np.concatenate([sounds.alignment(at, 160, 8000, -10.0) for at in range(0, 8000, 160)])
    np.testing.assert_array_equal(parts, whole)
    middle = whole[800:-800]
    assert 20 * np.log10(np.sqrt(2 * np.mean(middle**2))) == pytest.approx(-10.0, abs=0.01)
    assert tone_hz(middle) == pytest.approx(1000, abs=2)
    assert not sounds.alignment(8000, 160, 8000, -10.0).any()


def test_polite_sounds_wait_for_a_pause_and_then_go_under_the_speech() -> None:
    announcer = Announcer()
    announcer.say(recorded("ident", np.ones(400, np.float32), polite=True), 0)
    assert announcer.step(0, Situation(0, True, False)) == (False, [])
    assert announcer.step(160, Situation(None, False, True)) == (False, [])
    assert announcer.step(320, IDLE) == (True, [])
    assert announcer.step(480, Situation(500, False, False)) == (True, [])
    assert announcer.step(640, Situation(500, False, False)) == (True, ["ident"])
    played = announcer.play(False)
    assert played is not None and played[1:] == (1.0, 1.0)
    # Somebody begins to talk: the rest goes on under him.
    announcer.step(800, Situation(500, True, False))
    played = announcer.play(True)
    assert played is not None and played[1:] == (1.0, UNDER_SPEECH)
    announcer.say(recorded("ident", np.ones(400, np.float32), polite=True), 1000)
    announcer.reset()
    announcer.say(recorded("ident", np.ones(400, np.float32), polite=True), 0)
    assert announcer.step(PATIENCE - 160, Situation(0, True, False)) == (False, [])
    assert announcer.step(PATIENCE, Situation(0, True, False)) == (True, ["ident"])


class Scene:
    """Three loopback ports, B with a handling of its own."""

    def __init__(self, handling: Handling, access_ms: int = 0, half_duplex: bool = False, hang: int = 0) -> None:
        self.loops = {n: Loopback(n, keep=1 << 22, latency=240) for n in "ABC"}
        self.events: list[Event] = []
        x = self.loops
        b = Port("B", x["B"], x["B"], 0, access_ms, half_duplex, handling)
        patch = Patch("p", members("A", "B", "C"), rules=Rules(hang=hang))
        self.matrix = Matrix([Port("A", x["A"], x["A"]), b, Port("C", x["C"], x["C"])], [patch], self.events.append)
        self.now = 0

    def run(self, until: int, stride: int = 1) -> None:
        while self.now < until:
            self.now += self.matrix.stride(self.now, min(stride, (until - self.now) // TICK)) * TICK
        self.matrix.settle()

    def announced(self) -> list[tuple[object, object]]:
        return [(e["port"], e["what"]) for e in self.events if e["event"] == "port.announced"]


def test_who_is_refused_on_a_full_duplex_port_hears_the_busy_tone_at_once() -> None:
    s = Scene(Handling(busy_tone=True))
    quiet = Scene(Handling())
    for scene in (s, quiet):
        scene.loops["A"].say(0, noise(16000, 1))
        scene.loops["B"].say(4000, noise(4000, 2))
        scene.run(32000)
    assert s.announced() == [("B", "busy tone")]
    added = s.loops["B"].sent() - quiet.loops["B"].sent()
    at = np.flatnonzero(np.abs(added) > 1e-6)
    assert 4240 <= at[0] <= 4240 + 2 * TICK and at[-1] - at[0] < 6000
    # Under the speech of the holder it is 14 dB lower.
    assert np.abs(added).max() == pytest.approx(0.1 * UNDER_SPEECH * 2**0.5, rel=0.05)
    (gave_up,) = [e for e in s.events if e["event"] == "floor.gave_up"]
    assert float(str(gave_up["blocked_s"])) == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(s.loops["C"].sent(), quiet.loops["C"].sent())


def test_an_alignment_tone_keys_the_port_and_waits_for_its_transmitter() -> None:
    s = Scene(Handling(tx_gain_db=-6.0), access_ms=200)
    s.matrix.align("B", -10.0, 8000)
    s.run(16000)
    got = s.loops["B"].sent()
    ((start, end),) = s.loops["B"].keyed.intervals
    first, last = np.flatnonzero(got)[[0, -1]]
    assert 1600 <= first - start <= 1600 + TICK and last - first + 1 == pytest.approx(8000, abs=4)
    assert end - last < 3 * TICK
    level = 20 * np.log10(np.sqrt(2 * np.mean(got[first + 800 : last - 800] ** 2)))
    assert level == pytest.approx(-16.0, abs=0.02)
    assert not s.loops["A"].sent().any()
    s.matrix.align("B", -10.0, 80_000)
    s.run(s.now + 8000)
    assert s.matrix.align_stop("B") and not s.matrix.align_stop("B")
    s.run(s.now + 320)
    assert not s.matrix.keyed("B")
    with pytest.raises(PortError, match="must lie between"):
        s.matrix.align("B", 3.0, 8000)


@pytest.mark.parametrize("stride", [1, 50])
def test_a_station_identifies_itself_once_an_interval_of_use_and_never_over_speech(stride: int) -> None:
    s = Scene(Handling(ident="W1AW", ident_s=30), access_ms=100, hang=800)
    ident = sounds.call_sign("W1AW")
    for at in (8000, 200_000, 236_000):
        s.loops["A"].say(at, noise(24_000, at))
    s.run(60 * 8000, stride)
    assert s.announced() == [("B", "station identification")]
    got = s.loops["B"].sent()
    # Due 30 s after the first use, in the middle of the third over: it waits for the end of it.
    tail = got[int(np.flatnonzero(np.abs(got) > 0.11)[-1]) + 1 :]
    heard, wanted = (x[np.flatnonzero(np.abs(x) > 1e-3)[0] :] for x in (tail, ident))
    np.testing.assert_allclose(heard[: len(wanted)], wanted, atol=1e-6)
    assert not heard[len(wanted) :].any()
    # Used again after that: it is due again, and the bridge keys for it when all is quiet.
    s.run(150 * 8000, stride)
    assert len(s.announced()) == 1
    s.loops["C"].say(150 * 8000, noise(8000, 5))
    s.run(185 * 8000, stride)
    assert len(s.announced()) == 2
    assert len(s.loops["B"].keyed.intervals) >= 4


def test_a_port_cut_off_in_the_middle_says_its_call_sign_anew_and_whole_and_nothing_else() -> None:
    s = Scene(Handling(ident="W1AW", ident_s=30, busy_tone=True), access_ms=100)
    ident = sounds.call_sign("W1AW")
    s.loops["A"].say(0, noise(8000, 1))
    while not s.announced():
        s.run(s.now + TICK)
    s.run(s.now + 8000)
    s.matrix.mute_port("B", rx=False, tx=True)
    cut = s.now
    s.run(cut + 24_000)
    s.matrix.mute_port("B", rx=False, tx=False)
    s.run(s.now + 80_000)
    got = s.loops["B"].sent()
    assert not got[cut + 40 : cut + 24_000].any()
    again = got[cut + 24_000 :]
    first = int(np.flatnonzero(again)[0])
    assert first >= 800
    np.testing.assert_allclose(again[first : first + len(ident) - 1], ident[1:], atol=1e-6)
    assert len(s.announced()) == 2 and not s.matrix.keyed("B")
    # A tone that was asked for before it was cut off is not taken up again.
    s.matrix.align("B", -20.0, 80_000)
    s.run(s.now + 8000)
    s.matrix.mute_port("B", rx=False, tx=True)
    s.run(s.now + 8000)
    s.matrix.mute_port("B", rx=False, tx=False)
    s.run(s.now + 8000)
    assert not s.matrix.keyed("B") and not s.matrix.align_stop("B")


def test_a_call_sign_from_a_file_is_brought_to_the_rate_of_the_bridge(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    t = np.arange(16000) / 16000
    soundfile.write(path, np.stack([0.2 * np.sin(2 * np.pi * 500 * t)] * 2, axis=1), 16000)
    s = Scene(Handling(ident_file=path, ident_s=30))
    s.loops["A"].say(0, noise(800, 1))
    s.run(40 * 8000, 50)
    got = s.loops["B"].sent()[31 * 8000 - 4000 :]
    spoken = got[np.flatnonzero(np.abs(got) > 1e-4)[0] :][:7900]
    assert tone_hz(spoken) == pytest.approx(500, abs=2)
    path.write_bytes(b"no sound")
    with pytest.raises(PortError, match=r'port "B": ident_file .*call\.wav'):
        Scene(Handling(ident_file=path))
