"""Recordings of the daemon: WAV while the over lasts, FLAC when it is over, and a JSON file that says what it is.

    2026-07-01/120003Z_VTAC11-0042.flac · .json

A day has a folder, and names sort by time. While an over lasts its file is a WAV whose header is right to within a
quarter of a second, and the JSON file says `"state": "open"`; what a killed process left like that is finished by
`recover` at the next start. A FLAC takes the place of its WAV only when it was read back and holds the same samples.

`audio_sha256` is over the samples, 16-bit little-endian, so it is the same for the WAV, the FLAC and any other lossless
copy; it also goes into the journal (`recording.closed`), and so a recording that was changed later is known by it.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from sdrbridge.chain import plain, spell_wall
from sdrbridge.port import Audio
from sdrbridge.wav import WavWriter, mend

Event = dict[str, object]
log = logging.getLogger(__name__)

_BLOCK = 1 << 16


class Recording:
    """One over on the disk. folder: of all recordings. wall: when it began. Raises OSError as the file system does."""

    def __init__(self, folder: Path, over: str, port: str, start: int, wall: datetime) -> None:
        self.id = over
        self.port = port
        self.lost = 0
        """Samples that could not be written in time; silence stands for them."""
        self.facts: Mapping[str, object] = {}
        self.patches: list[str] = []
        self.end: int | None = None
        """On-air index of the sample after the last, once it is known."""
        self.done = False
        """Whether nobody will hear more of it."""
        self._start = start
        self._wall = wall
        self._root = folder
        day = folder / f"{wall.astimezone(UTC):%Y-%m-%d}"
        self._writer = self._create(_fresh(day, f"{wall.astimezone(UTC):%H%M%S}Z_{over}"))
        self.path = self._writer.path
        try:
            self._describe("open")
        except OSError:
            # Without its description a recording is still one; the next start writes it.
            log.warning("%s: cannot be written", self.path.with_suffix(".json"))

    def _create(self, path: Path) -> WavWriter:
        return WavWriter(path)

    def write(self, start: int, samples: Audio) -> None:
        """What was heard from on-air index `start` on; what is missing before it becomes silence."""
        # After an error the file is as it was before; the gap is filled when there is room again.
        self._fill(start)
        self._writer.write(samples)
        self._writer.flush()

    def close(self, flac: bool) -> Event:
        """Finish the file; returns the event that tells of it."""
        if self.end is not None:
            self._fill(self.end)
        self._writer.close()
        wav = audio = self.path
        digest = audio_hash(wav)
        trouble = None
        if flac and self._writer.samples:
            audio, trouble = _compressed(wav, digest)
        # First it is written down, then the WAV goes: a stop in between loses nothing.
        about = self._describe("closed", audio=audio.name, audio_sha256=digest, samples=self._writer.samples)
        if audio != wav:
            wav.unlink()
        event: Event = {"event": "recording.closed", "file": str(audio.relative_to(self._root)), "over": self.id}
        event["begun"] = about["wall"]
        event |= {key: about[key] for key in ("port", "audio_sha256", "duration_s", "lost_s") if key in about}
        return {**event, **({"trouble": trouble} if trouble else {})}

    def _fill(self, until: int) -> None:
        while (gap := until - self._start - self._writer.samples) > 0:
            silence = min(gap, AUDIO_RATE)
            self._writer.write(np.zeros(silence, np.float32))
            self._writer.flush()
            self.lost += silence

    @property
    def size(self) -> int:
        """Bytes on the disk so far, about."""
        return 2 * self._writer.samples

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._writer.abandon()

    def _describe(self, state: str, **more: object) -> dict[str, object]:
        about: dict[str, object] = {
            "state": state,
            "id": self.id,
            "port": self.port,
            "wall": spell_wall(self._wall),
            "start_s": self._start / AUDIO_RATE,
            **self.facts,
            **({"patches": self.patches} if self.patches else {}),
            **more,
        }
        if "samples" in more:
            about["duration_s"] = self._writer.samples / AUDIO_RATE
        if self.lost:
            about["lost_s"] = self.lost / AUDIO_RATE
        _write_json(self.path.with_suffix(".json"), about)
        return about


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recording that a killed process had left open. path: its audio now."""

    path: Path
    event: Event = field(default_factory=dict)


