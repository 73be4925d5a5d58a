"""Every address checks today's role: someone who lost a role gets the same answers as someone who never had it."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from app.models import ImageSet, Role, Subject, User
from app.sets import queries as sets
from app.sets import style_maps
from app.web import downloads, record
from tests.engine.painter import Painter
from tests.factory import MODEL, png
from tests.web.server import Browser, Server, make_person, making, signed_in_browser
from tests.web.test_live import messages
from tests.web.world import fill, populate, routes

# What each address needs. For things of others; where stated, the owner may act in place of a manager.
OPEN = "nobody need be signed in"
ANYBODY = "everybody who is signed in"
OWNER = "the owner, managers"
WRITER = "its writer, the owner here"
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

ITEM = {"topic": "other", "why": "It is ours."}

# In request order: what ends a thing comes after what needs it.
NEEDS: dict[tuple[str, str], str] = {
    ("POST", "/account/language"): ANYBODY,
    ("GET", "/"): ANYBODY,
    ("GET", "/warnings"): ADMIN,
    ("GET", "/queue"): ANYBODY,
    ("GET", "/search"): ANYBODY,
    ("GET", "/search/palette"): ANYBODY,
    ("GET", "/guide"): ANYBODY,
    ("GET", "/guide/{slug}"): ANYBODY,
    ("GET", "/guide/workshop"): ANYBODY,
    ("GET", "/guide/workshop/{slide}"): ANYBODY,
    ("GET", "/campaigns"): ANYBODY,
    ("GET", "/checklists"): ANYBODY,
    ("GET", "/checklists/{list_id}"): ANYBODY,
    ("GET", "/decisions/{decision_id}/checklists"): ANYBODY,
    ("GET", "/pictures/checklists"): ANYBODY,
    ("GET", "/manage/{noun}/{row_id}"): ANYBODY,
    ("GET", "/account"): ANYBODY,
    ("GET", "/confirm"): ANYBODY,
    ("GET", "/people"): ADMIN,
    ("GET", "/people/second-step"): ADMIN,
    ("GET", "/law"): ANYBODY,
    ("GET", "/images/{image_id}/safety"): ANYBODY,
    ("POST", "/images/{image_id}/safety"): REVIEWER,
    ("GET", "/images/{image_id}/report"): ANYBODY,
    ("POST", "/images/{image_id}/report"): ANYBODY,
    ("GET", "/reports"): MANAGER,
    ("POST", "/reports/{report_id}/hold"): MANAGER,
    ("POST", "/reports/{report_id}/release"): MANAGER,
    ("POST", "/reports/{report_id}/decide"): MANAGER,
    ("GET", "/brand/{of}/{of_id}"): ANYBODY,
    ("GET", "/brand/{of}/{of_id}/proposal"): MANAGER,
    ("POST", "/brand/{of}/{of_id}"): MANAGER,
    ("POST", "/brand/{of}/{of_id}/versions/{number}/restore"): MANAGER,
    ("GET", "/blind"): ANYBODY,
    ("GET", "/blind/new"): REVIEWER,
    ("POST", "/blind"): REVIEWER,
    ("GET", "/blind/{test_id}"): ANYBODY,
    # Whom a test invites, see tests/blind
    ("GET", "/blind/{test_id}/judge"): ANYBODY,
    ("POST", "/blind/{test_id}/judge"): ANYBODY,
    ("POST", "/blind/{test_id}/undo"): ANYBODY,
    ("GET", "/blind/{test_id}/{number}/{side}.webp"): ANYBODY,
    ("POST", "/blind/{test_id}/leave"): ANYBODY,
    ("POST", "/blind/{test_id}/join"): ANYBODY,
    ("POST", "/blind/{test_id}/invite"): OWNER,
    ("POST", "/blind/{test_id}/stop"): OWNER,
    ("GET", "/blocked"): MANAGER,
    ("GET", "/blocked.csv"): MANAGER,
    ("POST", "/blocked"): MANAGER,
    ("POST", "/blocked/import"): MANAGER,
    ("POST", "/blocked/{word_id}"): MANAGER,
    ("POST", "/blocked/{word_id}/remove"): MANAGER,
    ("GET", "/policy"): ANYBODY,
    ("GET", "/policy/versions"): ANYBODY,
    ("GET", "/policy/versions/{number}"): ANYBODY,
    ("GET", "/policy/edit"): ADMIN,
    ("GET", "/policy/people"): ADMIN,
    ("GET", "/styles"): ANYBODY,
    ("GET", "/styles/new"): ANYBODY,
    ("GET", "/styles/{code}"): ANYBODY,
    ("GET", "/styles/{code}/edit"): OWNER,
    ("GET", "/styles/{code}/bounds"): ANYBODY,
    ("POST", "/styles/{code}/bounds"): OWNER,
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
    ("GET", "/subjects/{subject_id}/likeness"): ANYBODY,
    ("POST", "/subjects/{subject_id}/likeness"): OWNER,
    ("POST", "/subjects/{subject_id}/likeness/{likeness_id}/remove"): MANAGER,
    ("GET", "/regions/masks/{mask}.png"): ANYBODY,
    ("GET", "/sets"): ANYBODY,
    ("GET", "/sets/new"): ANYBODY,
    ("GET", "/sets/estimate"): ANYBODY,
    ("GET", "/strips/{strip_id}"): ANYBODY,  # their own
    ("GET", "/strips/{strip_id}/{position}.webp"): ANYBODY,
    ("POST", "/strips"): ANYBODY,
    ("GET", "/templates"): ANYBODY,
    ("POST", "/templates"): ANYBODY,
    ("POST", "/templates/{template_id}/use"): ANYBODY,
    ("POST", "/templates/{template_id}"): OWNER,
    ("POST", "/templates/{template_id}/delete"): OWNER,
    ("POST", "/templates/{template_id}/restore"): OWNER,
    ("POST", "/templates/prompts/{prompt_id}/remove"): ANYBODY,  # their own
    ("POST", "/strips/{strip_id}/cancel"): ANYBODY,
    ("GET", "/styles/{code}/tuning"): ANYBODY,
    ("GET", "/tunings/effort"): ANYBODY,
    ("GET", "/tunings/{tuning_id}"): ANYBODY,  # their own
    ("GET", "/tunings/{tuning_id}/{position}.webp"): ANYBODY,
    ("POST", "/tunings"): ANYBODY,
    ("POST", "/tunings/begin"): ANYBODY,
    ("POST", "/tunings/{tuning_id}/cancel"): ANYBODY,
    ("POST", "/tunings/{tuning_id}/take"): ANYBODY,
    ("GET", "/images/{image_id}/map"): ANYBODY,
    ("GET", "/images/{image_id}/map-sheet"): ANYBODY,
    ("GET", "/images/{image_id}/map-plain"): ANYBODY,
    ("POST", "/images/{image_id}/map"): ANYBODY,
    ("POST", "/images/{image_id}/map/cancel"): OWNER,  # of the map
    ("GET", "/sets/{set_id}"): ANYBODY,
    ("GET", "/events"): ANYBODY,
    ("GET", "/sets/{set_id}/events"): ANYBODY,
    ("GET", "/sets/{set_id}/alike"): ANYBODY,
    ("GET", "/references/{reference_id}/advice"): ANYBODY,
    ("GET", "/sets/{set_id}/measures"): ANYBODY,
    ("GET", "/images/{image_id}/measures"): ANYBODY,
    ("GET", "/sets/{set_id}/news"): ANYBODY,
    ("GET", "/review"): ANYBODY,
    ("GET", "/review/settings"): MANAGER,
    ("GET", "/images/{image_id}/again"): OWNER,
    ("GET", "/compare"): ANYBODY,
    ("GET", "/images/{image_id}/layout"): ANYBODY,
    ("GET", "/pictures"): ANYBODY,
    ("GET", "/pictures/bin"): ANYBODY,
    ("GET", "/images/{image_id}.png"): ANYBODY,
    ("GET", "/images/{image_id}/download.png"): OWNER,
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
    ("POST", "/sample/open"): ANYBODY,
    ("POST", "/sample/remove"): ANYBODY,  # their own
    ("POST", "/checklist/hide"): ANYBODY,
    ("POST", "/checklist/show"): ANYBODY,
    ("POST", "/record/check"): MANAGER,
    ("POST", "/policy/edit"): ADMIN,
    ("POST", "/policy/accept"): ANYBODY,
    ("POST", "/policy/end"): ADMIN,
    ("POST", "/styles/preview"): ANYBODY,
    ("POST", "/styles"): ANYBODY,
    ("POST", "/styles/{code}"): OWNER,
    ("POST", "/readings"): ANYBODY,
    ("POST", "/maps"): ANYBODY,
    ("POST", "/maps/{map_id}/crop"): ANYBODY,
    ("POST", "/subjects/pictures"): ANYBODY,
    ("POST", "/subjects"): ANYBODY,
    ("POST", "/subjects/lora"): ANYBODY,
    ("POST", "/regions/masks"): ANYBODY,
    ("POST", "/sets"): ANYBODY,
    ("POST", "/drafts"): ANYBODY,
    ("POST", "/drafts/discard"): ANYBODY,
    ("POST", "/images/{image_id}/comments"): ANYBODY,
    ("POST", "/images/{image_id}/mentions"): ANYBODY,
    ("POST", "/threads/{thread_id}/replies"): ANYBODY,
    ("POST", "/comments/{comment_id}/edit"): WRITER,
    ("POST", "/comments/{comment_id}/delete"): WRITER,
    ("POST", "/comments/{comment_id}/restore"): WRITER,
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
    ("POST", "/decisions/{decision_id}/undo"): DECIDER,
    ("POST", "/images/{image_id}/decision"): REVIEWER,
    ("POST", "/undo/{offer}"): ANYBODY,
    ("POST", "/pictures/decide"): REVIEWER,
    ("POST", "/pictures/reject"): REVIEWER,
    ("POST", "/review/reasons"): MANAGER,
    ("POST", "/review/reasons/{reason_id}"): MANAGER,
    ("POST", "/review/reasons/{reason_id}/move"): MANAGER,
    ("POST", "/review/reasons/{reason_id}/remove"): MANAGER,
    ("POST", "/review/campaigns/{campaign_id}"): MANAGER,
    ("POST", "/review/campaigns/{campaign_id}/four-eyes"): MANAGER,
    ("POST", "/review/campaigns/{campaign_id}/checklists"): MANAGER,
    ("POST", "/images/{image_id}/checklists"): REVIEWER,
    ("POST", "/checklists"): MANAGER,
    ("POST", "/checklists/{list_id}/rename"): MANAGER,
    ("POST", "/checklists/{list_id}/items"): MANAGER,
    ("POST", "/checklists/{list_id}/items/{key}"): MANAGER,
    ("POST", "/checklists/{list_id}/items/{key}/remove"): MANAGER,
    ("POST", "/checklists/{list_id}/items/{key}/restore"): MANAGER,
    ("POST", "/checklists/{list_id}/versions/{version}/restore"): MANAGER,
    ("POST", "/checklists/{list_id}/delete"): MANAGER,
    ("POST", "/checklists/{list_id}/restore"): MANAGER,
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
    ("POST", "/images/{image_id}/cancel"): OWNER,
    ("POST", "/manage/set/{row_id}/move"): OWNER,
    ("POST", "/manage/{noun}/{row_id}/rename"): OWNER,
    ("POST", "/manage/{noun}/{row_id}/archive"): OWNER,
    ("POST", "/manage/{noun}/{row_id}/unarchive"): OWNER,
    ("POST", "/queue/{noun}/{row_id}/move"): OWNER,
    ("POST", "/queue/{noun}/{row_id}/pause"): OWNER,
    ("POST", "/queue/{noun}/{row_id}/resume"): OWNER,
    ("POST", "/queue/{noun}/{row_id}/cancel"): OWNER,  # of drafts and maps: `test_queue.py`
    ("POST", "/queue/pause"): ADMIN,
    ("POST", "/queue/resume"): ADMIN,
    ("POST", "/sets/{set_id}/retry"): OWNER,
    ("POST", "/sets/{set_id}/retry-now"): OWNER,
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
    ("POST", "/manage/{noun}/{row_id}/delete"): OWNER,
    ("POST", "/manage/{noun}/{row_id}/restore"): OWNER,
    # People
    ("POST", "/people/second-step"): ADMIN,
    ("POST", "/people/invite"): ADMIN,
    ("POST", "/people/invitations/{invitation_id}/revoke"): ADMIN,
    ("POST", "/people/resets/{reset_id}/revoke"): ADMIN,
    ("POST", "/people/{person_id}"): ADMIN,
    ("POST", "/people/{person_id}/transfer"): ADMIN,
    ("POST", "/people/{person_id}/reset"): ADMIN,
    ("POST", "/people/{person_id}/sessions/end"): ADMIN,
    ("POST", "/account/name"): ANYBODY,
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
    ("GET", "/languages/{language}/{version}.js"): OPEN,
    ("POST", "/login/language"): OPEN,
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
    ("GET", "/shared/{token}/pictures/{position}/thumb-{side}.webp"): OPEN,
    ("GET", "/shared/{token}/pictures/{position}/download"): OPEN,
    ("GET", "/shared/{token}/pictures/{position}/report"): OPEN,
    ("POST", "/shared/{token}/pictures/{position}/report"): OPEN,
    ("GET", "/shared/{token}/download.zip"): OPEN,
    ("HEAD", "/shared/{token}/download.zip"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
}
ENDLESS = ("/events", "/news")
# These do not depend on the thing they act on.
WITHOUT_A_THING = ("/people/", "/account/", "/confirm", "/strips/", "/tunings/", "/policy/", "/sample/", "/checklist/")
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
        "/styles/{code}/bounds": {"data": {"measure": "blank", "bound": str(20 + int(values["set_id"]) % 60)}},
        "/maps": {"files": picture, "data": {"kind": "edges", "size": "256x256"}},
        "/subjects/pictures": {"files": picture},
        "/regions/masks": {"files": {"mask": ("a.png", png("white", (64, 64)), "image/png")}},
        "/sets": {"data": {"style": values["code"], "prompts": "a fox"}},
        "/templates": {"data": {"template_name": "Mine", "count": "2"}},
        "/templates/{template_id}": {"data": {"template_name": f"Other words {values['set_id']}"}},
        "/strips": {"data": {"style": values["code"], "prompts": "a fox"}},
        "/tunings": {"data": {"style": values["code"], "prompts": "a fox"}},
        "/tunings/begin": {"data": {"style": values["code"]}},
        "/images/{image_id}/comments": {"data": {"body": "Nice."}},
        "/threads/{thread_id}/replies": {"data": {"body": "Yes."}},
        "/comments/{comment_id}/edit": {"data": {"body": "Much lighter."}},
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
        "/checklists": {"data": {"name": f"Brand {values['set_id']}"}},
        "/checklists/{list_id}/rename": {"data": {"name": f"House {values['set_id']}"}},
        "/checklists/{list_id}/items": {"data": ITEM | {"text": f"No logo {values['set_id']}."}},
        "/checklists/{list_id}/items/{key}": {"data": ITEM | {"text": f"No ink {values['set_id']}."}},
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
        "/people/second-step": {"data": {"role": "reviewer"}},
        "/images/{image_id}/safety": {"data": {"reason": "A statue"}},
        "/images/{image_id}/report": {"data": {"kind": "other", "words": "x"}},
        "/reports/{report_id}/decide": {"data": {"outcome": "dismissed", "reason": "Fine"}},
        "/blocked": {"data": {"name": f"Acme {values['set_id']}", "reason": "A competitor"}},
        "/blocked/import": {"files": {"file": ("a.csv", f"b{values['set_id']},c".encode(), "text/csv")}},
        "/blocked/{word_id}": {"data": {"name": f"Brand {values['image_id']}", "reason": "A competitor"}},
        "/manage/{noun}/{row_id}/rename": {"data": {"name": "Other words"}},
        "/manage/set/{row_id}/move": {"data": {"campaign_name": values["campaign"]}},
        "/queue/pause": {"data": {"reason": "Maintenance"}},
        "/queue/{noun}/{row_id}/move": {"data": {"to": "up"}},
    }
    return forms.get(path, {})


def ask(browser: Browser, method: str, path: str, values: dict[str, str]) -> Answer:
    if path in ("/images/{image_id}/retry", "/images/{image_id}/discard"):
        values = values | {"image_id": values["again_id"]}
    elif path == "/images/{image_id}/map/cancel":
        values = values | {"image_id": values.get("mapped_id", values["image_id"])}
    chosen = ("/pictures/approved.zip", "/pictures/export", "/pictures/checklists")
    query = {"ids": values["image_id"]} if path in chosen else {}
    unknown = dict.fromkeys(
        (
            "reason_id",
            "invitation_id",
            "reset_id",
            "person_id",
            "session_id",
            "passkey_id",
            "strip_id",
            "tuning_id",
            "prompt_id",
            "number",
            "test_id",
            "likeness_id",
            "report_id",
            "offer",
        ),
        "404",
    )
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


@pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])  # else what waits could end in between
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
        worlds = []
        for person in (fallen, modest):
            owner = person if own else make_person(server, Role.DESIGNER)
            acted = {"exporter": person} if own else did(person, stranger, fallen, high, low)
            worlds.append(populate(server, owner, stranger, **acted))
            worlds[-1]["mapped_id"] = waiting_map(server, owner, worlds[-1])
        give(server, fallen, low)
        answers = zip(
            *(asked(server, *each, which) for each in zip((fallen, modest), worlds, strict=True)), strict=True
        )
        for (method, path, answer), (_, _, expected) in answers:
            need = NEEDS[method, path]
            told = f"{method} {path}, {'own' if own else 'of another'}, for {need}: {answer}"
            assert answer.status < 500, told
            assert answer == expected, f"{told}; who never rose: {expected}"
            mine = (own and need in (OWNER, WRITER)) or (not own and need == DECIDER and low.rank >= Role.REVIEWER.rank)
            if mine or (need != WRITER and low.rank >= LEAST[need].rank):
                assert answer.status not in (401, 403), told
            else:
                assert answer.status in (401, 403, 404) or answer.refused, told


def waiting_map(server: Server, owner: User, values: dict[str, str]) -> str:
    """The picture of which `owner` waits for a map."""
    with making(server) as make:
        image = make.session.get_one(ImageSet, int(values["set_id"])).images[1]
        style_maps.ask(make.session, make.session.get_one(User, owner.id), image.id, MODEL)
        return str(image.id)


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
        assert 'data-may="change designer judge manager reviewer"' in next(heard).data
        for role, may in (
            (Role.REVIEWER, "designer judge reviewer"),
            (Role.ADMIN, "admin change designer judge manager reviewer"),
        ):
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
