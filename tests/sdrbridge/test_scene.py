"""Scene files: what is right is read, what is wrong is said, all of it at once."""

from pathlib import Path

import pytest

from sdrbridge import scene as scenes
from sdrbridge.errors import ConfigError

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "scenes").glob("*.toml"))

GOOD = """
[scene]
rate = "240k"
center = "155.4M"
seconds = 4

[[carrier]]
name = "A"
freq = "155.43M"
mode = "nfm"
bandwidth = "25k"
cn_db = 20
dcs = "023N"

[[carrier.over]]
start_s = 1
tone_hz = 1000
seconds = 1
"""


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "scene.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        scenes.load(path)
    return caught.value.problems


def test_levels_are_worked_out_from_the_noise_in_the_channel(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text(GOOD)
    scene = scenes.load(path)
    (carrier,) = scene.carriers
    assert (scene.name, scene.samples, carrier.offset_hz) == ("night", 960_000, 30_000)
    # −40 dBFS in 240 kHz is −49.8 dBFS in 25 kHz.
    assert carrier.level_dbfs == pytest.approx(20 - 49.82, abs=0.01)
    path.write_text(GOOD.replace("cn_db = 20", "level_dbfs = -29.82"))
    assert scenes.load(path).carriers[0].cn_db == pytest.approx(20, abs=0.01)
    assert carrier.burst_s == 0.18


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (
            'rate = "240k"',
            'rate = "240.1k"',
            "rate = 240100: must be a multiple of 200 from 48k to 20M; nearest is 240000",
        ),
        ('rate = "240k"', "", "rate is missing"),
        ("seconds = 4", "seconds = -1", "seconds = -1: must lie between"),
        ('center = "155.4M"', 'centre = "155.4M"', 'unknown key centre; did you mean "center"'),
        ('center = "155.4M"', 'center = "155,4M"', "is not a frequency"),
        ("seconds = 4", 'seconds = 4\nformat = "cu16"', 'format = "cu16": is not written'),
        ("seconds = 4", "seconds = 4\ngaps = [[1, 0.5], [1.2, 0.1]]", "in order, apart"),
        ("seconds = 4", 'seconds = 4\nstart = "2026-06-01"', "a time with zone"),
        ("seconds = 4", 'seconds = 4\nname = "../up"', "a plain file name"),
        (
            'mode = "nfm"',
            'mode = "fnm"',
            'mode = "fnm": is not sent; modes are nfm, am, usb, lsb, wfm, p25; did you mean',
        ),
        ('bandwidth = "25k"', 'bandwidth = "20k"', 'mode nfm has "12.5k" and "25k"'),
        ('freq = "155.43M"', 'freq = "156.43M"', "lies outside the scene: 155.304M … 155.496M"),
        ('freq = "155.43M"', "", "freq is missing: or offset"),
        ('freq = "155.43M"', 'freq = "155.43M"\noffset = 5', "freq is given too"),
        ("cn_db = 20", "", "cn_db is missing"),
        ("cn_db = 20", "cn_db = 20\nlevel_dbfs = -20", "cn_db is given too"),
        ('dcs = "023N"', 'dcs = "029N"', "three octal digits"),
        ('dcs = "023N"', 'dcs = "023N"\nctcss_hz = 100.0', "a carrier bears one of them"),
        ('dcs = "023N"', 'dcs = "023N"\ntone_deviation_hz = 4000', "must lie between 0 and 2500"),
        ('dcs = "023N"', "fading = { dopler_hz = 3 }", 'unknown key dopler_hz; did you mean "doppler_hz"?'),
        ('dcs = "023N"', "second_ray = { level_db = 3 }", "delay_us is missing"),
        ("start_s = 1", "", "start_s is missing"),
        ("start_s = 1", "start_s = 5", "start_s = 5: must lie between 0 and 4"),
        ("seconds = 1\n", "", "seconds is missing"),
        ("tone_hz = 1000", 'tone_hz = 1000\ntext = "hello"', "text is given too"),
        ("tone_hz = 1000", 'speech = "nowhere.wav"', "there is no such file"),
        ('name = "A"', "", "name is missing"),
        ("[[carrier]]", "[[carier]]", "unknown key carier"),
        ("[scene]", "[scene", "scene.toml: "),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    assert wrong in GOOD
    problems = problems_of(tmp_path, GOOD.replace(wrong, right, 1))
    assert any(said in p for p in problems), problems
    assert all(p.startswith(str(tmp_path)) for p in problems)


def test_all_problems_come_together(tmp_path: Path) -> None:
    text = GOOD.replace("seconds = 4", "seconds = 4\nsede = 1").replace("cn_db = 20", "cn_db = 200")
    text = text.replace("tone_hz = 1000", "tone_hz = 9000") + GOOD[GOOD.index("[[carrier]]") :]
    problems = problems_of(tmp_path, text)
    assert len(problems) == 4
    assert sum("sede" in p or "cn_db = 200" in p or "tone_hz = 9000" in p or 'called "A"' in p for p in problems) == 4


def test_a_tone_on_am_is_refused(tmp_path: Path) -> None:
    assert any("on mode nfm only" in p for p in problems_of(tmp_path, GOOD.replace('"nfm"', '"am"')))


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ('nac = "$293"', "nac = 293", 'is written in hexadecimal, as text: nac = "$293"'),
        ('nac = "$293"', 'nac = "$1293"', 'must be 12 bits in hexadecimal, "$000" to "$FFF"'),
        ('nac = "$293"', "", "nac is missing"),
        ("talkgroup = 7", "", "talkgroup is missing"),
        ("talkgroup = 7", "talkgroup = 65536", "must lie between 0 and 65535"),
        ("source_id = 12", "", "source_id is missing"),
        ("source_id = 13", "source_id = 16777216", "must lie between 0 and"),
        ("source_id = 13", "emergency = 1", "must be true or false"),
        ('mode = "p25"', 'mode = "nfm"', "talkgroup = 7: is sent on mode p25 only, not on nfm"),
        ("talkgroup = 7", "talkgroup = 7\nctcss_hz = 100.0", "is sent on mode nfm only, not on p25"),
    ],
)
def test_each_mistake_of_a_p25_carrier_is_named(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    good = GOOD.replace('mode = "nfm"', 'mode = "p25"').replace('bandwidth = "25k"\n', "")
    good = good.replace('dcs = "023N"', 'nac = "$293"\ntalkgroup = 7\nsource_id = 12') + "source_id = 13\n"
    (tmp_path / "scene.toml").write_text(good, encoding="utf-8")
    plan = scenes.load(tmp_path / "scene.toml").carriers[0]
    assert plan.digital == scenes.DigitalPlan(0x293, 7, 12)
    assert plan.overs[0].source_id == 13
    problems = problems_of(tmp_path, good.replace(wrong, right, 1))
    assert any(said in p for p in problems), problems


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r'did you mean "demo\.toml"'):
        scenes.load(tmp_path / "dmo.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        scenes.load(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="directory"):
        scenes.load(tmp_path)


@pytest.mark.parametrize("path", SHIPPED, ids=[p.stem for p in SHIPPED])
def test_shipped_scenes_are_right(path: Path) -> None:
    assert scenes.load(path).carriers
