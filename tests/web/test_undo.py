"""Undo from the toast: once, by its own person, and after a confirmation where the act needed one."""

from collections.abc import Callable

from app.models import Role, Share
from tests.web.server import Browser, Server, make_person, making, shared_export
from tests.web.test_confirm import grow_old
from tests.web.test_people import undo


def test_a_revoked_share_link_works_again(server: Server, sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        image_set = make.finished_set(make.user())
        make.decide(image_set.images[0])
    export, share = shared_export(server, image_set.id)
    manager.post(f"/exports/{export.id}/shares/{share.id}/revoke")
    assert not is_open(server, share)
    page = manager.get(f"/exports/{export.id}").text
    assert "Link revoked. It no longer works." in page
    assert "The link works again." in undo(manager, page)
    assert is_open(server, share)
    assert "data-undo" not in manager.get(f"/exports/{export.id}").text


def is_open(server: Server, share: Share) -> bool:
    with server.resources.database.read() as session:
        return session.get_one(Share, share.id).open


def test_what_needed_a_confirmation_needs_one_to_undo(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    admin.post(f"/people/{person.id}", data={"role": "manager"})
    page = admin.get("/people").text
    grow_old(server, admin)
    assert "Confirm it’s you" in undo(admin, page)
    grow_old(server, admin, minutes=0)
    assert "has the role designer again." in undo(admin, page)
    assert "already undone" in undo(admin, page)


def test_nobody_else_can_undo_it(server: Server, admin: Browser, designer: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    admin.post(f"/people/{person.id}", data={"role": "manager"})
    page = admin.get("/people").text
    assert "no longer be undone" in undo(designer, page.replace('value="/people"', 'value="/"'))
