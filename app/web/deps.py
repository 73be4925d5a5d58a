"""Dependencies of routes: the app's resources, the person at the browser, a session to read with."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
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
from app.engine.base import NO_ENGINE, Engine, EngineState, ModelUnknown, NoEngine
from app.engine.translating import translator_for
from app.errors import Forbidden
from app.exports.preparer import Preparer
from app.files import Files
from app.languages import N_, prefer, translated
from app.languages import gettext as _
from app.models import LoginSession, Role, User, now
from app.prompts.handles import candidates, depends_on_known
from app.prompts.reader import Reader
from app.quotas.service import need_upload
from app.sets.alike import Alike
from app.settings import Settings
from app.storage import Pause, Storage
from app.styles.advice import Advisor
from app.subjects import queries as subjects
from app.text import clean_line, shorten
from app.translation.translator import Translator
from app.upkeep.disk import Disk
from app.upkeep.reader import FileReader
from app.upkeep.sweeper import Sweeper
from app.upkeep.whole import WholeDatabase
from app.web.channels import Channels
from app.web.fresh import Fresh
from app.web.limits.begun import Begun
from app.web.limits.streams import Stream, Streams
from app.web.limits.tries import Tries
from app.web.pending import Pending
from app.web.presence import Presence, by_somebody
from app.web.repeats import Repeats
from app.work.breaker import Breaker, EngineFault
from app.work.bus import Bus

ADDRESS_LENGTH = 45  # characters of the longest IPv6 address
USER_AGENT_MAX = 255  # characters of a user agent that are read
BROWSER_LENGTH = 120  # characters of a user agent in the audit log


NOT_FOR_YOU = {  # what someone with a lower role is told
    Role.REVIEWER: N_("This page is for reviewers. Ask an administrator if you need it."),
    Role.MANAGER: N_("This page is for managers. Ask an administrator if you need it."),
    Role.ADMIN: N_("This page is for admins. Ask an administrator if you need it."),
}

# Where someone whose role demands a second factor sets it up, which takes a confirmation.
SETTING_UP = ("/account/security", "/account/authenticator", "/account/passkeys", "/confirm")

# What someone can do who must accept the policy first: read it, in another language too, and keep what they type.
READING_POLICY = ("/policy", "/account/language", "/drafts", *SETTING_UP)

Paused = Pause | EngineFault | NoEngine
"""Why nothing is made at the moment: its `reason`, and the `remedy` after which it resumes by itself."""


class SignInNeeded(Exception):
    """Nobody is signed in; the error handler leads to the sign-in page."""


class FactorNeeded(Exception):
    """The person's role demands a second factor that they lack; the error handler leads to the page to set it up."""


class PolicyNeeded(Exception):
    """The person has not accepted the usage policy; the error handler leads to it, and keeps what was sent."""


class ConfirmationNeeded(Exception):
    """A signed-in person must confirm who they are; the error handler asks, see `app.web.confirm`."""


