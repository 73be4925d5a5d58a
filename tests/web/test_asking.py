"""Acts that cannot be undone ask first, on a page of their own for browsers without scripts."""

import re
from pathlib import Path

import pytest

from app.models import Act, Role
from app.web.static import STATIC
from app.web.templating import TEMPLATES
from tests.engine.painter import Painter
from tests.test_undo import ACTS, ASKS
from tests.web.server import Browser, Server, make_person, making
from tests.web.test_acts import POSTS

# Its own person signs out on purpose, and drafts are kept.
AT_ONCE = {"/logout"}
FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_a_form_that_asks_says_so_to_the_server_and_to_the_script(path: Path) -> None:
    for form in FORM.findall(path.read_text()):
        assert ('?ask"' in form) == ("ui.ask(" in form), form


def test_every_act_that_asks_does_so_in_all_its_forms() -> None:
    """The table of acts says which; `POSTS` has their routes."""
    forms = [form for path in sorted(TEMPLATES.rglob("*.html")) for form in FORM.findall(path.read_text())]
    asking = {route for route, act in POSTS.items() if isinstance(act, Act) and ACTS[act] == ASKS} - AT_ONCE
    for route in sorted(asking):
        path, _, act = re.sub(r"\{\w+\}", r"{{[^}]+}}", route).rpartition("/")
        action = re.compile(f'action="{path}/({act}|{{{{[^}}]*"{act}"[^}}]*}}}})[?"]')
        found = [form for form in forms if action.search(form)]
        assert found, route
        assert all('?ask"' in form for form in found), route


def test_nothing_asks_with_the_browser_s_own_boxes() -> None:
    scripts = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
    for path in [*scripts, *TEMPLATES.rglob("*.html")]:
        assert not re.search(r"hx-confirm|data-confirm|\b(confirm|alert|prompt)\(", path.read_text()), path


@pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])
def test_without_scripts_a_page_asks(server: Server, designer: Browser) -> None:
    with making(server) as make:
        path = f"/sets/{make.image_set(designer.user).id}"
    (form,) = [form for form in FORM.findall(designer.get(path).text) if f'action="{path}/cancel?ask"' in form]
    fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', form))
    asked = designer.post(f"{path}/cancel?ask", data=fields, headers={"referer": server.url + path}).text
    assert '<h1 id="h-ask">Stop generating this set?</h1>' in asked
    assert f'<a class="btn" href="{path}">Keep generating</a>' in asked
    assert f'action="{path}/cancel"' in asked
    assert 'name="ask-title"' not in asked, "the question is not sent along"
    assert "Cancelled" not in designer.get(path).text
    assert designer.post(f"{path}/cancel").status_code == 303
    assert "Cancelled" in designer.get(path).text


def test_what_the_form_had_comes_along_and_nothing_else_is_trusted(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    fields = {"active": "0", "ask-title": "<b>Sure?</b>", "ask-typed": "a.b [c]"}
    page = admin.post(f"/people/{person.id}?ask", data=fields, headers={"referer": "https://example.com//x"}).text
    assert '<input type="hidden" name="active" value="0">' in page
    assert "&lt;b&gt;Sure?&lt;/b&gt;" in page
    assert r'pattern="a\.b \[c\]"' in page
    assert 'href="//' not in page
    assert admin.post(f"/people/{person.id}?ask").status_code == 200, "a form without its question"


def test_only_people_who_are_signed_in_are_asked(anonymous: Browser) -> None:
    assert anonymous.post("/people/1?ask").headers["location"].startswith("/login")
