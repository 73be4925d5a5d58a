"""Dependencies of routes: the app's resources, the person at the browser, a session to read with."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from jinja2 import Environment
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts import service as accounts
from app.accounts.oidc import Flow, Provider
from app.accounts.vault import Vault
from app.audit.checker import Checker
from app.database import Database
from app.engine.base import Engine, EngineState, Restart
from app.errors import Forbidden
from app.exports.preparer import Preparer
from app.files import Files
from app.models import LoginSession, Role, User, now
from app.quotas.service import need_upload
from app.settings import Settings
from app.storage import Pause, Storage
from app.text import clean_line, shorten
from app.upkeep.disk import Disk
from app.upkeep.reader import FileReader
from app.upkeep.sweeper import Sweeper
from app.web.channels import Channels
from app.web.fresh import Fresh
from app.web.limits.begun import Begun
from app.web.limits.streams import Stream, Streams
from app.web.limits.tries import Tries
from app.web.pending import Pending
from app.web.presence import Presence, by_somebody
from app.work.bus import Bus

ADDRESS_LENGTH = 45  # characters of the longest IPv6 address
USER_AGENT_MAX = 255  # characters of a user agent that are read
BROWSER_LENGTH = 120  # characters of a user agent in the audit log


class SignInNeeded(Exception):
    """Nobody is signed in; the error handler leads to the sign-in page."""


class ConfirmationNeeded(Exception):
    """A signed-in person must confirm who they are; the error handler asks, see `app.web.confirm`."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What routes share across the app, created once by `create_app`."""

    settings: Settings
    storage: Storage
    disk: Disk
    database: Database
    files: Files
    engine: Engine
    bus: Bus
    environment: Environment
    tries: Tries
    exporter: Preparer
    downloads: Begun = field(default_factory=Begun)
    streams: Streams = field(default_factory=Streams)
    channels: Channels
    checker: Checker
    reader: FileReader
    sweeper: Sweeper
    presence: Presence
    provider: Provider | None
    oidc_flows: Pending[Flow]
    asked: Pending[Any]  # forms waiting for a confirmation, for `app.web.confirm`
    first_steps: Pending[Any]  # of signing in, for `app.web.factors`
    challenges: Pending[bytes]  # for passkeys
    secrets: Pending[str]  # of authenticator apps being set up
    vault: Vault

    @cached_property
    def fresh(self) -> Fresh:
        return Fresh(self.database)

    @property
    def pause(self) -> Pause | Restart | None:
        """Why nothing is made at the moment: its `reason`, and the `remedy` after which it resumes by itself."""
        return self.storage.pause or (Restart() if self.engine.state == EngineState.RESTARTING else None)

    @property
    def https(self) -> bool:
        return self.settings.public_url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie's name in routes. Over HTTPS, browsers know it as `__Host-soroe` (`app.web.cookies`)."""
        return "soroe"


def resources_of(request: Request) -> Resources:
    return cast(Resources, request.app.state.resources)


def address_of(request: Request) -> str:
    """The client's address; a socket may have a path of any length."""
    return request.client.host[:ADDRESS_LENGTH] if request.client else ""


def origin_of(request: Request) -> dict[str, str]:
    """The client's address and browser, for the audit log."""
    return {"address": address_of(request), "browser": shorten(browser_of(request), BROWSER_LENGTH)}


def browser_of(request: Request) -> str:
    """The user agent, as far as it is stored."""
    return clean_line(request.headers.get("user-agent", "")[:USER_AGENT_MAX])


def count_try(request: Request, act: str, account: object = "", known: str = "") -> None:
    """Count one attempt at an act of `app.web.limits.tries.ACTS` by this request. Raises Later."""
    resources_of(request).tries.count(act, address_of(request), account, known)


def session_token(request: Request) -> str:
    return request.cookies.get(resources_of(request).cookie, "")


def set_session_cookie(request: Request, response: Response, token: str) -> None:
    resources = resources_of(request)
    response.set_cookie(
        resources.cookie,
        token,
        max_age=resources.settings.session_days * 86400,
        httponly=True,  # no script reads it
        samesite="lax",  # other sites can link to us, but no more
        secure=resources.https,
    )


def delete_session_cookie(request: Request, response: Response) -> None:
    resources = resources_of(request)
    response.delete_cookie(resources.cookie, httponly=True, samesite="lax", secure=resources.https)


