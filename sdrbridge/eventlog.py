"""Every decision with its reason, a JSON line each (`events.jsonl`); and what the patches did, in numbers.

The protocol units of digital channels likewise (`frames.jsonl`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TextIO

from sdrbridge.errors import ReplayError


@dataclass(slots=True)
class PatchTally:
    """What one patch did. blocked_s: how long talkers waited for the floor, by port."""

    granted: int = 0
    refused: int = 0
    preempted: int = 0
    timed_out: int = 0
    blocked_s: dict[str, float] = field(default_factory=dict)


class JsonLines:
    """Writes JSON lines as they come. stream: text file; closed with the log. Raises `ReplayError` when it is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Write one line."""
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as problem:
            raise self._failed(problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stream.close()
        except OSError as problem:
            raise self._failed(problem) from problem

    def _failed(self, problem: OSError) -> ReplayError:
        return ReplayError(f"{self._stream.name}: cannot be written: {problem.strerror or problem}")


class EventLog(JsonLines):
    """Writes events as they come, and counts what the patches did."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.patches: dict[str, PatchTally] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write one event: `t_s` (bridge time), `event`, and what it is about."""
        super().__call__(event)
        kind, _, what = str(event["event"]).partition(".")
        if kind == "floor":
            tally = self.patches.setdefault(str(event["patch"]), PatchTally())
            if what in ("granted", "refused", "preempted", "timed_out"):
                setattr(tally, what, getattr(tally, what) + 1)
            if "blocked_s" in event:
                port = str(event["port"])
                tally.blocked_s[port] = round(tally.blocked_s.get(port, 0.0) + float(event["blocked_s"]), 3)
