"""Limit attempts by address, by account and in total.

This prevents two kinds of harm: guessing (passwords, invitations) and flooding (uploads, sets, exports). The windows
slide: at no time were there more attempts within the last minute than the table says.

Nobody can lock someone else out. A browser in which an account was signed in before has a proof of it, a cookie that
only that account's password hash could have made (OWASP's device cookies:
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies), and is then counted separately:
attempts by strangers at that account, or by neighbours behind the same address, do not count against it.

Everything is in memory: a restart clears it, which does not help a guesser. Memory is bounded by the total limits,
because refused attempts are not stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address, ip_network
from math import ceil
from threading import Lock
from time import time

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import Later
from app.languages import N_, ngettext, translated
from app.languages import gettext as _

MINUTE, HOUR = 60, 3600
KEYS = 20_000  # stored before expired ones are removed
IPV6_PREFIX = 64  # what one household or company has; a person there may use any of it


class By(StrEnum):
    """What attempts are counted by."""

    ADDRESS = "address"  # of IPv6, its /64
    ACCOUNT = "account"  # or link, or person
    BOTH = "account and address"
    ALL = "everyone together"


@dataclass(frozen=True)
class Limit:
    """At most `amount` attempts within `seconds`."""

    by: By
    amount: int
    seconds: int = MINUTE

    @property
    def item(self) -> RateLimitItem:
        return RateLimitItemPerSecond(self.amount, self.seconds)

    @property
    def window(self) -> str:
        if self.seconds % HOUR == 0:
            return "hour" if self.seconds == HOUR else f"{self.seconds // HOUR} hours"
        return "minute" if self.seconds == MINUTE else f"{self.seconds // MINUTE} minutes"


@dataclass(frozen=True)
class LimitedAct:
    """An act to limit: its name in refusals, and its limits, starting with those that strangers reach first."""

    tried: str
    limits: tuple[Limit, ...]


# docs/limits.md shows this table; a test compares them.
ACTS: dict[str, LimitedAct] = {
    "sign-in": LimitedAct(
        N_("to sign in"),
        (
            Limit(By.BOTH, 10),
            Limit(By.ADDRESS, 30),
            Limit(By.ADDRESS, 300, HOUR),
            Limit(By.ACCOUNT, 50, 10 * MINUTE),
            Limit(By.ALL, 300),
        ),
    ),
    "provider": LimitedAct(N_("to sign in"), (Limit(By.ADDRESS, 60), Limit(By.ALL, 600))),
    "code": LimitedAct(
        N_("with a code"),
        (Limit(By.ACCOUNT, 5, 5 * MINUTE), Limit(By.ACCOUNT, 30, 24 * HOUR), Limit(By.ALL, 300)),
    ),
    "password": LimitedAct(
        N_("with a password"), (Limit(By.ACCOUNT, 10, 5 * MINUTE), Limit(By.ADDRESS, 60), Limit(By.ALL, 300))
    ),
    "share": LimitedAct(
        N_("with a password"),
        (Limit(By.BOTH, 10), Limit(By.ADDRESS, 30), Limit(By.ACCOUNT, 200, HOUR), Limit(By.ALL, 300)),
    ),
    "shared-picture": LimitedAct(
        N_("to open pictures"), (Limit(By.BOTH, 1200), Limit(By.ADDRESS, 2400), Limit(By.ALL, 12000))
    ),
    "report": LimitedAct(
        N_("to report pictures"),
        (Limit(By.BOTH, 10, HOUR), Limit(By.ADDRESS, 30, HOUR), Limit(By.ACCOUNT, 60, HOUR), Limit(By.ALL, 600, HOUR)),
    ),
    "link": LimitedAct(N_("to open a link"), (Limit(By.ADDRESS, 60), Limit(By.ALL, 600))),
    "sign-up": LimitedAct(N_("to make an account"), (Limit(By.ADDRESS, 20), Limit(By.ALL, 120))),
    "invite": LimitedAct(N_("to invite"), (Limit(By.ACCOUNT, 60, HOUR), Limit(By.ALL, 300, HOUR))),
    "upload": LimitedAct(N_("to upload"), (Limit(By.ACCOUNT, 120), Limit(By.ADDRESS, 600), Limit(By.ALL, 1200))),
    "draft": LimitedAct(N_("to save a draft"), (Limit(By.ACCOUNT, 120), Limit(By.ADDRESS, 600), Limit(By.ALL, 1200))),
    "reading": LimitedAct(
        N_("to check prompts"), (Limit(By.ACCOUNT, 300), Limit(By.ADDRESS, 1200), Limit(By.ALL, 2400))
    ),
    "set": LimitedAct(N_("to make pictures"), (Limit(By.ACCOUNT, 60), Limit(By.ADDRESS, 300), Limit(By.ALL, 600))),
    "strip": LimitedAct(
        N_("to preview strengths"), (Limit(By.ACCOUNT, 20), Limit(By.ADDRESS, 100), Limit(By.ALL, 300))
    ),
    "tuning": LimitedAct(
        N_("to find the best setting"), (Limit(By.ACCOUNT, 10), Limit(By.ADDRESS, 50), Limit(By.ALL, 150))
    ),
    "map": LimitedAct(N_("to make maps"), (Limit(By.ACCOUNT, 20), Limit(By.ADDRESS, 100), Limit(By.ALL, 300))),
    "export": LimitedAct(N_("to export"), (Limit(By.ACCOUNT, 60), Limit(By.ADDRESS, 300), Limit(By.ALL, 600))),
}
KNOWN = Limit(By.ACCOUNT, 20)  # for a browser in which that account was signed in before
ONCE = Limit(By.ACCOUNT, 1)


class Tries:
    """Counts of attempts."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._windows = MovingWindowRateLimiter(self._storage)
        self._lock = Lock()  # routes run in several threads; nothing may come between check and count

    def count(self, act: str, address: str, account: object = "", known: str = "") -> None:
        """Count one attempt at an act of `ACTS`. Raises Later, and then counts nothing.

        `account` identifies it: an e-mail, or the id of a person, share or link. `known` proves that the browser is
        that account's own.
        """
        found = ACTS[act]
        whence = network_of(address)
        names = {
            By.ADDRESS: (whence,),
            By.ACCOUNT: (str(account),),
            By.BOTH: (str(account), whence),
            By.ALL: (),
        }
        counted = [(limit.item, _key(act, limit.by, *names[limit.by])) for limit in found.limits]
        if known:
            counted = [(KNOWN.item, _key(act, "known", str(account), known))]
        with self._lock:
            full = [pair for pair in counted if not self._windows.test(*pair)]
            if not full:
                self._forget()
                for pair in counted:
                    self._windows.hit(*pair)
                return
            ends = max(self._windows.get_window_stats(*pair).reset_time for pair in full)
        seconds = max(1, ceil(ends - time()))
        if seconds < 100:
            wait = ngettext("%(number)s second", "%(number)s seconds", seconds)
        else:
            wait = ngettext("%(number)s minute", "%(number)s minutes", ceil(seconds / MINUTE))
        raise Later(
            _("Too many attempts %(tried)s. Wait %(wait)s, then try again.", tried=translated(found.tried), wait=wait),
            seconds,
        )

    def first(self, what: str) -> bool:
        """Whether this is the first of its kind within a minute, such as a refusal to be recorded once."""
        with self._lock:
            self._forget()
            return len(self._storage.events) < 2 * KEYS and self._windows.hit(ONCE.item, _key("first", what))

    def _forget(self) -> None:
        """Drop keys whose attempts have all expired: the storage empties them, but keeps their names."""
        events = self._storage.events
        if len(events) <= KEYS:
            return
        for key in [key for key, entries in events.items() if not entries or entries[0].expiry <= time()]:
            self._storage.clear(key)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 one, or any other text itself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:45]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((found, IPV6_PREFIX), strict=False))


def _key(*names: str) -> str:
    """Of fixed length: strangers type names of any length."""
    return sha256("\0".join(names).encode(errors="replace")).hexdigest()


def rows() -> Iterable[tuple[str, str, int, str]]:
    """The table, for the docs: act, counted by, amount, period."""
    for name, act in ACTS.items():
        for limit in act.limits:
            yield name, limit.by, limit.amount, limit.window
