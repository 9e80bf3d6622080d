"""The site file: what a good one gives, and what is said of a bad one."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.errors import SourceError
from sdrbridge import vocoders
from sdrbridge.config import PatchConfig, Site, SquelchConfig, TunerConfig, load
from sdrbridge.errors import ConfigError
from sdrbridge.ports.kinds import FileSettings
from sdrbridge.ports.rtpsettings import RtpSettings
from sdrbridge.rtp.address import Address

GOOD = """
[bridge]
name = "command-post"
extra_ctcss_hz = [101.0]

[[tuner]]
name = "vhf"
source = "file:vhf.cu8"
center = "151.40M"
rate = "2.4M"
gain = 30

[[tuner]]
name = "donor"
source = "discriminator:jack.wav"
invert = true

[[channel]]
name = "VTAC11"
tuner = "vhf"
freq = "151.1375M"
mode = "nfm"
bandwidth = "12.5k"
squelch = { ctcss_hz = 156.7 }
priority = 2
agency = "State"

[[channel]]
name = "TOWER"
tuner = "vhf"
offset = "-8.09k"
mode = "am"
bandwidth = "8.33k"
squelch = { snr_db = 8 }

[[channel]]
name = "JACK"
tuner = "donor"
mode = "nfm"
squelch = { dcs = "023n" }

[[port]]
name = "dispatch"
kind = "file"
path = "out/dispatch.wav"
access_ms = 300

[[port]]
name = "monitor"
kind = "loopback"

