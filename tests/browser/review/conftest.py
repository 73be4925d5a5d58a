"""A server with a set of five pictures to review, and people who enter the room."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser

PROMPTS = ("a fox", "a teapot", "an owl", "a bicycle", "露のついたぶどうの房")


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """With one set of five pictures, to review; its engine only paints."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "Mori Haruka")
            make.finished_set(owner, prompts="\n".join(PROMPTS), name="Autumn table", campaign="Autumn")
        yield server


@pytest.fixture
def enter(server: Server, chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Callable[..., Page]]:
    """Open the room as a new person."""
    contexts = []

    def enter(
        role: Role = Role.REVIEWER, name: str = "Ito Kenji", path: str = "/review?set=1", **options: object
    ) -> Page:
        browser = signed_in_browser(server, make_person(server, role, name))
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)  # type: ignore[arg-type]
        context.add_cookies(
            [{"name": key, "value": value, "url": server.url} for key, value in browser.cookies.items()]
        )
        browser.close()
        contexts.append(context)
        page = watch(context.new_page())
        page.goto(server.url + path)
        return page

    yield enter
    for context in contexts:
        context.close()
