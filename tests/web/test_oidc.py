"""Signing in through the company's provider, which runs here and answers over HTTP, truthfully or with lies."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from joserfc.jwk import OctKey
from pydantic import ValidationError
from sqlalchemy import select, update

from app.accounts import oidc
from app.accounts.oidc import Provider, ProviderFailed
from app.main import create_app
from app.models import Act, AuditEvent, Identity, LoginSession, Role, User
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.provider import OTHER_KEY, Claims, RunningProvider, parameters, running_provider, signed
from tests.web.server import Browser, Server, make_person, serve, signed_in_browser

# The provider's own library warns about its future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib.*")

ROLES = "soroe-admins=admin,leads=manager,designers=designer"
SECRET = "the client's secret, which is long"
GOOD = {"email": "haruka@contoso.com", "email_verified": True, "name": "Mori Haruka", "groups": ["designers"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def contoso(provider: RunningProvider, migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose people sign in through the provider."""
    settings = Settings(
        _env_file=None,
        data=tmp_path_factory.mktemp("oidc") / "data",
        oidc_issuer=provider.url,
        oidc_client_id="soroe",
        oidc_client_secret=SECRET,
        oidc_name="Contoso",
        oidc_roles=ROLES,
    )
    settings.data.mkdir()
    shutil.copy(migrated, settings.data)
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture(autouse=True)
def truth(provider: RunningProvider, contoso: Server) -> Iterator[None]:
    yield
    provider.lies.truth()
    contoso.resources.tries.__init__()
    contoso.resources.provider._kept.clear()
    contoso.resources.settings.oidc_roles = ROLES
    contoso.resources.settings.password_sign_in = True


@pytest.fixture
def browser(contoso: Server) -> Iterator[Browser]:
    with Browser(contoso.url) as browser:
        yield browser


def found(server: Server, email: str) -> User | None:
    with server.resources.database.read() as session:
        return session.scalar(select(User).filter_by(email=email))