[[patch]]
name = "command"
ports = ["VTAC11", "dispatch"]
monitors = ["monitor"]
timeout_s = 60
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str) -> Site:
    path = folder / "site.toml"
    path.write_text(text)
    return load(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    for line in caught.value.problems:
        assert line.startswith(str(folder / "site.toml"))
    return [line.removeprefix(f"{folder / 'site.toml'}: ") for line in caught.value.problems]


def test_a_good_file(folder: Path) -> None:
    site = read(folder, GOOD)
    assert site.name == "command-post"
    assert site.extra_ctcss_hz == (101.0,)
    assert site.tuners[0] == TunerConfig("vhf", "file:vhf.cu8", 151_400_000, 2_400_000, gain_db=30.0)
    assert site.tuners[1].invert
    vtac, tower, jack = site.channels
    assert (vtac.freq_hz, vtac.bandwidth_hz, vtac.priority, vtac.agency) == (151_137_500, 12_500, 2, "State")
    assert vtac.offset_from(151_400_000) == -262_500
    assert (tower.offset_hz, tower.bandwidth_hz, tower.squelch) == (-8090, 8330, SquelchConfig(snr_db=8.0))
    assert tower.preset.mode == "am"
    assert jack.squelch.dcs == "023N"
    assert "047I" in jack.squelch.dcs_codes
    assert site.ports[0].settings == FileSettings(folder / "out/dispatch.wav")
    assert site.ports[0].access_ms == 300
    assert site.patches == (PatchConfig("command", ("VTAC11", "dispatch"), ("monitor",), timeout_s=60.0),)
    assert [c.name for c in site.channels_of("vhf")] == ["VTAC11", "TOWER"]
    assert json.loads(json.dumps(site.to_dict()))["patches"][0]["hang_s"] == 0.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('freq = "151.1375M"', 'frq = "151.1375M"', 'unknown key frq; did you mean "freq"?'),
        ('mode = "nfm"\nband', 'mode = "nmf"\nband', 'mode = "nmf": is no mode; modes are nfm, am'),
        ('mode = "am"', 'mode = "dmr"', 'mode = "dmr": is not received by this version'),
        ("156.7", "101.5", "ctcss_hz = 101.5: is not a TIA-603 tone; nearest are 100.0 and 103.5"),
        ('"023n"', '"024N"', 'dcs = "024N": is not a standard code; nearest are 023 and 025'),
        ('"023n"', '"023"', 'dcs = "023": lacks the polarity: "023N" (normal) or "023I" (inverted)'),
        ('"12.5k"', '"20k"', 'bandwidth = "20k": mode nfm has "12.5k" and "25k"; nearest is "25k"'),
        ('"151.1375M"', '"155.1375M"', '"155.1375M": lies outside tuner "vhf", which hears 150.2055M to 152.5945M'),
        ('"151.1375M"', "151.1375", 'freq = 151.1375: is not a whole number of hertz; or is 151.137 MHz meant?'),
        ('ports = ["VTAC11"', 'ports = ["VTAC12"', '"VTAC12": there is no channel or port of that name; did you mean'),
        ('kind = "file"', 'kind = "flie"', 'kind = "flie": is no kind of port'),
        ('kind = "loopback"', 'kind = "sip"', 'kind = "sip": is not in this version'),
        ("access_ms = 300", "access_ms = 9000", "access_ms = 9000: must lie between 0 and 5000"),
        ('tuner = "donor"', 'tuner = "doner"', 'there is no tuner of that name; did you mean "donor"?'),
        ('"file:vhf.cu8"', '"vhf.cu8"', 'for a recording write "file:vhf.cu8"'),
        ('"file:vhf.cu8"', '"fiel:vhf.cu8"', 'did you mean "file"?'),
        ('name = "monitor"', 'name = "VTAC11"', 'the name is used 2 times'),
        ('name = "monitor"', 'name = "a/b"', "which file names cannot have"),
        ('"dispatch"]', '"VTAC11"]', "a port is never patched to itself"),
        ('monitors = ["monitor"]', 'monitors = ["VTAC11"]', "a port is never patched to itself"),
        ("timeout_s = 60", "timeout_s = 0", "timeout_s = 0: must lie between 1 and 3600"),
        ("timeout_s = 60", "timeout_s = nan", "timeout_s = nan: must be a number"),
        ("[bridge]", "[bridges]", 'unknown key bridges; did you mean "bridge"?'),
        ("[[patch]]", "[patch]", "[patch] is one table; write [[patch]]"),
        ("gain = 30", 'gain = "lots"', 'gain = "lots": must be "auto" or a number of dB'),
        ("{ snr_db = 8 }", "{ ctcss_hz = 100.0 }", "ctcss_hz = 100.0: is heard on mode nfm only"),
        ("{ snr_db = 8 }", '{ nac = "$293" }', 'nac = "$293": selects P25 calls, which mode am does not have'),
        ("{ snr_db = 8 }", "{ color_code = 1 }", "selects digital channels"),
        ("[bridge]", '[bridge]\nvocoder = "imb"', 'vocoder = "imb": is no vocoder that is installed'),
        ("{ ctcss_hz = 156.7 }", '{ ctcss_hz = 156.7, dcs = "023N" }', "give one of ctcss_hz and dcs"),
        ('tuner = "donor"\nmode = "nfm"', 'tuner = "donor"\nmode = "am"', "mode must be nfm or p25"),
        ('name = "JACK"', 'name = "JACK"\noffset = 0', "discriminator audio is one channel already"),
        ('offset = "-8.09k"', "", "freq is missing: or offset"),
        ("extra_ctcss_hz = [101.0]", "extra_ctcss_hz = [1000]", "must lie between 60 and 260 Hz"),
        ('gain = 30', 'gain = 30\ninvert = true', "is for discriminator: sources only"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_mistake(folder: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    found = problems(folder, GOOD.replace(old, new, 1))
    assert any(said in line for line in found), found


P25_PAIR = """
[[tuner]]
name = "vhf"
source = "file:vhf.cu8"
center = "151.40M"
rate = "2.4M"

[[tuner]]
name = "donor"
source = "discriminator:jack.wav"

[[channel]]
name = "NORTH"
tuner = "vhf"
offset = 0
mode = "p25"

[[channel]]
name = "SOUTH"
tuner = "donor"
mode = "p25"
"""


@pytest.mark.parametrize("chip", ["dvsi:/dev/ttyUSB0", "dvsi:/dev/ttyUSB0,baud=230400", "dvsi:udp:10.0.0.5"])
def test_a_chip_speaks_for_one_channel(folder: Path, chip: str) -> None:
    bridge, place = f'[bridge]\nvocoder = "{chip}"\n', chip.partition(",")[0]
    assert problems(folder, bridge + P25_PAIR) == [
        f'[[channel]] "SOUTH": needs the vocoder {place}, which channel "NORTH" has; it speaks for one. '
        'vocoder = "imbe" in [bridge] speaks for any number'
    ]
    assert len(read(folder, bridge + P25_PAIR.replace('mode = "p25"', 'mode = "nfm"', 1)).channels) == 2
    assert len(read(folder, P25_PAIR).channels) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dvsi:/dev/ttyUSB0", "dvsi:/dev/ttyUSB0,baud=230400"),
        ("dvsi:udp:10.0.0.5:2460", "dvsi:udp:10.0.0.5"),
    ],
)
def test_a_chip_is_the_same_however_it_is_spelled(one: str, other: str) -> None:
    assert vocoders.claims(one) == vocoders.claims(other) != ()
    assert vocoders.claims(one) != vocoders.claims("dvsi:/dev/ttyUSB1") != vocoders.claims("dvsi:udp:10.0.0.5:2461")
    assert vocoders.claims("imbe") == vocoders.claims("none") == ()


def test_all_problems_are_reported_together(folder: Path) -> None:
    text = GOOD.replace("156.7", "99").replace('"am"', '"an"').replace("access_ms = 300", "acess_ms = 300")
    found = problems(folder, text)
    assert len(found) == 3
    assert any('acess_ms; did you mean "access_ms"?' in line for line in found)


def test_a_broken_table_is_not_complained_of_twice(folder: Path) -> None:
    # The channel is refused; the patch that names it is not blamed for that.
    assert len(problems(folder, GOOD.replace('mode = "nfm"\nband', 'mode = "nmf"\nband'))) == 1


RTP = """
[[port]]
name = "a"
kind = "rtp"
listen = "192.0.2.1:5004"
peers = ["192.0.2.7:5004", "192.0.2.8"]
[[port]]
name = "b"
kind = "rtp"
listen = "[::1]:6000"
peers = ["[::1]:7000"]
codec = "l16"
"""


def test_ports_on_the_network(folder: Path) -> None:
    a, b = read(folder, RTP).ports
    assert a.settings == RtpSettings(
        Address("192.0.2.1", 5004), (Address("192.0.2.7", 5004), Address("192.0.2.8", None))
    )
    assert isinstance(b.settings, RtpSettings) and b.settings.payload_type == 96
    assert json.loads(json.dumps(read(folder, RTP).to_dict()))["ports"][0]["settings"]["listen"]["port"] == 5004


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('listen = "192.0.2.1:5004"\n', "", "listen is missing: address and port of this side"),
        ('"192.0.2.1:5004"', '"0.0.0.0:5004"', "would listen on every network"),
        ('"192.0.2.1:5004"', '"192.0.2.1"', 'lacks the port; e.g. "192.0.2.1:5004"'),
        ('"192.0.2.1:5004"', '"239.1.1.1:5004"', "is a multicast address"),
        ('"192.0.2.1:5004"', '"192.0.2.1:5005"', "RTP has even ports"),
        ('"192.0.2.1:5004"', '"192.0.2.1:70000"', '"70000" is no port; they go from 1 to 65534'),
        (
            '"192.0.2.1:5004"',
            '"localhost:5004"',
            "names are not looked up, so that no name server is needed; write 127",
        ),
        ('"192.0.2.1:5004"', '"127.0.0.1:5004"', "cannot be reached from listen = 127.0.0.1:5004"),
        ('"192.0.2.7:5004"', '"192.0.2.1:5004"', "it would hear itself"),
        ('"192.0.2.7:5004"', '"[::2]:5004"', "is IPv6, and listen = 192.0.2.1:5004 is IPv4"),
        ('"192.0.2.7:5004"', '"192.0.2.8"', "is listed twice"),
        ('"192.0.2.7:5004"', '"[::2:5004"', "is written [ADDRESS]:PORT"),
        ('"192.0.2.7:5004"', '"224.0.0.1:5004"', "is not the address of one machine"),
        ('peers = ["192.0.2.7:5004", "192.0.2.8"]', "peers = []", "nobody would ever be heard"),
        ('peers = ["192.0.2.7:5004", "192.0.2.8"]\n', "", "peers is missing"),
        ('codec = "l16"', 'codec = "pcma"', "must be one of pcmu, l16"),
        ('codec = "l16"', 'codec = "l16"\npayload_type = 0', "does not mean l16 at 8 kHz (RFC 3551); it is 96 to 127"),
        ('codec = "l16"', "payload_type = 8", "does not mean pcmu at 8 kHz (RFC 3551); it is 0, or 96 to 127"),
        ('codec = "l16"', "jitter_min_ms = 100\njitter_max_ms = 60", "is more than jitter_max_ms = 60"),
        ('codec = "l16"', "jitter_max_ms = 300", "must lie between 20 and 160"),
        ('codec = "l16"', "hang_ms = 10", "must lie between 60 and 5000"),
        ('codec = "l16"', "vox_open = 1.0", 'that takes opened_by = "speech"'),
        ('codec = "l16"', 'opened_by = "speach"', 'did you mean "speech"?'),
        ('["[::1]:7000"]', '["::1"]\nsend = "always"', "no peer has a port, so nothing is ever sent"),
        ('"[::1]:6000"', '"[::1]:7000"', "it would hear itself"),
        ('codec = "l16"', 'path = "x"', "is a key of kind"),
    ],
)
def test_what_is_said_of_a_mistake_about_the_network(folder: Path, old: str, new: str, said: str) -> None:
    assert old in RTP
    found = problems(folder, RTP.replace(old, new, 1))
    assert any(said in line for line in found), found


