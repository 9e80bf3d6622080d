"""The keys of a port of kind `rtp`, and what is wrong with them."""

from dataclasses import dataclass, replace
from pathlib import Path

from sdrbridge.rtp.address import Address, parse
from sdrbridge.table import Table

CODECS = {"pcmu": 0, "l16": 96}
"""Codec → its usual payload type: that of RFC 3551, and the first of those that are agreed upon."""

RTP_KEYS = (
    *("listen", "peers", "codec", "payload_type", "jitter_min_ms", "jitter_max_ms", "opened_by", "hang_ms"),
    *("vox_open", "vox_hang_ms", "send", "rtcp"),
)


@dataclass(frozen=True, slots=True)
class RtpSettings:
    """A session of RTP.

    listen: address and port of this side; reports use the port after it. peers: who is heard; those with a port are
    sent to, and heard only from it. codec: of `CODECS`, at 8 kHz. payload_type: in both directions. jitter_min_ms,
    jitter_max_ms: what the jitter buffer may hold. opened_by: "packets", or "speech" where peers send all the time.
    hang_ms: a talkspurt ends when nothing came for so long. vox_open, vox_hang_ms: see `dsp.vox`. send: "keyed", or
    "always", which sends silence too. rtcp: whether reports are sent.
    """

    listen: Address
    peers: tuple[Address, ...]
    codec: str = "pcmu"
    payload_type: int = 0
    jitter_min_ms: int = 20
    jitter_max_ms: int = 160
    opened_by: str = "packets"
    hang_ms: int = 200
    vox_open: float = 0.6
    vox_hang_ms: int = 800
    send: str = "keyed"
    rtcp: bool = True


def read_rtp(table: Table, folder: Path) -> RtpSettings:
    """Read the keys; every problem is noted."""
    rtcp = table.flag("rtcp") is not False
    listen = _listen(table, rtcp)
    peers = _peers(table, rtcp, listen)
    codec = table.choice("codec", list(CODECS)) or "pcmu"
    kind = table.integer("payload_type", minimum=0, maximum=127)
    if kind is not None and not (96 <= kind <= 127 or kind == CODECS[codec]):
        free = "0, or 96 to 127" if codec == "pcmu" else "96 to 127"
        table.problem("payload_type", kind, f"does not mean {codec} at 8 kHz (RFC 3551); it is {free}")
    least = table.integer("jitter_min_ms", minimum=20, maximum=160)
    most = table.integer("jitter_max_ms", minimum=20, maximum=160)
    if least is not None and most is not None and least > most:
        table.problem("jitter_min_ms", least, f"is more than jitter_max_ms = {most}")
    opened_by = table.choice("opened_by", ("packets", "speech"))
    vox_open = table.number("vox_open", minimum=0.2, maximum=5)
    vox_hang = table.integer("vox_hang_ms", minimum=200, maximum=5000)
    for key, value in (("vox_open", vox_open), ("vox_hang_ms", vox_hang)):
        if value is not None and opened_by != "speech":
            table.problem(key, value, 'nobody listens for speech; that takes opened_by = "speech"')
    send = table.choice("send", ("keyed", "always"))
    if send is not None and peers and all(peer.port is None for peer in peers):
        table.problem("send", send, "no peer has a port, so nothing is ever sent")
    given = {
        "payload_type": CODECS[codec] if kind is None else kind,
        "jitter_min_ms": least,
        "jitter_max_ms": max(most, least or 0) if most is not None else None,
        "opened_by": opened_by,
        "hang_ms": table.integer("hang_ms", minimum=60, maximum=5000),
        "vox_open": vox_open,
        "vox_hang_ms": vox_hang,
        "send": send,
    }
    settings = RtpSettings(listen or Address("127.0.0.1", 5004), peers, codec, rtcp=rtcp)
    return replace(settings, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]


def rtp_claims(settings: object) -> list[str]:
    """The UDP ports it listens on."""
    assert isinstance(settings, RtpSettings)
    both = [settings.listen, settings.listen.next()] if settings.rtcp else [settings.listen]
    return [f"UDP port {address}" for address in both]


def _listen(table: Table, rtcp: bool) -> Address | None:
    text = table.text("listen")
    if text is None:
        if "listen" not in table.seen:
            table.missing("listen", 'address and port of this side, e.g. "192.0.2.1:5004", or "127.0.0.1:5004"')
        return None
    address = _address(table, "listen", text, rtcp)
    if address is None:
        return None
    if address.ip.is_unspecified:
        table.problem("listen", text, "would listen on every network; give the address of the one it is for")
    elif address.ip.is_multicast:
        table.problem("listen", text, "is a multicast address; this kind speaks from one to one")
    elif address.port is None:
        table.problem("listen", text, "lacks the port", f'; e.g. "{Address(address.host, 5004)}"')
    else:
        return address
    return None


def _peers(table: Table, rtcp: bool, listen: Address | None) -> tuple[Address, ...]:
    texts = table.texts("peers")
    if not texts and "peers" not in table.seen:
        table.missing("peers", 'who is heard and sent to, e.g. ["192.0.2.7:5004"]; nobody else ever is')
    elif not texts and table.values.get("peers") == []:
        table.problem("peers", [], "is empty; nobody would ever be heard")
    found: list[Address] = []
    for text in texts:
        peer = _address(table, "peers", text, rtcp)
        if peer is None:
            continue
        limit = _unreachable(peer, listen)
        if peer in found:
            limit = "is listed twice"
        if limit:
            table.problem("peers", text, limit)
        else:
            found.append(peer)
    return tuple(found)


def _unreachable(peer: Address, listen: Address | None) -> str:
    """What is wrong with a peer, seen from where we listen; "" for nothing."""
    if peer.ip.is_unspecified or peer.ip.is_multicast:
        return "is not the address of one machine; this kind speaks from one to one"
    if listen is None:
        return ""
    if peer == listen:
        return "is where this port itself listens; it would hear itself"
    if peer.ip.version != listen.ip.version:
        return f"is IPv{peer.ip.version}, and listen = {listen} is IPv{listen.ip.version}"
    if listen.ip.is_loopback and not peer.ip.is_loopback:
        return f"cannot be reached from listen = {listen}, which is this machine only"
    return ""


def _address(table: Table, key: str, text: str, rtcp: bool) -> Address | None:
    try:
        address = parse(text)
    except ValueError as problem:
        table.problem(key, text, str(problem))
        return None
    if rtcp and address.port is not None and address.port % 2:
        near = f"{address.port - 1} and {address.port + 1}"
        table.problem(key, text, f"RTP has even ports and its reports the odd ones (RFC 3550, 11); nearest are {near}")
        return None
    return address
