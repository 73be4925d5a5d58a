"""Tell systemd how the server is, where it started us (sd_notify(3)); elsewhere this does nothing."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send a line such as "READY=1" to the socket that systemd named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # in Linux's abstract namespace
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.sendto(state.encode(), address)


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear from us; None if it does not watch. Half of what it allows."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(allowed) / 2_000_000 if allowed.isdecimal() and ours else None
