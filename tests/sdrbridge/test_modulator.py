"""Ports that transmit by themselves: what a site file may say, who is shown to talk, and what is on the air."""

import asyncio
import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, BasebandBlock, IqBlock, RowBlock
from dsp.demod.fm import FmDemodulator
from dsp.p25.frame import Frame
from dsp.p25.link_control import LinkControl
from dsp.p25.receiver import P25Receiver
from dsp.p25.transmitter import SLOWEST_VOCODER, Call
from dsp.vocoder import Vocoder, registry
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, ImbeVocoder
from hw.clock import ManualClock
from hw.errors import DeviceLost, DeviceNotFound, SinkError
from hw.registry import open_source
from hw.soapytx import SoapyTransmitter
from sdrbridge import config, facts
from sdrbridge.config import PortConfig, Site
from sdrbridge.errors import ConfigError, PortError
from sdrbridge.exciter import Caller, Exciter
from sdrbridge.idtable import IdTable
from sdrbridge.matrix import Matrix
from sdrbridge.p25coder import SILENCE
from sdrbridge.patch import Member, Patch
from sdrbridge.plainwords import say
from sdrbridge.port import Loopback, Port
from sdrbridge.ports.iqfile import IqFilePort
from sdrbridge.ports.live import State
from sdrbridge.ports.modulation import FileSink, ModulatorSettings, P25Settings, RadioSink
from sdrbridge.ports.modulator import ModulatorPort, open_port
from sdrbridge.transmission import Facts, Transmission
from tests.hw import fake_soapy
from tests.hw.fake_ambe3000 import AmbeServer, Chip
from tests.hw.fake_soapy import Radio
from tests.support.liveports import Surroundings
from tests.support.speech import speech_like

P25 = """
[[port]]
name = "EAST"
kind = "modulator"
mode = "p25"
freq = "453.2125M"
nac = "$293"
talkgroup = 1001
source_id = 9000
"""
NFM = """
[[port]]
name = "HILL"
kind = "modulator"
mode = "nfm"
freq = "155.34M"
"""
RADIO = P25 + 'sink = "soapy:driver=fake"\nrate = "2M"\ngain = 20\ncenter = "453.1M"\n'


def load(text: str, folder: Path) -> Site:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def read_meta(path: Path) -> dict[str, Any]:
    meta = json.loads(path.read_text())
    assert isinstance(meta, dict)
    return meta


def settings(text: str, folder: Path) -> ModulatorSettings:
    found = load(text, folder).ports[0].settings
    assert isinstance(found, ModulatorSettings)
    return found


