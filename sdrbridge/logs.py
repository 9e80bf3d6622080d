"""The daemon's log: a JSON object a line on stderr, as the field's log collectors read it.

    {"ts": "2026-11-23T14:20:05.123Z", "level": "warning", "logger": "sdrbridge.daemon", "msg": "…", "port": "VTAC11"}

Fields of a call's `extra` become fields of the line. Values that look like secrets, by their name, are never written.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

HIDDEN = "•••"

_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|private|authorization|cookie|(^|_)key$|pin$", re.I
)
_IN_TEXT = re.compile(r"(?i)\b(password|passwd|secret|token|authorization)(\s*[=:]\s*|\s+)(bearer\s+)?(\"[^\"]*\"|\S+)")
_IN_URL = re.compile(r"(\w+://[^\s:/@]+):[^\s@/]+@")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def clean(name: str, value: object) -> object:
    """A value as it may be written: hidden if its name says that it is a secret."""
    if _SECRET.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {str(key): clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean("", item) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str) -> str:
    """A text without the passwords people write into it."""
    return _IN_URL.sub(rf"\1:{HIDDEN}@", _IN_TEXT.sub(rf"\1\2{HIDDEN}", text))


class JsonFormatter(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        """As JSON; what JSON does not know is written as text."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, object] = {
            "ts": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": clean_text(record.getMessage()),
        }
        line |= {key: clean(key, value) for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["exception"] = clean_text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def start_logging(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send everything that is logged to stderr, as JSON lines. Where that cannot be written nothing is said of it."""
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
