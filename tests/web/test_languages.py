"""Pages in the language of each person, browser or setting, and what escapes translation when they are shown."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import JSON, Text, select
from sqlalchemy.types import String

from app.languages import messages as said
from app.languages.catalogues import Catalogue
from app.main import PAGES
from app.models import Base, Campaign, Role, User
from app.web import markdown
from scripts import messages
from tests.languages.escapes import Texts
from tests.web import test_pages
from tests.web.server import Browser, Server, make_person, making, signed_in_browser
from tests.web.test_pages import ENDLESS, ONCE, OPEN_TO_ALL, fill

filled = test_pages.filled  # the same server with one of everything

ROOT = Path(__file__).parents[2]
JAPANESE = {"accept-language": "ja,en;q=0.5", "accept": "text/html"}


def language_of(answer: httpx2.Response) -> str:
    return (re.search(r'<html lang="(\w+)"', answer.text) or ["", "none"])[1]


def test_a_browser_is_answered_in_its_language(anonymous: Browser) -> None:
    shown = anonymous.get("/login", headers=JAPANESE)
    assert language_of(shown) == "ja"
    assert "パスワード" in shown.text
    assert language_of(anonymous.get("/login", headers={"accept-language": "fr"})) == "en"


def test_a_language_is_chosen_on_the_sign_in_page(anonymous: Browser) -> None:
    answer = anonymous.post("/login/language", data={"language": "ja", "back": "/login?next=/sets"})
    assert answer.headers["location"] == "/login?next=/sets"
    assert language_of(anonymous.get("/login")) == "ja"
    anonymous.post("/login/language", data={"language": "xx", "back": "/login"})
    assert language_of(anonymous.get("/login")) == "en", "an unknown one forgets it"


def test_a_person_chooses_their_language_and_undoes_it(server: Server, designer: Browser) -> None:
    answer = designer.post("/account/language", data={"language": "ja", "back": "/account"})
    assert answer.headers["location"] == "/account"
    shown = designer.get("/account")
    assert language_of(shown) == "ja"
    assert "言語を変更しました。" in shown.text
    undo = re.search(r'action="(/undo/[^"]+)"', shown.text)
    assert undo
    designer.post(undo[1], data={"back": "/account"})
    assert language_of(designer.get("/account")) == "en"
    refused = designer.post("/account/language", data={"language": "xx"}, headers={"accept": "text/html"})
    assert refused.status_code == 422


def test_a_language_follows_its_person_to_another_browser(server: Server) -> None:
    person = make_person(server, Role.DESIGNER)
    with making(server) as make:
        make.session.get_one(User, person.id).language = "ja"
    with signed_in_browser(server, person) as browser:
        assert language_of(browser.get("/account", headers={"accept-language": "en"})) == "ja"
        missing = browser.get("/nothing", headers={"accept-language": "en", "accept": "text/html"})
        assert "このアドレスのページはありません。" in missing.text
        refused = browser.post("/account/password", data={"current": "wrong", "password": "short"})
        assert "現在のパスワードが正しくありません。" in refused.text, "a service raised it in a thread"


def test_scripts_get_their_messages_in_a_file_that_stays(anonymous: Browser) -> None:
    page = anonymous.get("/login", headers=JAPANESE).text
    address = re.search(r'src="(/languages/ja/\w+\.js)"', page)
    assert address
    answer = anonymous.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert '"The passkey did not work. Try again.":"' in answer.text
    assert "immutable" not in anonymous.get("/languages/ja/0.js").headers["cache-control"]
    assert anonymous.get("/languages/xx/0.js").status_code == 404
    assert "/languages/" not in anonymous.get("/login", headers={"accept-language": "en"}).text.split("<body>")[0]


class Pseudo(Catalogue):
    """A language in which every message is marked, so that all other text is seen."""

    def translation(self, message: str, context: str = "") -> str:
        return f"⟦{message}⟧" if message.strip() else message

    def plural(self, one: str, many: str, number: int) -> str:
        return f"⟦{one if number == 1 else many}⟧"


@pytest.fixture
def pseudo(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Pseudo({}, {}, lambda number: 0)
    monkeypatch.setattr(said, "catalogue", lambda language: catalogue if language == "ja" else None)


def leaves(value: object) -> Iterator[str]:
    """The texts in what was read from TOML or JSON."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)


def own_texts() -> set[str]:
    """Texts that are written in each language in files of their own: of checklists, and of the page for a lawyer."""
    lists = (ROOT / "app" / "customs" / "lists").glob("*.toml")
    titles = (markdown.title(file.read_text()) for file in (ROOT / "templates" / "law").glob("*.md"))
    stored = {"Common practice"}  # in the record of a decision, in the language of who decided
    return {text for file in lists for text in leaves(tomllib.loads(file.read_text()))} | {*titles} | stored


