"""Small sites and recordings for tests that run the whole program."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000


def carrier(seconds: float, offset_hz: float = 0.0, tone_hz: float = 1000.0, rate: int = RATE) -> NDArray[np.complex64]:
    """An FM carrier with a tone (1.5 kHz deviation) in a little noise, keyed from a quarter to three quarters."""
    n = int(seconds * rate)
    t = np.arange(n) / rate
    rng = np.random.default_rng(1)
    phase = 2 * np.pi * offset_hz * t - 1500 / tone_hz * np.cos(2 * np.pi * tone_hz * t)
    keyed = (t >= seconds / 4) & (t < seconds * 3 / 4)
    noise = 0.01 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    samples: NDArray[np.complex64] = (0.5 * keyed * np.exp(1j * phase) + noise).astype(np.complex64)
    return samples


def to_cu8(samples: NDArray[np.complex64]) -> bytes:
    """As an RTL-SDR writes it."""
    levels = np.clip(np.rint(samples.view(np.float32) * 127.5 + 127.5), 0, 255)
    return bytes(levels.astype(np.uint8))


def write_site(folder: Path, source: str = "file:iq.cu8", tuner: str = "", channel: str = "", more: str = "") -> Path:
    """A site with one tuner, one NFM channel `A` and a file port `out` patched to it; extra keys as TOML lines."""
    center = "" if "center" in tuner else 'center = "155.0M"\n'
    rate = "" if "rate" in tuner else f'rate = "{RATE}"\n'
    place = "" if any(key in channel for key in ("freq", "offset")) else 'offset = "0k"\n'
    mode = "" if "mode" in channel else 'mode = "nfm"\n'
    path = folder / "site.toml"
    path.write_text(
        f'[bridge]\nname = "test"\n\n[[tuner]]\nname = "t"\nsource = "{source}"\n{center}{rate}{tuner}\n\n'
        f'[[channel]]\nname = "A"\ntuner = "t"\n{place}{mode}{channel}\n\n'
        f'[[port]]\nname = "out"\nkind = "file"\n\n[[patch]]\nname = "p"\nports = ["A", "out"]\n\n{more}\n'
    )
    return path
