"""What addresses refuse: other methods, columns that are no form fields, people without permission."""

import pytest

from app.models import Role, SavedSearch, User
from tests.web.server import Browser, Server, make_person


def test_other_methods_are_refused_and_nothing_is_echoed(anonymous: Browser) -> None:
    for path in ("/", "/login", "/healthz", "/static/css/tokens.css"):
        for method in ("TRACE", "TRACK", "PUT", "DELETE", "PATCH", "PROPFIND"):
            response = anonymous.request(method, path, headers={"x-secret": "do not echo"})
            assert response.status_code in (400, 404, 405), (method, path)
            assert "do not echo" not in response.text


def test_fields_that_no_form_has_change_nothing(server: Server, designer: Browser) -> None:
    """Mass assignment: columns of a row as fields of its form."""
    other = make_person(server, Role.ADMIN)
    more = {"id": "77", "owner_id": str(other.id), "user_id": str(other.id), "role": "admin", "is_admin": "1"}
    assert designer.post("/searches", data={"name": "Foxes", "query": "q=fox", **more}).status_code == 303
    with server.resources.database.read() as session:
        (saved,) = session.query(SavedSearch).all()
        assert (saved.id, saved.owner_id) == (1, designer.user.id)
        assert session.get_one(User, designer.user.id).role == Role.DESIGNER


def test_refused_access_is_logged(server: Server, designer: Browser, caplog: pytest.LogCaptureFixture) -> None:
    assert designer.get("/people").status_code == 403
    told = [record.msg for record in caplog.records if "access refused" in str(record.msg)]
    assert [(line["person"], line["method"], line["path"]) for line in told] == [(designer.user.id, "GET", "/people")]
