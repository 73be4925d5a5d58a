"""Two-step sign-in: an authenticator app, its recovery codes, and how it is set up, removed and reset."""

import re
import time
from collections.abc import Callable

import pyotp
import pytest
from sqlalchemy import select, update

from app.accounts import factors
from app.accounts.vault import Vault
from app.errors import Conflict, Invalid
from app.models import Act, AuditEvent, Authenticator, LoginSession, RecoveryCode, Role, User
from app.settings import Settings
from tests.factory import PASSWORD, Factory
from tests.web.server import Browser, Server, make_person, making, signed_in_browser
from tests.web.test_confirm import confirm, grow_old


def code_of(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + steps * factors.SECONDS)


def set_up(server: Server, browser: Browser) -> tuple[str, list[str]]:
    """Set up an authenticator app through the pages; returns its secret and the recovery codes.

    Uses up the current code.
    """
    page = browser.get("/account/authenticator").text
    secret = re.search(r"qr__secret\"[^>]*>([A-Z2-7]{32})<", page)[1]
    assert "<svg" in page
    assert browser.post("/account/authenticator", data={"code": "000000"}).status_code == 422
    answer = browser.post("/account/authenticator", data={"code": code_of(secret)})
    assert answer.headers["location"] == "/account/authenticator/codes"
    codes = re.findall(r'<li class="code">([a-z2-9-]+)</li>', browser.get("/account/authenticator/codes").text)
    assert browser.get("/account/authenticator/codes").status_code == 303, "shown once"
    server.resources.tries.__init__()
    return secret, codes


