"""Every address checks today's role: someone who lost a role gets the same answers as someone who never had it."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from app.models import Role, Subject, User
from app.sets import queries as sets
from app.web import downloads, record
from tests.engine.painter import Painter
from tests.factory import png
from tests.web.server import Browser, Server, make_person, making, signed_in_browser
from tests.web.test_live import messages
from tests.web.world import fill, populate, routes

# What each address needs. For things of others; where stated, the owner may act in place of a manager.
OPEN = "nobody need be signed in"
ANYBODY = "everybody who is signed in"
OWNER = "the owner, managers"
REVIEWER = "reviewers"
DECIDER = "who decided it, as long as they are reviewers; managers"
MANAGER = "managers"
ADMIN = "administrators"
LEAST = {
    ANYBODY: Role.DESIGNER,
    OWNER: Role.MANAGER,
    REVIEWER: Role.REVIEWER,
    DECIDER: Role.MANAGER,
    MANAGER: Role.MANAGER,
    ADMIN: Role.ADMIN,
}

# In request order: what ends a thing comes after what needs it.
NEEDS: dict[tuple[str, str], str] = {
    ("GET", "/"): ANYBODY,
    ("GET", "/warnings"): ADMIN,
    ("GET", "/account"): ANYBODY,
    ("GET", "/confirm"): ANYBODY,
    ("GET", "/people"): ADMIN,
    ("GET", "/styles"): ANYBODY,
    ("GET", "/styles/new"): ANYBODY,
    ("GET", "/styles/{code}"): ANYBODY,
    ("GET", "/styles/{code}/edit"): OWNER,
    ("GET", "/maps"): ANYBODY,
    ("GET", "/maps/{map_id}.png"): ANYBODY,
    ("GET", "/maps/{map_id}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/subjects"): ANYBODY,
    ("GET", "/subjects/new"): ANYBODY,
    ("GET", "/subjects/pictures/{sha256}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/subjects/{subject_id}"): ANYBODY,
    ("GET", "/subjects/{subject_id}/lora.safetensors"): OWNER,
    ("GET", "/subjects/{subject_id}/pictures/{position}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/subjects/samples/{sample_id}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/subjects/{subject_id}/events"): ANYBODY,
    ("GET", "/regions/masks/{mask}.png"): ANYBODY,
    ("GET", "/sets"): ANYBODY,
    ("GET", "/sets/new"): ANYBODY,
    ("GET", "/sets/{set_id}"): ANYBODY,
    ("GET", "/sets/{set_id}/events"): ANYBODY,
    ("GET", "/sets/{set_id}/news"): ANYBODY,
    ("GET", "/review"): ANYBODY,
    ("GET", "/review/settings"): MANAGER,
    ("GET", "/images/{image_id}/again"): OWNER,
    ("GET", "/compare"): ANYBODY,
    ("GET", "/pictures"): ANYBODY,
    ("GET", "/pictures/bin"): ANYBODY,
    ("GET", "/images/{image_id}.png"): ANYBODY,
    ("GET", "/images/{image_id}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/images/{image_id}/preview"): ANYBODY,
    ("GET", "/thumbs/{sha256}-{side}.webp"): ANYBODY,
    ("GET", "/references/{reference_id}.png"): ANYBODY,
    ("GET", "/references/{reference_id}/thumb-{side}.webp"): ANYBODY,
    ("GET", "/references/{reference_id}"): ANYBODY,
    ("GET", "/references/{reference_id}/rights"): OWNER,
    ("GET", "/references/{reference_id}/rights/files/{file_id}"): OWNER,
    ("GET", "/exports"): ANYBODY,
    ("GET", "/campaigns/{campaign_id}/export"): OWNER,
    ("GET", "/sets/{set_id}/export"): OWNER,
    ("GET", "/pictures/export"): OWNER,
    ("GET", "/exports/example"): ANYBODY,
    ("GET", "/exports/{export_id}"): OWNER,
    ("GET", "/exports/{export_id}/download.zip"): OWNER,
    ("HEAD", "/exports/{export_id}/download.zip"): OWNER,
    ("GET", "/sets/{set_id}/approved.zip"): OWNER,
    ("GET", "/campaigns/{campaign_id}/approved.zip"): OWNER,
    ("GET", "/pictures/approved.zip"): OWNER,
    ("GET", "/record"): MANAGER,
    ("GET", "/record.csv"): MANAGER,
    # Adding to things
    ("POST", "/record/check"): MANAGER,
    ("POST", "/styles/preview"): ANYBODY,
    ("POST", "/styles"): ANYBODY,
    ("POST", "/styles/{code}"): OWNER,
    ("POST", "/maps"): ANYBODY,
    ("POST", "/maps/{map_id}/crop"): ANYBODY,
    ("POST", "/subjects/pictures"): ANYBODY,
    ("POST", "/subjects"): ANYBODY,
    ("POST", "/subjects/lora"): ANYBODY,
    ("POST", "/regions/masks"): ANYBODY,
    ("POST", "/sets"): ANYBODY,
    ("POST", "/images/{image_id}/comments"): ANYBODY,
    ("POST", "/images/{image_id}/mentions"): ANYBODY,
    ("POST", "/threads/{thread_id}/replies"): ANYBODY,
    ("POST", "/threads/{thread_id}/resolve"): ANYBODY,
    ("POST", "/threads/{thread_id}/reopen"): ANYBODY,
    ("POST", "/pictures/tag"): ANYBODY,
    ("POST", "/pictures/untag"): ANYBODY,
    ("POST", "/pictures/star"): ANYBODY,
    ("POST", "/searches"): ANYBODY,
    ("POST", "/searches/{search_id}/rename"): OWNER,
    ("POST", "/searches/{search_id}/delete"): OWNER,
    # Decisions
    ("POST", "/decisions/{decision_id}/withdraw"): DECIDER,
    ("POST", "/images/{image_id}/decision"): REVIEWER,
    ("POST", "/pictures/decide"): REVIEWER,
    ("POST", "/pictures/reject"): REVIEWER,
    ("POST", "/review/reasons"): MANAGER,
    ("POST", "/review/reasons/{reason_id}"): MANAGER,
    ("POST", "/review/reasons/{reason_id}/move"): MANAGER,
    ("POST", "/review/reasons/{reason_id}/remove"): MANAGER,
    ("POST", "/review/campaigns/{campaign_id}"): MANAGER,
    ("POST", "/review/campaigns/{campaign_id}/four-eyes"): MANAGER,
    # Exports
    ("POST", "/exports"): OWNER,
    ("POST", "/exports/{export_id}/again"): OWNER,
    ("POST", "/exports/{export_id}/anew"): OWNER,
    ("POST", "/exports/{export_id}/shares"): OWNER,
    ("POST", "/exports/{export_id}/shares/{share_id}/resume"): OWNER,
    ("POST", "/exports/{export_id}/shares/{share_id}/revoke"): OWNER,
    ("POST", "/exports/{export_id}/shares/revoke"): OWNER,
    ("POST", "/exports/{export_id}/delete"): OWNER,
    # Rights
    ("POST", "/references/{reference_id}/rights"): OWNER,
    ("POST", "/references/{reference_id}/rights/files"): OWNER,
    ("POST", "/references/{reference_id}/rights/files/{file_id}/remove"): OWNER,
    ("POST", "/references/{reference_id}/rights/withdraw"): OWNER,
    ("POST", "/references/{reference_id}/rights/restore"): OWNER,
    # Changing and ending things
    ("POST", "/images/{image_id}/again"): OWNER,
    ("POST", "/images/{image_id}/retry"): OWNER,
    ("POST", "/images/{image_id}/discard"): OWNER,
    ("POST", "/sets/{set_id}/retry"): OWNER,
    ("POST", "/sets/{set_id}/held/retry"): OWNER,
    ("POST", "/sets/{set_id}/held/remove"): OWNER,
    ("POST", "/sets/{set_id}/cancel"): OWNER,
    ("POST", "/pictures/move"): OWNER,
    ("POST", "/pictures/delete"): OWNER,
    ("POST", "/pictures/restore"): OWNER,
    ("POST", "/sets/{set_id}/lock"): OWNER,
    ("POST", "/sets/{set_id}/unlock"): MANAGER,
    ("POST", "/subjects/{subject_id}/cancel"): OWNER,
    ("POST", "/subjects/{subject_id}/retry"): OWNER,
    ("POST", "/subjects/{subject_id}/archive"): OWNER,
    ("POST", "/subjects/{subject_id}/unarchive"): OWNER,
    ("POST", "/styles/{code}/archive"): OWNER,
    ("POST", "/styles/{code}/unarchive"): OWNER,
    # People
    ("POST", "/people/invite"): ADMIN,
    ("POST", "/people/invitations/{invitation_id}/revoke"): ADMIN,
    ("POST", "/people/resets/{reset_id}/revoke"): ADMIN,
    ("POST", "/people/{person_id}"): ADMIN,
    ("POST", "/people/{person_id}/reset"): ADMIN,
    ("POST", "/people/{person_id}/sessions/end"): ADMIN,
    ("POST", "/account/password"): ANYBODY,
    ("POST", "/account/sessions/{session_id}/end"): ANYBODY,
    ("POST", "/account/sessions/end"): ANYBODY,
    ("POST", "/confirm"): ANYBODY,
    ("POST", "/people/{person_id}/second-step/reset"): ADMIN,
    ("GET", "/account/security"): ANYBODY,
    ("GET", "/account/authenticator"): ANYBODY,
    ("POST", "/account/authenticator"): ANYBODY,
    ("GET", "/account/authenticator/codes"): ANYBODY,
    ("POST", "/account/authenticator/codes"): ANYBODY,
    ("POST", "/account/authenticator/remove"): ANYBODY,
    ("POST", "/account/passkeys"): ANYBODY,
    ("POST", "/account/passkeys/options"): ANYBODY,
    ("POST", "/account/passkeys/{passkey_id}/remove"): ANYBODY,
    ("POST", "/confirm/passkey"): ANYBODY,
    ("POST", "/confirm/passkey/options"): ANYBODY,
    # Without an account
    ("GET", "/login"): OPEN,
    ("POST", "/login"): OPEN,
    ("GET", "/login/second"): OPEN,
    ("POST", "/login/second"): OPEN,
    ("POST", "/login/passkey"): OPEN,
    ("POST", "/login/passkey/options"): OPEN,
    ("GET", "/login/oidc"): OPEN,
    ("GET", "/login/oidc/callback"): OPEN,
    ("GET", "/login/oidc/ended"): OPEN,
    ("GET", "/login/oidc/logout"): OPEN,
    ("POST", "/logout"): OPEN,
    ("GET", "/setup/{token}"): OPEN,
    ("POST", "/setup/{token}"): OPEN,
    ("GET", "/reset/{token}"): OPEN,
    ("POST", "/reset/{token}"): OPEN,
    ("GET", "/shared/{token}"): OPEN,
    ("HEAD", "/shared/{token}"): OPEN,
    ("POST", "/shared/{token}"): OPEN,
    ("GET", "/shared/{token}/download.zip"): OPEN,
    ("HEAD", "/shared/{token}/download.zip"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
}
ENDLESS = ("/events", "/news")
# These do not depend on the thing they act on.
WITHOUT_A_THING = ("/people/", "/account/", "/confirm")
FALLS = [
    (Role.MANAGER, Role.DESIGNER),
    (Role.REVIEWER, Role.DESIGNER),
    (Role.MANAGER, Role.REVIEWER),
    (Role.ADMIN, Role.MANAGER),
]


@dataclass(frozen=True)
class Answer:
    status: int
    refused: bool  # in words, on the next page


def test_every_address_says_whom_it_lets_in() -> None:
    assert sorted(routes()) == sorted(NEEDS)


def form_of(path: str, values: dict[str, str]) -> dict[str, Any]:
    """The form for an address, for httpx."""
    ids = [values["image_id"], values["undecided_id"]]
    picture = {"picture": ("a.png", png("teal", (256, 256)), "image/png")}
    forms: dict[str, dict[str, Any]] = {
        "/styles/preview": {"files": picture},
        "/styles": {"data": {"name": "New", "reference_id": values["reference_id"]}},
        "/styles/{code}": {"data": {"name": "Mine", "text": "x", "reference_id": values["reference_id"]}},
        "/maps": {"files": picture, "data": {"kind": "edges", "size": "256x256"}},
        "/subjects/pictures": {"files": picture},
        "/regions/masks": {"files": {"mask": ("a.png", png("white", (64, 64)), "image/png")}},
        "/sets": {"data": {"style": values["code"], "prompts": "a fox"}},
        "/images/{image_id}/comments": {"data": {"body": "Nice."}},
        "/threads/{thread_id}/replies": {"data": {"body": "Yes."}},
        "/pictures/tag": {"data": {"ids": ids, "tag_name": "hero"}},
        "/pictures/untag": {"data": {"ids": ids, "tag_name": "hero"}},
        "/pictures/star": {"data": {"ids": ids, "on": "1"}},
        "/searches": {"data": {"name": "Mine", "query": "q=fox"}},
        "/searches/{search_id}/rename": {"data": {"name": "Other words"}},
        "/images/{image_id}/decision": {"data": {"verdict": "approved", "seen": "0"}},
        "/pictures/decide": {"data": {"ids": ids, "verdict": "approved", "newest": "100000"}},
        "/pictures/reject": {"data": {"ids": ids, "reason": values["reason"], "newest": "100000"}},
        "/review/reasons": {"data": {"words": f"Too dark {values['set_id']}"}},
        "/review/reasons/{reason_id}": {"data": {"words": f"Too light {values['set_id']}"}},
        "/review/reasons/{reason_id}/move": {"data": {"to": "up"}},
        "/review/campaigns/{campaign_id}": {"data": {"approvals": "1"}},
        "/exports": {"data": {"set_id": values["set_id"], "format": "png", "sizes": "original"}},
        "/exports/{export_id}/shares": {"data": {"days": "7"}},
        "/references/{reference_id}/rights": {"data": {"owned_by": "Mori", "licence": "Free", "seen": ""}},
        "/references/{reference_id}/rights/files": {"files": {"file": ("b.pdf", b"%PDF-x", "application/pdf")}},
        "/references/{reference_id}/rights/withdraw": {"data": {"reason": "Legal says no"}},
        "/references/{reference_id}/rights/restore": {"data": {"reason": "A mistake", "seen": "0"}},
        "/images/{image_id}/again": {"data": {"prompt": "a red fox", "strength": "1", "count": "1"}},
        "/pictures/move": {"data": {"ids": ids, "campaign_name": values["campaign"]}},
        "/pictures/delete": {"data": {"ids": ids}},
        "/pictures/restore": {"data": {"ids": ids}},
        "/people/invite": {"data": {"role": "designer"}},
    }
    return forms.get(path, {})


def ask(browser: Browser, method: str, path: str, values: dict[str, str]) -> Answer:
    if path in ("/images/{image_id}/retry", "/images/{image_id}/discard"):
        values = values | {"image_id": values["again_id"]}
    query = {"ids": values["image_id"]} if path in ("/pictures/approved.zip", "/pictures/export") else {}
    unknown = dict.fromkeys(("reason_id", "invitation_id", "reset_id", "person_id", "session_id", "passkey_id"), "404")
    options = form_of(path, values) if method == "POST" else {"params": query}
    with browser.stream(method, fill(path, unknown | values), **options) as answer:
        if path.endswith(ENDLESS):
            return Answer(answer.status_code, False)
        answer.read()
    said = answer.headers.get_list("set-cookie")
    return Answer(answer.status_code, any(cookie.startswith("toast=%21") for cookie in said))


def asked(
    server: Server, person: User, values: dict[str, str], which: Callable[[str, str, str], bool]
) -> Iterator[tuple[str, str, Answer]]:
    """Have `person` request the addresses that need a sign-in, on one world's things."""
    with signed_in_browser(server, person) as browser:
        for (method, path), need in NEEDS.items():
            if need != OPEN and which(method, path, need) and not path.startswith(WITHOUT_A_THING):
                yield method, path, ask(browser, method, path, values)