def known_texts(server: Server) -> list[str]:
    """What no page translates: what people typed, which is every text in the database, and texts in files."""
    with server.resources.database.read() as session:
        texts = {
            text
            for table in Base.metadata.sorted_tables
            for column in table.columns
            if isinstance(column.type, String | Text | JSON)
            for value in session.scalars(select(column).distinct())
            for text in leaves(value)
            if len(text) > 1
        }
    return sorted(texts | own_texts(), key=len, reverse=True)


def test_all_that_pages_show_is_translated(
    server: Server,
    filled: dict[str, str],
    sign_in: Callable[..., Browser],
    anonymous: Browser,
    pseudo: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On pages whose templates all belong to converted areas."""
    admin, looked_at, escaped = sign_in(Role.ADMIN), [], {}
    used: set[str] = set()
    environment = server.resources.environment
    get = environment.get_template

    def noted(name: Any, *args: Any, **named: Any) -> Any:
        used.add(str(getattr(name, "name", name)))
        return get(name, *args, **named)

    monkeypatch.setattr(environment, "get_template", noted)
    typed = known_texts(server)
    routes = [each for page in PAGES for each in page.router.routes if isinstance(each, APIRoute)]
    for path in [*(each.path for each in routes if "GET" in each.methods), "/nothing-here"]:
        if path == ONCE or path.endswith((ENDLESS, "/events")) or path in OPEN_TO_ALL - {"/login"}:
            continue
        used.clear()
        answer = (anonymous if path == "/login" else admin).get(fill(path, filled), headers=JAPANESE)
        areas = {messages.area_of(f"templates/{name}") for name in used}
        if not answer.headers.get("content-type", "").startswith("text/html") or not all(
            messages.areas()[area]["converted"] for area in areas
        ):
            continue
        looked_at.append(path)
        if left := escaping(answer.text, typed):
            escaped[path] = left
    assert {"/account", "/login", "/nothing-here"} <= {*looked_at}
    assert escaped == {}


def escaping(html: str, typed: list[str]) -> list[str]:
    """The texts of a page that are not marked."""
    marked = 1
    while marked:  # from the innermost: messages are in messages
        html, marked = re.subn("⟦[^⟦⟧]*⟧", "", html)
    parser = Texts()
    parser.feed(re.sub(r"<time.*?</time>", "", html, flags=re.DOTALL))
    return [text for _, text in parser.found if re.search(r"[^\W\d_]{2,}", without(text, typed))]


def without(text: str, typed: list[str]) -> str:
    for each in typed:
        text = text.replace(each, "")
    return re.sub(r"\b(Soroe|Ctrl|Esc|UTC|MB|GB|kB|mm)\b|#[0-9a-f]{6}\b|\d+月\d+日|English|日本語", "", text)


def test_the_campaign_of_sets_without_one_is_named_in_the_language_of_who_reads(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    """Its name is stored in the language of the person who made the first such set."""
    english, japanese = sign_in(Role.MANAGER), sign_in(Role.MANAGER)
    japanese.post("/account/language", data={"language": "ja"})
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
    pages = (f"/sets/{image_set.id}", "/sets", "/campaigns", "/pictures", "/review/settings", "/sets/new", "/exports")
    campaign = image_set.campaign_id
    pages += (f"/manage/set/{image_set.id}", f"/manage/campaign/{campaign}", f"/review?campaign={campaign}", "/queue")
    pages += (
        f"/campaigns/{campaign}/export",
        f"/brand/campaign/{campaign}",
        "/",
        "/record",
        "/search?q=fox",
        "/blind/new",
        f"/sets/new?from={image_set.id}",
    )
    for path in pages:
        assert "Unsorted" not in japanese.get(path).text, path
    assert "未分類" in japanese.get(f"/sets/{image_set.id}").text
    assert "Unsorted" in english.get(f"/sets/{image_set.id}").text
    made = japanese.post(
        "/sets", data={"style": image_set.style_version.style.code, "prompts": "梨", "campaign": "未分類"}
    )
    assert made.status_code == 303, made.text
    assert "Unsorted" in english.get(made.headers["location"]).text
    japanese.post(f"/manage/campaign/{campaign}/rename", data={"name": "未分類"})  # as its form shows it
    with making(server) as make:
        assert make.session.scalars(select(Campaign.name)).all() == ["Unsorted"], "no second one in another language"