def login_of(request: Request) -> LoginSession | None:
    """The session of this request; looked up once."""
    if not hasattr(request.state, "login"):
        resources, token = resources_of(request), session_token(request)
        with resources.database.read() as session:
            idle = resources.settings.idle_minutes
            request.state.login = accounts.login_for_token(session, token, idle) if token else None
        if request.state.login and by_somebody(request):
            resources.presence.see(request.state.login.token_hash, address_of(request))
    return cast(LoginSession | None, request.state.login)


def signed_in_user(request: Request) -> User | None:
    """The signed-in person."""
    login = login_of(request)
    return login.user if login else None


def current_user(request: Request) -> User:
    user = signed_in_user(request)
    if user is None:
        raise SignInNeeded
    return user


async def viewer(request: Request) -> User:
    """`current_user` for pictures, of which one page requests dozens. Only to read; other requests share it."""
    resources, token = resources_of(request), session_token(request)
    find = partial(accounts.login_for_token, token=token, idle_minutes=resources.settings.idle_minutes)
    login = await resources.fresh.find(("login", token), find) if token else None
    if login is None:
        raise SignInNeeded
    if by_somebody(request):
        resources.presence.see(login.token_hash, address_of(request))
    return login.user


def require(role: Role) -> Callable[[User], User]:
    """A dependency that only admits `role` and above, for pages that nobody else should see."""

    def guard(user: Annotated[User, Depends(current_user)]) -> User:
        if not user.can(role):
            raise Forbidden(f"This page is for {role}s. Ask an administrator if you need it.")
        return user

    return guard


def tried(act: str) -> Any:
    """For a route's `dependencies`: count an attempt by the signed-in person. Raises Later."""

    def count(request: Request, user: Annotated[User, Depends(current_user)]) -> None:
        count_try(request, act, user.id)

    return Depends(count)


class Quota:
    """Checks before storing one of the files `me` has `sent` that quotas allow it.

    `held` counts what is then stored.
    """

    def __init__(self, resources: Resources, me: User, field: str, *sent: bytes) -> None:
        self.resources, self.me, self.field = resources, me, field
        self.files, self.bytes, self.held = len(sent), sum(map(len, sent)), 0

    def __call__(self, size: int) -> None:
        """Check the quotas. Raises Spent and Full."""
        with self.resources.database.read() as session:
            need_upload(session, self.me, self.field, self.files, self.bytes, self.held + size)
        self.held += size


def confirmed(request: Request, user: Annotated[User, Depends(current_user)]) -> User:
    """Only for someone who confirmed within the last minutes who they are, by signing in or on the confirm page.

    A refused form is not lost: it is sent again after the confirmation. Raises ConfirmationNeeded.
    """
    login, minutes = login_of(request), resources_of(request).settings.confirm_minutes
    if not login or not login.confirmed_at or now() - login.confirmed_at > timedelta(minutes=minutes):
        raise ConfirmationNeeded
    return user


def confirmed_admin(request: Request, user: Annotated[User, Depends(require(Role.ADMIN))]) -> User:
    """`confirmed` for administrators; nobody else is asked."""
    return confirmed(request, user)


async def open_stream(request: Request, me: Annotated[User, Depends(current_user)]) -> AsyncIterator[Stream]:
    """An event stream of the signed-in person, counted until its answer has ended."""
    with resources_of(request).streams.open(me.id) as stream:
        yield stream


# These two are async because they do nothing that takes time: another thread would cost more than they do.


async def shared_resources(request: Request) -> Resources:
    return resources_of(request)


async def read_session(request: Request) -> AsyncIterator[Session]:
    with resources_of(request).database.read() as session:
        yield session


def need_as_before(request: Request) -> None:
    """Check the sender of a form again, after its body has arrived.

    Raises SignInNeeded if they were signed out since they were looked up, and Forbidden if their role, which may have
    admitted them, has changed.
    """
    before = cast(LoginSession | None, getattr(request.state, "login", None))
    if not before:
        return
    with resources_of(request).database.read() as session:
        today = accounts.person_at(session, before)
    if not today:
        del request.state.login
        raise SignInNeeded
    if today.role != before.user.role:
        raise Forbidden("Your role changed, so nothing was done. Reload the page.")


ResourcesDep = Annotated[Resources, Depends(shared_resources)]
Me = Annotated[User, Depends(current_user)]
Viewer = Annotated[User, Depends(viewer)]
Admin = Annotated[User, Depends(require(Role.ADMIN))]
Confirmed = Annotated[User, Depends(confirmed)]
ConfirmedAdmin = Annotated[User, Depends(confirmed_admin)]
# Closed before the answer is sent: a streaming answer must not hold a connection for hours.
Read = Annotated[Session, Depends(read_session, scope="function")]
Open = Annotated[Stream, Depends(open_stream)]