def give(server: Server, person: User, role: Role) -> None:
    """Set a role in the database only, without ending what an administrator's change would end."""
    with server.resources.database.write() as session:
        session.get_one(User, person.id).role = role


@pytest.mark.parametrize(("high", "low"), FALLS, ids=str)
def test_a_lost_role_leaves_no_access(server: Server, high: Role, low: Role) -> None:
    """On things of someone else, on which the person acted with the higher role, and on their own."""
    fallen, modest = make_person(server, high), make_person(server, low)
    stranger = make_person(server, Role.MANAGER)
    for own in (False, True):

        def which(method: str, path: str, need: str, own: bool = own) -> bool:
            """What is open to everyone is requested once: it takes longest, and is the same for all."""
            return not (method == "GET" and need == ANYBODY and (own or (high, low) != FALLS[0]))

        give(server, fallen, high)
        worlds = [
            populate(server, person, stranger, exporter=person)
            if own
            else populate(
                server, make_person(server, Role.DESIGNER), stranger, **did(person, stranger, fallen, high, low)
            )
            for person in (fallen, modest)
        ]
        give(server, fallen, low)
        answers = zip(
            *(asked(server, *each, which) for each in zip((fallen, modest), worlds, strict=True)), strict=True
        )
        for (method, path, answer), (_, _, expected) in answers:
            need = NEEDS[method, path]
            told = f"{method} {path}, {'own' if own else 'of another'}, for {need}: {answer}"
            assert answer == expected, f"{told}; who never rose: {expected}"
            mine = (own and need == OWNER) or (not own and need == DECIDER and low.rank >= Role.REVIEWER.rank)
            if mine or low.rank >= LEAST[need].rank:
                assert answer.status not in (401, 403), told
            else:
                assert answer.status in (401, 403, 404) or answer.refused, told


