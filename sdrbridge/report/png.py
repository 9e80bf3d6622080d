"""A waterfall as a PNG file (ISO/IEC 15948)."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

# Dark blue through teal to yellow, rising evenly in lightness: position, then red, green, blue.
_PALETTE = np.array(
    [
        [0.00, 8, 12, 34],
        [0.25, 26, 52, 110],
        [0.50, 28, 120, 136],
        [0.70, 92, 184, 112],
        [0.85, 214, 216, 70],
        [1.00, 255, 250, 220],
    ]
)
_GREY = 96


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) uint8 as a PNG file of 8-bit RGB."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def paint(image_db: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours of a waterfall (rows, columns) in dB: (columns, rows, 3) uint8, time to the right, frequency upwards.

    The scale runs from just under the noise floor (the median) to the strongest hundredth of a percent; missing
    samples are grey.
    """
    finite = image_db[np.isfinite(image_db)]
    if finite.size == 0:
        return np.full((max(1, image_db.shape[1]), max(1, image_db.shape[0]), 3), _GREY, np.uint8)
    low = float(np.median(finite)) - 4.0
    high = max(float(np.percentile(finite, 99.99)), low + 20.0)
    level = np.clip((image_db - low) / (high - low), 0.0, 1.0)
    colours = np.stack([np.interp(level, _PALETTE[:, 0], _PALETTE[:, i]) for i in (1, 2, 3)], axis=-1)
    colours[~np.isfinite(image_db)] = _GREY
    return np.ascontiguousarray(colours.astype(np.uint8).transpose(1, 0, 2)[::-1])
