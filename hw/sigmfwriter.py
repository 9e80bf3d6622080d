"""Writing SigMF so that whatever stops it leaves a recording that can be read.

The metadata is on disk, whole and valid, before the first sample, and is replaced atomically (written beside, then
renamed) at every gap, about once a second while there are annotations to add, and at the end. Samples go to the
operating system with every block, without a buffer of our own: a kill loses none that were written. SigMF metadata does
not hold the length, so samples beyond what it knew of are simply there.

A disk that is full closes it. `resume` goes on with it when there is room again; what could not be written is lost like
other samples.

Samples that were lost begin a new capture with `core:global_index`: nothing is invented and the recording keeps its
length. After `MAX_CAPTURES` of them, a source that loses samples all the time, gaps are filled with zeros instead and
`core:description` says so; metadata must not grow without bound.
"""

import bisect
import contextlib
import errno
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from dsp.blocks import IqBlock
from dsp.convert import WRITABLE_TYPES, SampleType, from_complex, sample_type
from dsp.errors import RangeError
from hw.errors import SinkError

SIGMF_VERSION = "1.2.0"
MAX_CAPTURES = 5_000
MAX_ANNOTATIONS = 5_000
MAX_TEXT = 200
"""Characters of a label or comment that are kept."""

_PROMPT_CAPTURES = 100
"""Gaps whose metadata is written at once; further ones wait for the next second."""


@dataclass(frozen=True, slots=True)
class _Annotation:
    start: int
    count: int
    low_hz: float | None
    high_hz: float | None
    label: str
    comment: str