def did(person: User, stranger: User, fallen: User, high: Role, low: Role) -> dict[str, User]:
    """Who decided and exported: the person, with the higher role; for the other, what they can do, else a stranger."""
    rose = person if person is fallen else stranger
    decider = person if low.rank >= Role.REVIEWER.rank else rose
    return {"decider": decider, "exporter": rose if high.rank >= Role.MANAGER.rank else stranger}


def test_a_closed_account_gets_nothing(server: Server) -> None:
    person = make_person(server, Role.ADMIN)
    values = populate(server, person, person)
    with signed_in_browser(server, person) as browser:
        assert browser.get("/").status_code == 200
        with server.resources.database.write() as session:
            session.get_one(User, person.id).active = False
        for (method, path), need in NEEDS.items():
            if need != OPEN and not path.endswith(ENDLESS):
                answer = ask(browser, method, path, values)
                assert answer.status in (303, 401), f"{method} {path}: {answer}"
        assert browser.get(f"/images/{values['image_id']}.png", headers={"accept": "image/png"}).status_code == 401


# Losing the role midway


def test_a_running_download_ends_with_the_role(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LOOK_BYTES", 1)
    manager = make_person(server, Role.MANAGER)
    values = populate(server, make_person(server, Role.DESIGNER), manager)
    address = f"/exports/{values['export_id']}/download.zip"
    asked_for = downloads.watched

    def falls_after_the_first(pieces: Iterator[bytes], may_go_on: Callable[[], bool]) -> Iterator[bytes]:
        for number, piece in enumerate(asked_for(pieces, may_go_on)):
            yield piece
            if number == 0:
                give(server, manager, Role.DESIGNER)

    with signed_in_browser(server, manager) as browser:
        assert browser.get(address).status_code == 200
        monkeypatch.setattr(downloads, "watched", falls_after_the_first)
        with pytest.raises(httpx2.RemoteProtocolError):
            browser.get(address)
        assert browser.get(address).status_code == 404


def test_an_open_stream_shows_what_todays_role_may(server: Server, engine: Painter) -> None:
    engine.pause_at = 1
    manager = make_person(server, Role.MANAGER)
    with making(server) as make:
        set_id = make.image_set(make_person(server, Role.DESIGNER)).id
    with signed_in_browser(server, manager) as browser:
        heard = messages(browser, f"/sets/{set_id}/events")
        assert 'data-may="change designer manager reviewer"' in next(heard).data
        for role, may in ((Role.REVIEWER, "designer reviewer"), (Role.ADMIN, "admin change designer manager reviewer")):
            give(server, manager, role)
            server.app.state.dispatcher.changed(sets.topic(set_id))
            assert any(f'data-may="{may}"' in message.data for message in heard), role
        with server.resources.database.write() as session:
            session.get_one(User, manager.id).active = False
        server.app.state.dispatcher.changed(sets.topic(set_id))
        assert all(message.event != "done" for message in heard), "it ended, and not because the set was done"


def test_shares_and_exports_of_a_manager_end_with_the_role(server: Server, anonymous: Browser) -> None:
    manager = make_person(server, Role.MANAGER)
    values = populate(server, make_person(server, Role.DESIGNER), manager)
    guest = f"/shared/{values['token']}"
    assert anonymous.get(guest).status_code == 200
    with signed_in_browser(server, manager) as browser:
        form = {"set_id": values["set_id"], "format": "jpeg", "sizes": "original"}
        asked_for = browser.post("/exports", data=form).headers["location"].split("?")[0]
        give(server, manager, Role.DESIGNER)
        server.resources.exporter.prepare(int(asked_for.split("/")[-1]))
        assert anonymous.get(guest).status_code == 404
        assert anonymous.get(f"{guest}/download.zip").status_code == 404
        assert browser.get(asked_for).status_code == 404
        with signed_in_browser(server, make_person(server, Role.MANAGER)) as other:
            assert "Download" in other.get(asked_for).text, "it was made ready, and managers see it"


def test_the_file_of_a_subject_breaks_off_with_the_role(server: Server) -> None:
    manager = make_person(server, Role.MANAGER)
    values = populate(server, make_person(server, Role.DESIGNER), manager)
    large = server.resources.files.put_lora(b"a" * 10 * downloads.LOOK_BYTES)
    with server.resources.database.write() as session:
        session.get_one(Subject, int(values["subject_id"])).sha256 = large
    address = f"/subjects/{values['subject_id']}/lora.safetensors"
    with signed_in_browser(server, manager) as browser, browser.stream("GET", address) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        give(server, manager, Role.DESIGNER)
        with pytest.raises(httpx2.RemoteProtocolError):
            list(pieces)


def test_the_record_breaks_off_with_the_role(server: Server) -> None:
    manager = make_person(server, Role.MANAGER)
    populate(server, make_person(server, Role.DESIGNER), manager)
    with signed_in_browser(server, manager) as browser:
        token = browser.cookies[server.resources.cookie]
        wanted = record.wanted_events()
        chunks = record.csv_chunks(server.resources, token, wanted, 2**40)
        assert list(csv.reader(io.StringIO(next(chunks).decode())))
        next(chunks)
        give(server, manager, Role.DESIGNER)
        with pytest.raises(Exception, match="for managers and administrators"):
            next(chunks)
