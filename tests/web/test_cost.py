"""What a page asks the database: a bounded number of statements, however much there is."""

import re

import pytest
from jinja2 import meta

from app.models import Role
from app.web.templating import TEMPLATES, make_environment
from tests.statements import counted
from tests.web.server import Browser, Server, making

BOUNDS = {
    "/": 30,
    "/sets": 10,
    "/sets/1": 16,
    "/sets/1/alike": 6,
    "/sets/1/measures": 12,
    "/images/1/measures": 8,
    "/pictures": 16,
    "/review?set=1&image=1": 39,
    "/compare?ids=1&ids=2": 12,
    "/images/1/layout": 8,
    "/styles": 6,
    "/subjects": 5,
    "/campaigns": 5,
    "/review/settings": 6,
    "/references/1": 13,
    "/exports": 11,
    "/people?q=person": 12,
}


@pytest.fixture
def much(server: Server) -> None:
    with making(server) as make:
        for number in range(4):
            owner = make.user(Role.DESIGNER, f"Person {number}")
            style = make.style(owner)
            for _ in range(2):
                make.finished_set(owner, style, prompts="a fox\na teapot\nan owl")


@pytest.mark.usefixtures("much")
def test_a_page_takes_few_statements(server: Server, admin: Browser) -> None:
    taken: dict[str, int] = {}
    for path in [*BOUNDS] * 3:  # the least: the server's own work in between counts too
        with counted(server.resources.database) as seen:
            assert admin.get(path).status_code == 200, path
        taken[path] = min(taken.get(path, len(seen)), len(seen))
    assert {path: number for path, number in taken.items() if number > BOUNDS[path]} == {}


def test_macros_of_all_pages_know_only_their_arguments() -> None:
    """They are imported without context, so that they are set up once: a variable of a page would be missing."""
    environment = make_environment(ways=None)
    for name in ("_macros.html", "rights/_chip.html"):
        source = (TEMPLATES / name).read_text()
        assert meta.find_undeclared_variables(environment.parse(source)) <= environment.globals.keys(), name
    imports = "\n".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    assert not re.findall(r'"(?:_macros|rights/_chip)\.html" as \w+ with context', imports)
