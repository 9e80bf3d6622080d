"""Recordings built byte by byte, so that tests can make each field right or wrong."""

import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CENTER = 155_752_500


def noise(n: int, seed: int = 1) -> NDArray[np.complex64]:
    """White noise well below full scale."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(-0.5, 0.5, (n, 2)).astype(np.float32)).view(np.complex64).reshape(-1)


def metadata(**changes: Any) -> dict[str, Any]:
    """Sound metadata of a cu8 recording at 240 kS/s; keys of `core:` in `global` can be changed, None takes one out."""
    world = {"core:version": "1.2.0", "core:datatype": "cu8", "core:sample_rate": 240000, "core:hw": "test"}
    world |= {"core:" + k: v for k, v in changes.items() if k not in ("captures",)}
    captures = changes.get(
        "captures",
        [{"core:sample_start": 0, "core:frequency": CENTER, "core:datetime": "2026-11-23T12:00:00.250Z"}],
    )
    return {"global": {k: v for k, v in world.items() if v is not None}, "captures": captures, "annotations": []}


def write_sigmf(folder: Path, data: bytes, meta: dict[str, Any] | bytes, stem: str = "capture") -> Path:
    """Write both files; returns the path of the metadata."""
    path = folder / f"{stem}.sigmf-meta"
    path.write_bytes(meta if isinstance(meta, bytes) else json.dumps(meta).encode())
    (folder / f"{stem}.sigmf-data").write_bytes(data)
    return path


def write_archive(path: Path, members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar of the given members."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, contents in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(contents)
            tar.addfile(info, io.BytesIO(contents))
    return path


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, with a size that may lie."""
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) & 1)


def fmt(rate: int = 240000, bits: int = 16, code: int = 1, channels: int = 2, extensible: bool = False) -> bytes:
    """A `fmt` chunk."""
    align = channels * bits // 8
    body = struct.pack(
        "<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * align & 0xFFFFFFFF, align, bits
    )
    if extensible:
        guid = struct.pack("<H", code) + bytes.fromhex("000000001000800000aa00389b71")
        body += struct.pack("<HHI", 22, bits, 3) + guid
    return chunk(b"fmt ", body)


def auxi(center_hz: int = CENTER, converter_rate: int = 0) -> bytes:
    """An `auxi` chunk as HDSDR writes it: 2026-11-23 12:00:00.250, a Monday."""
    start = struct.pack("<8H", 2026, 11, 1, 23, 12, 0, 0, 250)
    stop = struct.pack("<8H", 2026, 11, 1, 23, 12, 0, 1, 250)
    return chunk(b"auxi", start + stop + struct.pack("<IIII", center_hz, converter_rate, 0, 0) + bytes(20))


def wav(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    """A WAV file of the given chunks."""
    body = b"WAVE" + b"".join(chunks)
    size = 0xFFFFFFFF if form != b"RIFF" else len(body)
    return form + struct.pack("<I", size & 0xFFFFFFFF) + body