def recover(folder: Path, flac: bool = True, told: Callable[[Event], None] = lambda event: None) -> list[Recovered]:
    """Finish what was left open in a folder of recordings. told: gets an event for each.

    What cannot be finished (a full disk) is left for the next start.
    """
    found = []
    for path in sorted(folder.glob("*/*.wav")):
        side = path.with_suffix(".json")
        about = read_side(side)
        try:
            whole = path.with_suffix(".flac")
            if about.get("state") == "closed" and (about.get("audio") == path.name or _same(whole, about)):
                if about.get("audio") != path.name:
                    path.unlink()
                continue
            samples = mend(path)
            digest = audio_hash(path)
            audio, trouble = _compressed(path, digest) if flac and samples else (path, None)
            fields = {"state": "closed", "audio": audio.name, "audio_sha256": digest, "interrupted": True}
            about = {"id": _id(path), "port": _id(path).rpartition("-")[0], **about, **fields}
            about |= {"samples": samples, "duration_s": samples / AUDIO_RATE}
            _write_json(side, about)
            if audio != path:
                path.unlink()
        except OSError as problem:
            log.warning("%s: cannot be finished: %s", path, problem.strerror or problem)
            continue
        event: Event = {"event": "recording.recovered", "file": str(audio.relative_to(folder)), "over": about["id"]}
        event |= {key: about[key] for key in ("port", "audio_sha256", "duration_s")}
        event["begun"] = about.get("wall")
        event["reason"] = "the program was stopped while it lasted"
        if trouble:
            event["trouble"] = trouble
        told(event)
        found.append(Recovered(audio, event))
    for part in folder.glob("*/*.part"):
        with suppress(OSError):
            part.unlink()
    return found


def read_side(path: Path) -> dict[str, Any]:
    """What a JSON file says of its recording; empty where it cannot be read."""
    try:
        about = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def audio_hash(path: Path) -> str:
    """SHA-256 over the samples of a WAV or FLAC, 16-bit little-endian. Raises OSError where it is neither."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block.astype("<i2").tobytes())
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[NDArray[np.int16]]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(_BLOCK, dtype="int16")):
                yield block
    except RuntimeError as problem:
        raise OSError(5, str(problem), str(path)) from problem


def _compressed(wav: Path, digest: str) -> tuple[Path, str | None]:
    """The FLAC that can take the place of a WAV, or the WAV and why there is none."""
    import soundfile

    flac, part = wav.with_suffix(".flac"), wav.with_suffix(".part")
    try:
        with soundfile.SoundFile(part, "w", AUDIO_RATE, 1, "PCM_16", format="FLAC") as file:
            for block in _blocks(wav):
                file.write(block)
        if audio_hash(part) != digest:
            raise OSError(5, "it does not hold the same samples", str(part))
        part.replace(flac)
    except (OSError, RuntimeError) as problem:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return wav, f"kept as WAV: {getattr(problem, 'strerror', None) or problem}"
    return flac, None


def _same(flac: Path, about: Mapping[str, Any]) -> bool:
    try:
        return audio_hash(flac) == about.get("audio_sha256")
    except OSError:
        return False


def _fresh(day: Path, name: str) -> Path:
    """A name nobody has: the clock may have been set back."""
    path, number = day / f"{name}.wav", 2
    while any(path.with_suffix(suffix).exists() for suffix in (".wav", ".flac", ".json")):
        path, number = day / f"{name}_{number}.wav", number + 1
    return path


def _id(path: Path) -> str:
    """The over's id in a file name."""
    return path.stem.partition("_")[2] or path.stem


def _write_json(path: Path, about: Mapping[str, object]) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(plain(about), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def begun_at(now: datetime, age: int) -> datetime:
    """The time of day `age` samples ago."""
    return now - timedelta(seconds=age / AUDIO_RATE)
