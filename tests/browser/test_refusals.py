"""A refused form in the window: its summary is visible and has the focus, and its links lead into the fields."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.customs import service as customs
from app.main import create_app
from app.models import Role, User
from app.settings import Settings
from tests.browser.fit import faults
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser

SIZES = ({"width": 390, "height": 844}, {"width": 1440, "height": 900})
LONG = "x" * 3000

# A page, the form on it, what to type into it, and the field whose fault comes last.
FORMS = (
    ("/sets/new", "#set-form", {"prompts": "a fox", "count": "99", "steps": "many"}, "steps"),
    ("/styles/new", "form.split-side", {"name": "", "scale": "many"}, "scale"),
    ("/styles/{code}/edit", "form.split-side", {"name": LONG}, "name"),
    ("/subjects/new", "#subject-form", {"name": "Mug", "class_words": "mug", "rank": "0"}, "rank"),
    ("/references/1/rights", "form.split-side", {"licence": "", "source_url": "here"}, "source_url"),
    ("/images/1/again", "#redo-form", {"prompt": ""}, "prompt"),
    ("/sets/1/export", "#export", {"template": "{nothing}"}, "template"),
    ("/account", "form[action='/account/password']", {"current": "wrong", "password": "short"}, "current"),
    ("/people", "form[action='/people/invite']", {"email": "haruka"}, "email"),
    ("/review/settings", "form[action='/review/reasons']", {"words": LONG}, "words"),
    ("/review?image=1", "#composer", {"body": LONG}, "body"),
    ("/blind/new", "form[action='/blind']", {"name": LONG, "planned": "many"}, "planned"),
    ("/brand/style/1", "form[action='/brand/style/1']", {"colours": "teal", "size_least": "200"}, "size_least"),
    ("/styles/{code}/bounds", "form[action$='/bounds']", {"bound": "many"}, "bound"),
    ("/checklists", "form[action='/checklists']", {"name": LONG}, "name"),
    ("/checklists/{checklist}", "form[action$='/items']", {"text": "", "source": LONG}, "source"),
    ("/blocked", "form[action='/blocked']", {"name": "...", "reason": LONG}, "reason"),
    ("/policy/edit", "form[action='/policy/edit']", {"english": "", "note": LONG}, "note"),
    ("/queue", "form[action='/queue/pause']", {"reason": LONG}, "reason"),
    ("/manage/set/1", "form[action$='/rename']", {"name": LONG}, "name"),
)


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def things(server: Server) -> dict[str, str]:
    with making(server) as make:
        user = make.user(Role.ADMIN, "森 はるか")
        style = make.style(user, name="Retro sunburst")
        make.right(style.versions[0].references[0].reference)
        image_set = make.finished_set(user, style, prompts="a fox\nan owl")
        make.decide(image_set.images[1])
        checklist = customs.create(make.session, user, "Own")
        make.session.flush()
        return {"code": style.code, "user": str(user.id), "checklist": str(checklist.id)}


@pytest.fixture
def page(chromium: Browser, server: Server, things: dict[str, str]) -> Iterator[Page]:
    with server.resources.database.read() as session:
        browser = signed_in_browser(server, session.get_one(User, int(things["user"])))
    context = chromium.new_context(base_url=server.url, viewport=SIZES[0])
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()])
    browser.close()
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


TYPE = "(field, value) => { field.value = value; field.dispatchEvent(new Event('input', { bubbles: true })) }"


def send(page: Page, form: str, typed: dict[str, str]) -> None:
    """Fill in a form, unfolding what it is in, and send it from its end, where its button is."""
    fields = page.locator(form)
    fields.evaluate(
        "form => { for (let up = form; up; up = up.parentElement) if (up.localName === 'details') up.open = true }"
    )
    for name, value in typed.items():
        field = fields.locator(f"[name={name}]").first
        field.evaluate(TYPE, value)
    fields.evaluate("form => { scrollTo(0, 1e6); form.requestSubmit(form.querySelector('[type=submit]')) }")
    expect(page.locator("[data-summary]")).to_be_focused()


def lacks(page: Page, form: str, last: str) -> list[str]:
    """What the refused form does not do."""
    box, size = page.locator("[data-summary]").bounding_box(), page.viewport_size
    assert box
    assert size
    found = [] if box["y"] >= 0 and box["y"] + box["height"] <= size["height"] else [f"its summary is at {box}"]
    if "to fix – " not in page.title():
        found.append(f"its title is {page.title()!r}")
    page.locator("details[open]:not(:has([data-summary]))").evaluate_all(
        "all => { for (const each of all) each.open = false }"
    )
    page.locator("[data-summary] a").last.click()
    field = page.locator(":focus")
    if not field.count() or field.get_attribute("name") != last:
        found.append(f"its last link leads to {page.evaluate('document.activeElement.outerHTML.slice(0, 80)')}")
    elif not page.evaluate(
        "(({top, bottom}) => top >= 0 && bottom <= innerHeight)(document.activeElement.getBoundingClientRect())"
    ):
        found.append("the field is not in the window")
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return found + ([f"it is {wide} px wider than the window"] if wide > 0 else [])


def test_a_refused_form_is_seen_where_it_is_refused(page: Page, things: dict[str, str]) -> None:
    found = []
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for path, form, typed, last in FORMS:
            page.goto(path.format(**things))
            send(page, form, typed)
            found += [f"{path} at {size['width']} px: {fault}" for fault in lacks(page, form, last)]
            found += faults(page, path) if size is SIZES[0] else []
    assert not found, "\n".join(found)


def test_a_field_taller_than_the_window_is_shown_from_its_start(page: Page) -> None:
    page.goto("/images/1/report")
    send(page, "form[action$='/report']", {"words": LONG})
    page.locator("[data-summary] a").last.click()
    words = page.locator("#words")
    expect(words).to_be_focused()
    top, height = words.evaluate("field => [field.getBoundingClientRect().top, field.offsetHeight]")
    assert height > 844
    assert 0 <= top < 400
