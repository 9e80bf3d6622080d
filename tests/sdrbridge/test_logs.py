"""Log lines are JSON and hold no secrets; systemd hears what it should."""

import io
import json
import logging
import os
import socket
import sys
from pathlib import Path

import pytest

from sdrbridge.logs import HIDDEN, JsonFormatter, clean_text
from sdrbridge.notify import notify, watchdog_s


def logged(message: str, *arguments: object, **extra: object) -> dict[str, object]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("sdrbridge.test")
    logger.propagate = False
    logger.handlers = [handler]
    logger.warning(message, *arguments, extra=extra)
    logger.handlers = []
    line: dict[str, object] = json.loads(stream.getvalue())
    return line


def test_a_line_has_time_level_logger_message_and_fields() -> None:
    line = logged("tuner %s is gone", "vhf", port="A", index=3)
    assert line["msg"] == "tuner vhf is gone" and line["level"] == "warning" and line["logger"] == "sdrbridge.test"
    assert str(line["ts"]).endswith("Z") and line["port"] == "A" and line["index"] == 3


def test_secrets_are_never_written() -> None:
    line = logged(
        "rtsp://me:hunter2@host and password=hunter2",
        password="hunter2",
        config={"sip": {"secret": "hunter2", "user": "me"}, "list": [{"token": "hunter2"}]},
        keyed=True,
        what="Authorization: Bearer hunter2",
    )
    assert "hunter2" not in json.dumps(line)
    assert line["keyed"] is True
    assert line["config"] == {"sip": {"secret": HIDDEN, "user": "me"}, "list": [{"token": HIDDEN}]}
    assert clean_text("port key keyed, tokens of time") == "port key keyed, tokens of time"


def test_an_exception_is_one_line() -> None:
    try:
        raise OSError("no space left")
    except OSError:
        info = sys.exc_info()
    text = JsonFormatter().format(logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), info))
    assert "\n" not in text and "no space left" in json.loads(text)["exception"]


def test_systemd_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        assert notify("READY=1", "STATUS=up")
        assert systemd.recv(100) == b"READY=1\nSTATUS=up"
    assert not notify("READY=1")


def test_the_watchdog_is_for_this_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_s() == 3.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_s() is None
    monkeypatch.setenv("WATCHDOG_PID", "")
    monkeypatch.setenv("WATCHDOG_USEC", "soon")
    assert watchdog_s() is None
