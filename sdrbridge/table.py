"""Reading one TOML table: types, ranges, spelling. Every problem is noted, none stops the reading.

A problem reads `FILE: [[table]] "name": key = value: limit; nearest right answer`.
"""

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from sdrbridge.units import parse_frequency, parse_size


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the nearest known words, or nothing. Capitals do not count."""
    spelled = {k.casefold(): k for k in sorted(known)}
    close = get_close_matches(word.casefold(), spelled, n=2, cutoff=0.6)
    meant = " or ".join(f'"{spelled[c]}"' for c in close)
    return f"; did you mean {meant}?" if meant else ""


class Table:
    """One table of a site file.

    file, where: named in every problem. values: what TOML gave. problems: the list to add to. Each reading verb returns
    None where the key is not given or not right; `finish` complains of keys that nobody asked for.
    """

    def __init__(self, file: str, where: str, values: dict[str, object], problems: list[str]) -> None:
        self.file = file
        self.where = where
        self.values = values
        self.problems = problems
        self.seen: set[str] = set()
        self._asked: list[str] = []

    def problem(self, key: str, value: object, limit: str, hint: str = "") -> None:
        """Note what is wrong with the value of a key."""
        self.problems.append(f"{self._prefix()}{key} = {_spelled(value)}: {limit}{hint}")

    def missing(self, key: str, what: str) -> None:
        """Note a key that has to be there."""
        self.problems.append(f"{self._prefix()}{key} is missing: {what}")

    def finish(self) -> None:
        """Note every key that no reading verb asked for."""
        for key in self.values:
            if key not in self.seen:
                known = ", ".join(self._asked)
                self.problems.append(
                    f"{self._prefix()}unknown key {key}{did_you_mean(key, self._asked) or f'; known are {known}'}"
                )

    def text(self, key: str, required: bool = False) -> str | None:
        """A string that is not empty."""
        value = self._take(key)
        if value is None:
            if required and key not in self.seen:
                self.missing(key, "it has to be given")
            return None
        if not isinstance(value, str):
            self.problem(key, value, f'must be text in quotation marks: {key} = "…"')
            return None
        if not value:
            self.problem(key, value, "is empty")
            return None
        return value

    def choice(self, key: str, words: Sequence[str]) -> str | None:
        """One of a few words."""
        value = self.text(key)
        if value is None or value in words:
            return value
        self.problem(key, value, f"must be one of {', '.join(words)}", did_you_mean(value, words))
        return None

    def texts(self, key: str) -> list[str]:
        """A list of strings; empty if it is not there."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.problem(key, value, f'must be a list of names: {key} = ["…", "…"]')
            return []
        return value

    def flag(self, key: str) -> bool | None:
        """true or false."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return value
        self.problem(key, value, "must be true or false")
        return None

    def number(self, key: str, minimum: float = -math.inf, maximum: float = math.inf) -> float | None:
        """A finite number in a range."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.problem(key, value, "must be a number")
            return None
        if not minimum <= value <= maximum:
            self.problem(key, value, _range(minimum, maximum))
            return None
        return float(value)

    def numbers(self, key: str) -> list[float]:
        """A list of finite numbers; empty if it is not there."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value
        ):
            self.problem(key, value, f"must be a list of numbers: {key} = [101.0]")
            return []
        return [float(v) for v in value]

    def integer(self, key: str, minimum: int, maximum: int) -> int | None:
        """A whole number in a range."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(key, value, "must be a whole number")
            return None
        return value if self._in_range(key, value, minimum, maximum) else None

    def integers(self, key: str, minimum: int, maximum: int) -> tuple[int, ...]:
        """Whole numbers in a range, one or a list of them; empty if it is not there."""
        value = self._take(key)
        if value is None:
            return ()
        given = value if isinstance(value, list) else [value]
        numbers = [v for v in given if isinstance(v, int) and not isinstance(v, bool)]
        if not numbers or len(numbers) < len(given):
            self.problem(key, value, f"must be a whole number or a list of them: {key} = 1001 or {key} = [1001, 1002]")
            return ()
        return tuple(number for number in numbers if self._in_range(key, number, minimum, maximum))

    def frequency(self, key: str, minimum: int | None = None) -> int | None:
        """Integer hertz, written as a number of hertz or as text with k, M or G."""
        value = self._take(key)
        if value is None:
            return None
        hertz: int
        if isinstance(value, str):
            try:
                hertz = parse_frequency(value)
            except ValueError as problem:
                self.problems.append(f"{self._prefix()}{key}: {problem}")
                return None
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            hertz = int(value)
            if hertz != value:
                hint = f'; or is {value:g} MHz meant? Then write "{value:g}M"' if value < 100_000 else ""
                self.problem(key, value, "is not a whole number of hertz", hint)
                return None
        else:
            self.problem(key, value, 'must be a frequency, e.g. "155.7525M" or 155752500')
            return None
        if minimum is not None and hertz < minimum:
            self.problem(key, value, f"must be {minimum} Hz or more")
            return None
        return hertz

    def size(self, key: str, minimum: int) -> int | None:
        """Bytes, written as a number or as text with k, M, G or T."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str):
            self.problem(key, value, 'must be a size, e.g. "20G" or "500M"')
            return None
        try:
            size = parse_size(str(value))
        except ValueError as problem:
            self.problems.append(f"{self._prefix()}{key}: {problem}")
            return None
        if size < minimum:
            self.problem(key, value, f"must be {minimum} bytes or more")
            return None
        return size

    def gain(self, key: str) -> float | None:
        """Decibels; None for "auto" and where it is not given."""
        value = self._take(key)
        if value is None or value == "auto":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not -100 <= value <= 200:
            self.problem(key, value, 'must be "auto" or a number of dB')
            return None
        return float(value)

    def table(self, key: str) -> dict[str, object]:
        """A table inside this one; empty if it is not there."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(key, value, f"must be a table: {key} = {{ … }}" if self.where else f"must be a table: [{key}]")
            return {}
        return value

    def tables(self, key: str) -> list[dict[str, object]]:
        """A list of tables, `[[key]]`; empty if it is not there."""
        value = self._take(key)
        if value is None:
            return []
        if isinstance(value, dict):
            self.problems.append(f"{self._prefix()}[{key}] is one table; write [[{key}]], for there can be several")
            return []
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            self.problem(key, value, f"must be a list of tables: [[{key}]]")
            return []
        return value

    def _in_range(self, key: str, value: int, minimum: int, maximum: int) -> bool:
        """Whether a number lies in a range; if not it is noted."""
        if minimum <= value <= maximum:
            return True
        self.problem(key, value, _range(minimum, maximum))
        return False

    def _take(self, key: str) -> object:
        self._asked.append(key)
        if key in self.values:
            self.seen.add(key)
        return self.values.get(key)

    def _prefix(self) -> str:
        return f"{self.file}: {self.where}: " if self.where else f"{self.file}: "


def _range(minimum: float, maximum: float) -> str:
    if math.isinf(maximum):
        return f"must be {minimum:g} or more"
    return f"must lie between {minimum:g} and {maximum:g}"


def _spelled(value: object) -> str:
    """A value as TOML writes it, cut short where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        text = "[" + ", ".join(_spelled(v) for v in value) + "]"
    else:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
