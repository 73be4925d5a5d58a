"""Who may fetch which file: the table in the docs, checked against the real addresses."""

from collections.abc import Callable
from pathlib import Path

from app.models import Role
from tests.web.server import Browser, Server, make_person
from tests.web.world import fill, populate, routes

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
COLUMNS = ["file", "address", "own", "designer", "reviewer", "manager", "administrator", "not signed in"]
ROLES = {"designer": Role.DESIGNER, "reviewer": Role.REVIEWER, "manager": Role.MANAGER, "administrator": Role.ADMIN}
FILES = ("image/", "application/zip", "application/octet-stream", "application/pdf", "text/csv")
ENDLESS = ("/events", "/news")


def table() -> dict[str, dict[str, bool | None]]:
    """Permissions by address."""
    section = PAGE.read_text().split("## Who may fetch which file")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    assert rows[0] == COLUMNS
    said = {"yes": True, "no": False}
    return {row[1].strip("`"): dict(zip(COLUMNS[2:], map(said.get, row[2:]), strict=True)) for row in rows[2:]}


def test_the_table_says_who_fetches_which_file(
    server: Server, sign_in: Callable[..., Browser], anonymous: Browser
) -> None:
    owner = sign_in(Role.DESIGNER)
    manager = make_person(server, Role.MANAGER)
    others = populate(server, make_person(server, Role.DESIGNER), manager)
    mine = populate(server, owner.user, manager)
    mine["export_id"] = own_export(server, owner, mine)
    askers = {name: (sign_in(role), others) for name, role in ROLES.items()}
    askers |= {"own": (owner, mine), "not signed in": (anonymous, others)}
    for address, may in table().items():
        for who, allowed in may.items():
            browser, values = askers[who]
            answer = browser.get(fill(address, values), params=query(address, values), headers={"accept": "*/*"})
            found = answer.status_code == 200 and answer.headers["content-type"].startswith(FILES)
            assert found == allowed, f"{address} for {who}: {answer.status_code}"
            assert found or answer.status_code in (401, 403, 404), f"{address} for {who}: {answer.status_code}"


def test_every_file_is_in_the_table(server: Server, sign_in: Callable[..., Browser]) -> None:
    admin = sign_in(Role.ADMIN)
    values = populate(server, make_person(server, Role.DESIGNER), make_person(server, Role.MANAGER))
    found = set()
    for method, path in routes():
        if method != "GET" or path.endswith(ENDLESS):
            continue
        known = values | {name: "unknown" for name in names(path) if name not in values}
        answer = admin.get(fill(path, known), params=query(path, values))
        if answer.headers.get("content-type", "").startswith(FILES):
            found.add(path)
    assert found == set(table())


def names(path: str) -> list[str]:
    return [part.split("}")[0] for part in path.split("{")[1:]]


def query(address: str, values: dict[str, str]) -> dict[str, str]:
    return {"ids": values["image_id"]} if address.startswith("/pictures/") else {}


def own_export(server: Server, owner: Browser, values: dict[str, str]) -> str:
    """An export made by the owner of the set."""
    made = owner.post("/exports", data={"set_id": values["set_id"], "format": "png", "sizes": "original"})
    export_id = made.headers["location"].split("/")[2].split("?")[0]
    server.resources.exporter.prepare(int(export_id))
    return export_id
