"""Reading writes nothing: a GET of any address leaves all rows unchanged, except for a few named here."""

import hashlib
from collections.abc import Callable

import pytest

from app.database import Database
from app.measures import measurer
from app.models import Base, Role
from app.reviews import service as reviews
from tests.web.server import Browser, Server, make_person, making
from tests.web.world import fill, populate, routes

# Which tables a GET may change, and why it must. Nothing else writes: what pages show as read is posted by them
# (`/images/{image_id}/mentions`), and who was seen when is written once a minute in the background
# (`app.web.presence`).
DOWNLOAD = "Taking files away is an act, which the audit log records. A browser saves a file by GET, and may resume it."
AUDIT = {"audit_events", "audit_head"}
WRITE = {
    "/exports/{export_id}/download.zip": (AUDIT, DOWNLOAD),
    "/shared/{token}/download.zip": (AUDIT | {"shares"}, DOWNLOAD + " The link counts its downloads."),
    "/shared/{token}/pictures/{position}/download": (AUDIT | {"shares"}, DOWNLOAD + " The link counts its downloads."),
    "/subjects/{subject_id}/lora.safetensors": (AUDIT, DOWNLOAD),
    "/references/{reference_id}/rights/files/{file_id}": (AUDIT, DOWNLOAD),
    "/record.csv": (AUDIT, DOWNLOAD),
    "/images/{image_id}/download.png": (AUDIT, DOWNLOAD),
    **dict.fromkeys(
        ("/sets/{set_id}/approved.zip", "/campaigns/{campaign_id}/approved.zip", "/pictures/approved.zip"),
        (AUDIT | {"exports", "export_files", "usage"}, DOWNLOAD + " It makes an export in one step, for scripts."),
    ),
}
# Signing in through a provider ends with a GET, as OpenID Connect requires; `test_oidc` covers what it writes.
PROVIDER = {"/login/oidc", "/login/oidc/callback", "/login/oidc/ended", "/login/oidc/logout"}
ENDLESS = ("/events", "/news")
QUERIES = {
    "/pictures/approved.zip": "?ids={image_id}",
    "/pictures/export": "?ids={image_id}",
    "/pictures/checklists": "?ids={image_id}",
    "/review": "?image={image_id}",
    "/compare": "?ids={image_id}",
}
# See `app.web.presence` and `app.upkeep.reader`.
BACKGROUND = {"login_sessions", "file_reading"}


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine, pictures would be measured while the addresses are asked."""
    monkeypatch.setattr(measurer, "START_SECONDS", 3600.0)


def state(database: Database) -> dict[str, str]:
    """The contents of each table, as a hash."""
    with database.read() as session:
        return {
            name: hashlib.sha256(repr(session.execute(table.select()).all()).encode()).hexdigest()
            for name, table in Base.metadata.tables.items()
            if name not in BACKGROUND
        }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_no_get_writes_but_those_that_are_named(server: Server, sign_in: Callable[..., Browser]) -> None:
    admin = sign_in(Role.ADMIN)
    values = populate(server, make_person(server, Role.DESIGNER), admin.user)
    mention(server, admin, int(values["image_id"]))
    database, wrote = server.resources.database, set()
    for method, path in routes():
        if method != "GET" or path in PROVIDER or path.endswith(ENDLESS):
            continue
        server.resources.downloads.__init__()  # type: ignore[misc]  # one that has begun is recorded once
        before = state(database)
        answer = admin.get(fill(path + QUERIES.get(path, ""), values))
        assert answer.status_code < 500, path
        if tables := changed(before, state(database)):
            assert path in WRITE, f"GET {path} writes to {tables}"
            assert tables <= WRITE[path][0], f"GET {path} writes to {tables}"
            wrote.add(path)
    assert wrote == WRITE.keys(), "a name that is needed no more goes from the list"


def mention(server: Server, browser: Browser, image_id: int) -> None:
    """Mention the person at the browser in a comment."""
    with making(server) as make:
        author = make.user(Role.DESIGNER)
        reviews.comment(make.session, author, image_id, f"@{browser.user.name}, is this right?")
