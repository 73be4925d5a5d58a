"""Readable names for browsers and their network addresses."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from ua_parser import parse

from app.languages import gettext as _

SHORT = {"Mobile Safari": "Safari", "Chrome Mobile": "Chrome", "Firefox Mobile": "Firefox", "Mac OS X": "macOS"}
# Networks of companies, homes and providers' own routers; unlike Python's private ones, without example addresses.
OWN = [
    ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
]


def browser_name(user_agent: str) -> str:
    """Name a browser from its user agent: "Firefox on Windows", or "A browser" if that says nothing.

    It proves nothing: any client can claim any name.
    """
    browser, system = parsed(user_agent)
    browser = browser or _("A browser")
    return _("%(browser)s on %(system)s", browser=browser, system=system) if system else browser


@lru_cache(maxsize=512)
def parsed(user_agent: str) -> tuple[str, str]:
    """The browser and the system that a user agent names; "" for an unknown one."""
    found = parse(user_agent)
    parts = (found.user_agent and found.user_agent.family, found.os and found.os.family)
    browser, system = (SHORT.get(part, part) if part and part != "Other" else "" for part in parts)
    return browser, system


def place(address: str) -> str:
    """Name a network address: "the computer that Soroe runs on", "your network, 192.168.1.20", "203.0.113.7".

    "" for none.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return _("the computer that Soroe runs on")
    if any(found in network for network in OWN):
        return _("your network, %(address)s", address=found)
    return str(found)
