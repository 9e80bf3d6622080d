"""A P25 channel from its baseband on: how soon it is heard, what encryption does to it, one talker after another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, IqBlock
from dsp.p25.encryption import EncryptionSync
from dsp.p25.link_control import LinkControl
from dsp.p25.modulator import C4fmModulator
from dsp.p25.units import Header, Terminator, Unit, VoiceUnit1, VoiceUnit2
from dsp.vocoder.imbe import ImbeVocoder
from hw.base import SourceInfo
from sdrbridge import config
from sdrbridge.bridge import LineCommon, TunerLine, make_line
from sdrbridge.matrix import Event
from sdrbridge.p25bank import Heard, P25Bank
from sdrbridge.receiver import Receiver
from sdrbridge.transmission import Transmission
from sdrbridge.wire import Audio, Begin, End, Message, Setup
from sdrbridge.worker import TunerRun

RATE = 48_000
NAC = 0x293
INFO = SourceInfo("made", "iq", RATE, 155_000_000, None, None, "cf32_le")
AES = EncryptionSync(bytes(range(9)), 0x84, 7)
FIRE = LinkControl.group_voice(1001, 42)

BLOCK_S = 0.010


def voice() -> tuple[bytes, ...]:
    """A voice unit's frames of a buzz."""
    codec = ImbeVocoder()
    buzz = np.sign(np.sin(2 * np.pi * 120 * np.arange(160 * 14) / AUDIO_RATE)).astype(np.float32) * np.float32(0.2)
    frames = [codec.protect(codec.encode(part)) for part in buzz.reshape(14, 160)]
    return tuple(np.packbits(frame).tobytes() for frame in frames[-9:])


VOICE = voice()


def units(*words: LinkControl | EncryptionSync) -> list[Unit]:
    """Voice units, LDU1 or LDU2 by what each carries."""
    return [VoiceUnit1(NAC, VOICE, w) if isinstance(w, LinkControl) else VoiceUnit2(NAC, VOICE, w) for w in words]


def on_air(*what: Unit, before_s: float = 0.3, after_s: float = 0.7) -> NDArray[np.complex64]:
    modulator = C4fmModulator(RATE)
    sent = [modulator.process(np.concatenate([unit.encode() for unit in what])).samples, modulator.flush().samples]
    silence = [np.zeros(int(s * RATE), np.complex64) for s in (before_s, after_s)]
    x = np.concatenate([silence[0], *sent, silence[1]])
    noise = np.random.default_rng(4).standard_normal((len(x), 2)).astype(np.float32).view(np.complex64)[:, 0]
    return np.asarray(0.3 * x + 0.005 * noise, np.complex64)


class Scene:
    """What a channel makes of samples, 10 ms at a time."""

    def __init__(self, folder: Path, samples: NDArray[np.complex64], squelch: str = "") -> None:
        self.events: list[Event] = []
        self.overs: list[Transmission] = []
        self.heard: list[Heard] = []
        self.speech: dict[str, list[NDArray[np.float32]]] = {}
        self.lateness: list[float] = []
        self.line = line(folder, squelch, self.events, self.overs)
        receiver, (port,) = self.line.receiver, self.line.ports
        assert isinstance(receiver, Receiver)
        done = 0
        for number, at in enumerate(range(0, len(samples), RATE // 100)):
            found = receiver.process(IqBlock(samples[at : at + RATE // 100], RATE, at))
            self.heard += [item.signal for item in found if isinstance(item.signal, Heard)]
            self.line.deliver(found)
            self.line.advance((number + 1) * AUDIO_RATE // 100)
            for over in self.overs:
                parts = self.speech.setdefault(over.id, [])
                done = max(done, over.start)
                end = port.available() if over.end is None else over.end
                if end > done:
                    parts.append(port.read(done, end - done))
                    done = end

    def told(self, kind: str) -> list[str]:
        return [str(e.get("reason")) for e in self.events if e["event"] == kind]

    def loud(self, number: int) -> NDArray[np.bool_]:
        """For each 20 ms of an over whether it sounds."""
        samples = np.concatenate(self.speech[self.overs[number].id])
        frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
        return np.asarray(np.abs(frames).max(axis=1) > 0.02)


def line(folder: Path, squelch: str, events: list[Event], overs: list[Transmission]) -> TunerLine:
    setup = setup_of(folder, squelch)
    common = LineCommon((), setup.vocoder, events.append, overs.append)
    return make_line(setup.tuner, setup.channels, INFO, common)


def setup_of(folder: Path, squelch: str = "") -> Setup:
    path = folder / "site.toml"
    path.write_text(
        '[[tuner]]\nname = "t"\nsource = "file:x.cf32"\ncenter = 155000000\nrate = 48000\n'
        f'[[channel]]\nname = "A"\ntuner = "t"\noffset = 0\nmode = "p25"\n{squelch}\n'
    )
    site = config.load(path)
    return Setup(str(folder), (), site.tuners[0], site.channels)


def call(*words: LinkControl | EncryptionSync, header: EncryptionSync | None = None) -> list[Unit]:
    head: Unit = Header(NAC, header or EncryptionSync(), 0, 1001)
    return [head, *units(*words), Terminator(NAC)]


def test_each_voice_frame_is_known_within_25_ms_and_a_block(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*call(FIRE, EncryptionSync(), FIRE, EncryptionSync())))
    frames = [h for h in scene.heard if h.received.frame.name == "IMBE"]
    assert len(frames) == 36
    for heard in frames:
        last_symbol_s = heard.received.frame.decided / 24_000
        assert heard.known / AUDIO_RATE - last_symbol_s <= 0.025 + BLOCK_S
    bank = scene.line.receiver.banks[0]
    assert isinstance(bank, P25Bank)
    # What is released as silence at the latest is never a frame that was still to come.
    assert all(h.speaks > bank.available(h.known - 1) for h in frames)


def test_a_clear_call_is_heard_from_its_first_frame_to_its_last(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*call(FIRE, EncryptionSync())))
    (over,) = scene.overs
    assert over.end is not None and over.end - over.start == 18 * 160
    assert scene.loud(0)[1:].all()
    facts = over.facts
    assert (facts.talkgroup, facts.source_id, facts.encrypted, facts.nac) == (1001, 42, False, "$293")
    assert facts.ber == 0 and facts.frame_loss == 0 and scene.told("over.close") == ["terminator"]
    first = next(e for e in scene.events if e["event"] == "over.open")
    assert float(str(first["t_s"])) - over.start / AUDIO_RATE <= 0.027 + 0.025 + BLOCK_S


def test_one_wrong_word_of_encryption_mutes_and_a_clear_sync_lets_through(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*call(FIRE, EncryptionSync(), FIRE, AES, FIRE, EncryptionSync(), FIRE)))
    (over,) = scene.overs
    assert over.facts.encrypted is False
    assert len(scene.told("over.muted")) == len(scene.told("over.unmuted")) == 1
    loud = scene.loud(0)
    # The sync is read before the ninth frame of its unit: that frame and the 17 that follow are not spoken.
    assert loud[1:34].all() and loud[54:].all() and not loud[36:52].any()


def test_two_words_of_encryption_make_it_sure_and_nothing_more_is_spoken(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*call(FIRE, EncryptionSync(), FIRE, AES, FIRE, AES, FIRE, AES)))
    (over,) = scene.overs
    assert over.facts.encrypted and over.facts.algid == 0x84 and over.facts.keyid == 7
    assert not scene.loud(0)[37:].any()
    assert scene.told("over.encrypted") == ["encryption sync says AES-256, key 7"]


def test_a_late_entry_without_a_sync_stays_silent_and_says_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*units(FIRE)))
    assert scene.overs == []
    assert scene.told("call.held") == scene.told("call.unheard") == ["nothing known yet"]