class SigmfWriter:
    """An open recording. Use `create`, then `write`, `annotate` and `close`, or `with`."""

    def __init__(self, meta_path: Path, data: FileIO, kind: SampleType, rate: int, header: dict[str, Any]) -> None:
        self.path = meta_path
        self.kind = kind
        self.rate = rate
        self.samples = 0
        self.lost = 0
        self.gaps = 0
        self.clipped = 0
        self.annotations_dropped = 0
        self._data: FileIO | None = data
        self._data_path = Path(str(data.name))
        self._header = header
        self._origin: int | None = None
        self._next = 0
        # First sample in the file, and its index counted from the first block, of each capture.
        self._captures: list[tuple[int, int]] = [(0, 0)]
        self._annotations: list[_Annotation] = []
        self._filled = 0
        self._dirty = False
        self._written_at = 0
        self._known = 0

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        rate: int,
        center_hz: int | None = None,
        sample_type: str = "cf32_le",
        start: datetime | None = None,
        hardware: str | None = None,
        description: str | None = None,
        recorder: str = "sdrbridge",
        overwrite: bool = False,
    ) -> Self:
        """Create `PATH.sigmf-meta` and `PATH.sigmf-data` (either suffix may be given) and write the metadata.

        rate: samples per second, at least 1. center_hz: frequency of 0 Hz. sample_type: one of
        `dsp.convert.WRITABLE_TYPES`. start: time of the first sample, with time zone. hardware, description, recorder:
        free text.
        Raises `SinkError` if the folder is not there, may not be written, or the recording exists already.
        """
        kind = _writable(sample_type, path)
        if rate < 1:
            raise SinkError(f"{path}: rate = {rate} is no sample rate")
        if start is not None and start.tzinfo is None:
            raise SinkError(f"{path}: start = {start} has no time zone; SigMF times are UTC")
        stem = path.name.removesuffix(".sigmf-meta").removesuffix(".sigmf-data")
        meta_path, data_path = path.with_name(stem + ".sigmf-meta"), path.with_name(stem + ".sigmf-data")
        if not overwrite and meta_path.exists():
            raise SinkError(f"{meta_path} exists already; choose another name or remove it")
        header = {"center_hz": center_hz, "start": start, "hw": hardware, "about": description, "recorder": recorder}
        try:
            data = data_path.open("wb" if overwrite else "xb", buffering=0)
        except FileExistsError as e:
            raise SinkError(f"{data_path} exists already; choose another name or remove it") from e
        except FileNotFoundError as e:
            raise SinkError(f"{data_path}: the folder {data_path.parent} is not there; create it first") from e
        except OSError as e:
            raise SinkError(f"{data_path}: cannot be written: {e.strerror}") from e
        writer = cls(meta_path, data, kind, rate, header)
        try:
            writer._write_metadata()
        except OSError as e:
            data.close()
            with contextlib.suppress(OSError):
                data_path.unlink()
            raise SinkError(f"{meta_path}: cannot be written: {e.strerror}") from e
        return writer

    def write(self, block: IqBlock) -> None:
        """Append a block. Its index says whether samples were lost before it.

        Raises `SinkError` when the disk is full or fails, after what was written has been closed properly; ValueError
        for a block of another rate or one that goes back in time.
        """
        if self._data is None:
            raise SinkError(f"{self.path} is closed")
        if block.rate != self.rate:
            raise ValueError(f"{self.path}: a block at rate {block.rate} in a recording at {self.rate}")
        if self._origin is None:
            self._origin = self._next = block.index
        if block.index < self._next:
            raise ValueError(f"{self.path}: a block at index {block.index} after samples up to {self._next}")
        raw, clipped = from_complex(block.samples, self.kind)
        try:
            if block.index > self._next:
                self._gap(block.index - self._next)
            self._append(raw.data, len(raw))
            self._next = block.end
            self.clipped += clipped
            if self._dirty and self.samples - self._written_at >= self.rate:
                self._write_metadata()
        except OSError as e:
            raise SinkError(self._give_up(e)) from e

    def resume(self) -> bool:
        """After a failed write: open it again and go on behind what was written. False where it is not there any more.

        Raises `SinkError` while the disk has no room for a second of samples and for the metadata.
        """
        if self._data is not None:
            return True
        whole = self.samples * self.kind.size
        try:
            data = self._data_path.open("r+b", buffering=0)
        except FileNotFoundError:
            return False
        except OSError as e:
            raise SinkError(f"{self._data_path}: cannot be written: {e.strerror}") from e
        try:
            if os.fstat(data.fileno()).st_size < whole:
                data.close()
                return False
            del self._captures[self._known :]
            os.ftruncate(data.fileno(), whole)
            data.seek(0, os.SEEK_END)
            self._probe(data.fileno(), whole)
            self._write_metadata()
        except OSError as e:
            data.close()
            raise SinkError(f"{self._data_path}: cannot be written: {e.strerror}") from e
        first, index = self._captures[-1]
        self._next = (self._origin or 0) + index + self.samples - first
        self._data = data
        return True

    def _probe(self, fd: int, whole: int) -> None:
        """Whether a second of samples finds room behind what is there."""
        block = bytes(self.rate * self.kind.size)
        try:
            at = 0
            while at < len(block):
                at += os.pwrite(fd, block[at:], whole + at)
        finally:
            os.ftruncate(fd, whole)

    def annotate(
        self,
        start_sample: int,
        count: int,
        low_hz: float | None = None,
        high_hz: float | None = None,
        label: str = "",
        comment: str = "",
    ) -> None:
        """Mark `count` samples from index `start_sample` (as in `IqBlock.index`), between two on-air frequencies in Hz.

        May run ahead of or behind the writing. After `MAX_ANNOTATIONS`, further ones are only counted.
        """
        if len(self._annotations) == MAX_ANNOTATIONS:
            self.annotations_dropped += 1
            return
        mark = _Annotation(start_sample, count, low_hz, high_hz, label[:MAX_TEXT], comment[:MAX_TEXT])
        self._annotations.append(mark)
        self._dirty = True

    def close(self) -> None:
        """Write the last metadata and close. May be called twice. Raises `SinkError` if that cannot be written."""
        if self._data is None:
            return
        try:
            self._write_metadata()
        except OSError as e:
            raise SinkError(self._give_up(e)) from e
        finally:
            if self._data is not None:
                self._data.close()
                self._data = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _gap(self, count: int) -> None:
        self.gaps += 1
        self.lost += count
        if len(self._captures) < MAX_CAPTURES:
            assert self._origin is not None
            self._captures.append((self.samples, self._next + count - self._origin))
            self._dirty = True
            if len(self._captures) <= _PROMPT_CAPTURES:
                # Before the samples behind the gap, or a kill would leave them in the wrong place.
                self._write_metadata()
            return
        zeros, _ = from_complex(np.zeros(min(count, 65536), np.complex64), self.kind)
        left = count
        while left:
            n = min(left, 65536)
            self._append(zeros.data, n * self.kind.size)
            left -= n
        self._filled += count
        self._dirty = True

    def _append(self, raw: memoryview, size: int) -> None:
        assert self._data is not None
        at = 0
        while at < size:
            at += os.write(self._data.fileno(), raw[at:size])
        self.samples += size // self.kind.size

    def _give_up(self, error: OSError) -> str:
        """Cut the data to whole samples, save what metadata can be saved, close; returns the message."""
        data, self._data = self._data, None
        if data is not None:
            with contextlib.suppress(OSError):
                whole = os.fstat(data.fileno()).st_size // self.kind.size
                os.ftruncate(data.fileno(), whole * self.kind.size)
                self.samples = whole
            try:
                self._write_metadata()
            except OSError:
                if len(self._captures) > self._known:
                    # Samples behind a gap that the metadata does not know would be heard at the wrong time.
                    self.samples = self._captures[self._known][0]
                    with contextlib.suppress(OSError):
                        os.ftruncate(data.fileno(), self.samples * self.kind.size)
            with contextlib.suppress(OSError):
                data.close()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        why = "the disk is full or a size limit was met" if full else f"cannot be written: {error.strerror}"
        return f"{self._data_path}: {why} after {self.samples / self.rate:.3f} s; what was written can be read"

    def _write_metadata(self) -> None:
        text = json.dumps(self._metadata(), indent=1, allow_nan=False)
        beside = self.path.with_name(f".{self.path.name}.tmp")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        self._dirty = False
        self._written_at = self.samples
        self._known = len(self._captures)

    def _metadata(self) -> dict[str, Any]:
        h = self._header
        about = [h["about"]] if h["about"] else []
        if self._filled:
            about.append(f"{self._filled} lost samples after capture {MAX_CAPTURES} are zeros")
        if self.annotations_dropped:
            about.append(f"{self.annotations_dropped} annotations over {MAX_ANNOTATIONS} were left out")
        world = {
            "core:version": SIGMF_VERSION,
            "core:datatype": self.kind.name,
            "core:sample_rate": self.rate,
            "core:recorder": h["recorder"],
            "core:hw": h["hw"],
            "core:description": "; ".join(about) or None,
        }
        return {
            "global": _present(world),
            "captures": [self._capture(first, index) for first, index in self._captures],
            "annotations": sorted(map(self._annotation, self._annotations), key=lambda a: a["core:sample_start"]),
        }

    def _capture(self, first: int, index: int) -> dict[str, Any]:
        start = self._header["start"]
        time = None
        if start is not None:
            moment = start.astimezone(UTC) + timedelta(seconds=index / self.rate)
            time = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        return _present(
            {
                "core:sample_start": first,
                "core:global_index": index,
                "core:frequency": self._header["center_hz"],
                "core:datetime": time,
            }
        )

    def _annotation(self, mark: _Annotation) -> dict[str, Any]:
        start = self._position(mark.start)
        return _present(
            {
                "core:sample_start": start,
                "core:sample_count": max(0, self._position(mark.start + mark.count) - start),
                "core:freq_lower_edge": mark.low_hz,
                "core:freq_upper_edge": mark.high_hz,
                "core:label": mark.label or None,
                "core:comment": mark.comment or None,
            }
        )

    def _position(self, index: int) -> int:
        """Sample in the file of an on-air index; inside a gap, the sample before which it lies."""
        index = max(0, index - (self._origin or 0))
        i = bisect.bisect_right(self._captures, index, key=lambda c: c[1]) - 1
        first, begin = self._captures[i]
        position = first + index - begin
        return min(position, self._captures[i + 1][0]) if i + 1 < len(self._captures) else position


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in table.items() if v is not None}


def _writable(name: str, path: Path) -> SampleType:
    try:
        kind = sample_type(name)
    except RangeError as e:
        raise SinkError(f"{path}: {e}") from e
    if kind.name not in WRITABLE_TYPES:
        raise SinkError(f"{path}: sample type {kind.name} is not written; written are {', '.join(WRITABLE_TYPES)}")
    return kind
