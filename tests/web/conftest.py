from collections.abc import Callable, Iterator

import pytest

from app.logs import configure_logging
from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, make_person, serve, signed_in_browser


@pytest.fixture
def engine() -> Painter:
    return Painter()


@pytest.fixture
def server(settings: Settings, engine: Painter) -> Iterator[Server]:
    with serve(create_app(settings, engine)) as server:
        yield server


@pytest.fixture
def anonymous(server: Server) -> Iterator[Browser]:
    with Browser(server.url) as browser:
        yield browser


@pytest.fixture
def sign_in(server: Server) -> Iterator[Callable[..., Browser]]:
    """Open a browser with a new person of a role signed in."""
    browsers: list[Browser] = []

    def open_browser(role: Role = Role.DESIGNER, name: str = "") -> Browser:
        user = make_person(server, role, name)
        browsers.append(signed_in_browser(server, user))
        return browsers[-1]

    yield open_browser
    for browser in browsers:
        browser.close()


@pytest.fixture
def admin(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.ADMIN)


@pytest.fixture
def designer(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.DESIGNER)


@pytest.fixture(scope="session", autouse=True)
def short_log_lines() -> None:
    """As on the server: a traceback without the values of variables."""
    configure_logging(Settings(_env_file=None, log_format="console"))
