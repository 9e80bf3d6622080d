"""How ports and patches are treated: the keys of the site file, what is said of wrong ones, the example that ships."""

from pathlib import Path

import pytest

from sdrbridge.bridge import make_ports
from sdrbridge.config import LegConfig, Site, load
from sdrbridge.errors import ConfigError
from sdrbridge.handling import Handling
from sdrbridge.patch import Leg, Member, Patch
from sdrbridge.port import Loopback

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

SITE = """
[[tuner]]
name = "vhf"
source = "file:vhf.cu8"
center = "155.0M"
rate = "2.4M"

[[channel]]
name = "INPUT"
tuner = "vhf"
freq = "155.34M"
mode = "nfm"
{channel}

[[port]]
name = "radio"
kind = "loopback"
{port}

[[port]]
name = "desk"
kind = "loopback"

[[patch]]
name = "p"
ports = ["INPUT", "radio", "desk"]
{patch}
"""


def read(folder: Path, channel: str = "", port: str = "", patch: str = "") -> Site:
    path = folder / "site.toml"
    path.write_text(SITE.format(channel=channel, port=port, patch=patch))
    return load(path)


def problems(folder: Path, **keys: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(folder, **keys)
    return [p.split("site.toml: ", 1)[1] for p in raised.value.problems]


def test_every_key_of_a_port_and_a_channel(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(b"")
    port = """half_duplex = true
        break_in = "pauses"
        break_in_ms = 200
        busy_tone = true
        rx_gain_db = -3
        tx_gain_db = 2.5
        ident_file = "call.wav"
        ident_s = 900"""
    site = read(tmp_path, "rx_gain_db = 6", port)
    assert site.channels[0].handling == Handling(rx_gain_db=6.0)
    wanted = Handling(-3.0, 2.5, True, "pauses", 200, ident_file=tmp_path / "call.wav", ident_s=900.0)
    assert site.ports[0].half_duplex and site.ports[0].handling == wanted
    loops = {name: Loopback(name) for name in ("INPUT", "radio", "desk")}
    ports = make_ports(site, {"INPUT": loops["INPUT"]}, {n: (loops[n], loops[n]) for n in ("radio", "desk")})
    assert ports[1].half_duplex and ports[1].handling == wanted
    assert ports[2].handling == Handling()


def test_every_key_of_a_patch(tmp_path: Path) -> None:
    legs = 'legs = [{ from = "INPUT", to = "desk", gain_db = -6 }, { from = "desk", to = "radio", muted = true }]'
    site = read(tmp_path, patch=f'mix = ["desk"]\nkerchunk_ms = 400\n{legs}')
    assert site.patches[0].legs == (LegConfig("INPUT", "desk", -6.0), LegConfig("desk", "radio", muted=True))
    patch = Patch.from_config(site.patches[0])
    assert patch.members["desk"] == Member(mixes=True) and patch.members["radio"] == Member()
    assert (patch.rules.mix, patch.rules.kerchunk) == (False, 3200)
    assert patch.leg("INPUT", "desk") == Leg(-6.0) and patch.gain("desk", "radio") == 0.0
    assert Patch.from_config(read(tmp_path, patch="mix = true").patches[0]).rules.mix


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"port": 'break_in = "INPUT"'}, "is for a port with half_duplex = true"),
        ({"port": 'half_duplex = true\nbreak_in = "INPTU"'}, 'or the name of a channel; did you mean "INPUT"?'),
        ({"port": 'half_duplex = true\nbreak_in = "INPUT"\nbreak_in_ms = 200'}, 'goes with break_in = "pauses"'),
        ({"port": "rx_gain_db = 30"}, "rx_gain_db = 30"),
        ({"port": 'ident = "W1_ABC"'}, "has no Morse code for '_'"),
        ({"port": 'ident_file = "cal.wav"'}, "there is no such file"),
        ({"port": "ident_s = 600"}, "goes with ident or ident_file"),
        ({"port": "busy_ton = true"}, 'did you mean "busy_tone"?'),
        ({"channel": "tx_gain_db = 3"}, "unknown key tx_gain_db"),
        ({"patch": 'mix = ["dsek"]'}, 'is no member of this patch that talks; did you mean "desk"?'),
        ({"patch": "kerchunk_ms = 5000"}, "kerchunk_ms = 5000"),
        ({"patch": 'legs = [{ from = "desk", to = "desk" }]'}, "a port never hears itself"),
        ({"patch": 'legs = [{ from = "desk", to = "radoi" }]'}, 'is no member of this patch; did you mean "radio"?'),
        ({"patch": 'legs = [{ from = "desk", to = "radio", gian_db = 3 }]'}, 'did you mean "gain_db"?'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_nearest_right_answer(tmp_path: Path, keys: dict[str, str], said: str) -> None:
    (found,) = problems(tmp_path, **keys)
    assert said in found


def test_the_example_that_ships_is_right() -> None:
    site = load(CONFIGS / "incident.toml")
    county = next(p for p in site.ports if p.name == "county")
    assert county.half_duplex and county.handling.break_in == "COUNTY-IN" and county.handling.ident == "WQXX123"
    assert site.patches[0].mixed == ("dispatch",)