def newest(server: Server, act: Act) -> AuditEvent:
    with server.resources.database.read() as session:
        return session.scalars(select(AuditEvent).filter_by(act=act).order_by(AuditEvent.id.desc())).first()


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def test_group_members_get_an_account_with_its_role(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    page = browser.get("/login?next=/sets").text
    assert "Sign in with Contoso" in page
    assert 'href="/login/oidc?next=/sets"' in page
    provider.person("s1", **GOOD | {"groups": ["other", "leads", "designers"]})
    back = provider.lead_back(browser, "s1", "/sets")
    answer = browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sets")
    user = found(contoso, "haruka@contoso.com")
    assert (user.name, user.role, user.password_hash) == ("Mori Haruka", Role.MANAGER, "")
    assert "Mori Haruka" in browser.get("/account").text
    assert newest(contoso, Act.ACCOUNT_CREATE).details == {"role": "manager", "provider": "Contoso"}
    assert newest(contoso, Act.SIGN_IN).user_id == user.id
    assert browser.get(back).status_code == 400, "an answer is good once"


def test_the_way_there_has_all_that_makes_the_way_back_safe(provider: RunningProvider, browser: Browser) -> None:
    answer = browser.get("/login/oidc")
    sent = parameters(answer.headers["location"])
    assert answer.headers["location"].startswith(f"{provider.url}/oauth2/authorize?")
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    assert sent["redirect_uri"].endswith("/login/oidc/callback")
    assert min(len(sent[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    again = parameters(browser.get("/login/oidc").headers["location"])
    assert all(again[name] != sent[name] for name in ("state", "nonce", "code_challenge"))
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.parametrize(
    "next", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/" + "a" * 5000]
)
def test_it_leads_nowhere_else(provider: RunningProvider, browser: Browser, next: str) -> None:
    provider.person("s2", **GOOD | {"email": "two@contoso.com"})
    assert provider.sign_in(browser, "s2", next).headers["location"] == "/"


def test_a_role_changed_at_the_provider_changes_here(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    mine = GOOD | {"email": "three@contoso.com"}
    for groups, role in (["soroe-admins"], "admin"), (["leads"], "manager"), (["designers"], "designer"):
        provider.person("s3", **mine | {"groups": groups})
        assert provider.sign_in(browser, "s3").status_code == 303
        assert found(contoso, "three@contoso.com").role == role
    event = newest(contoso, Act.ACCOUNT_CHANGE)
    assert (event.user_id, event.details) == (None, {"role": ["manager", "designer"], "provider": "Contoso"})
    assert browser.get("/people").status_code == 403


def test_leaving_all_groups_signs_out_everywhere(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    mine = GOOD | {"email": "four@contoso.com", "groups": ["leads"]}
    provider.person("s4", **mine)
    assert provider.sign_in(browser, "s4").status_code == 303
    provider.person("s4", **mine | {"groups": ["strangers"]})
    with Browser(contoso.url) as other:
        answer = provider.sign_in(other, "s4")
        assert answer.status_code == 403
        assert "None of your groups at Contoso" in answer.text
    assert not is_in(browser)
    assert found(contoso, "four@contoso.com").role == Role.DESIGNER
    assert newest(contoso, Act.SIGN_IN_REFUSED).details["reason"] == "no group"


def test_a_stranger_without_a_group_leaves_nothing(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    provider.person("s5", email="five@contoso.com", email_verified=True)
    answer = provider.sign_in(browser, "s5")
    assert answer.status_code == 403
    assert found(contoso, "five@contoso.com") is None
    assert not is_in(browser)


def test_too_many_groups_to_list_change_no_role(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    mine = GOOD | {"email": "six@contoso.com", "groups": ["leads"]}
    provider.person("s6", **mine)
    provider.sign_in(browser, "s6")
    mine.pop("groups")
    provider.person("s6", **mine, _claim_names={"groups": "src1"})
    assert "too many groups" in provider.sign_in(browser, "s6").text
    assert found(contoso, "six@contoso.com").role == Role.MANAGER


def test_the_last_administrator_is_removed_if_a_group_makes_them(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    mine = GOOD | {"email": "seven@contoso.com"}
    provider.person("s7", **mine | {"groups": ["soroe-admins"]})
    provider.sign_in(browser, "s7")
    contoso.resources.settings.oidc_roles = "leads=manager,designers=designer"
    provider.person("s7", **mine)
    provider.sign_in(browser, "s7")
    assert found(contoso, "seven@contoso.com").role == Role.ADMIN, "no group says who is one: people here do"
    contoso.resources.settings.oidc_roles = ROLES
    provider.sign_in(browser, "s7")
    assert found(contoso, "seven@contoso.com").role == Role.DESIGNER
    provider.person("s7", **mine | {"groups": "soroe-admins"})
    provider.sign_in(browser, "s7")
    assert found(contoso, "seven@contoso.com").role == Role.ADMIN, "and is one again; one group need not be a list"


def test_an_account_that_was_there_is_linked_by_its_verified_address(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    contoso.resources.settings.oidc_roles = ""
    person = make_person(contoso, Role.REVIEWER)
    provider.person("s8", email=person.email.upper(), email_verified=True)
    assert provider.sign_in(browser, "s8").status_code == 303
    assert found(contoso, person.email).role == Role.REVIEWER, "without a mapping roles are given here"
    assert newest(contoso, Act.IDENTITY_LINK).subject_id == person.id
    provider.person("s8", email="another@contoso.com", email_verified=False)
    assert provider.sign_in(browser, "s8").status_code == 303, "from now on it is the subject that counts"
    provider.person("s8b", email=person.email, email_verified=True)
    with Browser(contoso.url) as other:
        answer = provider.sign_in(other, "s8b")
        assert answer.status_code == 403
        assert "belongs to another person at Contoso" in answer.text
        assert not is_in(other)
        with signed_in_browser(contoso, make_person(contoso, Role.ADMIN)) as admin:
            assert admin.post(f"/people/{person.id}/second-step/reset").status_code == 303
        assert newest(contoso, Act.FACTOR_RESET).details == {"removed": ["link to the sign-in provider"]}
        assert not is_in(browser)
        assert provider.sign_in(other, "s8b").status_code == 303


@pytest.mark.parametrize("verified", [False, "false", None, 0, "yes", [True]])
def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(
    contoso: Server, provider: RunningProvider, browser: Browser, verified: object
) -> None:
    person = make_person(contoso, Role.ADMIN)
    provider.person("s9", **GOOD | {"email": person.email, "email_verified": verified})
    answer = provider.sign_in(browser, "s9")
    assert answer.status_code == 403
    assert "has not verified your e-mail address" in answer.text
    assert not is_in(browser)


def test_without_an_address_nobody_signs_in(provider: RunningProvider, browser: Browser) -> None:
    for number, email in enumerate(("", "nobody", "a@b.c" + "d" * 300, ["x@y.z"])):
        provider.person(f"s10-{number}", **GOOD | {"email": email})
        answer = provider.sign_in(browser, f"s10-{number}")
        assert answer.status_code == 403
        assert "did not send your e-mail address" in answer.text


def test_a_closed_account_stays_closed(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    mine = GOOD | {"email": "eleven@contoso.com"}
    provider.person("s11", **mine)
    provider.sign_in(browser, "s11")
    with signed_in_browser(contoso, make_person(contoso, Role.ADMIN)) as admin:
        assert admin.post(f"/people/{found(contoso, 'eleven@contoso.com').id}", data={"active": "0"}).status_code == 303
    for subject in ("s11", "s11b"):
        provider.person(subject, **mine)
        answer = provider.sign_in(browser, subject)
        assert answer.status_code == 403
        assert "is deactivated" in answer.text


def test_without_a_mapping_a_stranger_needs_an_invitation(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    contoso.resources.settings.oidc_roles = ""
    provider.person("s12", **GOOD | {"email": "twelve@contoso.com"})
    assert "Ask an administrator to invite you" in provider.sign_in(browser, "s12").text
    assert found(contoso, "twelve@contoso.com") is None


def test_the_provider_confirms_the_person(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    provider.person("s20", **GOOD | {"email": "twenty@contoso.com", "groups": ["soroe-admins"]})
    provider.person("s21", **GOOD | {"email": "twenty-one@contoso.com"})
    provider.sign_in(browser, "s20")
    with contoso.resources.database.write() as session:
        session.execute(update(LoginSession).values(confirmed_at=None))
    page = browser.post("/people/invite", data={"role": "designer"})
    assert page.status_code == 403
    assert "Confirm with Contoso" in page.text
    kept = re.search(r"next=(/confirm%3Fwaiting%3D[\w-]+)", page.text)
    assert kept
    waiting = unquote(kept[1])
    before = browser.cookies["soroe"]
    away = browser.get("/login/oidc?confirm=1&next=/people")
    sent = parameters(away.headers["location"])
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")
    for subject, said in ("s21", "signed in someone other than"), ("s20", "Identity confirmed"):
        away = browser.get("/login/oidc?confirm=1&next=/people")
        assert browser.get(provider.answer(away, subject)).headers["location"] == "/people"
        assert said in browser.get("/people").text
    assert browser.cookies["soroe"] != before
    with signed_in_browser(contoso, make_person(contoso, Role.ADMIN)) as other:
        assert other.get(waiting).headers["location"] == "/", "what waits is its own person's"
    for _ in range(2):  # also after a reload
        waited = browser.get(waiting).text
        assert '<input type="hidden" name="role" value="designer">' in waited
    action = re.search(r'action="(/people/invite\?continued=[^"]+)"', waited)[1]
    assert browser.post(action, data={"role": "designer"}).status_code == 303
    assert "continued" not in browser.get(waiting).text, "once"
    provider.lies.token = lambda claims: signed(claims | {"auth_time": NOW - 3600})
    away = browser.get("/login/oidc?confirm=1&next=/people")
    assert browser.get(provider.answer(away, "s20")).status_code == 403, "it let in without asking"


def test_a_role_lost_at_the_provider_is_lost_on_confirmation_too(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    mine = GOOD | {"email": "thirty@contoso.com"}
    provider.person("s30", **mine | {"groups": ["soroe-admins"]})
    provider.sign_in(browser, "s30")
    provider.person("s30", **mine | {"groups": ["designers"]})
    away = browser.get("/login/oidc?confirm=1&next=/people")
    assert browser.get(provider.answer(away, "s30")).status_code == 303
    assert found(contoso, "thirty@contoso.com").role == Role.DESIGNER
    assert browser.post("/people/invite", data={"role": "admin"}).status_code == 403
    provider.person("s30", **mine | {"groups": []})
    away = browser.get("/login/oidc?confirm=1&next=/account")
    assert browser.get(provider.answer(away, "s30")).status_code == 403
    assert not is_in(browser)


# Lies

NOW = int(time.time())
LIES: dict[str, Callable[[Claims], str]] = {
    "another nonce": lambda claims: signed(claims | {"nonce": "another"}),
    "no nonce": lambda claims: signed({name: value for name, value in claims.items() if name != "nonce"}),
    "for another client": lambda claims: signed(claims | {"aud": "another"}),
    "for several, by another": lambda claims: signed(claims | {"aud": ["soroe", "another"], "azp": "another"}),
    "no audience": lambda claims: signed({name: value for name, value in claims.items() if name != "aud"}),
    "expired": lambda claims: signed(claims | {"exp": NOW - 3600}),
    "never expires": lambda claims: signed({name: value for name, value in claims.items() if name != "exp"}),
    "of the future": lambda claims: signed(claims | {"iat": NOW + 86400}),
    "of another issuer": lambda claims: signed(claims | {"iss": "https://evil.example"}),
    "no subject": lambda claims: signed(claims | {"sub": ""}),
    "a subject that is a number": lambda claims: signed(claims | {"sub": 7}),
    "an endless subject": lambda claims: signed(claims | {"sub": "s" * 100_000}),
    "signed with another key": lambda claims: signed(claims, OTHER_KEY),
    "of a key that is not listed": lambda claims: signed(claims, OTHER_KEY, kid="unknown"),
    "signed with the client's secret": lambda claims: signed(claims, OctKey.import_key(SECRET), alg="HS256"),
    "not signed": lambda claims: "eyJhbGciOiJub25lIn0." + signed(claims).split(".")[1] + ".",
    "signed, then changed": lambda claims: ".".join(
        (signed(claims).split(".")[0], signed(claims | {"email": "x@y.z"}).split(".")[1], signed(claims).split(".")[2])
    ),
    "of another access token": lambda claims: signed(claims | {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    "no token": lambda claims: "",
    "no JWT": lambda claims: "a.b.c",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_false_token_lets_nobody_in(contoso: Server, provider: RunningProvider, browser: Browser, lie: str) -> None:
    provider.person("liar", **GOOD | {"email": "liar@contoso.com", "groups": ["soroe-admins"]})
    provider.lies.token = LIES[lie]
    answer = provider.sign_in(browser, "liar")
    assert answer.status_code == 403
    assert "The answer from Contoso could not be verified" in answer.text
    assert found(contoso, "liar@contoso.com") is None
    assert not is_in(browser)


@pytest.mark.parametrize("answer", [{"id_token": ...}, {"id_token": 7}, {"access_token": ...}, {"token_type": ...}])
def test_a_malformed_token_answer_is_handled(provider: RunningProvider, browser: Browser, answer: Claims) -> None:
    provider.person("odd", **GOOD | {"email": "odd@contoso.com"})
    provider.lies.answer = answer
    assert provider.sign_in(browser, "odd").status_code in (303, 403, 502)


def test_missing_claims_come_from_the_same_persons_user_info(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    provider.person("s13", **GOOD | {"email": "thirteen@contoso.com"})
    provider.lies.token = lambda claims: signed({name: claims[name] for name in claims if name not in GOOD})
    provider.lies.user_info = {**GOOD, "sub": "another", "email": "thirteen@contoso.com"}
    assert provider.sign_in(browser, "s13").status_code == 403
    provider.lies.user_info = None
    assert provider.sign_in(browser, "s13").status_code == 303
    assert found(contoso, "thirteen@contoso.com").role == Role.DESIGNER


def test_an_answer_belongs_to_the_browser_that_asked(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    provider.person("s14", **GOOD | {"email": "fourteen@contoso.com"})
    back = provider.lead_back(browser, "s14")
    with Browser(contoso.url) as victim:
        for _ in range(2):  # with and without its own flow
            answer = victim.get(back)
            assert answer.status_code == 400
            assert "was started elsewhere" in answer.text
            victim.get("/login/oidc")
    for spoiled in (back.replace("state=", "state=x"), back.split("?")[0], back.split("state=")[0]):
        assert browser.get(spoiled).status_code == 400
    assert browser.get(back + "&iss=https://evil.example").status_code == 403, "from another provider (RFC 9207)"
    back = provider.lead_back(browser, "s14")
    assert browser.get(f"{back}&iss={provider.url}").status_code == 303


def test_two_tabs_come_back_each(provider: RunningProvider, browser: Browser) -> None:
    provider.person("s15", **GOOD | {"email": "fifteen@contoso.com"})
    one, two = provider.lead_back(browser, "s15", "/sets"), provider.lead_back(browser, "s15", "/styles")
    assert browser.get(one).headers["location"] == "/sets"
    assert browser.get(two).headers["location"] == "/styles"


def test_a_flow_is_good_for_minutes(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    provider.person("s16", **GOOD | {"email": "sixteen@contoso.com"})
    back = provider.lead_back(browser, "s16")
    flows = contoso.resources.oidc_flows
    for key, (at, whose, flow) in list(flows._kept.items()):
        flows._kept[key] = (at - 601, whose, flow)
    assert browser.get(back).status_code == 400


def test_cancelling_at_the_provider_is_reported(provider: RunningProvider, browser: Browser) -> None:
    away = parameters(browser.get("/login/oidc").headers["location"])
    answer = browser.get("/login/oidc/callback", params={"state": away["state"], "error": "access_denied"})
    assert answer.status_code == 403
    assert "Contoso did not sign you in" in answer.text


def test_signing_out_offers_the_providers_own_page(provider: RunningProvider, browser: Browser) -> None:
    provider.person("s17", **GOOD | {"email": "seventeen@contoso.com"})
    provider.sign_in(browser, "s17")
    assert browser.post("/logout").headers["location"] == "/login/oidc/ended"
    assert not is_in(browser)
    assert "Sign out of Contoso too" in browser.get("/login/oidc/ended").text
    there = browser.get("/login/oidc/logout").headers["location"]
    assert there.startswith(f"{provider.url}/oauth2/end_session?client_id=soroe")
    assert parameters(there)["post_logout_redirect_uri"].endswith("/login")
    assert browser.post("/logout").headers["location"] == "/login"
    provider.lies.discovery = {"end_session_endpoint": "http://evil.example/"}


def test_passwords_can_be_switched_off(contoso: Server, browser: Browser) -> None:
    person = make_person(contoso, Role.DESIGNER)
    contoso.resources.settings.password_sign_in = False
    answer = browser.sign_in(person.email)
    assert answer.status_code == 403
    assert "Passwords are turned off here" in answer.text
    assert not is_in(browser)


def test_an_account_without_a_password_has_none_that_is_right(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    provider.person("s18", **GOOD | {"email": "eighteen@contoso.com"})
    provider.sign_in(browser, "s18")
    with Browser(contoso.url) as other:
        assert other.sign_in("eighteen@contoso.com", "").status_code == 422
    form = {"current": "", "password": "tea kettle by the window"}
    assert browser.post("/account/password", data=form).status_code == 422


def test_no_secret_is_in_the_log_or_the_audit_log(
    contoso: Server, provider: RunningProvider, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    provider.person("s19", **GOOD | {"email": "nineteen@contoso.com"})
    caplog.set_level("DEBUG")
    back = provider.lead_back(browser, "s19")
    provider.lies.token = LIES["expired"]
    browser.get(back)
    provider.lies.truth()
    provider.sign_in(browser, "s19")
    said = "".join(str(line.msg) for line in caplog.records if line.name.startswith("app."))
    assert "an answer of the sign-in provider was refused" in said
    with contoso.resources.database.read() as session:
        said += str([event.details for event in session.scalars(select(AuditEvent))])
    for secret in (SECRET, parameters(back)["code"], parameters(back)["state"], "eyJ"):
        assert secret not in said


# A provider that is dead, slow or wrong


def settings_for(url: str) -> Settings:
    return Settings(_env_file=None, oidc_issuer=url, oidc_client_id="soroe", oidc_name="Contoso")


def test_a_dead_provider_is_one_sentence_on_the_sign_in_page(contoso: Server, browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    true, contoso.resources.provider.issuer = contoso.resources.provider.issuer, url
    try:
        answer = browser.get("/login/oidc?next=/sets")
    finally:
        contoso.resources.provider.issuer = true
    assert answer.status_code == 502
    assert "Contoso is not responding" in answer.text
    assert 'name="next" value="/sets"' in answer.text
    assert 'name="password"' in answer.text, "the other way in is there"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (oidc.ANSWER_BYTES + 1),
        b'HTTP/1.1 200 OK\r\n\r\n{"issuer": "https://evil.example"}',
        b"\xff\xfe",
    ],
)
def test_any_provider_metadata_is_handled(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "READ_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
                if not answer:
                    time.sleep(0.6)

        thread = threading.Thread(target=serve_one)
        thread.start()
        provider = Provider(settings_for(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        for _ in range(2):  # the second time without asking
            with pytest.raises((ProviderFailed, oidc.ProviderRefused)):
                provider.begin("/")
        thread.join()


def test_only_some_wait_for_a_slow_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(settings_for("http://127.0.0.1:1"))
    for _ in range(oidc.CALLS):
        provider._calls.acquire()
    with pytest.raises(oidc.ProviderBusy):
        provider.begin("/")


@pytest.mark.parametrize(
    "values",
    [
        {"oidc_issuer": "http://login.contoso.com", "oidc_client_id": "x"},
        {"oidc_issuer": "https://login.contoso.com?x=1", "oidc_client_id": "x"},
        {"oidc_issuer": "https://login.contoso.com"},
        {"oidc_client_id": "x"},
        {"password_sign_in": False},
        {"oidc_roles": "designers=emperor"},
        {"oidc_scopes": "email"},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **values)


def test_the_secret_is_not_printed() -> None:
    assert SECRET not in repr(Settings(_env_file=None, oidc_client_secret=SECRET))


def test_one_identity_a_person(contoso: Server) -> None:
    with contoso.resources.database.read() as session:
        owners = [identity.user_id for identity in session.scalars(select(Identity))]
    assert len(owners) == len(set(owners))


def test_a_look_alike_address_is_a_different_one(contoso: Server, provider: RunningProvider, browser: Browser) -> None:
    person = make_person(contoso, Role.ADMIN)
    wide = chr(ord(person.email[0]) + 0xFEE0) + person.email[1:]
    provider.person("s40", **GOOD | {"email": wide})
    assert provider.sign_in(browser, "s40").status_code == 403
    assert not is_in(browser)


def test_vouching_for_one_address_does_not_cover_another(
    contoso: Server, provider: RunningProvider, browser: Browser
) -> None:
    person = make_person(contoso, Role.ADMIN)
    provider.person("s41", email=person.email, groups=["designers"])
    provider.lies.token = lambda claims: signed(
        {name: value for name, value in claims.items() if name != "email_verified"} | {"email": person.email}
    )
    provider.lies.user_info = {"sub": "s41", "email": "mine@contoso.com", "email_verified": True}
    assert provider.sign_in(browser, "s41").status_code == 403
    assert not is_in(browser)
