from collections.abc import Callable

import pytest

from app.accounts import service as accounts
from app.main import create_app
from app.models import Role, User
from app.settings import Settings
from app.web.headers import CONTENT_SECURITY_POLICY, HEADERS
from app.web.limits.head import names_parts
from tests.engine.painter import Painter
from tests.factory import PASSWORD
from tests.web.server import (
    Browser,
    Server,
    make_person,
    making,
    serve,
    share_link,
    shared_export,
)


@pytest.mark.parametrize("path", ["/login", "/", "/nothing", "/healthz", "/images/1.png", "/static/x/css/base.css"])
def test_every_answer_has_them(anonymous: Browser, path: str) -> None:
    headers = anonymous.get(path).headers
    assert headers.keys() >= {name.lower() for name in HEADERS}
    assert "strict-transport-security" not in headers, "not over http"


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


def test_server_errors_have_them_too(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    designer = sign_in()
    monkeypatch.setattr("app.web.home.line.listed", lambda *_: 1 / 0)
    answer = designer.get("/")
    assert answer.status_code == 500
    assert "Something went wrong on the server" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_pages_are_not_cached_and_pictures_are_revalidated(server: Server, designer: Browser) -> None:
    with making(server) as make:
        image = make.finished_set(prompts="a fox").images[0]
    assert designer.get("/").headers["cache-control"] == "private, no-store"
    for path in (f"/images/{image.id}.png", f"/images/{image.id}/thumb-320.webp"):
        answer = designer.get(path)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Cookie"
        known = {"if-none-match": answer.headers["etag"]}
        again = designer.get(path, headers=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        assert designer.get(path, headers={"if-none-match": '"other"'}).status_code == 200
        with Browser(server.url) as nobody:
            assert nobody.get(path, headers=known | {"accept": "image/webp"}).status_code == 401, "not even a 304"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=9-2", "pictures=1-2", "bytes=a-b", "bytes"])
def test_an_invalid_part_of_a_picture_is_the_whole(server: Server, designer: Browser, asked: str) -> None:
    with making(server) as make:
        path = f"/images/{make.finished_set(make.user()).images[0].id}.png"
    whole = designer.get(path)
    answer = designer.get(path, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert not names_parts(asked.encode("latin-1"))
    assert all(map(names_parts, (b"bytes=2-3", b"bytes=2-", b"Bytes=-2", b"bytes=0-0, 5-6")))


def test_static_files_are_kept_under_their_own_hash_only(server: Server, anonymous: Browser) -> None:
    fresh = server.resources.environment.globals["static"]("css/base.css")
    assert anonymous.get(fresh).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert anonymous.get("/static/000000000000/css/base.css").headers["cache-control"] == "no-cache"
    for path in ("/static/x/../../pyproject.toml", "/static/x/%2e%2e/%2e%2e/pyproject.toml", "/static/x/css"):
        assert anonymous.get(path).status_code == 404, path


def test_the_session_cookie(server: Server, anonymous: Browser) -> None:
    user = make_person(server, Role.DESIGNER)
    cookie = anonymous.sign_in(user.email).headers["set-cookie"]
    assert cookie.startswith("soroe=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(settings: Settings) -> None:
    settings.url = "https://soroe.example.com"
    with serve(create_app(settings, Painter())) as server, Browser(server.url) as browser:
        answer = browser.sign_in(make_person(server, Role.DESIGNER).email)
        assert answer.headers["set-cookie"].startswith("__Host-soroe=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_over_https_every_cookie_is_guarded(settings: Settings) -> None:
    """For everything that sets one: signing in, a toast, a secret shown once, a shared export, and their ends."""
    settings.url = "https://soroe.example.com"
    with serve(create_app(settings, Painter())) as server:
        user = make_person(server, Role.ADMIN)
        token = f"__Host-soroe={session_of(server, user)}"
        with making(server) as make:
            made = make.finished_set()
            for image in made.images:
                make.decide(image)
        export, _ = shared_export(server, made.id)
        link, _ = share_link(server, export.id, "a secret of this test")
        with Browser(server.url) as admin:
            answers = [
                admin.post("/login", data={"email": user.email, "password": PASSWORD}),
                admin.post("/people/invite", data={"role": "designer"}, headers={"cookie": token}),
                admin.get("/people", headers={"cookie": f"{token}; __Secure-once=x"}),
                admin.post("/account/sessions/end", headers={"cookie": token}),
                admin.get("/account", headers={"cookie": f"{token}; __Host-toast=Done."}),
                admin.post(f"/shared/{link}", data={"password": "a secret of this test"}),
                admin.post("/logout", headers={"cookie": token}),
            ]
        assert "Done." in answers[4].text
        cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]
        names = {cookie.partition("=")[0] for cookie in cookies}
        assert names >= {"__Host-soroe", "__Host-toast", "__Secure-once", "__Secure-share"}, names
        for cookie in cookies:
            assert "; secure" in cookie.lower(), cookie
            assert cookie.startswith("__Host-" if "; Path=/;" in f"{cookie};" else "__Secure-"), cookie


def test_over_https_a_planted_cookie_is_not_read(settings: Settings) -> None:
    settings.url = "https://soroe.example.com"
    with serve(create_app(settings, Painter())) as server, Browser(server.url) as browser:
        token = session_of(server, make_person(server, Role.DESIGNER))
        planted = {"cookie": f"soroe={token}; toast=Planted; theme=dark"}
        page = browser.get("/login", headers=planted)
        assert page.status_code == 200, "nobody is signed in"
        assert "Planted" not in page.text
        assert 'data-theme="dark"' in page.text, "what scripts keep has no prefix"


def session_of(server: Server, user: User) -> str:
    with server.resources.database.write() as session:
        return accounts.start_session(session, user)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
    ],
)
def test_a_cross_site_post_is_refused(server: Server, designer: Browser, headers: dict[str, str]) -> None:
    for path in ("/logout", "/styles", "/sets", "/sets/1/cancel", "/people/invite", "/images/1/decision"):
        answer = designer.post(path, headers=headers)
        assert answer.status_code == 403, path
        assert "came from another site" in answer.text
    assert designer.get("/account").status_code == 200, "still signed in"
