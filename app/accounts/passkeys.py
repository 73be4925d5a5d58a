"""Passkeys (WebAuthn): a device or password manager signs a challenge with a key that never leaves it.

User verification (a fingerprint, a face, a PIN) is required, so a passkey counts as two factors, and a phishing page
gets no signature. py_webauthn checks what a browser sends; any input ends in a person or one sentence.
"""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.audit.service import record
from app.errors import Conflict, Invalid, NotFound
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, Passkey, User, now
from app.text import clean_line

NAME_MAX, MOST, ANSWER_MAX = 60, 20, 20_000
REQUIRED = UserVerificationRequirement.REQUIRED
UNKNOWN = N_("No account here has this passkey. Sign in another way, then add it on your account page.")


@dataclass(frozen=True)
class Site:
    """What passkeys are bound to: the host name and the origin of the pages that people open."""

    host: str
    origin: str
    problem: str  # why browsers offer no passkeys at this address; "" if they do

    @classmethod
    def of(cls, public_url: str) -> "Site":
        parts = urlsplit(public_url)
        host = parts.hostname or ""
        problem = ""
        if _is_number(host):
            problem = _(
                "Passkeys need a host name, not %(host)s. The server’s operator can set one in SOROE_URL.", host=host
            )
        elif parts.scheme != "https" and host != "localhost":
            problem = _(
                "Passkeys need https, and this server uses http. The server’s operator can change that in SOROE_URL."
            )
        return cls(host, f"{parts.scheme}://{parts.netloc}", problem)


def of_person(session: Session, user: User) -> list[Passkey]:
    return list(session.scalars(select(Passkey).filter_by(user_id=user.id).order_by(Passkey.id)))


def registration(session: Session, user: User, site: Site) -> tuple[str, bytes]:
    """The options for a browser to make a passkey for `user`, as JSON, and their challenge. Raises Conflict."""
    _need_site(site)
    known = of_person(session, user)
    if len(known) >= MOST:
        raise Conflict(_("You have %(number)s passkeys. Remove one first.", number=MOST))
    options = generate_registration_options(
        rp_id=site.host,
        rp_name="Soroe",
        user_id=_handle(user),
        user_name=user.email,
        user_display_name=user.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(base64url_to_bytes(key.credential_id)) for key in known],
    )
    return options_to_json(options), options.challenge


def add(session: Session, user: User, site: Site, challenge: bytes, answer: str, name: str) -> Passkey:
    """Store the passkey that a browser made for `user`. Raises Invalid and Conflict."""
    name = clean_line(name) or "Passkey"
    if len(name) > NAME_MAX:
        raise Invalid(
            "name", _("The name has %(length)s characters; at most %(most)s fit.", length=len(name), most=NAME_MAX)
        )
    try:
        made = verify_registration_response(
            credential=_parsed(answer),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # the library parses untrusted input, and raises many kinds of error
        raise Invalid(
            "form", _("The browser’s answer could not be verified, so the passkey was not saved. Try again.")
        ) from error
    credential = bytes_to_base64url(made.credential_id)
    if session.scalar(select(Passkey.id).filter_by(credential_id=credential)):
        raise Conflict(_("This passkey is already on your account."))
    key = Passkey(
        user_id=user.id,
        credential_id=credential,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
    )
    session.add(key)
    record(session, user, Act.FACTOR_ADD, user, kind="passkey", name=key.name)
    return key


def question(site: Site, keys: list[Passkey] | None = None) -> tuple[str, bytes]:
    """The options for a browser to sign with a passkey, as JSON, and their challenge; `keys`: only one of these."""
    _need_site(site)
    allowed = [PublicKeyCredentialDescriptor(base64url_to_bytes(key.credential_id)) for key in keys or ()]
    options = generate_authentication_options(
        rp_id=site.host, allow_credentials=allowed or None, user_verification=REQUIRED
    )
    return options_to_json(options), options.challenge


def use(session: Session, site: Site, challenge: bytes, answer: str) -> Passkey:
    """The passkey that signed the challenge, with its person. Raises Invalid with a sentence."""
    wrong = Invalid("form", translated(UNKNOWN))
    try:
        given = _parsed(answer)
        key = session.scalar(select(Passkey).filter_by(credential_id=str(given["id"])))
        if key is None:
            raise wrong
        handle = given["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != _handle(key.user):
            raise wrong
        checked = verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except Invalid:
        raise
    except Exception as error:  # as above
        raise Invalid("form", _("The passkey could not be verified. Try again, or sign in another way.")) from error
    if not key.user.active:
        raise Invalid(
            "form",
            _("The account %(email)s is deactivated. Ask an administrator to reactivate it.", email=key.user.email),
        )
    key.sign_count, key.used_at = checked.new_sign_count, now()
    return key


def remove(session: Session, user: User, passkey_id: int) -> Passkey:
    """Remove a passkey of `user`. Raises NotFound."""
    key = session.get(Passkey, passkey_id)
    if key is None or key.user_id != user.id:
        raise NotFound(_("You have no such passkey."))
    record(session, user, Act.FACTOR_REMOVE, user, kind="passkey", name=key.name)
    session.delete(key)
    return key


def _parsed(answer: str) -> dict[str, Any]:
    found = json.loads(answer[:ANSWER_MAX])
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _handle(user: User) -> bytes:
    return f"soroe-{user.id}".encode()


def _need_site(site: Site) -> None:
    if site.problem:
        raise Conflict(site.problem)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
