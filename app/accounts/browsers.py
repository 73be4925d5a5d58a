"""What a browser is called, and where it is, as a person would say it."""

from functools import lru_cache
from ipaddress import ip_address

from ua_parser import parse

SHORT = {"Mobile Safari": "Safari", "Chrome Mobile": "Chrome", "Firefox Mobile": "Firefox", "Mac OS X": "macOS"}


@lru_cache(maxsize=512)
def browser_name(user_agent: str) -> str:
    """ "Firefox on Windows", from what a browser calls itself; "A browser" where that says nothing. It proves nothing:
    anybody can call themselves so.
    """
    found = parse(user_agent)
    parts = (found.user_agent and found.user_agent.family, found.os and found.os.family)
    browser, system = (SHORT.get(part, part) if part and part != "Other" else "" for part in parts)
    return f"{browser or 'A browser'} on {system}" if system else browser or "A browser"


def place(address: str) -> str:
    """Where a network address is: "this computer", "your network, 192.168.1.20", "203.0.113.7"; "" for none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return "the computer that Soroe runs on"
    return f"your network, {found}" if found.is_private or found.is_link_local else str(found)
