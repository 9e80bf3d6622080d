"""The control socket takes any bytes: nothing is keyed, nothing is left open, and the next client is answered."""

import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control import BOUND_S, Incident, serving


def _request(method: str, target: str, body: bytes = b"", headers: str = "") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\n{headers}"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


UPGRADE = (
    "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

REQUESTS = [
    _request("GET", "/v1/status"),
    _request("GET", "/v1/why?question=silent&name=VTAC11"),
    _request("GET", "/v1/events?last=3"),
    _request("GET", "/v1/events/stream?last=0"),
    _request("GET", "/v1/events/ws?last=0", headers=UPGRADE),
    # A masked text frame and a ping follow the upgrade.
    _request("GET", "/v1/events/ws?last=0", headers=UPGRADE) + b"\x81\x82\1\2\3\4ik" + b"\x89\x80\0\0\0\0",
    _request("GET", "/v1/nowhere/ws", headers=UPGRADE),
    _request("POST", "/v1/patch/add", json.dumps({"patch": "command", "port": "truck"}).encode()),
    _request("POST", "/v1/port/key", json.dumps({"port": "truck", "seconds": 5}).encode()),
    _request("POST", "/v1/patch/make", b"{}", "expect: 100-continue\r\n"),
    _request("POST", "/v1/patch/break", b"", "transfer-encoding: chunked\r\n") + b"3\r\n{}\n\r\n0\r\n\r\n",
    _request("GET", "/v1/status") * 3,
]


def _mutated(rng: random.Random) -> Iterator[bytes]:
    """A request with something wrong in it, in the pieces in which it arrives."""
    whole = bytearray(rng.choice(REQUESTS) if rng.random() < 0.9 else rng.randbytes(rng.randrange(400)))
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(whole) + 1)
        match rng.randrange(4):
            case 0:
                whole[at : at + 1] = rng.randbytes(1)
            case 1:
                del whole[at : at + rng.randrange(20)]
            case 2:
                whole[at:at] = rng.choice([b"\r\n", b"\0", b"%00", b"\xff\xfe", b": ", b"{" * 50, rng.randbytes(8)])
            case _:
                whole[at:at] = rng.choice(REQUESTS)
    cut = rng.randrange(len(whole) + 1)
    yield bytes(whole[:cut])
    yield bytes(whole[cut:])


@pytest.mark.parametrize("seed", range(8))
def test_any_bytes_leave_the_bridge_as_it_was(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdrbridge.control.connection.HEAD_S", 0.05)
    rng = random.Random(seed)
    incident, path = Incident(tmp_path), tmp_path / "control.sock"
    with serving(incident, path) as server:
        for _ in range(40):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.settimeout(BOUND_S)
                peer.connect(str(path))
                try:
                    for piece in _mutated(rng):
                        peer.sendall(piece)
                    peer.shutdown(socket.SHUT_WR)
                    if rng.random() < 0.5:
                        peer.recv(65536)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it has heard enough
        # Who comes next is answered, though he waits his turn behind what is being cleared away.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(BOUND_S)
            peer.connect(str(path))
            peer.sendall(_request("GET", "/v1/status"))
            assert peer.recv(100).startswith(b"HTTP/1.1 200 ")
        assert not incident.told("port.keyed")
    assert server.connections == 0
    assert set(incident.engine.matrix.patches) == {"command"}
    assert [r.getMessage() for r in caplog.records if r.exc_info or r.levelname == "ERROR"] == []