def test_two_ports_may_not_listen_in_one_place(folder: Path) -> None:
    text = RTP.replace("[::1]:6000", "192.0.2.1:5004").replace("[::1]:7000", "192.0.2.9:5004")
    found = problems(folder, text)
    assert len(found) == 2
    assert 'needs UDP port 192.0.2.1:5004, which port "a" has; each needs its own' in found[0]


def test_a_nonstandard_tone_may_be_listed(folder: Path) -> None:
    assert read(folder, GOOD.replace("156.7", "101.0")).channels[0].squelch.ctcss_hz == 101.0


def test_two_patches_may_share_one_port_but_not_two(folder: Path) -> None:
    more = '[[patch]]\nname = "second"\nports = ["VTAC11", "TOWER"]\n'
    assert len(read(folder, GOOD + more).patches) == 2
    found = problems(folder, GOOD + more.replace("TOWER", "dispatch"))
    assert found == [
        '[[patch]] "second" and "command" both carry "VTAC11" to "dispatch", which would hear it twice; '
        "take one of them out of one patch"
    ]


@pytest.mark.parametrize("text", ["[[tuner]\n", "a = \n", "\x00"])
def test_what_is_no_toml_is_refused_with_the_line(folder: Path, text: str) -> None:
    assert "line 1" in problems(folder, text)[0]


