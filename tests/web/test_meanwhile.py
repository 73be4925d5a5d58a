"""Changes between looking a person up and carrying out their act."""

import socket
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.accounts import factors, service
from app.errors import Forbidden, Invalid
from app.models import Act, Invitation, Role, User
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person
from tests.web.test_acts import count

BODY = b"role=admin&email="


def answer_to_slow_form(server: Server, browser: Browser, path: str, then: Callable[[], object]) -> str:
    """Start a form, let `then` happen once the server knows who sends it, and send the rest.

    Returns the whole answer.
    """
    place = urlsplit(server.url)
    cookies = f"soroe={browser.cookies['soroe']}"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\n"
        "Accept: text/html\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    server.resources.presence.write()
    with closing(socket.create_connection((place.hostname, place.port), timeout=20)) as line:
        line.sendall(head.encode() + BODY[:4])
        while not server.resources.presence._seen:
            pass
        then()
        line.sendall(BODY[4:])
        answer = b""
        while part := line.recv(65536):
            answer += part
        return answer.decode()


def invitations(server: Server) -> list[Invitation]:
    with server.resources.database.read() as session:
        return list(session.scalars(select(Invitation)))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda session, other, me: service.set_role(session, other, me.id, "manager"), 403),
        (lambda session, other, me: service.set_active(session, other, me.id, False), 303),
        (service.end_all_sessions, 303),
    ],
)
def test_the_sender_of_a_slow_form_is_checked_again_at_its_end(
    server: Server, admin: Browser, change: Callable[..., object], status: int
) -> None:
    other = make_person(server, Role.ADMIN)

    def happen() -> None:
        with server.resources.database.write() as session:
            change(session, other, admin.user)

    answer = answer_to_slow_form(server, admin, "/people/invite", happen)
    assert answer.startswith(f"HTTP/1.1 {status}")
    assert invitations(server) == []


def test_a_confirmation_in_another_tab_loses_no_form(server: Server, admin: Browser) -> None:
    def prove() -> None:
        assert admin.post("/confirm", data={"confirm-password": PASSWORD}).status_code == 303

    assert answer_to_slow_form(server, admin, "/people/invite", prove).startswith("HTTP/1.1 303")
    assert len(invitations(server)) == 1


def test_an_act_is_refused_if_the_role_changed_since_lookup(server: Server, admin: Browser) -> None:
    """As with two simultaneous requests: the person was looked up before the other's transaction, and acts after it."""
    other, third = make_person(server, Role.ADMIN), make_person(server, Role.DESIGNER)
    with server.resources.database.write() as session:
        service.set_role(session, other, admin.user.id, "manager")
    for act in (
        lambda session: service.invite(session, admin.user, "admin"),
        lambda session: service.set_role(session, admin.user, third.id, "admin"),
        lambda session: service.create_reset(session, admin.user, other.id),
    ):
        with pytest.raises(Forbidden, match="Your role changed"), server.resources.database.write() as session:
            act(session)
    assert invitations(server) == []
    assert count(server, Act.RESET_CREATE) == 0
    make_person(server, Role.ADMIN)
    with server.resources.database.write() as session:
        service.set_role(session, other, other.id, "designer")  # oneself, which is also reported once done


@pytest.mark.parametrize("what", ["password", "closed", "app"])
def test_nobody_signs_in_with_a_former_password(server: Server, admin: Browser, what: str) -> None:
    person = make_person(server, Role.DESIGNER)
    with server.resources.database.read() as session:
        was = service.authenticate(session, person.email, PASSWORD)
    with server.resources.database.write() as session:
        there = session.get_one(User, person.id)
        if what == "password":
            there.password_hash = "another"
        elif what == "closed":
            service.set_active(session, admin.user, person.id, False)
        else:
            secret = factors.new_secret()
            factors.enable(session, there, server.resources.vault, secret, factors.pyotp.TOTP(secret).now())
    with pytest.raises(Invalid, match="changed while you were signing in"), server.resources.database.read() as session:
        service.let_in(session, was)
