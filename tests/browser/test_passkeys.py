"""Passkeys in a real Chromium, with the virtual authenticator of its developer tools."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select, update

from app.accounts import passkeys
from app.accounts.passkeys import Site
from app.errors import Conflict, Invalid
from app.main import create_app
from app.models import Act, AuditEvent, LoginSession, Passkey, Role, User
from app.settings import Settings
from tests.engine.painter import Painter
from tests.factory import PASSWORD
from tests.web.server import Browser as Client
from tests.web.server import Server, make_person, serve, signed_in_browser

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(_env_file=None, data=tmp_path_factory.mktemp("passkeys") / "data", url="http://localhost:1")
    settings.data.mkdir()
    shutil.copy(migrated, settings.data)
    with serve(create_app(settings, Painter())) as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        settings.url = server.url
        yield server


@pytest.fixture
def context(chromium: Browser, server: Server) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.url)
    yield context
    context.close()


class Device:
    """A virtual authenticator; it disappears with its page."""

    def __init__(self, page: Page, **options: object) -> None:
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE | options})["authenticatorId"]

    def keys(self) -> list[dict[str, object]]:
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]

    def verifies(self, verified: bool) -> None:
        self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified})


def sign_in(page: Page, person: User) -> None:
    page.goto("/login")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url("/")


def add_passkey(page: Page, name: str) -> None:
    page.goto("/account/security")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_text(f"Passkey {name} added")).to_be_visible()


def grow_old(server: Server) -> None:
    """As if everyone had signed in too long ago to change their ways to sign in."""
    with server.resources.database.write() as session:
        session.execute(update(LoginSession).values(confirmed_at=None))


def newest(server: Server, act: Act) -> AuditEvent:
    with server.resources.database.read() as session:
        return session.scalars(select(AuditEvent).filter_by(act=act).order_by(AuditEvent.id.desc())).first()


def test_a_passkey_from_its_making_to_its_end(
    server: Server, context: BrowserContext, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    person = make_person(server, Role.ADMIN, "Mori Haruka")
    page = watch(context.new_page())
    device = Device(page)
    sign_in(page, person)
    add_passkey(page, "Work laptop")
    assert newest(server, Act.FACTOR_ADD).details == {"kind": "passkey", "name": "Work laptop"}
    # The device knows that it has one, and says so.
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_text("already has a passkey for your account")).to_be_visible()

    # Without the password, and on to the requested page.
    context.clear_cookies()
    page.goto("/login?next=/styles")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url("/styles")
    event = newest(server, Act.SIGN_IN)
    assert (event.user_id, event.details["by"]) == (person.id, "passkey")
    page.goto("/account/security")
    expect(page.get_by_text("last used")).to_be_visible()

    # As a confirmation, for a form that was refused.
    grow_old(server)
    page.goto("/people")
    page.get_by_role("button", name="Create invite link").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_label("Link to send")).to_be_visible()

    # A device without user verification signs nobody in.
    device.verifies(False)
    context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("Nothing was signed")).to_be_visible()
    device.verifies(True)

    # Removed: the device still has it, but it opens nothing.
    sign_in(page, person)
    page.goto("/account/security")
    page.get_by_role("button", name="Remove Work laptop").click()
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.get_by_text("Passkey Work laptop removed")).to_be_visible()
    context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("No account here has this passkey")).to_be_visible()
    assert len(device.keys()) == 1
    assert [line for line in problems if "422" not in line and "403" not in line] == []


def test_a_passkey_outlives_the_confirmation(server: Server, context: BrowserContext) -> None:
    """The device has made it, and would be left with a key that opens nothing."""
    person = make_person(server, Role.DESIGNER)
    page = context.new_page()
    device = Device(page)
    sign_in(page, person)
    page.goto("/account/security")
    page.route("**/account/passkeys", lambda route: (grow_old(server), route.continue_()), times=1)
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("heading", name="Confirm it’s you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Passkey Work laptop added")).to_be_visible()
    # And confirmed with it, while another tab confirms.
    grow_old(server)
    page.goto("/confirm?next=/account/security")
    other = context.new_page()
    other.goto("/confirm?next=/account/security")

    def confirm_elsewhere() -> None:
        other.get_by_label("Password").fill(PASSWORD)
        other.get_by_role("button", name="Continue").click()
        expect(other.get_by_role("heading", name="Sign-in and security")).to_be_visible()

    page.route("**/confirm/passkey", lambda route: (confirm_elsewhere(), route.continue_()), times=1)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()
    assert len(device.keys()) == 1


def test_the_name_of_a_passkey_is_kept_when_a_confirmation_is_needed_first(
    server: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    Device(page)
    sign_in(page, make_person(server, Role.DESIGNER))
    page.goto("/account/security")
    page.get_by_label("Name").fill("Mori’s & work")
    grow_old(server)
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    expect(page.get_by_role("link", name="Cancel")).to_have_attribute("href", "/account")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Name")).to_have_value("Mori’s & work", timeout=10_000)
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_text("Passkey Mori’s & work added")).to_be_visible()


def scanned(picture: np.ndarray) -> set[str]:
    """What a code says, read from near and far: OpenCV misses some codes at one size; a phone moves."""
    sizes = (1, 1.5, 2, 2.5, 3, 4)
    larger = (cv2.resize(picture, None, fx=by, fy=by, interpolation=cv2.INTER_NEAREST) for by in sizes)
    readers = (cv2.QRCodeDetector(), cv2.QRCodeDetectorAruco())
    return {reader.detectAndDecode(each)[0] for each in larger for reader in readers}


def test_the_code_for_an_authenticator_app_can_be_scanned(
    server: Server, context: BrowserContext, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    person = make_person(server, Role.DESIGNER)
    page = watch(context.new_page())
    sign_in(page, person)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/account/authenticator")
        picture = cv2.imdecode(np.frombuffer(page.locator(".qr").screenshot(), np.uint8), cv2.IMREAD_COLOR)
        dark = np.argwhere(picture[:, :, 0] < 128)
        edges = [*dark.min(axis=0), *(np.array(picture.shape[:2]) - 1 - dark.max(axis=0))]
        assert max(edges) - min(edges) <= 2, "all of it is there, in the middle of its white border"
        assert min(edges) >= 16
        page.get_by_text("Cannot scan? Type the key").click()
        secret = page.locator(".qr__secret").inner_text()
        assert pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name="Soroe") in scanned(picture)
    page.get_by_label("Code from the app").fill(pyotp.TOTP(secret).now())
    page.get_by_label("Code from the app").press("Enter")
    expect(page.get_by_role("listitem")).to_have_count(10)
    page.get_by_role("link", name="I have saved them").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    assert problems == []


def test_an_answer_is_good_once_and_for_its_challenge(
    server: Server, context: BrowserContext, watch: Callable[[Page], Page]
) -> None:
    person = make_person(server, Role.DESIGNER)
    page = watch(context.new_page())
    Device(page)
    sign_in(page, person)
    add_passkey(page, "Phone")
    context.clear_cookies()
    page.goto("/login")
    with page.expect_request(
        lambda request: request.method == "POST" and request.url.endswith("/login/passkey")
    ) as sent:
        page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url("/")
    answer = {name: values[0] for name, values in form_of(sent.value.post_data or "").items()}
    begun = sent.value.all_headers()["cookie"]

    with Client(server.url) as thief:
        again = thief.post("/login/passkey", data=answer, headers={"cookie": begun})
        assert again.status_code == 422
        assert "already used" in again.text
        thief.post("/login/passkey/options")
        assert thief.post("/login/passkey", data=answer).status_code == 422, "of another challenge"

    site = Site.of(server.url)
    given = json.loads(answer["passkey"])
    challenge = challenge_of(given)
    with server.resources.database.write() as session:
        stored = session.scalars(select(Passkey).filter_by(user_id=person.id)).one()
        stored.sign_count = 0
    changed = [
        given | {"id": "unknown"},
        given | {"response": given["response"] | {"userHandle": "c29yb2UtOTk5"}},
        given | {"response": given["response"] | {"signature": "AAAA"}},
        given | {"response": {}},
        [given],
        "text",
    ]
    with server.resources.database.write() as session:
        for wrong in (*map(json.dumps, changed), "", "{", "[" * 50_000, "\ud800"):
            with pytest.raises(Invalid):
                passkeys.use(session, site, challenge, wrong)
        for other in (Site("localhost", "http://localhost:1", ""), Site("evil.example", server.url, "")):
            with pytest.raises(Invalid):
                passkeys.use(session, other, challenge, answer["passkey"])
        assert passkeys.use(session, site, challenge, answer["passkey"]).user_id == person.id
        with pytest.raises(Invalid):  # a copy of the device counts from the time of copying
            passkeys.use(session, site, challenge, answer["passkey"])


def test_another_persons_passkey_proves_nothing(server: Server, context: BrowserContext) -> None:
    one, other = make_person(server, Role.DESIGNER), make_person(server, Role.DESIGNER)
    with signed_in_browser(server, one) as browser, signed_in_browser(server, other) as stranger:
        for each in (browser, stranger):
            each.base_url = server.url.replace("localhost", "127.0.0.1")
        assert browser.post("/confirm/passkey/options").status_code == 409, "without a passkey"
        answer = browser.post("/confirm/passkey", data={"confirm-passkey": "{}", "confirm-next": "/account"})
        assert answer.status_code == 422
        with server.resources.database.write() as session:
            key = Passkey(user_id=one.id, credential_id="x", public_key=b"x", sign_count=0, name="Key")
            session.add(key)
            session.flush()
            number = key.id
        assert stranger.post(f"/account/passkeys/{number}/remove").status_code == 404


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://soroe.example.com", ""),
        ("http://localhost:8000", ""),
        ("http://127.0.0.1:8000", "need a host name"),
        ("https://192.168.1.7", "need a host name"),
        ("https://[::1]:8443", "need a host name"),
        ("http://soroe.example.com", "need https"),
    ],
)
def test_without_passkey_support_the_page_says_so(url: str, problem: str) -> None:
    site = Site.of(url)
    assert problem in site.problem
    assert bool(problem) == bool(site.problem)
    if problem:
        with pytest.raises(Conflict):
            passkeys.question(site)


def form_of(body: str) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    return parse_qs(body)


def challenge_of(given: dict[str, dict[str, str]]) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    return base64url_to_bytes(json.loads(base64url_to_bytes(given["response"]["clientDataJSON"]))["challenge"])
