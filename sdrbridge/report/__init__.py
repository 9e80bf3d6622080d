"""One self-contained HTML page of a replay: the band, who spoke when, and players.

Time runs from left to right in everything that is drawn: the waterfall with each transmission marked at its
frequency, and under it a line for every channel and every port. Sound is inside the page as FLAC; where that would make
the page larger than `EMBED_LIMIT`, the player points to the file beside the page instead.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from sdrbridge.report import png

EMBED_LIMIT = 40_000_000
"""Bytes of sound that are put into the page itself."""

_TIME_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)


@dataclass(frozen=True, slots=True)
class Band:
    """What one tuner received: power (rows, columns) in dB, time down, lowest frequency first."""

    tuner: str
    center_hz: int
    rate: int
    image_db: NDArray[np.float32]
    seconds_per_row: float


def render(summary: Mapping[str, Any], bands: Sequence[Band], out: Path) -> str:
    """The page for a replay's summary (as `replay --json` prints it), whose audio files lie under `out`."""
    return _Page(summary, out).render(bands)


class _Page:
    def __init__(self, summary: Mapping[str, Any], out: Path) -> None:
        self.summary = summary
        self.out = out
        self.duration = max(float(summary["duration_s"]), 1e-3)
        self.room = EMBED_LIMIT
        self.channels: Mapping[str, Any] = summary["channels"]
        self.ports: Mapping[str, Any] = summary["ports"]

    def render(self, bands: Sequence[Band]) -> str:
        title = escape(str(self.summary["site"]))
        plot = [self._band(band) for band in bands]
        plot += [self._channel_lane(name, channel) for name, channel in self.channels.items()]
        plot += [self._port_lane(name, port) for name, port in self.ports.items()]
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                '<meta charset="utf-8"><meta name="viewport" content="width=device-width">',
                f"<title>{title}: replay</title>",
                f"<style>{_resource('page.css')}</style>",
                f"<h1>{title}</h1>",
                "<p>Who spoke when, how strong, and who heard it. Click a mark to listen.</p>",
                self._facts(),
                f'<div class="plot">{"".join(plot)}{self._axis()}</div>',
                self._transmissions(),
                self._port_table(),
                f"<footer>sdrbridge {escape(str(self.summary.get('version', '')))}</footer>",
                f"<script>{_resource('page.js')}</script>",
                "</html>",
            ]
        )

    def _facts(self) -> str:
        spoken = sum(len(channel["transmissions"]) for channel in self.channels.values())
        facts = [
            (f"{self.duration:.1f} s", "recorded"),
            (f"{spoken}", "transmissions"),
            (f"{len(self.channels)}", "channels"),
            (f"{len(self.summary.get('patches', {}))}", "patches"),
            (f"{self.summary['realtime_factor']:.0f} ×", "real time"),
            (f"{self.summary['dropped_samples']}", "samples lost"),
        ]
        return '<div class="facts">' + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in facts) + "</div>"

    def _across(self, start_s: float, end_s: float) -> str:
        left = 100 * start_s / self.duration
        width = max(0.15, 100 * (end_s - start_s) / self.duration)
        return f"left:{left:.3f}%;width:{width:.3f}%"

    def _band(self, band: Band) -> str:
        low = band.center_hz - band.rate / 2
        scale = "".join(
            f'<i style="top:{p}%">{_megahertz(low + band.rate * (1 - p / 100))}</i>' for p in (6, 28, 50, 72, 94)
        )
        marks = [
            self._mark(band, name, channel, number)
            for name, channel in self.channels.items()
            if channel.get("tuner") == band.tuner and "freq_hz" in channel
            for number in range(len(channel["transmissions"]))
        ]
        shown = 100 * min(1.0, band.seconds_per_row * band.image_db.shape[0] / self.duration)
        picture = base64.b64encode(png.encode(png.paint(band.image_db))).decode()
        image = (
            f'<img alt="Waterfall of {escape(band.tuner)}" style="width:{shown:.3f}%" '
            f'src="data:image/png;base64,{picture}">'
        )
        return (
            f'<div class="frequencies">{escape(band.tuner)}{scale}</div><div class="band">{image}{"".join(marks)}</div>'
        )

    def _mark(self, band: Band, name: str, channel: Mapping[str, Any], number: int) -> str:
        over = channel["transmissions"][number]
        middle = 50 - 100 * (channel["freq_hz"] - band.center_hz) / band.rate
        tall = 100 * max(channel["bandwidth_hz"] / band.rate, 0.02)
        style = f"{self._across(over['start_s'], over['end_s'])};top:{middle - tall / 2:.2f}%;height:{tall:.2f}%"
        label = f"<span>{escape(name)}</span>" if number == 0 else ""
        return (
            f'<button class="mark" data-plays="{_key(name, number)}" title="{escape(_title(name, over))}" '
            f'style="{style}">{label}</button>'
        )

    def _channel_lane(self, name: str, channel: Mapping[str, Any]) -> str:
        bars = [
            f'<button class="{" ".join(("bar", *_flags(over)))}" data-plays="{_key(name, number)}" '
            f'title="{escape(_title(name, over))}" style="{self._across(over["start_s"], over["end_s"])}">'
            f"{escape(_label(over))}</button>"
            for number, over in enumerate(channel["transmissions"])
        ]
        where = _megahertz(channel["freq_hz"]) if "freq_hz" in channel else channel["mode"]
        return _lane(name, where, bars)

    def _port_lane(self, name: str, port: Mapping[str, Any]) -> str:
        bars = [
            f'<button class="bar tx" data-plays="port:{escape(name)}" data-at="{keyed["start_s"]}" '
            f'style="{self._across(keyed["start_s"], keyed["end_s"])}">{escape(", ".join(keyed["from"]))}</button>'
            for keyed in port.get("keyed", [])
        ]
        return _lane(name, "keyed", bars)

    def _axis(self) -> str:
        step = next((s for s in _TIME_STEPS if self.duration / s <= 14), 86400)
        count = int(self.duration * 0.985 / step)
        marks = [
            f'<i style="left:{100 * i * step / self.duration:.3f}%">{_clock(i * step)}</i>' for i in range(1, count + 1)
        ]
        return f'<div></div><div class="axis">{"".join(marks)}</div>'

    def _transmissions(self) -> str:
        overs = [over for channel in self.channels.values() for over in channel["transmissions"]]
        digital = any("nac" in over for over in overs)
        rows = [
            [
                escape(name),
                escape(channel["mode"]),
                f"{over['start_s']:.2f}",
                f"{over['end_s']:.2f}",
                f"{over['snr_db']:.0f} dB" if "snr_db" in over else "—",
                f"{over['level_dbfs']:.0f} dBFS" if "level_dbfs" in over else "—",
                _tone(over),
                *([_who(over)] if digital else []),
                escape(", ".join(over.get("heard_by", [])) or "nobody"),
                self._player(_key(name, number), over.get("audio")),
            ]
            for name, channel in self.channels.items()
            for number, over in enumerate(channel["transmissions"])
        ]
        columns = ["channel", "mode", "start, s", "end, s", "SNR", "level"]
        columns += ["tone or NAC", "who"] if digital else ["tone"]
        columns += ["heard by", "listen"]
        return "<h2>Transmissions</h2>" + _table(columns, rows, numbers={2, 3, 4, 5})

    def _port_table(self) -> str:
        rows = [
            [
                escape(name),
                f"{port['keyed_s']:.2f}",
                self._player(f"port:{escape(name)}", port["audio"]) if "audio" in port else escape(port["iq"]),
            ]
            for name, port in self.ports.items()
            if port.keys() & {"audio", "iq"}
        ]
        if not rows:
            return ""
        return "<h2>What each port would have transmitted</h2>" + _table(
            ["port", "keyed, s", "listen"], rows, numbers={1}
        )

    def _player(self, key: str, file: str | None) -> str:
        if file is None or not (self.out / file).exists():
            return ""
        source = escape(file)
        if (self.out / file).stat().st_size <= self.room:
            samples, rate = soundfile.read(self.out / file, dtype="int16")
            flac = io.BytesIO()
            soundfile.write(flac, samples, rate, format="FLAC", subtype="PCM_16")
            self.room -= flac.tell()
            source = "data:audio/flac;base64," + base64.b64encode(flac.getvalue()).decode()
        return f'<audio id="{key}" controls preload="metadata" src="{source}"></audio>'


