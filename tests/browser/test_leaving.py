"""After someone has left a browser, the next person finds nothing of theirs; caching pictures is still fast."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import update
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.files import Kind
from app.main import create_app
from app.models import Image, LoginSession, Role, User, now
from app.settings import Settings
from tests.browser.late import held_saves
from tests.browser.test_record import tab_to
from tests.engine.painter import Painter
from tests.factory import PASSWORD
from tests.web.server import Server, make_person, making, serve

PICTURES = 60


class Sent:
    """The statuses of picture responses."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            async def counted(message: Message) -> None:
                picture = scope["path"].startswith(("/images/", "/thumbs/", "/references/"))
                if message["type"] == "http.response.start" and picture:
                    self.statuses[message["status"]] += 1
                await send(message)

            await app(scope, receive, counted)

        return counting


@pytest.fixture(scope="module")
def sent() -> Sent:
    return Sent()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated: Path, sent: Sent) -> Iterator[Server]:
    settings = Settings(data=tmp_path_factory.mktemp("house"))
    shutil.copy(migrated, settings.data)
    app = create_app(settings, Painter())
    app.add_middleware(sent)  # type: ignore[arg-type]
    with serve(app) as server:
        with making(server) as make:
            make.finished_set(prompts="\n".join(f"fox {number}" for number in range(PICTURES)))
        yield server


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 2400})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, watch: Callable[[Page], Page]) -> Page:
    return context.new_page()


def sign_in(page: Page, server: Server, user: User) -> None:
    page.goto(server.url + "/login")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    page.wait_for_url(server.url + "/")


def open_gallery(page: Page, server: Server) -> None:
    """Until all pictures are there. The network is never idle: pages follow what happens."""
    page.goto(server.url + "/pictures")
    every_picture_is_there(page)


def every_picture_is_there(page: Page) -> None:
    page.evaluate(
        """async () => {
            const there = () => [...document.querySelectorAll("#pictures img")].every((each) => each.naturalWidth);
            while (!there()) await new Promise((done) => setTimeout(done, 50));
        }"""
    )


def look(page: Page, server: Server, picture: str) -> None:
    """Look at the pictures, and at one of them alone."""
    open_gallery(page, server)
    page.goto(server.url + picture)
    page.goto(server.url + "/account")


def sign_out(page: Page, server: Server, user: User) -> None:
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/login")


def end_elsewhere(page: Page, server: Server, user: User) -> None:
    with server.resources.database.write() as session:
        session.query(LoginSession).filter_by(user_id=user.id).delete()


@pytest.mark.parametrize(("number", "leave"), [(1, sign_out), (2, end_elsewhere)])
def test_the_next_person_gets_no_picture_from_the_cache(
    house: Server, page: Page, sent: Sent, number: int, leave: Callable[[Page, Server, User], None]
) -> None:
    picture = f"/images/{number}.png"
    one, other = make_person(house, Role.MANAGER), make_person(house, Role.DESIGNER)
    sign_in(page, house, one)
    look(page, house, picture)
    leave(page, house, one)

    page.goto(house.url + picture)
    assert page.url == house.url + f"/login?next={picture}", "nobody is signed in"
    kept = f"fetch('{picture}', {{cache: 'force-cache'}}).then(answer => answer.status)"
    assert page.evaluate(kept) == 401
    for _ in range(3):
        page.go_back()
        assert page.url.startswith(house.url + "/login"), "the browser history shows nothing either"

    sign_in(page, house, other)
    with house.resources.database.read() as session:
        image = session.get(Image, number)
    house.resources.files.path(Kind.IMAGES, image.sha256).unlink()
    sent.statuses.clear()
    assert page.evaluate(kept) == 404
    page.goto(house.url + picture)
    expect(page.get_by_text("The server lost")).to_be_visible()
    assert sent.statuses[404] == 2, "each time it was the server that answered"


