"""Signed heads: who holds a later head can prove that nothing before it was changed, and nothing behind it cut off.

A hash chain alone proves nothing against somebody who may write the file: he computes it anew. So the bridge signs the
hash of the newest entry with Ed25519 (RFC 8032) every now and then. A head is one line of ASCII, to paste, print or
photograph, and worth the more the farther away it is kept:

    sdrbridge-head-1 JOURNAL N WALL HASH KEY SIGNATURE

JOURNAL: the first 16 digits of the hash of entry 1. N, HASH, WALL: the newest entry, its hash, the time of signing.
KEY: the first 16 characters of the key's fingerprint. SIGNATURE: base64url, over the line up to the space before it.
Public keys are written as OpenSSH does, and `ssh-keygen -lf` shows the same fingerprint.
"""

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sdrbridge.chain import spell_wall
from sdrbridge.errors import JournalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MARK = "sdrbridge-head-1"
_HEAD = re.compile(
    rf"{_MARK} (?P<journal>[0-9a-f]{{16}}) (?P<n>[1-9][0-9]{{0,17}}) (?P<wall>[0-9T:.Z-]{{20,32}}) "
    r"(?P<hash>[0-9a-f]{64}) (?P<key>[A-Za-z0-9+/]{16}) (?P<signature>[A-Za-z0-9_-]{86})"
)


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head. `str(head)` is the line to keep."""

    journal: str
    n: int
    wall: str
    hash: str
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        """What is signed."""
        return f"{_MARK} {self.journal} {self.n} {self.wall} {self.hash} {self.key}".encode()

    def __str__(self) -> str:
        return f"{self.message.decode()} {self.signature}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read a line, whatever white space pasting has put into it. Raises ValueError."""
        match = _HEAD.fullmatch(" ".join(text.split()))
        if match is None:
            start = " ".join(text.split())[:40]
            raise ValueError(f'"{start}" is no head; a head is one line that begins with {_MARK} and has seven words')
        words = match.groupdict()
        n = int(words.pop("n"))
        return cls(n=n, **words)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key that heads are checked with. raw: its 32 bytes."""

    raw: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as ssh-keygen shows it."""
        digest = hashlib.sha256(base64.b64decode(self.line.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def id(self) -> str:
        """The beginning of the fingerprint, as heads bear it."""
        return self.fingerprint.removeprefix("SHA256:")[:16]

    @property
    def line(self) -> str:
        """As a line of OpenSSH: `ssh-ed25519 AAAA… sdrbridge-journal`."""
        kind = b"ssh-ed25519"
        blob = len(kind).to_bytes(4, "big") + kind + len(self.raw).to_bytes(4, "big") + self.raw
        return f"{kind.decode()} {base64.b64encode(blob).decode()} sdrbridge-journal"

    def signed(self, head: Head) -> bool:
        """Whether this key signed that head."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key().verify(base64.urlsafe_b64decode(head.signature + "=="), head.message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _key(self) -> "Ed25519PublicKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self.raw)

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read an OpenSSH line; further lines may follow. Raises ValueError."""
        for line in text.splitlines():
            words = line.removeprefix("#").split()
            if len(words) >= 2 and words[0] == "ssh-ed25519":
                try:
                    blob = base64.b64decode(words[1], validate=True)
                except binascii.Error:
                    break
                if len(blob) == 51 and blob.startswith(b"\0\0\0\x0bssh-ed25519\0\0\0 "):
                    return cls(blob[19:])
                break
        raise ValueError("holds no public key; a key is a line that begins with ssh-ed25519 AAAA")


class Seal:
    """The private key of a journal. Signs heads."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def open(cls, path: Path) -> "Seal":
        """Read the key (PEM, PKCS #8), or make it if there is none: mode 0600, and the public key beside it as `.pub`.

        Raises `JournalError`.
        """
        try:
            made = None if path.exists() else _make(path)
            seal = cls(made or _load(path))
            public = path.with_suffix(".pub")
            if not public.exists():
                public.write_text(seal.public.line + "\n", encoding="ascii")
        except OSError as problem:
            raise JournalError(f"{path}: cannot be used as key: {problem.strerror or problem}") from problem
        return seal

    def sign(self, journal: str, n: int, digest: str, wall: datetime) -> Head:
        """A head over entry `n`, whose hash is `digest`."""
        head = Head(journal, n, spell_wall(wall), digest, self.public.id, "")
        signature = base64.urlsafe_b64encode(self._key.sign(head.message)).decode().rstrip("=")
        return Head(journal, n, head.wall, digest, head.key, signature)


def _make(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: half a key would stop the next start.
    part = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, pem)
        os.fsync(file)
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
    return key


def _load(path: Path) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise JournalError(
            f"{path}: mode {mode:04o} lets others read the journal's key; it must be 0600: chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise JournalError(
            f"{path}: holds no key that can be read; keep it, and move it away for a new one"
        ) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise JournalError(f"{path}: is not an Ed25519 key")
    return key
