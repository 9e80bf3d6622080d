"""[recorder] and [journal] in a site file: what they set, and what is said of a mistake in them."""

import json
from pathlib import Path

import pytest

from sdrbridge.config import load
from sdrbridge.errors import ConfigError
from sdrbridge.keeping import USUAL_JOURNAL, USUAL_RECORDER, JournalConfig, RecorderConfig
from sdrbridge.units import parse_size
from tests.support.site import write_site


def test_both_may_be_left_out(tmp_path: Path) -> None:
    site = load(write_site(tmp_path))
    assert (site.recorder, site.journal) == (USUAL_RECORDER, USUAL_JOURNAL)
    assert site.recorder.record and site.recorder.flac and site.journal.sign_s == 60


def test_what_they_set(tmp_path: Path) -> None:
    more = '[recorder]\nfolder = "kept"\nflac = false\nkeep = "20G"\nfull = "remove-oldest"\n'
    more += '[journal]\nheads = "/media/stick/heads.txt"\nsign_every = 10\nsign_s = 5\nrotate = "1M"\n'
    site = load(write_site(tmp_path, more=more))
    assert site.recorder == RecorderConfig(True, tmp_path / "kept", False, 20 * 10**9, "remove-oldest")
    assert site.journal == JournalConfig(None, Path("/media/stick/heads.txt"), 10, 5.0, 10**6)
    assert json.loads(json.dumps(site.to_dict()))["recorder"]["folder"] == str(tmp_path / "kept")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recorder]\nflc = true", '[recorder]: unknown key flc; did you mean "flac"?'),
        ("[recorder]\nflac = 1", "flac = 1: must be true or false"),
        ('[recorder]\nkeep = "lots"', 'keep: "lots" is not a size; write for example "20G" or "500M"'),
        ('[recorder]\nkeep = "1k"', 'keep = "1k": must be 10000000 bytes or more'),
        ("[recorder]\nkeep = 1.5", 'keep = 1.5: must be a size, e.g. "20G" or "500M"'),
        ('[recorder]\nfull = "remove"', 'must be "stop" or "remove-oldest"; did you mean "remove-oldest"'),
        ("[journal]\nsign_s = 0", "sign_s = 0: must lie between 1 and 3600"),
        ("[journal]\nkey = 1", "[journal]: unknown key key"),
        ("[[journal]]", "must be a table: [journal]"),
        ("[recoder]", 'unknown key recoder; did you mean "recorder"?'),
    ],
)  # fmt: skip
def test_what_is_said_of_a_mistake(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write_site(tmp_path, more=text))
    assert any(said in line for line in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(("text", "size"), [("20G", 20 * 10**9), ("1.5M", 1_500_000), ("64", 64), ("2 TB", 2 * 10**12)])
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size