def test_pictures_are_sent_once(house: Server, page: Page, sent: Sent) -> None:
    sign_in(page, house, make_person(house, Role.MANAGER))
    open_gallery(page, house)
    assert sent.statuses[200] >= PICTURES
    again: tuple[tuple[str, Callable[[], object]], ...] = (
        ("going back", page.go_back),
        ("coming by an address", lambda: page.goto(house.url + "/pictures")),
        ("coming by a link", lambda: page.get_by_role("link", name="Pictures", exact=True).click()),
    )
    for how, come in again:
        page.goto(house.url + "/account")
        sent.statuses.clear()
        come()
        every_picture_is_there(page)
        expect(page.locator("#pictures img").first).to_be_visible()
        assert not sent.statuses[200], how


def test_signing_out_leaves_no_drafts(house: Server, page: Page) -> None:
    one = make_person(house, Role.REVIEWER)
    held_saves(page)  # what is typed is not saved before the page is left
    drafts = "Object.values(sessionStorage).some((kept) => /left.ear/.test(kept))"

    def write(end: str) -> None:
        page.goto(house.url + "/review?set=1&image=3")
        page.locator("textarea[data-mentions]").first.fill(f"The left ear is too {end}")
        page.goto(house.url + "/account")
        assert page.evaluate(drafts)

    sign_in(page, house, one)
    write("long")
    sign_out(page, house, one)
    assert not page.evaluate(drafts)

    sign_in(page, house, one)
    write("short")
    with house.resources.database.write() as session:
        for login in session.query(LoginSession):
            login.seen_at = now() - timedelta(days=1)
    page.goto(house.url + "/account")
    assert page.url == house.url + "/login?next=/account", "it was left alone for too long"
    assert page.evaluate(drafts), "the person who comes back continues"
    sign_in(page, house, make_person(house, Role.REVIEWER))
    assert not page.evaluate(drafts), "but nobody else"


def grow_old(house: Server) -> None:
    """As if everyone had signed in too long ago to act without a confirmation."""
    with house.resources.database.write() as session:
        session.execute(update(LoginSession).values(confirmed_at=None))


def test_confirming_by_keyboard(house: Server, page: Page) -> None:
    one, other = make_person(house, Role.ADMIN), make_person(house, Role.DESIGNER, "Ito Kenji")
    sign_in(page, house, one)
    grow_old(house)
    page.goto(house.url + "/people")
    page.locator("summary", has_text="Ito Kenji").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Role of Ito Kenji").select_option("reviewer")
    tab_to(page, "Change role", "button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Confirm it’s you")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ito Kenji now has the role reviewer.")).to_be_visible()
    assert page.url.startswith(house.url + "/people?open=")
    with house.resources.database.read() as session:
        assert session.get(User, other.id).role == Role.REVIEWER


def test_a_question_is_asked_once_although_the_act_needs_a_confirmation(house: Server, page: Page) -> None:
    one, other = make_person(house, Role.ADMIN), make_person(house, Role.DESIGNER, "Ito Kenji")
    sign_in(page, house, one)
    grow_old(house)
    page.goto(f"{house.url}/people?open={other.id}")
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#toasts")).to_contain_text("Ito Kenji")
    with house.resources.database.read() as session:
        assert not session.get_one(User, other.id).active


def test_confirming_in_the_place_of_a_page_that_a_script_changes(house: Server, page: Page) -> None:
    sign_in(page, house, make_person(house, Role.ADMIN))
    grow_old(house)
    page.goto(house.url + "/people")
    page.locator("form[action='/people/invite']").evaluate(
        "form => { form.setAttribute('hx-post', form.action); htmx.process(form); }"
    )
    page.get_by_label("E-mail (optional)").fill("new@example.com")
    page.get_by_role("button", name="Create invite link").click()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Link to send")).to_have_value(re.compile("/setup/"))
    expect(page.get_by_text("Send this link to new@example.com.")).to_be_visible()