def test_the_second_talker_of_a_talkgroup_is_an_over_of_his_own(tmp_path: Path) -> None:
    other = LinkControl.group_voice(1001, 43, emergency=True)
    words = (FIRE, EncryptionSync(), FIRE, EncryptionSync(), other, EncryptionSync(), other)
    scene = Scene(tmp_path, on_air(*call(*words)))
    assert [o.facts.source_id for o in scene.overs] == [42, 43]
    assert [o.facts.emergency for o in scene.overs] == [False, True]
    assert scene.overs[0].end == scene.overs[1].start
    assert scene.told("over.close") == ["another talker", "terminator"]


def test_a_call_whose_end_is_lost_ends_by_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, on_air(*call(FIRE, EncryptionSync())[:-1], after_s=1.2))
    (over,) = scene.overs
    assert over.end is not None and over.on_air_end is not None
    assert over.on_air_end - over.start <= 18 * 160 + 4 * 160
    assert scene.told("over.close") == ["signal lost"]


def test_the_daemons_worker_hands_over_the_same_speech(tmp_path: Path) -> None:
    samples = on_air(*call(FIRE, EncryptionSync()))
    scene = Scene(tmp_path, samples)
    run = TunerRun(setup_of(tmp_path), INFO)
    messages: list[Message] = []
    for at in range(0, len(samples), 700):
        messages += run.take(IqBlock(samples[at : at + 700], RATE, at))
    (begin,), (end,) = ([m for m in messages if isinstance(m, kind)] for kind in (Begin, End))
    assert isinstance(begin, Begin) and isinstance(end, End)
    assert (begin.start, end.end) == (scene.overs[0].start, scene.overs[0].end)
    # The level of speech is told as it was when the end was known, a step before all of it was released.
    assert replace(end.facts, level_dbfs=None) == replace(scene.overs[0].facts, level_dbfs=None)
    sent = np.concatenate([m.array() for m in messages if isinstance(m, Audio)])
    assert np.array_equal(sent, np.concatenate(scene.speech[scene.overs[0].id]))


@pytest.mark.parametrize(("talkgroup", "overs"), [(1001, 1), (1002, 0)])
def test_late_entry_with_a_talkgroup_waits_for_it(tmp_path: Path, talkgroup: int, overs: int) -> None:
    parts = units(FIRE, EncryptionSync(), FIRE)
    scene = Scene(tmp_path, on_air(*parts, Terminator(NAC)), f"squelch = {{ talkgroup = {talkgroup} }}")
    assert len(scene.overs) == overs
    opened = [e for e in scene.events if e["event"] == "over.open"]
    assert all(float(str(e["t_s"])) - scene.overs[0].start / AUDIO_RATE <= 0.37 + BLOCK_S for e in opened)