class QuestionNeeded(Exception):
    """An act that cannot be undone asks first; the error handler does, see `app.web.asking`."""


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
    repeats: Repeats = field(default_factory=Repeats)
    channels: Channels
    checker: Checker
    reader: FileReader
    sweeper: Sweeper
    whole: WholeDatabase
    presence: Presence
    provider: Provider | None
    oidc_flows: Pending[Flow]
    asked: Pending[Any]  # forms waiting for a confirmation, for `app.web.confirm`
    continued: Pending[str]  # the pages that those who sent such forms came from, for `app.web.continuing`
    first_steps: Pending[Any]  # of signing in, for `app.web.factors`
    challenges: Pending[bytes]  # for passkeys
    secrets: Pending[str]  # of authenticator apps being set up
    vault: Vault

    @cached_property
    def fresh(self) -> Fresh:
        return Fresh(self.database)

    @cached_property
    def alike(self) -> Alike:
        return Alike(self.files)

    @cached_property
    def advisor(self) -> Advisor:
        return Advisor(self.files)

    @cached_property
    def breaker(self) -> Breaker:
        return Breaker(self.engine)

    @property
    def pause(self) -> Paused | None:
        return self.storage.pause or self.breaker.pause or NO_ENGINE.get(self.engine.state)

    @property
    def model_words(self) -> str:
        """Where the model runs, such as "cpu, float32"."""
        return _("loading the model") if self.engine.state == EngineState.STARTING else self.engine.model.device

    @property
    def prompt_reader(self) -> Reader:
        """How the model reads prompts; one that is not known yet is taken to read everything."""
        try:
            return self.engine.model.reader
        except ModelUnknown:
            return Reader()

    @cached_property
    def translator(self) -> Translator | None:
        """What translates prompts; None if they reach the model as they are written."""
        return translator_for(self.settings, self.settings.model, self.engine.translate)

    def handles(self, texts: Iterable[str]) -> Collection[str]:
        """The handles that texts in Japanese may name. Reads the database only if it depends on it what they say."""
        doubtful = [text for text in texts if self.translator and depends_on_known(text)]
        if not doubtful:
            return ()
        with self.database.read() as session:
            return subjects.by_handle(session, candidates(doubtful)).keys()

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


def browser_mark(request: Request) -> str:
    """What the signed-in browser is known by to `Pending`; "" for nobody.

    A confirmation changes its token, but not this. Signing out ends it.
    """
    login = login_of(request)
    # With its time: SQLite gives the id of a session that ended to the next one.
    return f"session {login.id} {login.created_at.isoformat()}" if login else ""


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
        if request.state.login:
            prefer(request.state.login.user.language)
        if request.state.login and by_somebody(request):
            resources.presence.see(request.state.login.token_hash, address_of(request))
    return cast(LoginSession | None, request.state.login)


def signed_in_user(request: Request) -> User | None:
    """The signed-in person."""
    login = login_of(request)
    return login.user if login else None


def current_user(request: Request) -> User:
    login = login_of(request)
    if login is None:
        raise SignInNeeded
    if login.needs_factor and not request.scope["path"].startswith(SETTING_UP):
        raise FactorNeeded
    if login.needs_policy and not request.scope["path"].startswith(READING_POLICY):
        raise PolicyNeeded
    if request.method == "POST" and "ask" in request.query_params:
        raise QuestionNeeded
    return login.user


async def viewer(request: Request) -> User:
    """`current_user` for pictures, of which one page requests dozens. Only to read; other requests share it."""
    resources, token = resources_of(request), session_token(request)
    find = partial(accounts.login_for_token, token=token, idle_minutes=resources.settings.idle_minutes)
    login = await resources.fresh.find(("login", token), find) if token else None
    if login is None:
        raise SignInNeeded
    if login.needs_factor:
        raise FactorNeeded
    if login.needs_policy:
        raise PolicyNeeded
    if by_somebody(request):
        resources.presence.see(login.token_hash, address_of(request))
    return login.user


def require(role: Role) -> Callable[[User], User]:
    """A dependency that only admits `role` and above, for pages that nobody else should see."""

    def guard(user: Annotated[User, Depends(current_user)]) -> User:
        if not user.can(role):
            raise Forbidden(translated(NOT_FOR_YOU[role]))
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
    with resources_of(request).streams.open(me.id, session_token(request)) as stream:
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
        raise Forbidden(_("Your role changed, so nothing was done. Reload the page."))


ResourcesDep = Annotated[Resources, Depends(shared_resources)]
Me = Annotated[User, Depends(current_user)]
Viewer = Annotated[User, Depends(viewer)]
Admin = Annotated[User, Depends(require(Role.ADMIN))]
Confirmed = Annotated[User, Depends(confirmed)]
ConfirmedAdmin = Annotated[User, Depends(confirmed_admin)]
# Closed before the answer is sent: a streaming answer must not hold a connection for hours.
Read = Annotated[Session, Depends(read_session, scope="function")]
Open = Annotated[Stream, Depends(open_stream)]
