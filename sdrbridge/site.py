"""A site file read as the bridge reads it: checked against what its sources say of themselves."""

from pathlib import Path

from hw.base import SourceInfo
from hw.registry import probe
from sdrbridge import config
from sdrbridge.config import Site, TunerConfig


def load_site(path: Path) -> Site:
    """Read and check a site file. Raises `ConfigError` with every problem found."""
    return config.load(path, lambda tuner: source_info(path.parent, tuner))


def source_info(folder: Path, tuner: TunerConfig) -> SourceInfo:
    """What a tuner's source says of itself, without a sample being read."""
    return probe(
        tuner.source,
        base=folder,
        rate=tuner.rate,
        center_hz=tuner.center_hz,
        format=tuner.format,
        gain_db=tuner.gain_db,
        ppm=tuner.ppm,
    )
