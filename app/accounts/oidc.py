"""The company's sign-in provider, by OpenID Connect: where to send people, and who came back.

The authorization code flow with PKCE (RFC 9700, OpenID Connect Core 1.0). Authlib makes the requests and checks the
claims, joserfc the signature. Any answer ends in a `Profile` or one sentence; a slow, dead or hostile provider keeps at
most `CALLS` threads busy for a few seconds each.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import urlsplit

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException, Response

from app.errors import Forbidden, UserError
from app.languages import gettext as _
from app.settings import Settings, is_loopback

log = structlog.get_logger()

# Signatures that only the provider can make: neither `none` nor those with a shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 3.0, 5.0, 10.0
ANSWER_BYTES = 512 * 1024
KEPT_SECONDS, FAILED_SECONDS = 3600.0, 10.0  # how long the provider's metadata, or its failure, is cached
LEEWAY_SECONDS = 60  # allowed clock difference
FRESH_SECONDS = 300  # since the person authenticated at the provider, for confirmations
CALLS = 4  # concurrent calls to the provider
TEXT_MAX, GROUPS_MAX = 255, 1000


class ProviderFailed(UserError):
    """The provider does not answer, or not correctly."""

    status = 502


class ProviderBusy(ProviderFailed):
    """Too many people are asking the provider at once."""

    status = 503


class ProviderRefused(Forbidden):
    """The provider's answer cannot be trusted, or it refused the sign-in."""


@dataclass(frozen=True)
class Flow:
    """One trip to the provider and back."""

    state: str
    nonce: str
    verifier: str  # of PKCE
    next: str  # the page to go to afterwards
    begun: float  # seconds since 1970
    confirms: bool = False  # asks a signed-in person to confirm who they are


@dataclass(frozen=True)
class Profile:
    """The person whom the provider signed in."""

    issuer: str
    subject: str
    email: str
    verified: bool  # the provider vouches for the address
    name: str
    groups: frozenset[str] | None  # None: too many for the token


