"""What a page offers someone, the server accepts from them: no button leads to a refusal that was known before."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sqlalchemy import select

from app.filing.kinds import KINDS
from app.models import ImageSet, Role, User
from app.reports import service as reports
from app.reports.spec import ReportSpec
from app.sets import style_maps
from app.web.protocol import Bounds, Door
from tests.factory import MODEL
from tests.web.fuzz import Answer, World, routes
from tests.web.offers import Offers
from tests.web.server import Server, making
from tests.web.world import compared_and_judged

ROLES = ("designer", "reviewer", "manager", "admin")
# Pages that end without an answer, are files, or end the session.
SKIPPED = re.compile(r"events|\.zip|\.csv|\.png|\.webp|\.json|^/login|^/setup|^/shared|/\{token\}|^/oidc")
SIGNS_OUT = re.compile(r"^/logout$|^/account/sessions")
# Refused as they are, and the page has said what is missing.
FILLED_IN_FIRST = {"Select pictures first."}
SENTENCE = re.compile(r"data-error-sentence[^>]*>([^<]*)")
A_FEW = 3  # of the same form, for other things


class Busy(World):
    """With work of everybody that waits, which the engine never begins."""

    def _fill(self) -> None:
        super()._fill()
        server = Server("", self.app, Door(Bounds(), lambda address: False), set())
        known = {name: str(values[0]) for name, values in self.ids.items()}
        people = dict(zip(Role, self.ids["person_id"], strict=True))
        with self.resources.database.read() as session:
            manager = session.get_one(User, people[Role.MANAGER])
        values, _pages = compared_and_judged(server, manager, known)
        self.ids |= {name: [value] for name, value in values.items()}
        with making(server) as make:
            session = make.session
            designer, reviewer, manager, _admin = (session.get_one(User, people[role]) for role in Role)
            first = session.get_one(ImageSet, int(known["set_id"]))
            style_maps.ask(session, designer, first.images[1].id, MODEL)
            make.subject(designer)
            for person in (designer, reviewer, manager):
                make.image_set(person, prompts="a fox\nan owl")
                finished = make.finished_set(person, prompts="a crane\na bell")
                self.ids["set_id"].append(finished.id)
                self.ids["image_id"].append(finished.images[0].id)
            reports.report(session, reviewer, finished.images[1].id, ReportSpec.checked("other", "Six fingers"))
        with self.resources.database.read() as session:
            self.ids["set_id"] += session.scalars(select(ImageSet.id)).all()

    def pages(self) -> Iterator[str]:
        """The addresses of all pages, for each of the things that they can be about."""
        for method, path in routes():
            names = re.findall(r"\{(\w+)\}", path)
            if method == "GET" and not SKIPPED.search(path) and self.ids.keys() >= set(names):
                number = max((len(self.ids[name]) for name in names), default=1)
                yield from (self._at(path, place) for place in range(number))
        with self.resources.database.read() as session:
            for noun, kind in KINDS.items():
                yield from (f"/manage/{noun}/{row_id}" for row_id in session.scalars(select(kind.table.id)))

    def _at(self, path: str, place: int) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: str(self.ids[name[1]][place % len(self.ids[name[1]])]), path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Busy]:
    world = Busy(tmp_path_factory.mktemp("offered"), migrated)
    yield world
    world.close()


def refusal(answer: Answer) -> str:
    """The sentence with which a form was refused, but not for what was filled in; "" if it was not."""
    if answer.status in (401, 403, 404, 405, 409) or answer.status >= 500:
        said = SENTENCE.search(answer.body.decode())
        return f"{answer.status} {said[1].strip() if said else ''}"
    toasts = (cookie.removeprefix("toast=").split(";")[0] for cookie in answer.cookies if cookie.startswith("toast="))
    words = next(map(unquote, toasts), "")
    return words[1:] if words.startswith("!") and words[1:] not in FILLED_IN_FIRST else ""


@pytest.mark.parametrize("who", ROLES)
def test_every_button_does_what_it_says(world: Busy, who: str) -> None:
    pressed: dict[str, set[str]] = {}
    for url in dict.fromkeys(world.pages()):
        page = world.ask("GET", urlsplit(url).path, who=who)
        if page.status != 200 or not page.header("content-type").startswith("text/html"):
            continue
        for form in Offers(page.body.decode()).forms:
            for button in form.buttons if form.method == "post" else ():
                address, body, kind = form.sent_by(button)
                shape = re.sub(r"\d+", "#", f"{address} {button[0]}={button[1]}")
                alike = pressed.setdefault(shape, set())
                if SIGNS_OUT.search(address) or address in alike or len(alike) >= A_FEW:
                    continue
                alike.add(address)
                to = urlsplit(address)
                sent = {"content-type": kind, "sec-fetch-site": "same-origin", "referer": f"http://127.0.0.1:8000{url}"}
                answer = world.ask("POST", to.path, to.query, body, who, sent)
                world.restore()
                assert not (said := refusal(answer)), f"{who} on {url}: {address} {button}: {said}"
    assert len(pressed) > 50, "there was something to press"
