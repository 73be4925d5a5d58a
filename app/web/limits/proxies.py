"""Find the client's address, trusting only the proxies that the operator named.

A proxy appends the address that called it at the right end of `X-Forwarded-For`; the client may have written anything
before that. So the header is read from the right, past our own proxies, to the first other address.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import Network

Address = IPv4Address | IPv6Address

READ_BYTES = 1_000  # of the header's right end: twenty proxies in a row
SCHEMES = ("http", "https")


class Proxies:
    """ASGI middleware: give a request that came through one of our proxies its client's address and scheme."""

    def __init__(self, app: ASGIApp, believed: Sequence[Network]) -> None:
        self.app = app
        self.believed = believed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = _address(scope["client"][0]) if scope.get("client") else None
        if scope["type"] == "http" and peer and self.is_ours(peer):
            headers = Headers(scope=scope)
            client = self.client(",".join(headers.getlist("x-forwarded-for")), peer)
            scheme = ",".join(headers.getlist("x-forwarded-proto")).rpartition(",")[2].strip().lower()
            scope = {**scope, "client": (str(client), 0)}
            if scheme in SCHEMES:
                scope["scheme"] = scheme
        await self.app(scope, receive, send)

    def client(self, forwarded: str, peer: Address) -> Address:
        """The caller of the first of our proxies.

        Everything to its left, or to the left of an invalid address, is hearsay.
        """
        for entry in reversed(forwarded[-READ_BYTES:].split(",")):
            found = _address(entry.strip())
            if found is None:
                break
            peer = found
            if not self.is_ours(found):
                break
        return peer

    def is_proxy(self, address: str) -> bool:
        """Whether a written address is a proxy."""
        found = _address(address)
        return found is not None and self.is_ours(found)

    def is_ours(self, address: Address) -> bool:
        return any(address in network for network in self.believed)


def _address(text: str) -> Address | None:
    """Parse "192.0.2.1", "192.0.2.1:4000", "2001:db8::1" or "[2001:db8::1]:4000"; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))  # without the zone of a link
    return found
