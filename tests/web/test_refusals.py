"""Every form that is refused says so: a summary on top, in its own words, that leads to each field; and the title."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

import httpx2
import pytest

from app.accounts import service as accounts
from app.models import Role
from app.web.forms.form import SECRETS
from app.web.templating import TEMPLATES
from tests.web.server import Browser, Server, make_person, share_link
from tests.web.test_forms_of_routes import POSTS
from tests.web.world import fill, form_of, populate

LONG = "x" * 3000
BUTTONS = "Only buttons send it, so nobody can type something wrong."
SCRIPTS = "A script sends it, and shows the sentence at the picture."
JUNK = ("a.bin", b"\x00\xff no picture", "application/octet-stream")


@dataclass(frozen=True)
class Wrong:
    """What to send so that a form is refused, and the fields whose faults must be named, by their names."""

    sent: dict[str, str]
    fields: tuple[str, ...]
    files: tuple[str, ...] = ()  # names of fields for files


REFUSED: dict[str, Wrong | str] = {
    "/setup/{token}": Wrong({"name": LONG, "email": "haruka", "password": "short"}, ("name", "email", "password")),
    "/login": Wrong({"email": "", "password": ""}, ("email", "password")),
    "/account/name": Wrong({"name": LONG}, ("name",)),
    "/account/password": Wrong({"current": "wrong", "password": "short"}, ("current",)),
    **dict.fromkeys(("/account/language", "/login/language"), BUTTONS),
    "/login/second": "Tested with an authenticator app in test_factors.",
    "/account/authenticator": Wrong({"code": "nonsense"}, ("code",)),
    "/login/passkey": Wrong({"passkey": "{}"}, ("form",)),
    "/confirm/passkey": Wrong({"confirm-passkey": "{}", "confirm-next": "/people"}, ("form",)),
    "/account/passkeys": Wrong({"passkey": "{}"}, ("form",)),
    "/people/invite": Wrong({"role": "designer", "email": "haruka"}, ("email",)),
    "/people/second-step": BUTTONS,
    "/images/{image_id}/safety": "Tested with a flagged picture in test_safety.",
    "/images/{image_id}/report": Wrong({"kind": "", "words": LONG}, ("kind", "words")),
    "/shared/{token}/pictures/{position}/report": "Tested with a link in test_reports.",
    "/reports/{report_id}/decide": "Tested with a report in test_reports.",
    "/brand/{of}/{of_id}": Wrong(
        {"colours": "teal", "tolerance": "many", "size_least": "200", "seen": "0"},
        ("colours", "tolerance", "size_least"),
    ),
    "/blind": Wrong({"name": LONG, "a": "", "b": "", "planned": "many"}, ("name", "a", "b", "planned")),
    **dict.fromkeys(("/blind/{test_id}/judge", "/blind/{test_id}/undo"), BUTTONS),
    **dict.fromkeys(("/blind/{test_id}/invite", "/blind/{test_id}/stop"), "Tested with a test in test_blind."),
    "/blocked": Wrong({"name": LONG, "reason": ""}, ("name", "reason")),
    "/blocked/import": Wrong({}, ("file",), ("file",)),
    "/blocked/{word_id}": Wrong({"name": "...", "reason": LONG}, ("name", "reason")),
    "/policy/edit": Wrong({"english": "x" * 21_000, "note": LONG, "seen": "0"}, ("english", "note")),
    "/policy/accept": BUTTONS,
    "/policy/end": BUTTONS,
    "/people/{person_id}": BUTTONS,
    "/people/{person_id}/transfer": Wrong({"to": "nobody@example.com"}, ("to",)),
    "/reset/{token}": Wrong({"password": "short"}, ("password",)),
    "/confirm": Wrong({"confirm-password": "wrong", "confirm-next": "/people"}, ("confirm-password",)),
    "/styles/preview": Wrong({"name": "Retro"}, ("picture-file",), ("picture",)),
    "/styles": Wrong(
        {"name": "", "strength": "9", "scale": "many", "text": "posters"}, ("picture-file", "name", "strength", "scale")
    ),
    "/styles/{code}": Wrong({"name": LONG, "scale": "many", "reference_id": "1"}, ("name", "scale")),
    "/styles/{code}/bounds": Wrong({"measure": "seam", "bound": "many", "seen": ""}, ("seam",)),
    "/maps": SCRIPTS,
    "/maps/{map_id}/crop": SCRIPTS,
    "/subjects/pictures": SCRIPTS,
    "/subjects": Wrong({"name": "", "class_words": "mug", "steps": "many", "rank": "0"}, ("name", "steps", "rank")),
    "/subjects/lora": Wrong({"name": "", "phrase": "sks mug"}, ("lora-name",), ("file",)),
    "/subjects/{subject_id}/likeness": Wrong({}, ("reference_id",)),
    "/regions/masks": SCRIPTS,
    "/sets": Wrong(
        {
            "name": "Autumn",
            "prompts": "",
            "count": "99",
            "steps": "many",
            "guidance": "31",
            "size": "custom",
            "width": "100",
            "height": "99",
        },
        ("style", "prompts", "count", "size", "steps", "guidance"),
    ),
    "/manage/{noun}/{row_id}/rename": Wrong({"name": LONG}, ("name",)),
    "/manage/set/{row_id}/move": Wrong({"campaign_name": LONG}, ("campaign_name",)),
    "/manage/{noun}/{row_id}/archive": BUTTONS,
    "/manage/{noun}/{row_id}/unarchive": BUTTONS,
    "/manage/{noun}/{row_id}/delete": BUTTONS,
    "/manage/{noun}/{row_id}/restore": BUTTONS,
    "/strips": "A script sends it, and shows the sentence at the strip.",
    "/tunings": "Tested with a style in test_tunings.",
    "/tunings/begin": BUTTONS,
    "/tunings/{tuning_id}/take": BUTTONS,
    "/templates": "It is a part of the form of a set, which says on top of it why nothing was saved.",
    "/templates/{template_id}/use": BUTTONS,
    "/templates/{template_id}": Wrong({"template_name": LONG}, ("template_name",)),
    "/decisions/{decision_id}/undo": BUTTONS,
    "/undo/{offer}": BUTTONS,
    "/readings": "A script sends it while somebody types prompts, and marks them.",
    "/drafts": SCRIPTS,
    "/drafts/discard": BUTTONS,
    "/images/{image_id}/decision": BUTTONS,
    "/decisions/{decision_id}/withdraw": BUTTONS,
    "/images/{image_id}/comments": Wrong({"body": LONG}, ("body",)),
    "/threads/{thread_id}/replies": Wrong({"body": LONG}, ("body",)),
    "/comments/{comment_id}/edit": Wrong({"body": LONG}, ("body",)),
    "/comments/{comment_id}/delete": BUTTONS,
    "/comments/{comment_id}/restore": BUTTONS,
    "/threads/{thread_id}/resolve": BUTTONS,
    "/threads/{thread_id}/reopen": BUTTONS,
    "/sets/{set_id}/lock": BUTTONS,
    "/sets/{set_id}/unlock": BUTTONS,
    "/images/{image_id}/mentions": BUTTONS,
    "/review/reasons": Wrong({"words": LONG}, ("words",)),
    "/review/reasons/{reason_id}": Wrong({"words": LONG}, ("words",)),
    "/review/reasons/{reason_id}/move": BUTTONS,
    "/review/campaigns/{campaign_id}": BUTTONS,
    "/review/campaigns/{campaign_id}/four-eyes": BUTTONS,
    "/review/campaigns/{campaign_id}/checklists": BUTTONS,
    "/images/{image_id}/checklists": "A note that is too long comes back as a toast, and the script says it.",
    "/checklists": Wrong({"name": LONG}, ("name",)),
    "/checklists/{list_id}/rename": Wrong({"name": LONG}, ("name",)),
    "/checklists/{list_id}/items": Wrong({"topic": "other", "text": "", "why": "x" * 501}, ("text", "why")),
    "/checklists/{list_id}/items/{key}": "It is refused as a new item is; see test_customs.",
    "/images/{image_id}/again": Wrong(
        {"prompt": LONG, "seed": "own", "own_seed": "many", "count": "1", "strength": "1"}, ("prompt", "own_seed")
    ),
    "/pictures/decide": BUTTONS,
    "/pictures/reject": BUTTONS,
    "/pictures/move": Wrong({"campaign_name": LONG, "ids": "1"}, ("campaign_name",)),
    "/pictures/tag": Wrong({"tag_name": LONG, "ids": "1"}, ("tag_name",)),
    "/pictures/untag": Wrong({"tag_name": "", "ids": "1"}, ("tag_name",)),
    "/pictures/star": BUTTONS,
    "/pictures/delete": BUTTONS,
    "/pictures/restore": BUTTONS,
    "/searches": Wrong({"name": LONG, "query": "q=fox"}, ("name",)),
    "/searches/{search_id}/rename": Wrong({"name": LONG, "query": "q=fox"}, ("name",)),
    "/searches/{search_id}/delete": BUTTONS,
    "/references/{reference_id}/rights": Wrong(
        {"owned_by": "", "licence": "", "note": "Ask Mori", "source_url": "somewhere", "valid_from": "1 May"},
        ("owned_by", "licence", "valid_from", "source_url"),
    ),
    "/references/{reference_id}/rights/withdraw": Wrong({"reason": LONG}, ("reason",)),
    "/references/{reference_id}/rights/restore": Wrong({"reason": LONG}, ("reason",)),
    "/references/{reference_id}/rights/files": Wrong({}, ("file",), ("file",)),
    "/exports": Wrong({"own_sizes": "800 by 600", "template": "{nothing}"}, ("own_sizes", "template")),
    "/exports/{export_id}/shares": Wrong({"days": "7", "note": LONG}, ("note",)),
    "/exports/{export_id}/shares/{share_id}/revoke": BUTTONS,
    "/queue/pause": Wrong({"reason": LONG}, ("reason",)),
    "/queue/{noun}/{row_id}/move": BUTTONS,
    "/queue/{noun}/{row_id}/pause": BUTTONS,
    "/queue/{noun}/{row_id}/resume": BUTTONS,
    "/queue/{noun}/{row_id}/cancel": BUTTONS,
    "/shared/{token}": Wrong({"password": "wrong"}, ("password",)),
}


class Refused(HTMLParser):
    """A page with a refused form: its title, what its summary says and leads to, and all ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.depth, self.within = 0, ""
        self.titles = 0
        self.title, self.heading, self.words = "", "", ""
        self.links: list[str] = []
        self.ids: list[str] = []
        self.focused = ""  # what the browser focuses: the first element with autofocus
        self.feed(re.sub(r"<template.*?</template>", "", html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if "autofocus" in values and not self.focused:
            self.focused = "summary" if "data-summary" in values else tag
        if "data-summary" in values:
            self.heading, self.depth = str(values["data-summary"]), 1
        elif self.depth and tag not in ("use", "input", "br"):
            self.depth += 1
            if tag == "a":
                self.links.append(str(values["href"]))
        self.within = tag
        self.titles += tag == "title"  # drawings have titles too

    def handle_endtag(self, tag: str) -> None:
        self.depth -= bool(self.depth and tag not in ("use", "input", "br"))
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "title" and self.titles == 1:
            self.title += data
        if self.depth:
            self.words += data


def test_every_form_is_refused_here_or_says_why_it_cannot_be() -> None:
    assert set(REFUSED) == {route.path for route in POSTS if form_of(route)}
    assert all(isinstance(each, Wrong) or each.endswith(".") for each in REFUSED.values())


@pytest.fixture
def person(server: Server, sign_in: Callable[..., Browser]) -> Browser:
    """An administrator who has everything, just confirmed."""
    return sign_in(Role.ADMIN)


@pytest.fixture
def values(server: Server, person: Browser, anonymous: Browser) -> dict[str, str]:
    """For the addresses' parameters."""
    other = make_person(server, Role.DESIGNER)
    found = populate(server, person.user, person.user)
    with server.resources.database.write() as session:
        found["setup"] = accounts.invite(session, person.user, Role.DESIGNER)
        found["reset"] = accounts.create_reset(session, person.user, other.id)
    found["shared"], _ = share_link(server, int(found["export_id"]), "a long password")
    return found | {"noun": "set", "row_id": found["set_id"], "reason_id": "1", "person_id": str(other.id)}


def refusal(person: Browser, anonymous: Browser, values: dict[str, str], path: str) -> httpx2.Response:
    """The answer to the wrong form."""
    wrong = REFUSED[path]
    assert isinstance(wrong, Wrong)
    kind = path.split("/")[1]
    browser = anonymous if kind in ("setup", "reset", "shared", "login") else person
    if path == "/account/authenticator":
        person.get(path)
    address = fill(path, values | ({"token": values[kind]} if "{token}" in path else {}))
    sent = wrong.sent | ({"set_id": values["set_id"]} if path == "/exports" else {})
    sent |= {"ids": values["image_id"]} if "ids" in sent else {}
    files = dict.fromkeys(wrong.files, JUNK) or None
    return browser.post(address, data=sent, files=files)


def faults(wrong: Wrong, answer: httpx2.Response) -> list[str]:
    """What the page of a refused form lacks."""
    if not 400 <= answer.status_code < 500:
        return [f"{answer.status_code} {answer.headers.get('location')}"]
    page, shown = Refused(answer.text), unescape(answer.text)
    number, whole = len(wrong.fields), wrong.fields == ("form",)
    words = "This did not work" if whole else f"{number} thing{'s' if number > 1 else ''} to fix"
    links = [] if whole else [f"#{name}" for name in wrong.fields]
    found = [
        *([f"its summary says {page.heading!r}: {page.words}"] if page.heading != words else []),
        *([f"its title is {page.title!r}"] if not re.fullmatch(f"{words} – .+ · Soroe", page.title) else []),
        *([f"it leads to {page.links}"] if page.links != links else []),
        *([f"{page.focused!r} takes the focus"] if page.focused != "summary" else []),
        *(f"it has {page.ids.count(link[1:])} {link}" for link in links if page.ids.count(link[1:]) != 1),
    ]
    kept = {name: f'value="{value}"' in shown or f"{value}</textarea>" in shown for name, value in wrong.sent.items()}
    lost = [name for name, value in wrong.sent.items() if name not in SECRETS and value and not kept[name]]
    told = [name for name in SECRETS & set(wrong.sent) if wrong.sent[name] and kept[name]]
    return found + [f"it forgot {name}" for name in lost] + [f"it shows {name}" for name in told]


def test_a_refused_form_leads_to_its_faults(
    server: Server, person: Browser, anonymous: Browser, values: dict[str, str]
) -> None:
    found = [
        f"{path}: {fault}"
        for path, wrong in REFUSED.items()
        if isinstance(wrong, Wrong)
        for fault in faults(wrong, refusal(person, anonymous, values, path))
    ]
    assert not found, "\n".join(found)


def test_forms_say_what_is_wrong_in_our_words_and_cut_nothing() -> None:
    """Browsers' own bubbles are one at a time, in their own words, and gone; `maxlength` cuts what is pasted."""
    checked = re.compile(r'\brequired\b|type="(?:email|url|number|date)"|\b(?:pattern|minlength)=')
    for path in sorted(TEMPLATES.rglob("*.html")):
        if path.name == "ask.html":  # its button counts on the browser, which compares what is typed
            continue
        text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL)
        for opening, body in re.findall(r"<form\b([^>]*)>(.*?)</form>", text, re.DOTALL):
            if 'method="post"' in opening and checked.search(re.sub(r"required=(?:true|false)|ui.must", "", body)):
                assert re.search(r"\bnovalidate\b", opening), f"{path.name}: {opening}"
        assert "maxlength" not in text or path.name == "index.html", path.name


def test_required_fields_are_marked_for_eyes_too(
    server: Server, person: Browser, anonymous: Browser, values: dict[str, str]
) -> None:
    """By their labels; screen readers know it from the attribute."""
    pages = ("/login", f"/setup/{values['setup']}", f"/reset/{values['reset']}", "/sets/new", "/styles/new")
    seen = 0
    for path in (*pages, "/subjects/new", "/account", fill("/references/{reference_id}/rights", values)):
        html = (anonymous if path in pages[:3] else person).get(path).text
        for field in re.findall(r"<(?:input|select|textarea)\b[^>]*\srequired\b[^>]*>", html):
            name = re.search(r'\bid="([^"]+)"', field)
            assert name, field
            by = re.search(r'aria-labelledby="([^"]+)"', field)
            place = rf'id="{by[1]}"' if by else rf'for="{name[1]}"'
            label = re.search(rf"<(label|h2)\b[^>]*{place}[^>]*>(.*?)</\1>", html, re.DOTALL)
            assert label, f"{path}: {field}"
            assert 'class="must"' in label[2], f"{path}: {label[0]}"
            seen += 1
    assert seen > 12