def test_a_file_that_is_no_text(folder: Path) -> None:
    (folder / "site.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8 text: byte 8 is 0xff"):
        load(folder / "site.toml")


def test_a_missing_file_gets_the_nearest_name(folder: Path) -> None:
    (folder / "site.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r'there is no such file; did you mean "site.toml"\?'):
        load(folder / "sit.toml")


def test_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        load(folder)


def test_an_empty_file_is_refused(folder: Path) -> None:
    assert "a bridge needs something to hear" in problems(folder, "")[0]


@dataclass
class Facts:
    kind: str = "iq"
    rate: int = 240_000
    center_hz: int | None = 151_100_000


def test_the_band_comes_from_the_probe(folder: Path) -> None:
    path = folder / "site.toml"
    path.write_text(GOOD.replace('center = "151.40M"\nrate = "2.4M"\n', ""))
    load(path, lambda tuner: Facts())
    with pytest.raises(ConfigError, match="lies outside tuner"):
        load(path, lambda tuner: Facts(center_hz=150_000_000))
    with pytest.raises(ConfigError, match="nobody says the centre frequency"):
        load(path, lambda tuner: Facts(center_hz=None))


def test_what_the_probe_finds_wrong_is_a_problem_of_the_tuner(folder: Path) -> None:
    path = folder / "site.toml"
    path.write_text(GOOD)

    def probe(tuner: TunerConfig) -> Facts:
        raise SourceError(f"{tuner.source}: no such file")

    with pytest.raises(ConfigError, match=r'"vhf": file:vhf.cu8: no such file'):
        load(path, probe)


def test_reading_a_site_needs_the_standard_library_only() -> None:
    code = (
        "import sys, sdrbridge.config; print([m for m in ('numpy', 'scipy', 'soundfile', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_SCALARS = st.one_of(st.integers(-9, 10**9), st.booleans(), st.text("ab:/.M1", max_size=4), st.just("155M"))
_VALUES = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3))
_KEYS = st.sampled_from(
    [
        "name",
        "tuner",
        "source",
        "center",
        "rate",
        "gain",
        "freq",
        "offset",
        "mode",
        "bandwidth",
        "kind",
        "ports",
        "hang_s",
    ]
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["tuner", "channel", "port", "patch"]), st.dictionaries(_KEYS, _VALUES, max_size=5)),
        max_size=5,
    )
)
def test_any_values_give_a_site_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, tables: list[tuple[str, dict[str, object]]]
) -> None:
    lines = []
    for table, values in tables:
        lines.append(f"[[{table}]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        load(path)
    except ConfigError as problem:
        assert problem.problems


P25 = """[[tuner]]
name = "t"
source = "file:vhf.cu8"
center = 0
rate = 48000
[[channel]]
name = "A"
tuner = "t"
offset = 0
mode = "p25"
"""


@pytest.mark.parametrize(
    ("squelch", "wanted"),
    [
        ('{ nac = "$293" }', SquelchConfig(nac=0x293)),
        ('{ nac = "0x1f5", talkgroup = 1001 }', SquelchConfig(nac=0x1F5, talkgroups=(1001,))),
        ("{ nac = 0x293, source_id = [1, 16777215] }", SquelchConfig(nac=0x293, source_ids=(1, 16777215))),
    ],
)
def test_p25_calls_are_chosen_by_what_they_say(folder: Path, squelch: str, wanted: SquelchConfig) -> None:
    assert read(folder, P25 + f"squelch = {squelch}\n").channels[0].squelch == wanted


@pytest.mark.parametrize(
    ("squelch", "said"),
    [
        ('{ nac = "$1293" }', 'nac = "$1293": must be three hexadecimal digits'),
        ('{ nac = "gate" }', 'nac = "gate": must be three hexadecimal digits'),
        ("{ snr_db = 8 }", "snr_db = 8: mode p25 opens for what is decoded; it has nac, talkgroup, source_id"),
        ("{ talkgroup = [1, 65536] }", "talkgroup = 65536: must lie between 0 and 65535"),
        ('{ talkgroup = "fire" }', 'talkgroup = "fire": must be a whole number or a list of them'),
        ("{ talkgrup = 1 }", 'unknown key talkgrup; did you mean "talkgroup"?'),
    ],
)
def test_what_is_said_of_a_wrong_p25_squelch(folder: Path, squelch: str, said: str) -> None:
    found = problems(folder, P25 + f"squelch = {squelch}\n")
    assert any(said in line for line in found), found
    assert len(found) == 1
