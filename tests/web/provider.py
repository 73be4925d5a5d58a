"""A real OpenID Connect provider on a free port (oidc-provider-mock), which can be made to lie."""

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from tests.web.server import Browser

KEY = RSAKey.generate_key(2048, {"kid": "ours", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "ours"})

Claims = dict[str, Any]


def signed(claims: Claims, key: Any = KEY, **header: str) -> str:
    return jwt.encode({"alg": "RS256", "kid": "ours", **header}, claims, key, [header.get("alg", "RS256")])


@dataclass
class Lies:
    """WSGI around the provider: it signs with a key that tests have, and alters what they want."""

    app: Any
    token: Callable[[Claims], str] = signed  # builds the ID token from the true claims
    answer: Claims = field(default_factory=dict)  # overrides in the token's answer
    discovery: Claims = field(default_factory=dict)
    user_info: Claims | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        if path == "/jwks":
            return reply(start_response, {"keys": [{"kty": "unknown"}, KEY.as_dict(private=False)]})
        if path == "/userinfo" and self.user_info is not None:
            return reply(start_response, self.user_info)
        if path not in ("/oauth2/token", "/.well-known/openid-configuration"):
            return self.app(environ, start_response)
        status: list[str] = []
        body = b"".join(self.app(environ, lambda said, headers, *_: status.append(said)))
        found = json.loads(body)
        if "id_token" in found:
            payload = json.loads(urlsafe(found["id_token"].split(".")[1]))
            payload.pop("at_hash", None)
            found["id_token"] = self.token(payload | {"auth_time": int(time.time())})
            found |= self.answer
        elif path != "/oauth2/token":
            found |= self.discovery
        return reply(start_response, found, status[0])

    def truth(self) -> None:
        self.token, self.answer, self.discovery, self.user_info = signed, {}, {}, None


def urlsafe(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def reply(start_response: Any, found: Claims, status: str = "200 OK") -> list[bytes]:
    start_response(status, [("content-type", "application/json")])
    return [json.dumps({name: value for name, value in found.items() if value is not ...}).encode()]


@dataclass
class RunningProvider:
    url: str
    lies: Lies

    def person(self, subject: str, **claims: Any) -> str:
        """Someone who can sign in there."""
        answer = httpx2.put(f"{self.url}/users/{subject}", json=claims, trust_env=False)
        assert answer.status_code == 204
        return subject

    def lead_back(self, browser: Browser, subject: str, next: str = "/") -> str:
        """Sign in at the provider; returns the address on our server that it redirects the browser to."""
        return self.answer(browser.get("/login/oidc", params={"next": next}), subject)

    def answer(self, away: httpx2.Response, subject: str) -> str:
        """The same for a browser that was already sent there."""
        assert away.status_code == 303, away.text
        answer = httpx2.post(away.headers["location"], data={"sub": subject}, trust_env=False)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"

    def sign_in(self, browser: Browser, subject: str, next: str = "/") -> httpx2.Response:
        return browser.get(self.lead_back(browser, subject, next))


@contextmanager
def running_provider() -> Iterator[RunningProvider]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock

        app = oidc_provider_mock.app(require_nonce=True)
    lies = Lies(app.wsgi_app)
    app.wsgi_app = lies  # type: ignore[method-assign]
    server = make_server("localhost", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="provider", daemon=True)
    thread.start()
    try:
        yield RunningProvider(f"http://localhost:{server.server_port}", lies)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def parameters(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