def newest(server: Server, act: Act) -> AuditEvent:
    with server.resources.database.read() as session:
        return session.scalars(select(AuditEvent).filter_by(act=act).order_by(AuditEvent.id.desc())).first()


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def test_a_code_is_required_after_the_password(server: Server, designer: Browser, anonymous: Browser) -> None:
    secret, codes = set_up(server, designer)
    assert len(set(codes)) == 10
    email = designer.user.email
    form = {"email": email, "password": PASSWORD, "next": "/sets"}
    answer = anonymous.post("/login", data=form)
    assert answer.headers["location"] == "/login/second"
    assert not is_in(anonymous)
    page = anonymous.get("/login/second").text
    assert 'autocomplete="one-time-code"' in page
    for wrong in ("000000", "", code_of(secret, -3), code_of(secret, 3), "x" * 5000, "１２３４５６"):
        server.resources.tries.__init__()
        answer = anonymous.post("/login/second", data={"code": wrong})
        assert answer.status_code == 422
        assert "This code is wrong" in answer.text
        assert not is_in(anonymous)
    assert newest(server, Act.SIGN_IN_REFUSED).details["reason"] == "wrong code"
    code = code_of(secret, 1)
    answer = anonymous.post("/login/second", data={"code": f" {code[:3]} {code[3:]} "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sets")
    assert is_in(anonymous)
    assert newest(server, Act.SIGN_IN).details["by"] == factors.APP
    with Browser(server.url) as thief:
        thief.post("/login", data=form)
        for replayed in (code, code_of(secret)):
            assert thief.post("/login/second", data={"code": replayed}).status_code == 422, "none is taken twice"
    assert anonymous.post("/login/second", data={"code": code}).headers["location"] == "/login", "the step was done"


def test_a_recovery_code_is_good_once(server: Server, designer: Browser, anonymous: Browser) -> None:
    _, codes = set_up(server, designer)
    for status, typed in ((303, codes[0].upper()), (422, codes[0]), (303, codes[1].replace("-", " "))):
        anonymous.cookies.clear()
        anonymous.sign_in(designer.user.email)
        assert anonymous.post("/login/second", data={"code": typed}).status_code == status
    assert newest(server, Act.SIGN_IN).details["by"] == "recovery code"
    assert "8 recovery codes left" in designer.get("/account/security").text.replace("\u202f", " ")
    assert designer.post("/account/authenticator/codes").status_code == 303
    anonymous.cookies.clear()
    anonymous.sign_in(designer.user.email)
    assert anonymous.post("/login/second", data={"code": codes[2]}).status_code == 422, "new ones end the old"


def test_codes_cannot_be_guessed(server: Server, designer: Browser, anonymous: Browser) -> None:
    secret, _ = set_up(server, designer)
    anonymous.sign_in(designer.user.email)
    answers = [anonymous.post("/login/second", data={"code": "000000"}).status_code for _ in range(7)]
    assert answers == [422] * 5 + [429] * 2
    anonymous.cookies.clear()
    anonymous.sign_in(designer.user.email)
    assert anonymous.post("/login/second", data={"code": code_of(secret, 1)}).status_code == 429, (
        "nor by signing in again"
    )
    assert not is_in(anonymous)


def test_a_stolen_password_locks_nobody_out_of_a_known_browser(
    server: Server, designer: Browser, anonymous: Browser
) -> None:
    anonymous.sign_in(designer.user.email)  # before there is an app: from now on, the browser is known
    _, codes = set_up(server, designer)
    with Browser(server.url) as thief:
        thief.sign_in(designer.user.email)
        answers = [thief.post("/login/second", data={"code": "000000"}).status_code for _ in range(6)]
        assert answers == [422] * 5 + [429]
    anonymous.sign_in(designer.user.email)
    assert [anonymous.post("/login/second", data={"code": "0"}).status_code for _ in range(4)] == [422] * 4
    assert anonymous.post("/login/second", data={"code": codes[0]}).status_code == 303
    assert is_in(anonymous)
    anonymous.cookies.delete("soroe")
    anonymous.sign_in(designer.user.email)
    assert anonymous.post("/login/second", data={"code": "000000"}).status_code == 429, (
        "such browsers have no more tries than others"
    )


def test_the_second_step_needs_the_first_in_this_browser(server: Server, designer: Browser, anonymous: Browser) -> None:
    secret, _ = set_up(server, designer)
    assert anonymous.get("/login/second").headers["location"] == "/login"
    assert anonymous.post("/login/second", data={"code": code_of(secret, 1)}).headers["location"] == "/login"
    anonymous.sign_in(designer.user.email)
    with server.resources.database.write() as session:
        session.execute(update(User).where(User.id == designer.user.id).values(active=False))
    assert anonymous.post("/login/second", data={"code": code_of(secret, 1)}).headers["location"] == "/login"
    with server.resources.database.write() as session:
        session.execute(update(User).where(User.id == designer.user.id).values(active=True))
    anonymous.sign_in(designer.user.email)
    for key, (at, whose, first) in list(server.resources.first_steps._kept.items()):
        server.resources.first_steps._kept[key] = (at - 601, whose, first)
    assert anonymous.post("/login/second", data={"code": code_of(secret, 1)}).headers["location"] == "/login"
    assert not is_in(anonymous)


def begin(browser: Browser) -> str:
    """Open the page that sets up an authenticator app; returns the secret that it shows."""
    return re.search(r"qr__secret\"[^>]*>([A-Z2-7]{32})<", browser.get("/account/authenticator").text)[1]


def pass_seconds(server: Server, seconds: int) -> None:
    """As if the secrets had been shown that much earlier."""
    for key, (at, whose, secret) in list(server.resources.secrets._kept.items()):
        server.resources.secrets._kept[key] = (at - seconds, whose, secret)


def test_a_scanned_code_outlives_the_confirmation(server: Server, designer: Browser) -> None:
    code = {"code": code_of(begin(designer))}
    grow_old(server, designer)
    asked = designer.post("/account/authenticator", data=code)
    assert asked.status_code == 403
    before = designer.cookies["soroe"]
    assert confirm(designer, asked.text).headers["location"] == "/account/authenticator"
    assert designer.cookies["soroe"] != before
    answer = designer.post("/account/authenticator", data=code)
    assert answer.headers["location"] == "/account/authenticator/codes"


def test_a_scanned_code_is_for_the_browser_that_showed_it(server: Server, designer: Browser, admin: Browser) -> None:
    code = {"code": code_of(begin(designer))}
    with signed_in_browser(server, designer.user) as other:
        for stranger in (other, admin):
            answer = stranger.post("/account/authenticator", data=code)
            assert answer.headers["location"] == "/account/authenticator", "it has shown none"
            begin(stranger)
            assert stranger.post("/account/authenticator", data=code).status_code == 422
    answer = designer.post("/account/authenticator", data=code)
    assert answer.headers["location"] == "/account/authenticator/codes", "the others' are their own"


def test_all_tabs_of_a_browser_show_the_same_code(server: Server, designer: Browser) -> None:
    secret = begin(designer)
    pass_seconds(server, 599)
    assert begin(designer) == secret
    pass_seconds(server, 599)
    answer = designer.post("/account/authenticator", data={"code": code_of(secret)})
    assert answer.headers["location"] == "/account/authenticator/codes", "each tab has all of its minutes"
    assert designer.post("/account/authenticator/remove").status_code == 303
    assert begin(designer) != secret, "used once"


def test_a_code_shown_too_long_ago_is_replaced(server: Server, designer: Browser) -> None:
    secret = begin(designer)
    pass_seconds(server, 601)
    assert begin(designer) != secret


def test_signing_out_ends_a_scanned_code(server: Server, designer: Browser) -> None:
    code = {"code": code_of(begin(designer))}
    designer.post("/logout")
    with signed_in_browser(server, designer.user) as again:  # its row has the id of the one that ended
        answer = again.post("/account/authenticator", data=code)
        assert answer.headers["location"] == "/account/authenticator"


def test_removing_it_needs_a_confirmation(server: Server, designer: Browser, anonymous: Browser) -> None:
    set_up(server, designer)
    with server.resources.database.write() as session:
        session.execute(update(LoginSession).values(confirmed_at=None))
    for path in ("/account/authenticator/remove", "/account/authenticator/codes", "/account/passkeys/options"):
        assert designer.post(path).status_code == 403
    assert "Confirm it’s you" in designer.get("/account/security").text
    form = {"confirm-password": PASSWORD, "confirm-next": "/account/authenticator/remove", "confirm-method": "post"}
    assert designer.post("/confirm", data=form).status_code == 307
    assert designer.post("/account/authenticator/remove").status_code == 303
    assert newest(server, Act.FACTOR_REMOVE).details["kind"] == factors.APP
    assert anonymous.sign_in(designer.user.email).headers["location"] == "/"


def test_an_administrator_resets_lost_factors_and_the_person_is_notified(
    server: Server, admin: Browser, sign_in: Callable[..., Browser], anonymous: Browser
) -> None:
    person = sign_in(Role.REVIEWER)
    set_up(server, person)
    path = f"/people/{person.user.id}/second-step/reset"
    assert sign_in(Role.MANAGER).post(path).status_code == 403
    assert admin.post(path).status_code == 303
    assert not is_in(person)
    event = newest(server, Act.FACTOR_RESET)
    assert (event.user_id, event.subject_id, event.details) == (
        admin.user.id,
        person.user.id,
        {"removed": [factors.APP]},
    )
    assert anonymous.sign_in(person.user.email).headers["location"] == "/"
    assert f"{admin.user.name} removed your {factors.APP}" in anonymous.get("/account/security").text
    admin.post(path)
    assert "there is nothing to remove" in admin.get("/people").text


def test_database_contents_open_nothing(server: Server, designer: Browser) -> None:
    secret, codes = set_up(server, designer)
    with server.resources.database.read() as session:
        kept = session.scalars(select(Authenticator)).one().secret
        hashes = {row.code_hash for row in session.scalars(select(RecoveryCode))}
        told = str([event.details for event in session.scalars(select(AuditEvent))])
    assert secret not in kept
    assert server.resources.vault.open(kept) == secret
    assert not {code.replace("-", "") for code in codes} & hashes
    assert not any(word in told for word in (secret, kept, *codes, *hashes))
    key = server.resources.vault.file
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    key.unlink()
    assert Vault(server.resources.settings).open(kept) is None, "another key opens nothing, and is no fault"


def test_a_lost_key_leaves_the_recovery_codes(make: Factory, settings: Settings) -> None:
    vault = Vault(settings)
    user = make.user()
    secret = factors.new_secret()
    codes = factors.enable(make.session, user, vault, secret, code_of(secret))
    vault.file.unlink()
    vault = Vault(settings)
    with pytest.raises(Invalid):
        factors.check(make.session, user, vault, code_of(secret, 1))
    assert factors.check(make.session, user, vault, codes[0]) == "recovery code"


def test_there_is_one_app_a_person(make: Factory, settings: Settings) -> None:
    vault = Vault(settings)
    user = make.user()
    secret = factors.new_secret()
    with pytest.raises(Invalid):
        factors.enable(make.session, user, vault, secret, "")
    factors.enable(make.session, user, vault, secret, code_of(secret))
    with pytest.raises(Conflict):
        factors.enable(make.session, user, vault, secret, code_of(secret))


def test_an_account_without_an_app_signs_in_as_before(server: Server, anonymous: Browser) -> None:
    assert anonymous.sign_in(make_person(server, Role.DESIGNER).email).headers["location"] == "/"


@pytest.mark.parametrize("digits", ["０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"])
def test_a_code_may_be_typed_as_the_keyboard_writes_it(make: Factory, settings: Settings, digits: str) -> None:
    session, user, vault, secret = make.session, make.user(), Vault(settings), factors.new_secret()
    typed = code_of(secret).translate(str.maketrans("0123456789", digits))
    codes = factors.enable(session, user, vault, secret, f"{typed[:3]}\u3000{typed[3:]}")
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in codes[0].upper())
    assert factors.check(session, user, vault, wide) == "recovery code"


def test_who_must_have_a_second_step_is_led_to_it_and_reaches_nothing_else(
    server: Server, admin: Browser, designer: Browser
) -> None:
    """From the next page on, by whatever a page asks for, until there is an authenticator app; undone, no longer."""
    with making(server) as make:
        picture = make.finished_set(designer.user).images[0].id
    assert admin.post("/people/second-step", data={"role": "designer", "on": "1"}).status_code == 303
    assert newest(server, Act.FACTOR_DEMAND).details == {"role": "designer", "demanded": True}
    assert "Required" in admin.get("/people/second-step").text
    for path in ("/", "/sets", "/account", f"/sets/{1}"):
        assert designer.get(path).headers["location"] == "/account/security"
    sent = designer.post("/sets")
    assert sent.headers["location"] == "/account/security"
    assert "Set up an authenticator app or a passkey first." in designer.get("/account/security").text
    asked = designer.get("/sets", headers={"hx-request": "true"})
    assert (asked.status_code, asked.headers["hx-redirect"]) == (403, "/account/security")
    assert designer.get("/sets", headers={"hx-request": "true", "soroe-unattended": "yes"}).status_code == 204
    for path in (f"/images/{picture}.png", f"/sets/{1}/events", f"/images/{picture}/download.png"):
        assert designer.get(path, headers={"accept": "*/*"}).status_code == 403, path
    assert "Two-step sign-in is required for the role designer" in designer.get("/account/security").text
    set_up(server, designer)
    assert designer.get("/sets").status_code == 200
    assert designer.post("/account/authenticator/remove").status_code == 303
    assert designer.get("/sets").status_code == 303
    assert admin.post("/people/second-step", data={"role": "designer"}).status_code == 303
    assert designer.get("/sets").status_code == 200


def test_the_second_step_of_administrators_begins_with_one_s_own(server: Server, admin: Browser) -> None:
    answer = admin.post("/people/second-step", data={"role": "admin", "on": "1"})
    assert answer.headers["location"] == "/people/second-step"
    assert "for yourself first" in admin.get("/people/second-step").text
    assert admin.get("/sets").status_code == 200