class Provider:
    """The provider from `settings`; one per process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.issuer = settings.oidc_issuer
        self.name = settings.oidc_name
        self.redirect_uri = f"{settings.public_url}/login/oidc/callback"
        self._kept: dict[str, tuple[float, dict[str, Any] | ProviderFailed]] = {}
        self._lock = Lock()
        self._calls = BoundedSemaphore(CALLS)

    # Going there

    def begin(self, next: str, confirms: bool = False) -> tuple[str, Flow]:
        """Start a sign-in: the provider's address for the browser, and the state to remember. Raises ProviderFailed."""
        with self._told():
            metadata = self._metadata()
            flow = Flow(generate_token(43), generate_token(43), generate_token(64), next, time.time(), confirms)
            more = {"prompt": "login", "max_age": "0"} if confirms else {}
            with self._session(metadata) as session:
                url, _ = session.create_authorization_url(
                    metadata["authorization_endpoint"],
                    state=flow.state,
                    nonce=flow.nonce,
                    code_verifier=flow.verifier,
                    **more,
                )
            return str(url), flow

    def sign_out_url(self) -> str | None:
        """The provider's sign-out page; None if it has none or does not answer."""
        try:
            with self._told():
                endpoint = self._metadata().get("end_session_endpoint")
        except ProviderFailed:
            return None
        if not isinstance(endpoint, str) or not self._is_allowed(endpoint):
            return None
        back = f"{self.settings.public_url}/login"
        values = (("client_id", self.settings.oidc_client_id), ("post_logout_redirect_uri", back))
        return str(add_params_to_uri(endpoint, values))

    # Coming back

    def finish(self, flow: Flow, answer: Mapping[str, str]) -> Profile:
        """Finish a sign-in from the address that the provider redirected the browser to.

        `answer`: that address's parameters; its state is `flow`'s. Raises ProviderFailed and ProviderRefused.
        """
        with self._told():
            metadata = self._metadata()
            wanted = metadata.get("authorization_response_iss_parameter_supported") is True
            if (wanted or "iss" in answer) and answer.get("iss") != self.issuer:
                raise self._refused("the answer came from another provider")
            if "error" in answer or not answer.get("code"):
                log.info("the sign-in provider refused a sign-in", error=answer.get("error", "no code")[:40])
                raise ProviderRefused(
                    _("%(name)s did not sign you in. Try again, or ask an administrator.", name=self.name)
                )
            with self._session(metadata) as session:
                token = session.fetch_token(
                    metadata["token_endpoint"], code=answer["code"], code_verifier=flow.verifier, grant_type=GRANT
                )
                claims = self._claims(metadata, flow, token)
                more = self._user_info(session, metadata, claims)
            return self._profile({**more, **claims})

    def _claims(self, metadata: dict[str, Any], flow: Flow, token: Mapping[str, Any]) -> dict[str, Any]:
        """The ID token's claims, after checking its signature, issuer, audience, time and nonce."""
        given = token.get("id_token")
        if not isinstance(given, str):
            raise self._refused("there is no ID token in the answer")
        told = metadata.get("id_token_signing_alg_values_supported") or ALGORITHMS
        registry = JWSRegistry(algorithms=[one for one in ALGORITHMS if one in told], strict_check_header=False)
        try:
            decoded = jwt.decode(given, self._keys(metadata), registry=registry)
        except InvalidKeyIdError:  # the provider has new keys
            decoded = jwt.decode(given, self._keys(metadata, fresh=True), registry=registry)
        options: Any = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.settings.oidc_client_id},
        }
        expected = {
            "nonce": flow.nonce,
            "client_id": self.settings.oidc_client_id,
            "access_token": token.get("access_token"),
            "max_age": flow.confirms,
        }
        claims = CodeIDToken(decoded.claims, decoded.header, options, expected)
        claims.validate(leeway=LEEWAY_SECONDS)
        if flow.confirms and claims["auth_time"] < max(flow.begun, time.time() - FRESH_SECONDS) - LEEWAY_SECONDS:
            raise self._refused("it did not ask again who you are")
        return dict(claims)

    def _user_info(self, session: "Session", metadata: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        """Fetch the provider's user info on request only, if the ID token lacks something."""
        wanted = {"email", self.settings.oidc_verified_claim}
        if self.settings.oidc_role_of:
            wanted.add(self.settings.oidc_groups_claim)
        endpoint = metadata.get("userinfo_endpoint")
        if wanted <= claims.keys() or not endpoint:
            return {}
        found = session.json("GET", endpoint)
        if found.get("sub") != claims["sub"]:
            raise self._refused("it told of two different people")
        if found.get("email", claims.get("email")) != claims.get("email", found.get("email")):
            found.pop(self.settings.oidc_verified_claim, None)  # it vouches for another address
        return found

    def _profile(self, claims: dict[str, Any]) -> Profile:
        subject, email = claims["sub"], claims.get("email", "")
        if not subject or len(subject) > TEXT_MAX:
            raise self._refused("the subject is missing or too long")
        name = next((claims[key] for key in ("name", "preferred_username") if isinstance(claims.get(key), str)), "")
        return Profile(
            issuer=self.issuer,
            subject=subject,
            email=email[:TEXT_MAX] if isinstance(email, str) else "",
            verified=claims.get(self.settings.oidc_verified_claim) in (True, "true", "True", "1", 1),
            name=name[:TEXT_MAX],
            groups=self._groups(claims),
        )

    def _groups(self, claims: dict[str, Any]) -> frozenset[str] | None:
        name = self.settings.oidc_groups_claim
        if name not in claims and name in (claims.get("_claim_names") or {}):
            return None  # Microsoft's way to say that there are more than 200
        found = claims.get(name)
        listed = found if isinstance(found, list) else [found]
        return frozenset(one for one in listed[:GROUPS_MAX] if isinstance(one, str))

    # Metadata

    def _metadata(self) -> dict[str, Any]:
        found = self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderFailed(
                _(
                    "%(name)s identifies itself differently from SOROE_OIDC_ISSUER. Ask an administrator.",
                    name=self.name,
                )
            )
        for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not self._is_allowed(found.get(endpoint)):
                raise ProviderFailed(
                    _(
                        "%(name)s does not say where its %(endpoint)s is. Ask an administrator.",
                        name=self.name,
                        endpoint=endpoint,
                    )
                )
        return found

    def _keys(self, metadata: dict[str, Any], fresh: bool = False) -> KeySet:
        """The provider's public keys that we can use."""
        listed = self._get(metadata["jwks_uri"], fresh).get("keys")
        usable = []
        for key in listed if isinstance(listed, list) else []:
            if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig":
                usable.append({name: value for name, value in key.items() if name not in PRIVATE_PARTS})
        return KeySet.import_key_set({"keys": usable})

    def _get(self, url: str, fresh: bool = False) -> dict[str, Any]:
        """Fetch a JSON object, cached for a while; a recent failure is repeated immediately."""
        with self._lock:
            at, kept = self._kept.get(url, (0.0, None))
        age = time.monotonic() - at
        if isinstance(kept, ProviderFailed) and age < FAILED_SECONDS:
            raise kept
        if isinstance(kept, dict) and age < (FAILED_SECONDS if fresh else KEPT_SECONDS):
            return kept
        try:
            with self._told(), self._session({}) as session:
                found: dict[str, Any] | ProviderFailed = session.json("GET", url)
        except ProviderBusy:
            raise
        except ProviderFailed as error:
            found = error
        with self._lock:
            self._kept[url] = time.monotonic(), found
        if isinstance(found, ProviderFailed):
            raise found
        return found

    # Calls

    def _session(self, metadata: Mapping[str, Any]) -> "Session":
        secret = self.settings.oidc_client_secret.get_secret_value()
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        by_basic = "client_secret_basic" in methods or "client_secret_post" not in methods
        return Session(
            self,
            client_id=self.settings.oidc_client_id,
            client_secret=secret or None,
            token_endpoint_auth_method=("client_secret_basic" if by_basic else "client_secret_post")
            if secret
            else "none",
            scope=self.settings.oidc_scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            trust_env=not is_loopback(self.issuer),  # a company's proxy and authorities, from the usual variables
        )

    def _is_allowed(self, url: object) -> bool:
        """Whether the server may call this address, or send people there: encrypted, or entirely on this machine."""
        if not isinstance(url, str):
            return False
        parts = urlsplit(url)
        return parts.scheme == "https" or (is_loopback(url) and is_loopback(self.issuer))

    @contextmanager
    def calling(self, url: str) -> Iterator[None]:
        if not self._is_allowed(url):
            raise self._failed("an address without https")
        if not self._calls.acquire(blocking=False):
            raise ProviderBusy(
                _("Many people are signing in with %(name)s right now. Try again in a moment.", name=self.name)
            )
        try:
            yield
        finally:
            self._calls.release()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn failures within into a sentence; the log says more, but never secrets."""
        try:
            yield
        except UserError:
            raise
        except RequestException as error:
            raise self._failed(type(error).__name__) from None
        except JoseError as error:
            raise self._refused(f"{error.error} {getattr(error, 'claim', '')}".strip()) from None
        except AuthlibBaseError as error:
            raise self._refused(str(error.error)[:80]) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._refused(f"an answer of another form ({type(error).__name__})") from None

    def _failed(self, why: str) -> ProviderFailed:
        log.warning("the sign-in provider did not answer correctly", issuer=self.issuer, why=why)
        return ProviderFailed(_("%(name)s is not responding. Try again in a moment.", name=self.name))

    def _refused(self, why: str) -> ProviderRefused:
        log.warning("an answer of the sign-in provider was refused", issuer=self.issuer, why=why)
        return ProviderRefused(
            _("The answer from %(name)s could not be verified, so you were not signed in. Try again.", name=self.name)
        )


GRANT = "authorization_code"
PRIVATE_PARTS = {"d", "p", "q", "dp", "dq", "qi", "k", "key_ops", "x5c", "x5t", "x5u", "x5t#S256"}


class Session(OAuth2Session):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client on requests, with limits on the time and size of answers, and without redirects."""

    def __init__(self, provider: Provider, **options: Any) -> None:
        super().__init__(**options)
        self.provider = provider

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Response:
        options |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False, "stream": True}
        with self.provider.calling(url):
            response: Response = super().request(method, url, *args, **options)
            ends, content = time.monotonic() + WHOLE_SECONDS, b""
            for part in response.iter_content(8192):
                content += part
                if len(content) > ANSWER_BYTES or time.monotonic() > ends:
                    response.close()
                    raise RequestException("the answer is too long, or takes too long")
        response._content = content  # as requests stores it
        if response.is_redirect or response.status_code >= 500:
            raise RequestException(f"status {response.status_code}")
        return response

    def json(self, method: str, url: str) -> dict[str, Any]:
        """The JSON object at a URL, fetched with the access token if there is one."""
        response = self.request(method, url, withhold_token=not self.token)
        if response.status_code != 200:
            raise RequestException(f"status {response.status_code}")
        found = response.json()
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found
