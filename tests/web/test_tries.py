"""Limits on attempts, by address, by account and in total; nobody can lock someone else out."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pwdlib import PasswordHash

from app.accounts import hashing, known
from app.accounts.hashing import BoundedHash
from app.errors import Busy, Later
from app.models import Role
from app.settings import Settings
from app.text import MOST_MARKS, filesize
from app.web.forms.fields import FIELD_LENGTH, LENGTHS, MOST_LINES
from app.web.limits import tries
from app.web.limits.head import HEADER_BYTES, PATH_BYTES, QUERY_BYTES
from app.web.limits.streams import IN_ALL, OF_PERSON
from app.web.limits.tries import ACTS, By, Tries, rows
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, making, spend

DOCS = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()


def allowed(counts: Tries, act: str, address: str = "192.0.2.1", account: object = "a", known: str = "") -> bool:
    try:
        counts.count(act, address, account, known)
    except Later:
        return False
    return True


def test_the_docs_show_the_table() -> None:
    shown = re.findall(r"^\| ([a-z-]+) \| ([a-z ]+) \| ([\d ]+) \| ([\w ]+) \|$", DOCS, re.MULTILINE)
    assert [(act, by, int(amount.replace(" ", "")), window) for act, by, amount, window in shown] == [*rows()]


def test_one_address_cannot_try_many_accounts() -> None:
    counts = Tries()
    assert sum(allowed(counts, "sign-in", account=number) for number in range(60)) == 30
    assert allowed(counts, "sign-in", "192.0.2.2", 61)
    assert not allowed(counts, "sign-in", "192.0.2.1", 62)


def test_many_addresses_cannot_try_one_account_endlessly() -> None:
    counts = Tries()
    assert sum(allowed(counts, "sign-in", f"192.0.2.{number}") for number in range(100)) == 50
    assert allowed(counts, "sign-in", "198.51.100.1", "somebody else")


def test_many_addresses_and_accounts_share_a_limit_and_fill_no_memory() -> None:
    counts = Tries()
    tried = [allowed(counts, "sign-in", f"10.0.{number // 200}.{number % 200}", number) for number in range(2000)]
    assert sum(tried) == 300
    assert len(counts._storage.events) < 2000, "what was refused left nothing"


def test_an_ipv6_network_is_one_address() -> None:
    counts = Tries()
    assert sum(allowed(counts, "sign-in", f"2001:db8::{number:x}", number) for number in range(60)) == 30


def test_a_known_browser_is_not_locked_out_by_strangers_or_neighbours() -> None:
    counts = Tries()
    for number in range(400):
        allowed(counts, "sign-in", f"10.1.{number // 200}.{number % 200}")
        allowed(counts, "sign-in", "192.0.2.1", f"neighbour {number}")
    assert not allowed(counts, "sign-in", "192.0.2.1")
    assert sum(allowed(counts, "sign-in", "192.0.2.1", known="mine") for _ in range(40)) == tries.KNOWN.amount


def test_tries_are_forgiven_in_time_and_their_keys_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.setattr(tries, "time", lambda: now)
    monkeypatch.setattr(tries, "KEYS", 10)
    counts = Tries()
    assert [allowed(counts, "share", "192.0.2.1") for _ in range(11)].count(True) == 10
    with pytest.raises(Later) as refusal:
        counts.count("share", "192.0.2.1", "a")
    assert refusal.value.retry_after == 60
    for number in range(20):
        allowed(counts, "share", f"192.0.2.{number}", number)
    now += 3601
    assert allowed(counts, "share", "192.0.2.1")
    assert allowed(counts, "share", "192.0.2.1")
    assert len(counts._storage.events) <= 5
    assert counts.first("x")
    assert not counts.first("x")


def test_many_threads_count_together() -> None:
    counts, passed = Tries(), []
    threads = [
        threading.Thread(target=lambda: passed.extend(allowed(counts, "sign-in") for _ in range(10))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 10


def test_every_act_has_a_total_limit() -> None:
    assert all(By.ALL in {limit.by for limit in act.limits} for act in ACTS.values())


# On the server


def test_a_known_browser_is_not_locked_out(server: Server, anonymous: Browser) -> None:
    person, other = make_person(server, Role.DESIGNER), make_person(server, Role.DESIGNER)
    assert anonymous.sign_in(person.email).status_code == 303
    anonymous.post("/logout")
    spend(server, "sign-in", person.email)
    assert anonymous.sign_in(person.email).status_code == 303
    assert anonymous.sign_in(other.email).status_code == 303, "a stranger to that account, whom nobody attacks"
    spend(server, "sign-in", other.email)
    with Browser(server.url) as stranger:
        for forged in ("", "x", "a.b", f"{'0' * 32}.{'0' * 64}", "x" * 5000):
            answer = stranger.post(
                "/login", data={"email": other.email, "password": PASSWORD}, headers={"cookie": f"known={forged}"}
            )
            assert answer.status_code == 429, forged
        assert "<h1" in answer.text, "a page"


def test_the_known_browser_proof_ends_with_the_password(server: Server) -> None:
    person = make_person(server, Role.DESIGNER)
    proof = known.proof(person)
    with server.resources.database.write() as session:
        assert known.browser(session, person.email, proof)
        assert not known.browser(session, "nobody@example.com", proof)
        session.merge(person).password_hash = "another"
        session.flush()
        assert not known.browser(session, person.email, proof)


def refusal_of(browser: Browser, method: str, path: str, **sent: object) -> str:
    answer = browser.request(method, path, **sent)  # type: ignore[arg-type]
    assert answer.status_code == 429, path
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert "Too many attempts" in answer.text
    return answer.text


def test_every_limited_route_says_so_with_the_time_to_wait(
    server: Server, anonymous: Browser, sign_in: Callable[..., Browser]
) -> None:
    admin = sign_in(Role.ADMIN)
    for act in ("password", "invite", "upload", "set", "export"):
        spend(server, act, admin.user.id)
    for act in ("link", "sign-up"):
        spend(server, act)
    refusal_of(anonymous, "GET", "/setup/unknown")
    refusal_of(anonymous, "POST", "/setup/unknown", data={"name": "x"})
    refusal_of(admin, "POST", "/people/invite", data={"role": "designer"})
    for path in ("/styles/preview", "/maps", "/regions/masks", "/subjects/pictures", "/subjects/lora"):
        refusal_of(admin, "POST", path)
    for path in ("/sets/1/retry", "/images/1/retry", "/subjects", "/subjects/1/retry"):
        refusal_of(admin, "POST", path)
    for path in ("/exports", "/exports/1/again", "/exports/1/anew", "/exports/1/shares"):
        refusal_of(admin, "POST", path)
    refusal_of(admin, "GET", "/pictures/approved.zip?ids=1")
    with making(server) as make:
        make.style()
    assert "a fox in a hat" in refusal_of(admin, "POST", "/sets", data={"prompts": "a fox in a hat"})
    script = refusal_of(admin, "POST", "/maps", headers={"accept": "*/*"})
    assert re.fullmatch(r"Too many attempts to upload\. Wait \d+ (seconds|minutes?), then try again\.", script)
    assert "Change password" in refusal_of(admin, "POST", "/account/password", data={"current": "x"})


# Passwords


class Slow:
    """Hashes that take as long as the test wants, counting how many run at once."""

    def __init__(self) -> None:
        self.go, self.lock = threading.Event(), threading.Lock()
        self.now = self.most = 0

    def hash(self, _: str) -> str:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(10)
        with self.lock:
            self.now -= 1
        return "hash"


def test_a_few_hashes_run_at_once_and_a_short_line_waits() -> None:
    slow, refused = Slow(), []
    room = BoundedHash(slow, at_once=2, in_line=3)  # type: ignore[arg-type]

    def make() -> None:
        try:
            room.hash("x")
        except Busy as busy:
            refused.append((busy.status, busy.retry_after))
            if len(refused) == 7:
                slow.go.set()

    threads = [threading.Thread(target=make) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [(503, 3)] * 7
    assert slow.most == 2
    assert room.hash("afterwards") == "hash"


def test_a_wrong_hash_gives_its_place_back() -> None:
    room = BoundedHash(PasswordHash.recommended(), at_once=1, in_line=0)
    for _ in range(3):
        with suppress(Exception):
            room.verify("x", "no hash at all")
    assert room.verify("x", room.hash("x"))


def test_the_docs_state_the_limits_correctly() -> None:
    told = re.sub(r"(?<=\d) (?=\d)", "", DOCS.replace("\n", " "))
    for words in (
        f"an address (the path) | {PATH_BYTES} bytes",
        f"the query after the `?` | {QUERY_BYTES} bytes",
        f"a header, or all cookies | {HEADER_BYTES} bytes",
        f"a form field | {FIELD_LENGTH} characters",
        f"the prompts field | {LENGTHS['prompts']} characters",
        f"subjects, regions) | {LENGTHS['regions']} characters",
        f"lines in a field | {MOST_LINES}",
        f"only {MOST_MARKS} combining marks in a row are kept",
        f"{hashing.IN_LINE} wait in a queue",
        f"`Retry-After: {hashing.RETRY_AFTER}`",
        f"up to {tries.KNOWN.amount} attempts a minute",
        f"can hold {OF_PERSON} of them, and everyone together {IN_ALL}",
    ):
        assert words in told, words
    for name, default in Settings(_env_file=None).quotas.items():
        written = filesize(default) if default >= 2**30 else str(default)
        assert f"| `SOROE_QUOTA_{name.upper()}` | {written} |" in told