def _resource(name: str) -> str:
    return (files("sdrbridge.report") / name).read_text(encoding="utf-8")


def _key(channel: str, number: int) -> str:
    return f"over:{escape(channel)}:{number}"


def _megahertz(hz: float) -> str:
    return f"{hz / 1e6:.4f}".rstrip("0").rstrip(".") + " MHz"


def _clock(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _talker(over: Mapping[str, Any]) -> str:
    """Who talks to whom: `unit 42 (ENGINE 5) to talkgroup 1001`; what is not known is left out."""
    alias = f" ({over['alias']})" if "alias" in over else ""
    said = f"unit {over['source_id']}{alias}" if "source_id" in over else ""
    if "talkgroup" in over:
        said += f" to talkgroup {over['talkgroup']}"
    elif "target_id" in over:
        said += f" to unit {over['target_id']}"
    return said.strip()


def _flags(over: Mapping[str, Any]) -> list[str]:
    return [flag for flag in ("emergency", "encrypted") if over.get(flag)]


def _label(over: Mapping[str, Any]) -> str:
    """What stands in the bar of a transmission."""
    numbers = " ▸ ".join(str(over[key]) for key in ("source_id", "talkgroup", "target_id") if key in over)
    return " · ".join(filter(None, (*_flags(over), numbers, f"{over['end_s'] - over['start_s']:.1f} s")))


def _title(name: str, over: Mapping[str, Any]) -> str:
    """The same in words, for the pointer."""
    nac = f"NAC {over['nac']}" if "nac" in over else ""
    return ", ".join(filter(None, (f"{name} at {over['start_s']:.2f} s", _talker(over), nac, *_flags(over))))


def _who(over: Mapping[str, Any]) -> str:
    """The talker's cell: who to whom, and what is special about it."""
    key = f", key {over['keyid']}" if over.get("encrypted") and "keyid" in over else ""
    algorithm = f" algorithm ${over['algid']:02X}{key}" if over.get("encrypted") and "algid" in over else ""
    flags = [f'<b class="{flag}">{flag}{algorithm if flag == "encrypted" else ""}</b>' for flag in _flags(over)]
    if "silent" in over:
        flags.append(f'<b class="silent">{escape(over["silent"])}</b>')
    return " ".join([escape(_talker(over)) or "—", *flags])


def _tone(over: Mapping[str, Any]) -> str:
    if "nac" in over:
        return f"NAC {escape(over['nac'])}"
    if "ctcss_hz" in over:
        return f"CTCSS {over['ctcss_hz']:.1f}"
    return f"DCS {over['dcs']}" if "dcs" in over else "—"


def _lane(name: str, note: str, bars: Iterable[str]) -> str:
    return f'<div class="name">{escape(name)}<small>{escape(note)}</small></div><div class="lane">{"".join(bars)}</div>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f'<td class="number">{c}</td>' if i in numbers else f"<td>{c}</td>" for i, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
