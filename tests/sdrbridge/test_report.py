"""The page of a replay: who talks to whom stands where it is looked for."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdrbridge import report
from sdrbridge.cli import run

ROOT = Path(__file__).resolve().parent.parent.parent


class Page(HTMLParser):
    """The table of transmissions by its columns, and the bars of the lanes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.bars: list[tuple[str, str, str]] = []
        self._into: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._into = self.tables[-1][-1]
        elif tag == "button" and "bar" in str(given.get("class")).split():
            self.bars.append((str(given["class"]), str(given.get("title")), ""))
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into:
            self._into[-1] += data
        elif self.bars and self.bars[-1][2] == "":
            self.bars[-1] = (*self.bars[-1][:2], data)

    def column(self, name: str) -> list[str]:
        head, *rows = self.tables[0]
        return [row[head.index(name)] for row in rows]


def over(start_s: float, **facts: object) -> dict[str, Any]:
    return {"id": "x", "start_s": start_s, "end_s": start_s + 2.0, "heard_by": ["B"], **facts}


def page(tmp_path: Path, **channels: list[dict[str, Any]]) -> Page:
    summary = {
        "site": "s",
        "duration_s": 20.0,
        "realtime_factor": 9.0,
        "dropped_samples": 0,
        "channels": {
            name: {"mode": "p25", "tuner": "t", "freq_hz": 155_000_000, "bandwidth_hz": 12_500, "transmissions": overs}
            for name, overs in channels.items()
        },
        "ports": {},
    }
    band = report.Band("t", 155_000_000, 48_000, np.zeros((4, 8), np.float32), 5.0)
    html = report.render(summary, [band], tmp_path)
    assert "None" not in html
    return Page(html)


def test_talkgroup_unit_nac_and_what_is_special(tmp_path: Path) -> None:
    found = page(
        tmp_path,
        A=[
            over(0.0, nac="$293", talkgroup=1001, source_id=42, alias="E<5>", encrypted=False, emergency=True),
            over(3.0, nac="$293", talkgroup=1001, source_id=43, encrypted=True, algid=0x84, keyid=7),
            over(6.0, nac="$2A0", source_id=42, target_id=77),
            over(9.0, nac="$2A0", silent="no vocoder: <none>"),
        ],
        B=[over(12.0, ctcss_hz=100.0)],
    )
    assert found.column("tone or NAC") == ["NAC $293", "NAC $293", "NAC $2A0", "NAC $2A0", "CTCSS 100.0"]
    assert found.column("who") == [
        "unit 42 (E<5>) to talkgroup 1001 emergency",
        "unit 43 to talkgroup 1001 encrypted algorithm $84, key 7",
        "unit 42 to unit 77",
        "— no vocoder: <none>",
        "—",
    ]
    assert found.bars == [
        (
            "bar emergency",
            "A at 0.00 s, unit 42 (E<5>) to talkgroup 1001, NAC $293, emergency",
            "emergency · 42 ▸ 1001 · 2.0 s",
        ),
        (
            "bar encrypted",
            "A at 3.00 s, unit 43 to talkgroup 1001, NAC $293, encrypted",
            "encrypted · 43 ▸ 1001 · 2.0 s",
        ),
        ("bar", "A at 6.00 s, unit 42 to unit 77, NAC $2A0", "42 ▸ 77 · 2.0 s"),
        ("bar", "A at 9.00 s, NAC $2A0", "2.0 s"),
        ("bar", "B at 12.00 s", "2.0 s"),
    ]


def test_a_page_of_analog_channels_has_no_such_columns(tmp_path: Path) -> None:
    found = page(tmp_path, A=[over(0.0, ctcss_hz=100.0)])
    assert "who" not in found.tables[0][0]
    assert found.column("tone") == ["CTCSS 100.0"]


def test_page_of_a_replay_with_p25(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(ROOT / "recordings" / "scene_p25.site.toml"), "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [who for who in found.column("who") if who != "—"] == [
        "unit 5012 to talkgroup 1001",
        "unit 5007 to talkgroup 1001 emergency",
    ]
