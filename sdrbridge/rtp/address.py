"""Where a session listens and who its peers are: IP addresses as numbers, so that nothing depends on a name server.

"192.0.2.7:5004" · "[2001:db8::7]:5004" · "192.0.2.7" · "2001:db8::7"
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Address:
    """host: in its usual spelling. port: None where any will do."""

    host: str
    port: int | None

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        """The host."""
        return ip_address(self.host)

    def next(self) -> "Address":
        """Where its reports go: the port after it (RFC 3550, 11)."""
        return Address(self.host, None if self.port is None else self.port + 1)

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """Read an address. Raises `ValueError` with what is wrong, for people."""
    host, port = text, None
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address with a port is written [ADDRESS]:PORT")
        host, port = inside, rest[1:] or None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_534):
        raise ValueError(f'"{port}" is no port; they go from 1 to 65534')
    try:
        ip = ip_address(host)
    except ValueError:
        hint = "; write 127.0.0.1" if host == "localhost" else ""
        raise ValueError(
            f'"{host}" is not an IP address; names are not looked up, so that no name server is needed{hint}'
        ) from None
    return Address(str(ip), None if port is None else int(port))
