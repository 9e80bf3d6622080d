"""The control socket: who asks is known, every request is bounded, and nobody can hold up the bridge."""

import asyncio
import contextlib
import errno
import gc
import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import unix_connect

from sdrbridge.control.identity import of_this_process
from sdrbridge.control.openapi import FILE, text
from sdrbridge.control.server import Acceptor, ControlServer
from sdrbridge.control.stream import MOST_LISTENERS
from sdrbridge.control.verbs import VERBS, Verb
from sdrbridge.errors import ConfigError, ControlError
from tests.support.control import BOUND_S, Incident, serving


class Connection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=BOUND_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(BOUND_S)
        self.sock.connect(str(self.path))


def ask(path: Path, method: str, url: str, body: object = None) -> tuple[int, Any]:
    connection = Connection(path)
    try:
        payload = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if payload is None else {"content-type": "application/json"}
        connection.request(method, url, payload, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def incident(tmp_path: Path) -> Incident:
    return Incident(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(incident: Incident, path: Path) -> Iterator[ControlServer]:
    with serving(incident, path) as server:
        yield server


def test_the_document_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m sdrbridge.control.openapi"


def test_the_socket_is_for_owner_and_group(server: ControlServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660


def test_a_change_is_made_by_whom_the_kernel_says(incident: Incident, server: ControlServer) -> None:
    body = {"name": "tactical", "ports": ["UTAC41", "truck"], "note": "IC request 14:20"}
    status, answer = ask(server.path, "POST", "/v1/patch/make", body)
    assert status == 200 and answer["did"] == ['made patch "tactical" of UTAC41 and truck']
    (event,) = incident.told("patch.made")
    me = of_this_process()
    assert (event["who"], event["uid"], event["pid"]) == (me.user, os.getuid(), os.getpid())
    assert event["note"] == "IC request 14:20"


CHANGES: dict[str, dict[str, object]] = {
    "patch make": {"name": "tactical", "ports": ["UTAC41", "truck"]},
    "patch break": {"name": "command", "confirm": True},
    "patch add": {"patch": "command", "port": "truck"},
    "patch drop": {"patch": "command", "port": "dispatch"},
    "patch mute": {"patch": "command", "port": "dispatch"},
    "patch gain": {"patch": "command", "talker": "VTAC11", "listener": "dispatch", "gain_db": -3},
    "port key": {"port": "truck", "seconds": 1, "confirm": True},
    "port unkey": {"port": "truck"},
    "port mute": {"port": "truck"},
    "port level": {"port": "truck", "rx_gain_db": 3},
    "port align": {"port": "truck", "confirm": True},
    "port restore": {"port": "truck"},
}
"""A request for each verb that changes something by an operation."""


@pytest.mark.parametrize("verb", [v for v in VERBS if v.method == "POST" and v.operation], ids=lambda verb: verb.words)
def test_whatever_is_asked_for_it_is_written_down_by_whom(incident: Incident, path: Path, verb: Verb) -> None:
    with serving(incident, path):
        status, _ = ask(path, verb.method, verb.path, {**CHANGES[verb.words], "note": "IC request 14:20"})
    # There is no loop to be restored from, and that is written down as well.
    assert status == (409 if verb.words == "port restore" else 200)
    event = next(e for e in incident.events if e.get("note") == "IC request 14:20")
    me = of_this_process()
    assert (event["who"], event["uid"], event["pid"], event["via"]) == (me.user, me.uid, os.getpid(), "socket")
    assert event["event"] == ("control.refused" if verb.words == "port restore" else event["event"])


@pytest.mark.parametrize(
    "url", ["/v1/status", "/v1/why?question=silent&name=VTAC11", "/v1/port/ls?name=nobody", "/v1/events"]
)
def test_who_only_looks_is_written_down_once_an_hour(incident: Incident, server: ControlServer, url: str) -> None:
    for _ in range(3):
        ask(server.path, "GET", url)
    (event,) = incident.told("control.asked")
    assert (event["who"], event["via"]) == (of_this_process().user, "socket")
    assert "/v1/" + str(event["verb"]).replace(" ", "/") == url.partition("?")[0]
    incident.engine.now += 3600 * 8000
    ask(server.path, "GET", url)
    assert len(incident.told("control.asked")) == 2


def test_who_listens_to_events_is_written_down_and_not_told_of_himself(
    incident: Incident, server: ControlServer
) -> None:
    with unix_connect(str(server.path), "ws://localhost/v1/events/ws", close_timeout=BOUND_S) as stream:
        ask(server.path, "POST", "/v1/patch/add", {"patch": "command", "port": "truck"})
        assert json.loads(stream.recv(BOUND_S))["event"] == "patch.added"
    assert [e["verb"] for e in incident.told("control.asked")] == ["events"]


def test_a_change_that_is_waited_for_has_been_played(incident: Incident, server: ControlServer) -> None:
    before = incident.engine.now
    body = {"patch": "command", "port": "truck"}
    status, answer = ask(server.path, "POST", "/v1/patch/add?wait=true", body)
    assert status == 200
    assert incident.engine.now >= before + 320 and answer["in_force_s"] * 8000 + 160 <= incident.engine.now


def test_questions_are_answered(incident: Incident, server: ControlServer) -> None:
    status, answer = ask(server.path, "GET", "/v1/status")
    assert status == 200 and answer["site"] == "command-post"
    status, answer = ask(server.path, "GET", "/v1/port/ls?name=command-post/VTAC11")
    assert status == 200 and [p["name"] for p in answer["ports"]] == ["VTAC11"]
    status, answer = ask(server.path, "GET", "/v1/why?question=silent&name=VTAC11")
    assert status == 200 and "no carrier" in answer["answer"]
    status, answer = ask(server.path, "GET", "/v1/delay?source=VTAC11&target=dispatch")
    assert status == 200 and answer["declared_ms"] == 22.0
    status, answer = ask(server.path, "GET", "/openapi.json")
    assert status == 200 and answer["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "words"),
    [
        ("GET", "/v1/statuss", None, 404, "/v1/status"),
        ("POST", "/v1/status", None, 405, "Method Not Allowed"),
        ("GET", "/v1/status?verbose=1", None, 400, "verbose"),
        ("GET", "/v1/why?question=quiet&name=VTAC11", None, 400, "quiet"),
        ("GET", "/v1/why?question=silent", None, 400, "name"),
        ("GET", "/v1/port/ls?name=a&name=b", None, 400, "twice"),
        ("GET", "/v1/events?last=1001", None, 400, "1000"),
        ("GET", "/v1/events?last=x", None, 400, "int"),
        ("GET", "/v1/events/stream?last=-1", None, 400, "0"),
        ("GET", "/v1/port/ls?name=VTAC1", None, 404, "VTAC11"),
        ("POST", "/v1/patch/make", b"{", 400, "truncated"),
        ("POST", "/v1/patch/make", b"\xff\xfe", 400, "invalid"),
        ("POST", "/v1/patch/make", [1], 400, "object"),
        ("POST", "/v1/patch/make", {"name": "x"}, 400, "ports"),
        ("POST", "/v1/patch/make", {"name": "x", "ports": ["a", "b"], "prots": 1}, 400, "prots"),
        ("POST", "/v1/patch/make", {"name": "x", "ports": ["truck", "UTAC41"], "timeout_s": 0}, 400, "timeout_s"),
        ("POST", "/v1/patch/make", {"name": "x", "ports": ["truck", "UTAC4"]}, 404, "UTAC41"),
        ("POST", "/v1/patch/make?x=1", {"name": "x", "ports": ["truck", "UTAC41"]}, 400, "body"),
        ("POST", "/v1/patch/make?wait=maybe", {"name": "x", "ports": ["truck", "UTAC41"]}, 400, "bool"),
        ("POST", "/v1/patch/make", {"name": "command", "ports": ["truck", "UTAC41"]}, 409, "already"),
        ("POST", "/v1/port/key", {"port": "truck"}, 428, "on the air"),
        ("POST", "/v1/port/key", {"port": "truck", "seconds": 61}, 400, "60"),
        ("POST", "/v1/reload", {}, 409, "site file"),
        ("POST", "/v1/patch/make", b"x" * 70_000, 413, "65536"),
    ],
)
def test_a_mistake_gets_a_problem(
    incident: Incident, server: ControlServer, method: str, url: str, body: object, status: int, words: str
) -> None:
    before = incident.engine.matrix.patches
    got, answer = ask(server.path, method, url, body)
    assert got == status == answer["status"], answer
    assert words in json.dumps(answer, ensure_ascii=False)
    assert incident.engine.matrix.patches == before


def test_a_body_that_is_not_json_is_not_read(server: ControlServer) -> None:
    connection = Connection(server.path)
    connection.request("POST", "/v1/patch/break", b"name=command", {"content-type": "text/plain"})
    assert connection.getresponse().status == 415
    connection.close()


def test_a_reload_with_mistakes_lists_them_all(incident: Incident, path: Path) -> None:
    async def reload(who: object) -> list[str]:
        raise ConfigError(["site.toml: one", "site.toml: two"])

    with serving(incident, path, reload=reload):
        status, answer = ask(path, "POST", "/v1/reload", {})
    assert status == 422 and answer["problems"] == ["site.toml: one", "site.toml: two"]


def test_a_bridge_that_does_not_tick_is_said_to_be_busy(
    incident: Incident, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdrbridge.control.app.ANSWER_S", 0.05)
    with serving(incident, path, on_demand=False):
        status, answer = ask(path, "POST", "/v1/patch/add", {"patch": "command", "port": "truck"})
        assert status == 503 and "did not tick" in answer["detail"]
    # What was not answered in time is not done later behind the client's back.
    incident.run(0.1)
    assert "truck" not in incident.engine.matrix.patches["command"].members


def test_events_come_as_lines_and_as_messages(incident: Incident, server: ControlServer) -> None:
    ask(server.path, "POST", "/v1/patch/add", {"patch": "command", "port": "truck"})
    connection = Connection(server.path)
    connection.request("GET", "/v1/events/stream?last=1")
    response = connection.getresponse()
    first = json.loads(response.readline())
    assert first["event"] == "patch.added"
    with unix_connect(str(server.path), "ws://localhost/v1/events/ws?last=0", close_timeout=BOUND_S) as messages:
        ask(server.path, "POST", "/v1/patch/drop", {"patch": "command", "port": "truck"})
        for line in (response.readline(), messages.recv(BOUND_S)):
            event = json.loads(line)
            assert event["event"] == "patch.dropped" and event["seq"] == first["seq"] + 1
    connection.close()
    _status, answer = ask(server.path, "GET", "/v1/events?last=2")
    assert [e["event"] for e in answer["events"]] == ["patch.added", "patch.dropped"] and answer["missed"] == 0


def test_a_listener_who_does_not_read_loses_his_stream_and_holds_up_nobody(incident: Incident, path: Path) -> None:
    with serving(incident, path, queue=50) as server:
        stalled = Connection(path)
        stalled.request("GET", "/v1/events/stream?last=0")
        stalled.getresponse()
        reader = Connection(path)
        reader.request("GET", "/v1/events/stream?last=0")
        lines = reader.getresponse()
        pad = "x" * 2000
        for number in range(2000):
            incident.engine.tell({"event": "test", "number": number, "pad": pad})
            # The one who reads keeps up; so does the bridge.
            assert json.loads(lines.readline())["number"] == number
        assert server.hub.lost_streams == 1 and server.hub.listeners == 1
        status, _ = ask(path, "GET", "/v1/status")
        assert status == 200
        rest = b""
        while chunk := stalled.sock.recv(65536):
            rest += chunk
        assert len(rest) < 2000 * 2000
        stalled.close()
        reader.close()


def test_there_is_a_bound_to_streams(server: ControlServer) -> None:
    open_ones = [Connection(server.path) for _ in range(MOST_LISTENERS)]
    for connection in open_ones:
        connection.request("GET", "/v1/events/stream?last=0")
        assert connection.getresponse().status == 200
    status, answer = ask(server.path, "GET", "/v1/events/stream")
    assert status == 503 and "too many streams" in answer["detail"]
    for connection in open_ones:
        connection.close()


def test_a_peer_that_never_says_what_it_wants_is_cut_off(
    incident: Incident, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdrbridge.control.connection.HEAD_S", 0.05)
    with serving(incident, path):
        for begun in (b"", b"GET /v1/status HTTP/1.1\r\nx: "):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.settimeout(BOUND_S)
                peer.connect(str(path))
                peer.sendall(begun)
                with contextlib.suppress(ConnectionResetError):
                    assert peer.recv(100) == b""


def test_metrics_count_answers(server: ControlServer) -> None:
    ask(server.path, "GET", "/v1/port/ls?name=nobody")
    connection = Connection(server.path)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read().decode()
    assert 'sdrbridge_control_answers_total{kind="not_found"} 1' in body
    connection.close()


def test_a_socket_left_behind_is_taken_over_and_a_living_one_is_not(incident: Incident, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with serving(incident, path):
        other = ControlServer(incident.operations, path)
        with pytest.raises(ControlError, match="another daemon listens"):
            asyncio.run(other.start())
    assert not path.exists()
    path.write_text("not a socket")
    with pytest.raises(ControlError, match="something else"):
        asyncio.run(ControlServer(incident.operations, path).start())


def test_a_path_too_long_for_a_socket_is_refused(incident: Incident, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="at most 107"):
        asyncio.run(ControlServer(incident.operations, tmp_path / ("x" * 120)).start())


def test_stopping_closes_what_has_only_just_connected(incident: Incident, tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.sock"
        peers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(5)]
        with serving(incident, path) as server:
            for peer in peers:
                peer.connect(str(path))
        assert server.connections == 0
        for peer in peers:
            peer.settimeout(BOUND_S)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b""
            peer.close()
    gc.collect()  # a transport left open would complain now


class CrowdedSocket(socket.socket):
    """A listening socket of a process that has no file descriptor left, once."""

    refused = 0

    def accept(self) -> Any:
        if self.refused == 0:
            self.refused = 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_machine_without_room_takes_the_connection_later(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdrbridge.control.server.RETRY_S", 0.0)

    async def knock() -> bytes:
        with CrowdedSocket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(path))
            listening.setblocking(False)

            class Greeting(asyncio.Protocol):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    assert isinstance(transport, asyncio.Transport)
                    transport.write(b"in")
                    transport.close()

            acceptor = Acceptor(listening, Greeting)
            reader, writer = await asyncio.open_unix_connection(str(path))
            heard = await asyncio.wait_for(reader.read(), BOUND_S)
            writer.close()
            await writer.wait_closed()
            await acceptor.close()
            return heard

    assert asyncio.run(knock()) == b"in"
    assert "Too many open files" in caplog.text


def test_stopping_ends_streams(incident: Incident, path: Path) -> None:
    with serving(incident, path):
        connection = Connection(path)
        connection.request("GET", "/v1/events/stream?last=0")
        response = connection.getresponse()
        read = threading.Thread(target=response.read)
        read.start()
    read.join(BOUND_S)
    assert not read.is_alive()
    connection.close()