def test_what_a_site_file_says(tmp_path: Path) -> None:
    plain = settings(P25, tmp_path)
    assert plain == ModulatorSettings(
        453_212_500,
        453_212_500,
        48_000,
        -3.0,
        P25Settings(0x293, IdTable(1001, 65_535), IdTable(9000, 0xFFFFFF), vocoder="imbe"),
        FileSink(None),
    )
    full = settings(
        RADIO.replace("driver=fake", "driver=fake,serial=7?channel=1&antenna=TX")
        + 'ppm = 1.5\nbuffer_ms = 80\nkeyer = "serial:/dev/ttyUSB0,line=rts"\nlevel_dbfs = -9\nemergency = false\n'
        + 'ids = { "VTAC11/12" = 9001, "12" = "same" }\ntalkgroups = { "1" = 1002 }\n',
        tmp_path,
    )
    assert full.sink == RadioSink("driver=fake,serial=7", 20.0, 1.5, 1, "TX", 80, "serial:/dev/ttyUSB0,line=rts")
    assert (full.center_hz, full.rate, full.level_dbfs) == (453_100_000, 2_000_000, -9.0)
    assert isinstance(full.signal, P25Settings)
    assert full.signal.source_ids.entries == {"VTAC11/12": 9001, "12": "same"}
    assert not full.signal.emergency
    json.dumps(load(RADIO, tmp_path).to_dict())


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (P25, "1001", "65536", "talkgroup = 65536: must lie between 0 and 65535"),
        (P25, "1001", '"a"', 'talkgroup = "a": must be a whole number'),
        (P25, "9000", "16777216", "source_id = 16777216: must lie between 0 and 1.67772e+07"),
        (P25, '"$293"', '"$1000"', 'nac = "$1000": must be 12 bits in hexadecimal, "$000" to "$FFF"'),
        (P25, '"$293"', "293", 'nac = 293: is written in hexadecimal, as text: nac = "$293"'),
        (P25, 'nac = "$293"', "", "nac is missing: the network access code"),
        (P25, "talkgroup = 1001", "", "talkgroup is missing: to whom it talks, 0 to 65535"),
        (P25, "source_id = 9000", "", "source_id is missing: the unit id of talkers that have none in ids"),
        (P25, "source_id", "sourceid", "unknown key sourceid; did you mean"),
        (P25, 'mode = "p25"', 'mode = "p25"\nvocoder = "imbee"', 'vocoder = "imbee": is no vocoder'),
        (NFM, 'mode = "nfm"', 'mode = "nfm"\nvocoder = "imbe"', 'vocoder = "imbe": is not for mode nfm'),
        (P25, "source_id = 9000", 'source_id = 1\nids = { "A" = 16777216 }', 'ids "A" = 16777216: must be a whole'),
        (P25, "source_id = 9000", 'source_id = 1\nids = { "A" = true }', 'ids "A" = true: must be a whole number'),
        (P25, "source_id = 9000", 'source_id = 1\nids = { "A" = "smae" }', 'from 0 to 16777215, or "same"'),
        (P25, "source_id = 9000", "source_id = 1\nids = [1]", "ids = [1]: must be a table"),
        (P25, "source_id = 9000", 'source_id = 1\ntalkgroups = { "7" = 70000 }', 'talkgroups "7" = 70000'),
        (P25, "source_id = 9000", "source_id = 1\nctcss_hz = 100.0", "ctcss_hz = 100.0: is not for mode p25"),
        (P25, '"p25"', '"p52"', 'mode = "p52": must be one of p25, nfm; did you mean "p25"?'),
        (P25, 'mode = "p25"', "", "mode is missing: what it sends: p25 or nfm"),
        (P25, 'freq = "453.2125M"', "", "freq is missing: the frequency of the carrier"),
        (P25, "source_id", 'rate = "8k"\nsource_id', 'rate = "8k": must lie between 20k and 64M'),
        (P25, "source_id", 'center = "453.1M"\nsource_id', "freq = \"453.2125M\": lies outside the band around center"),
        (P25, "source_id", 'sink = "soppy:x"\nsource_id', 'sink = "soppy:x": must be one of file:PATH.sigmf-meta, so'),
        (P25, "source_id", "gain = 3\nsource_id", 'gain = 3: is for sink = "soapy:…" only'),
        (P25, "source_id", 'format = "cs8"\nsource_id', 'format = "cs8": must be one of ci16_le'),
        (RADIO, "gain = 20\n", "", "gain is missing: the gain of the transmitter in dB; it is never chosen for you"),
        (RADIO, 'rate = "2M"\n', "", "rate is missing: samples per second that the device makes"),
        (RADIO, "driver=fake", "fake", "is not soapy:KEY=VALUE"),
        (RADIO, "driver=fake", "driver=fake?chanel=1", "did you mean channel"),
        (RADIO, "driver=fake", "driver=fake?channel=x", "channel = x is not a number"),
        (RADIO, "gain = 20", 'gain = 20\nformat = "cu8"', 'format = "cu8": is for a file'),
        (RADIO, "gain = 20", 'gain = 20\nkeyer = "siral:x"', 'keyer = "siral:x"'),
        (NFM, '"nfm"', '"nfm"\nrate = "2M"', 'rate = "2M": FM is made at multiples of 24k; nearest is "1.992M"'),
        (NFM, '"nfm"', '"nfm"\nnac = "$293"', 'nac = "$293": is not for mode nfm'),
        (NFM, '"nfm"', '"nfm"\nctcss_hz = 101.0', "is not a TIA-603 tone; nearest are 100.0 and 103.5"),
        (NFM, '"nfm"', '"nfm"\nctcss_hz = 100.0\ndcs = "023N"', "a carrier bears one of them"),
        (NFM, '"nfm"', '"nfm"\ndcs = "024N"', "is not a standard code"),
        (NFM, '"nfm"', '"nfm"\nbandwidth = "20k"', 'mode nfm has "12.5k" and "25k"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_limit(tmp_path: Path, text: str, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as problem:
        load(text.replace(old, new, 1), tmp_path)
    assert message in str(problem.value)
    assert "site.toml: [[port]] " in str(problem.value)


def test_numbers_are_looked_up_from_the_narrowest_to_the_widest() -> None:
    table = IdTable(9, 0xFFFF, {"EAST/12": 1, "12": 2, "EAST": 3, "WEST": "same", "7": 0})
    wanted = {
        ("EAST", 12): 1, ("WEST", 12): 2, ("EAST", 13): 3, ("EAST", None): 3, ("WEST", 13): 13, ("NORTH", 7): 0,
        ("WEST", None): 9, ("WEST", 0x10000): 9, ("NORTH", 13): 9, ("NORTH", None): 9,
    }  # fmt: skip
    assert {who: table.of(*who) for who in wanted} == wanted


def test_who_talks_is_shown_as_the_tables_say_and_grows_with_what_is_known() -> None:
    caller = Caller(
        P25Settings(0x293, IdTable(1001, 65_535, {"8": 1008}), IdTable(9000, 0xFFFFFF, {"VTAC11": 9011, "5": 9005}))
    )
    assert caller.call() == Call(1001, 9000)
    over = Transmission.begin("VTAC11", 1, 0)
    caller.talker(over)
    assert caller.call() == Call(1001, 9011)
    over.facts = Facts(source_id=5, talkgroup=8, emergency=True)
    assert caller.call() == Call(1008, 9005, emergency=True)
    caller.talker(None)
    assert caller.call() == Call(1008, 9005, emergency=True)  # the hang time, and the end, still are his
    assert caller.call(keyed=False) is None
    assert caller.call() == Call(1008, 9005)


def test_what_a_modulator_shows_of_a_talker_is_what_its_tables_can_say(tmp_path: Path) -> None:
    for text, shown in (
        (NFM, set()),
        (P25, {"emergency"}),
        (P25 + 'ids = { "A" = 1 }\n', {"emergency", "talker"}),
        (P25 + 'ids = { "A" = 1 }\ntalkgroups = { "1" = 2 }\nemergency = false\n', {"talker", "talkgroup"}),
    ):
        (ability,) = facts.abilities(load(text, tmp_path)).values()
        assert ability.shows == shown
        assert not ability.gives


# On the air.


def heard(path: Path, rate: int = 24_000) -> list[Frame]:
    """What a receiver reads from a recording at a multiple of its rate, with a little noise as on any air."""
    source = open_source(f"file:{path}", base=path.parent)
    block = source.read(1 << 30)
    source.close()
    assert isinstance(block, IqBlock)
    iq = block.samples[:: block.rate // rate]
    noise = np.random.default_rng(5).normal(0, 0.002, (len(iq), 2)) @ np.array([1, 1j])
    receiver = P25Receiver(1, rate, [0x293])
    found = receiver.process(BasebandBlock((iq + noise).astype(np.complex64)[None], rate, 0)) + receiver.flush()
    return [r.frame for r in found]


def words(frames: Sequence[Frame], name: str) -> list[tuple[int | None, int | None, bool]]:
    found = [f.content for f in frames if f.name == name]
    return [(w.talkgroup, w.source, w.emergency) for w in found if isinstance(w, LinkControl)]


def samples_of(path: Path) -> NDArray[np.complex64]:
    source = open_source(f"file:{path}", base=path.parent)
    block = source.read(1 << 30)
    source.close()
    assert isinstance(block, IqBlock)
    return block.samples


def patched(port: IqFilePort, seconds: float, overs: Sequence[tuple[int, float, Facts]]) -> list[NDArray[np.float32]]:
    """Speech of a loopback port through a patch into `port`; returns what was said."""
    talker = Loopback("VTAC11")
    matrix = Matrix(
        [Port("VTAC11", talker, talker), Port("EAST", tx=port)],
        [Patch("p", {"VTAC11": Member(), "EAST": Member()})],
        lambda event: None,
    )
    said = []
    for number, (start, length, known) in enumerate(overs):
        said.append(speech_like(length, seed=number))
        talker.say(start, said[-1], known)
    for now in range(0, round(seconds * AUDIO_RATE), 160):
        matrix.tick(now)
    port.close(round(seconds * AUDIO_RATE))
    return said


def test_patched_speech_is_on_the_air_whole_with_its_talkers(tmp_path: Path) -> None:
    text = P25 + 'ids = { "VTAC11" = 9011, "77" = 9077 }\n'
    port = IqFilePort("EAST", tmp_path / "out", settings(text, tmp_path))
    emergency = Facts(source_id=77, emergency=True)
    patched(port, 6.0, [(4_000, 1.0, Facts()), (24_000, 0.8, emergency)])
    frames = heard(port.path)
    assert all(f.errors == 0 and f.valid for f in frames)
    assert [f.name for f in frames if f.name in ("HDU", "TDULC")] == ["HDU", "TDULC"] * 2
    assert words(frames, "TDULC") == [(1001, 9011, False), (1001, 9077, True)]
    assert set(words(frames, "LDU1")) == {(1001, 9011, False), (1001, 9077, True)}
    # Sample-exact: the carrier begins with the tick that keys, and is off beside the overs.
    (first, second) = port.keyed.intervals
    iq = samples_of(port.path)
    assert len(iq) == 6 * 48_000
    assert 4_000 - 160 <= first[0] <= 4_000 + 160
    on = np.flatnonzero(iq)
    assert on[0] - 6 * first[0] in (0, 1)
    between = iq[6 * first[1] + 48_000 // 2 : 6 * second[0]]
    assert len(between) > 20_000
    assert not between.any()
    assert np.abs(iq[6 * first[0] + 100 : 6 * first[1]]) == pytest.approx(10 ** (-3 / 20), abs=1e-4)
    marks = json.loads(port.path.read_text())["annotations"]
    assert [m["core:comment"] for m in marks] == ["talkgroup 1001, unit 9011", "talkgroup 1001, unit 9077, emergency"]
    assert marks[0]["core:sample_start"] == on[0]


def test_every_frame_is_what_the_encoder_made_of_what_the_port_was_sent(tmp_path: Path) -> None:
    port = IqFilePort("EAST", tmp_path / "out", settings(P25, tmp_path))
    said = speech_like(1.0, seed=3)
    for at in range(0, 16_000, 160):
        inside = 1_600 <= at < 9_600
        port.write(said[at - 1_600 : at - 1_440] if inside else np.zeros(160, np.float32), at, inside)
    port.close()
    voice = [f.data for f in heard(port.path) if f.name == "IMBE"]
    encoder = ImbeEncoder()
    padded = np.concatenate([said, np.zeros(160 * 20, np.float32)])
    coded = [encoder.encode(padded[at : at + 160]).tobytes() for at in range(0, len(padded), 160)][2:]
    assert len(voice) == 54  # 51 frames that touch the speech, to the end of their unit
    assert voice == coded[:54]


def test_carrier_stands_where_the_site_file_puts_it(tmp_path: Path) -> None:
    text = P25 + 'rate = "240k"\ncenter = "453.25M"\nformat = "cf32_le"\nlevel_dbfs = -20\n'
    port = IqFilePort("EAST", tmp_path / "out", settings(text, tmp_path))
    for at in range(0, 4_000, 160):
        port.write(np.zeros(160, np.float32), at, at >= 800)
    port.close()
    iq = samples_of(port.path)[24_500 : 24_500 + 48_000]
    assert np.abs(iq) == pytest.approx(0.1, rel=1e-4)
    spectrum = np.abs(np.fft.fft(iq * np.hanning(len(iq)))) ** 2
    middle = np.sum(spectrum * np.fft.fftfreq(len(iq), 1 / 240_000)) / spectrum.sum()
    assert middle == pytest.approx(-37_500, abs=300)


def test_file_ends_with_the_terminator_even_where_the_replay_ends_in_speech(tmp_path: Path) -> None:
    port = IqFilePort("EAST", tmp_path / "out", settings(P25, tmp_path))
    for at in range(0, 8_000, 160):
        port.write(np.full(160, 0.01, np.float32), at, True)
    port.close(8_000)
    port.close()
    assert words(heard(port.path), "TDULC") == [(1001, 9000, False)]
    with pytest.raises(PortError, match="is closed"):
        port.write(np.zeros(160, np.float32), 8_000, False)


def test_frames_left_out_are_silence_and_the_file_keeps_its_time(tmp_path: Path) -> None:
    port = IqFilePort("EAST", tmp_path / "out", settings(P25, tmp_path))
    for at in (*range(0, 8_000, 160), *range(40_000, 48_000, 160)):
        port.write(np.zeros(160, np.float32), at, True)
    port.close(56_000)
    iq = samples_of(port.path)
    assert len(iq) == 6 * 56_000
    assert not iq[6 * 11_200 : 6 * 40_000].any()
    assert np.abs(iq[6 * 40_000 + 100 : 6 * 48_000]).min() > 0.7
    assert words(heard(port.path), "TDULC") == [(1001, 9000, False)] * 2


def test_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r'port "EAST": .*nowhere'):
        IqFilePort("EAST", tmp_path / "nowhere" / "out", settings(P25, tmp_path))


def test_analog_port_is_heard_by_an_analog_receiver_and_keeps_its_carrier_in_the_tail(tmp_path: Path) -> None:
    text = NFM + 'ctcss_hz = 100.0\nrate = "24k"\nformat = "cf32_le"\n'
    port = IqFilePort("HILL", tmp_path / "out", settings(text, tmp_path))
    tone = (0.5 * np.sin(2 * np.pi * 1_000 / AUDIO_RATE * np.arange(24_000))).astype(np.float32)
    for at in range(0, 24_000, 160):
        port.write(tone[at : at + 160], at, 800 <= at < 8_000 or 8_800 <= at < 16_000)
    port.close()
    iq = samples_of(port.path)
    on = np.flatnonzero(iq)
    # Keyed again within the 180 ms of reverse burst, the carrier stays on.
    assert on[0] == 2_400
    assert on[-1] == 3 * (16_000 + 1_440) - 1
    assert np.abs(iq[2_500 : 3 * 17_000]) == pytest.approx(10 ** (-3 / 20), rel=1e-3)
    out = FmDemodulator(1, 24_000, 2_500.0).process(BasebandBlock(iq[None].copy(), 24_000, 0))
    assert isinstance(out, RowBlock)
    spectrum = np.abs(np.fft.rfft(out.samples[0, 6_000:18_000] * np.hanning(12_000)))
    assert np.argmax(spectrum) == 500  # 1 kHz
    assert spectrum[:100].argmax() == 50  # 100 Hz


# Who speaks.


class Parrot:
    """The encoder of a chip that always says the same."""

    WORD = bytes(range(1, 12))

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.frombuffer(self.WORD, np.uint8)

    def reset(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[AmbeServer]:
    chip = Chip()
    chip.encoder = Parrot()  # type: ignore[assignment]
    server = AmbeServer(chip)
    yield server
    server.close()


def speak(port: IqFilePort, samples: int = 8_000) -> None:
    for at in range(0, samples, 160):
        port.write(speech_like(0.02, seed=1), at, 800 <= at < 4_000)
    port.close()


def voice_of(path: Path) -> set[bytes]:
    frames = heard(path)
    assert words(frames, "TDULC") == [(1001, 9000, False)]
    return {f.data for f in frames if f.name == "IMBE"}


def test_vocoder_of_the_bridge_speaks_for_its_transmitters(server: AmbeServer, tmp_path: Path) -> None:
    text = f'[bridge]\nvocoder = "dvsi:udp:127.0.0.1:{server.port}"\n' + P25
    port = IqFilePort("EAST", tmp_path / "out", settings(text, tmp_path))
    speak(port)
    assert voice_of(port.path) == {Parrot.WORD}
    assert server.chip.frames >= 18


def test_vocoder_of_the_port_goes_before_that_of_the_bridge(server: AmbeServer, tmp_path: Path) -> None:
    text = '[bridge]\nvocoder = "none"\n' + P25 + f'vocoder = "dvsi:udp:127.0.0.1:{server.port}"\n'
    port = IqFilePort("EAST", tmp_path / "out", settings(text, tmp_path))
    speak(port)
    assert voice_of(port.path) == {Parrot.WORD}


def test_without_a_vocoder_the_message_is_silent_and_says_why(tmp_path: Path) -> None:
    port = IqFilePort("EAST", tmp_path / "out", settings('[bridge]\nvocoder = "none"\n' + P25, tmp_path))
    speak(port)
    assert voice_of(port.path) == {SILENCE}
    (mark,) = json.loads(port.path.read_text())["annotations"]
    assert mark["core:comment"] == 'talkgroup 1001, unit 9000 (no vocoder: the site file says vocoder = "none")'


def test_silence_is_silence() -> None:
    decoder = ImbeDecoder()
    for _ in range(5):
        assert np.abs(decoder.decode(np.frombuffer(SILENCE, np.uint8))).max() < 2e-4
        assert not decoder.status.repeated


def test_live_port_without_a_vocoder_says_so_and_speaks_once_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there: list[Vocoder] = []

    def open_vocoder(spec: str) -> Vocoder:
        if not there:
            raise DeviceNotFound(f"{spec}: no such dongle")
        return there[-1]

    monkeypatch.setattr(registry, "open_vocoder", open_vocoder)
    port, around, _ = live(tmp_path, Air())
    assert isinstance(around.clock, ManualClock)
    port.work()
    assert port.health().state is State.DEGRADED
    assert port.health().reason == "no vocoder: imbe: no such dongle"
    there.append(ImbeVocoder())
    port.work()
    assert port.health().state is State.DEGRADED  # not so soon
    around.clock.advance(5.1)
    at = feed(port, 0, 3)
    port.work()
    assert port.health().state is State.DEGRADED  # not in an over
    feed(port, at, 40, keyed=False)
    port.work()
    port.work()
    assert port.health().state is State.UP
    assert [event["reason"] for event in around.events] == ["no vocoder: imbe: no such dongle", ""]


def test_vocoder_that_fails_in_an_over_leaves_silence_and_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Breaks(ImbeVocoder):
        left = 12

        def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
            self.left -= 1
            if not self.left:
                raise DeviceLost("dvsi:/dev/ttyUSB0: was unplugged")
            return super().encode(samples)

    monkeypatch.setattr(registry, "open_vocoder", lambda spec: Breaks())
    port = IqFilePort("EAST", tmp_path / "out", settings(P25, tmp_path))
    speak(port)
    voice = [f.data for f in heard(port.path) if f.name == "IMBE"]
    assert len(voice) == 27
    assert SILENCE not in voice[:9]
    assert set(voice[-9:]) == {SILENCE}
    (mark,) = json.loads(port.path.read_text())["annotations"]
    assert mark["core:comment"].endswith("(the vocoder failed: dvsi:/dev/ttyUSB0: was unplugged)")


def test_vocoder_too_slow_for_the_header_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Slow(ImbeVocoder):
        encoder_delay = SLOWEST_VOCODER + 1

    monkeypatch.setattr(registry, "open_vocoder", lambda spec: Slow())
    port, _, _ = live(tmp_path, Air())
    port.work()
    assert port.health().reason.startswith('no vocoder: "imbe" holds back 641 samples; at most 640')


def test_a_chip_serves_one_stream(tmp_path: Path) -> None:
    radio = (
        '[[tuner]]\nname = "t"\nsource = "file:x.cf32"\ncenter = "155M"\nrate = "48k"\n'
        '[[channel]]\nname = "A"\ntuner = "t"\noffset = 0\nmode = "p25"\n'
    )
    bridge = '[bridge]\nvocoder = "dvsi:/dev/ttyUSB0"\n'
    with pytest.raises(ConfigError, match=r'"EAST": needs the vocoder dvsi:/dev/ttyUSB0, which channel "A" has'):
        load(bridge + radio + P25, tmp_path)
    load(bridge + radio + P25 + 'vocoder = "imbe"\n', tmp_path)
    load(bridge + P25, tmp_path)


# In the daemon.


class Air:
    """A sink in memory; `breaks` is raised by the next write."""

    busy = False

    def __init__(self) -> None:
        self.blocks: list[IqBlock] = []
        self.told: list[str] = []
        self.breaks: Exception | None = None
        self.closed = False

    def write(self, block: IqBlock, about: str) -> None:
        if self.breaks is not None:
            raise self.breaks
        self.blocks.append(block)
        self.told.append(about)

    def close(self) -> None:
        self.closed = True

    def resume(self) -> bool:
        if isinstance(self.breaks, SinkError):
            raise self.breaks
        return False

    def counters(self) -> dict[str, int]:
        return {"blocks": len(self.blocks)}


def live(folder: Path, air: Air | Exception, text: str = RADIO) -> tuple[ModulatorPort, Surroundings, list[Air]]:
    around = Surroundings()
    opened: list[Air] = []

    def open_sink() -> Air:
        if isinstance(air, Exception):
            raise air
        opened.append(air if not opened else Air())
        return opened[-1]

    return ModulatorPort("EAST", settings(text, folder), around.context, open_sink), around, opened


def feed(port: ModulatorPort, start: int, ticks: int, keyed: bool = True) -> int:
    for at in range(start, start + 160 * ticks, 160):
        port.tx.write(np.zeros(160, np.float32), at, keyed)
    return start + 160 * ticks


def test_live_port_sends_what_a_replay_would(tmp_path: Path) -> None:
    air = Air()
    port, _, _ = live(tmp_path, air)
    assert port.health().state is State.DOWN
    port.work()
    assert port.health().state is State.UP
    port.tx.talker(Transmission.begin("VTAC11", 1, 0))
    at = feed(port, 800, 10)
    port.work()
    at = feed(port, at, 20, keyed=False)
    port.work()
    exciter, wanted = Exciter("EAST", settings(RADIO, tmp_path)), []
    exciter.prepare()
    for index in range(800, at, 160):
        wanted += exciter.write(np.zeros(160, np.float32), index, index < 2_400)
    assert np.array_equal(np.concatenate([b.samples for b in air.blocks]), np.concatenate([b.samples for b in wanted]))
    assert air.told[0] == "talkgroup 1001, unit 9000"
    assert [stage.name for stage in port.stages("tx")] == ["P25 header and voice frame", "transmit buffer"]
    assert sum(stage.delay_s for stage in port.stages("tx")) == pytest.approx(0.109 + 0.06, abs=0.002)
    assert port.stages("rx") == ()


def test_device_that_goes_is_a_state_with_a_reason_and_is_tried_again(tmp_path: Path) -> None:
    air = Air()
    port, around, opened = live(tmp_path, air)
    port.work()
    at = feed(port, 0, 5)
    air.breaks = DeviceLost("soapy:driver=fake: was unplugged")
    port.work()
    assert air.closed
    assert port.health().state is State.DOWN
    assert "unplugged" in port.health().reason
    at = feed(port, at, 5)
    # What had been handed over when it went, and what came after.
    assert port.health().counters["tx_dropped_frames"] == 10
    port.work()
    assert len(opened) == 1  # not so soon
    assert isinstance(around.clock, ManualClock)
    around.clock.advance(2.1)
    port.work()
    assert len(opened) == 2
    feed(port, at + 16_000, 5)
    port.work()
    assert any(block.samples.any() for block in opened[1].blocks)
    said = [(event["event"], event["reason"]) for event in around.events]
    gone = "soapy:driver=fake: was unplugged"
    assert said == [("port.health", gone), ("port.gap", gone), ("port.health", "")]
    assert around.events[1]["missing_s"] == pytest.approx(0.2)


def test_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    port, around, _ = live(tmp_path, DeviceNotFound("soapy:driver=fake: no match"))
    port.work()
    feed(port, 0, 3)
    assert "no match" in port.health().reason
    assert around.told == {"port.health": 1}


def test_driver_that_raises_anything_leaves_nobody_unattended(tmp_path: Path) -> None:
    air = Air()
    port, _, _ = live(tmp_path, air)
    port.work()
    feed(port, 0, 1)
    air.breaks = ZeroDivisionError("driver")
    port.work()
    assert "ZeroDivisionError: driver" in port.health().reason


def test_frames_nobody_takes_are_dropped_from_the_oldest_and_counted(tmp_path: Path) -> None:
    port, _, _ = live(tmp_path, Air())
    port.work()
    feed(port, 0, 60)
    assert port.health().counters["tx_dropped_frames"] == 10


def test_amplifier_is_keyed_while_something_is_on_the_air(tmp_path: Path) -> None:
    air = Air()
    port, around, _ = live(tmp_path, air, RADIO + 'keyer = "serial:/dev/ttyUSB0,line=rts"\n')

    async def life() -> None:
        await port.start()
        line = around.handles["EAST"]
        assert line.spec == "serial:/dev/ttyUSB0,line=rts"
        for busy in (False, True, True, False):
            air.busy = busy
            while not port.tx.taken:
                await asyncio.sleep(0)
            feed(port, 0 if not line.changes else 160 * len(line.changes) * 10, 1)
            assert line.keyed == busy
        line.problem = "no such line"
        assert port.health().state is State.DEGRADED
        air.busy = True
        feed(port, 16_000, 1)
        await port.stop()
        assert not line.keyed
        assert air.closed
        assert port.health().reason == "stopped"

    asyncio.run(life())


def test_stopping_in_speech_ends_the_message(tmp_path: Path) -> None:
    file = open_port(PortConfig("EAST", "modulator", settings=settings(P25, tmp_path)), Surroundings().context)
    assert file.health().reason == "not started"

    async def life() -> None:
        around = Surroundings()
        context = around.context
        made = open_port(
            PortConfig("EAST", "modulator", settings=settings(P25 + f'sink = "file:{tmp_path}/live"\n', tmp_path)),
            context,
        )
        await made.start()
        while not made.tx.taken:
            await asyncio.sleep(0)
        feed(made, 8_000, 40)
        await made.stop()
        await made.stop()

    asyncio.run(life())
    assert words(heard(tmp_path / "live.sigmf-meta"), "TDULC") == [(1001, 9000, False)]


class Full:
    """The disk of a SigMF recording: while `full`, half of what is to be written goes there and no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        write, pwrite, sync = os.write, os.pwrite, os.fsync

        def refuse() -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")

        def half(fd: int, data: memoryview) -> int:
            if self.full and len(data) > 16:
                return write(fd, data[: len(data) // 2])
            refuse()
            return write(fd, data)

        def probe(fd: int, data: bytes, at: int) -> int:
            refuse()
            return pwrite(fd, data, at)

        def synced(fd: int) -> None:
            refuse()
            sync(fd)

        monkeypatch.setattr("hw.sigmfwriter.os.write", half)
        monkeypatch.setattr("hw.sigmfwriter.os.pwrite", probe)
        monkeypatch.setattr("hw.sigmfwriter.os.fsync", synced)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Full:
    return Full(monkeypatch)


def to_a_file(folder: Path) -> tuple[ModulatorPort, Surroundings, ManualClock]:
    clock = ManualClock()
    around = Surroundings(clock)
    found = settings(NFM + f'sink = "file:{folder}/live"\n', folder)
    return open_port(PortConfig("EAST", "modulator", settings=found), around.context), around, clock


def test_a_disk_that_is_full_for_a_while_is_a_gap_in_the_file_and_it_goes_on_by_itself(
    tmp_path: Path, disk: Full
) -> None:
    port, around, clock = to_a_file(tmp_path)
    port.work()
    rate = port._settings.rate
    at = feed(port, 0, 40)
    port.work()
    disk.full = True
    at = feed(port, at, 20)
    port.work()
    assert port.health().state is State.DOWN and "disk is full" in port.health().reason
    # It is tried again, in vain, and that is not told anew each time.
    for _ in range(5):
        clock.advance(2.0)
        at = feed(port, at, 20)
        port.work()
    told = [event for event in around.events if event["event"] == "port.health"]
    assert [event["state"] for event in told] == ["down"]
    before = read_meta(tmp_path / "live.sigmf-meta")
    assert len(before["captures"]) == 1
    disk.full = False
    clock.advance(2.0)
    port.work()
    assert port.health().state is State.UP
    back = at
    at = feed(port, at, 30)
    at = feed(port, at, 10, keyed=False)
    port.work()
    port._finish()
    (gap,) = [event for event in around.events if event["event"] == "port.gap"]
    assert "disk is full" in str(gap["reason"])
    # 20 frames came when it was full, of which one may have been written in part, and 100 while it was closed.
    missing_s = gap["missing_s"]
    assert isinstance(missing_s, float) and missing_s == pytest.approx(120 * 0.02, abs=0.02)
    assert port.health().counters["tx_dropped_frames"] == round(missing_s * 50)
    assert say(gap).startswith("EAST: 2.4 s of what it was to send is missing")
    # Sample n is where it was on the air: what was written before is whole, and what comes after is in its place.
    meta = read_meta(tmp_path / "live.sigmf-meta")
    first, second = meta["captures"]
    assert first["core:global_index"] == 0
    place = back * rate // 8000
    assert second["core:global_index"] == pytest.approx(place, abs=rate // 50)
    samples = np.fromfile(tmp_path / "live.sigmf-data", np.int16).astype(np.float32).view(np.complex64) / 32768
    kept = second["core:sample_start"]
    assert kept >= 40 * rate // 50 - rate // 100
    assert np.abs(samples[100:kept]).min() > 0.5 and np.abs(samples[kept + rate // 50 : kept + rate // 2]).min() > 0.5
    # Both transmissions are marked, the first up to the last frame that was written whole.
    one, two = meta["annotations"]
    assert 0 <= kept - one["core:sample_start"] - one["core:sample_count"] < rate // 50
    assert two["core:sample_start"] >= kept


def test_a_recording_that_was_taken_away_to_make_room_begins_anew(tmp_path: Path, disk: Full) -> None:
    port, _, clock = to_a_file(tmp_path)
    port.work()
    at = feed(port, 0, 40)
    port.work()
    disk.full = True
    at = feed(port, at, 20)
    port.work()
    assert port.health().state is State.DOWN
    kept = (tmp_path / "live.sigmf-data").rename(tmp_path / "elsewhere")
    size = kept.stat().st_size
    disk.full = False
    clock.advance(2.0)
    port.work()
    assert port.health().state is State.UP
    feed(port, at, 20)
    port.work()
    port._finish()
    assert kept.stat().st_size == size
    assert (tmp_path / "live.sigmf-data").stat().st_size > 0
    assert len(read_meta(tmp_path / "live.sigmf-meta")["captures"]) == 1


def test_from_the_matrix_to_the_device_every_sample_of_the_message(tmp_path: Path) -> None:
    """The whole way with the real transmitter code: settings, exciter, SoapySDR's calls."""
    radio, clock = Radio(), ManualClock()
    found = settings(RADIO, tmp_path)
    around = Surroundings(clock)
    radios: list[SoapyTransmitter] = []

    class Sink:
        def __init__(self) -> None:
            radios.append(
                SoapyTransmitter(
                    "driver=fake",
                    rate=found.rate,
                    center_hz=found.center_hz,
                    gain_db=20.0,
                    clock=clock,
                    module=fake_soapy.module(radio),
                )
            )
            self.close, self.counters = radios[0].close, radios[0].counters
            self.resume = lambda: False

        @property
        def busy(self) -> bool:
            return radios[0].busy

        def write(self, block: IqBlock, about: str) -> None:
            radios[0].write(block)

    port = ModulatorPort("EAST", found, around.context, Sink)
    port.work()
    at = feed(port, 0, 3)
    port.work()
    at = feed(port, at, 17, keyed=False)
    port.work()
    assert radio.active.wait(10)
    assert radio.marked.wait(10)
    assert clock.until_waiting()
    clock.advance(3.0)
    assert radio.off.wait(10)
    radios[0].close()
    exciter, whole = Exciter("EAST", found), []
    exciter.prepare()
    for index in range(0, at, 160):
        whole += [b.samples for b in exciter.write(np.zeros(160, np.float32), index, index < 480)]
    sent = np.concatenate(whole)
    on = np.flatnonzero(sent)
    assert np.array_equal(radio.bursts[0].samples[: on[-1] + 1 - on[0]], sent[on[0] : on[-1] + 1])
    assert len(on) / found.rate == pytest.approx((396 + 864 + 216 + 20) / 4_800, abs=1e-4)
    assert radio.bursts[0].marked
