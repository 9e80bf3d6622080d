"""Reading a TOML file that a person wrote: whatever it is instead, the message names the file and what is wrong."""

import tomllib
from pathlib import Path
from typing import Any

from sdrbridge.errors import ConfigError
from sdrbridge.table import did_you_mean


def read_toml(path: Path) -> dict[str, Any]:
    """What the file holds. Raises `ConfigError`, which names its neighbours where it is not there."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        wrong = f"there is no such file{_neighbours(path)}"
    except UnicodeDecodeError as problem:
        wrong = f"not UTF-8 text: byte {problem.start} is {problem.object[problem.start]:#04x}"
    except OSError as problem:
        wrong = problem.strerror or str(problem)
    except RecursionError:
        wrong = "is nested too deep"
    except ValueError as problem:
        # Of TOML, or of a number that Python does not read.
        wrong = str(problem)
    raise ConfigError([f"{path}: {wrong}"])


def _neighbours(path: Path) -> str:
    folder = path.parent
    names = sorted(p.name for p in folder.glob("*.toml")) if folder.is_dir() else []
    return did_you_mean(path.name, names) or (f"; {folder} has {', '.join(names[:5])}" if names else "")
