"""Templates: the environment, and what every page gets."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from app import days, languages, safe_areas
from app.campaign_names import folder
from app.decoding.limits import FORMATS, SUFFIXES, TYPES
from app.guide.settings import OF_SETS, OF_STYLES
from app.languages import N_, formats
from app.models import Role
from app.reviews import pending
from app.styles.presets import PRESETS
from app.styles.samples import SAMPLES
from app.subjects.samples import SAMPLES as SUBJECT_SAMPLES
from app.text import listed, plural, thin
from app.web import filters, scripts, static
from app.web.csrf import SAFE_METHODS
from app.web.deps import resources_of, signed_in_user
from app.web.icons import icon
from app.web.loading import Loader, Shared
from app.web.trans import with_languages
from app.web.warnings import warnings

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = ROOT / "templates"

# Display choices that a script keeps in cookies, so that the server renders them directly and no page flashes; the
# first of each is the default.
PREFERENCES = {
    "size": ("m", "s", "l"),
    "view": ("grid", "rows"),
    "surround": ("auto", "white", "grey", "black"),
    "reference": ("on", "off"),
    "format": safe_areas.KEYS,
}
TOAST_COOKIE = "toast"
TOAST_LETTERS = 300
ROLES = (N_("designer"), N_("reviewer"), N_("manager"), N_("administrator"))
REFUSED = "!"  # prefix of the cookie with a sentence about a refusal
UNDO = "&"  # before the token of what can be undone; the sentence itself is quoted
TOAST_SECONDS = 20


def make_environment(**known: object) -> Environment:
    """`known`: additional names for every template."""
    environment = Environment(
        loader=Loader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.template_class = Shared
    for name in ("ago", "day", "full_day", "clock", "exactly", "duration", "filesize", "japanese", "lines", "to_fix"):
        environment.filters[name] = getattr(filters, name)
    environment.filters |= {
        "folder": folder,
        "sentences": formats.sentences,
        "thin": thin,
        "plural": plural,
        "listed": listed,
        "role": role_word,
    }
    version = static.content_hash(static.STATIC)
    environment.globals["static"] = lambda path: Markup(f"/static/{version}/{path}")  # noqa: S704  (names of our files)
    environment.globals["icon_named"] = icon

    @pass_context
    def modules(context: Context, *names: str) -> Markup:
        """The script of modules that a page has besides those of every page, or of these."""
        address = scripts.address("site" if context.get("user") else "door", *names)
        return Markup(f'<script type="module" src="/static/{version}/{address}"></script>')  # noqa: S704  (our names)

    environment.globals["modules"] = modules
    with_languages(environment)
    environment.globals |= {"Role": Role, "script_words": str, **known}
    environment.globals["zone"] = days.zone
    environment.globals |= {"language": languages.current, "languages": languages.LANGUAGES}
    environment.globals |= {"sample_looks": tuple(SAMPLES.values()), "subject_samples": SUBJECT_SAMPLES}
    environment.globals["preset_choices"] = tuple(PRESETS.values())
    environment.globals["explained"] = {"set": OF_SETS, "style": OF_STYLES}
    environment.globals["picture_formats"] = FORMATS
    environment.globals["picture_accept"] = ",".join([*TYPES, *SUFFIXES])
    return environment


def role_word(role: str) -> str:
    """A role as people read it, in the language of now."""
    return languages.translated(Role(role).word)


@dataclass(frozen=True, kw_only=True)
class Page:
    """The data of a template: a subclass has exactly its template's variables, besides those of every page.

    `tests/web/test_contexts.py` checks that.
    """

    template: ClassVar[str]
    nav: ClassVar[str] = ""  # its place in the navigation

    @property
    def variables(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def html(self, environment: Environment) -> str:
        """The template alone, for a part of a page."""
        return environment.get_template(self.template).render(self.variables)


def render(request: Request, shown: Page, status: int = 200) -> HTMLResponse:
    """Render a whole page, or a part requested separately."""
    return page(request, shown.template, status, nav=shown.nav, **shown.variables)


def page(request: Request, template: str, status: int = 200, *, nav: str = "", **context: Any) -> HTMLResponse:
    """Render a whole page. `nav` marks its place in the navigation; the title says that a form was refused."""
    refused = status >= 400 and context.get("errors")
    always = {"nav": nav, "status": status, "to_fix": filters.to_fix(refused) if refused else ""}
    values = shared_context(request) | always | context
    html = resources_of(request).environment.get_template(template).render(values)
    response = HTMLResponse(html, status)
    if TOAST_COOKIE in request.cookies:
        response.delete_cookie(TOAST_COOKIE)
    return response


def shared_context(request: Request) -> dict[str, Any]:
    """The context of every page."""
    user = signed_in_user(request)
    waiting = 0
    if user and user.can(Role.REVIEWER):
        with resources_of(request).database.read() as session:
            waiting = pending.count(session, user)
    theme = request.cookies.get("theme", "")
    said, _, undo = request.cookies.get(TOAST_COOKIE, "").partition(UNDO)
    toast = unquote(said)
    return {
        "user": user,
        "theme": theme if theme in ("light", "dark") else "",
        "prefs": {name: preference(request, name) for name in PREFERENCES},
        "toast": toast.removeprefix(REFUSED) or None,
        "toast_refused": toast.startswith(REFUSED),
        "toast_undo": undo,
        "here": asked_path(request) if request.method in SAFE_METHODS else "/",
        "pending_reviews": waiting,
        "warnings": warnings(resources_of(request), user),
    }


def preference(request: Request, name: str) -> str:
    value = request.cookies.get(name)
    return value if value in PREFERENCES[name] else PREFERENCES[name][0]


class Refusal(RedirectResponse):
    """The answer to a form that was refused by the current state."""


def see_other(url: str, toast: str = "", refused: bool = False, undo: str = "") -> RedirectResponse:
    """Show the page at `url` after a form was accepted, or `refused` by the current state, once with `toast`.

    `undo`: the token of what was done, if the person can undo it (`app.undo.offered`).
    """
    response = (Refusal if refused else RedirectResponse)(url, 303)
    if toast:
        said = quote((REFUSED if refused else "") + toast[:TOAST_LETTERS]) + (f"{UNDO}{undo}" if undo else "")
        response.set_cookie(TOAST_COOKIE, said, max_age=TOAST_SECONDS, httponly=True, samesite="lax")
    return response


class Arrived(JSONResponse):
    """The answer to a script whose form was accepted."""


def arrived(request: Request, response: RedirectResponse) -> Response:
    """The answer to an accepted form with a file. A script that shows its progress is told where to go.

    It could not help following a redirect, which would use up the toast.
    """
    if "application/json" not in request.headers.get("accept", ""):
        return response
    told = Arrived({"location": response.headers["location"]})
    told.raw_headers += [(name, value) for name, value in response.raw_headers if name == b"set-cookie"]
    return told


def inner_path(url: str) -> str:
    """`url` if it is a path on this server, otherwise the home page: a sign-in link must lead nowhere else."""
    inside = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return url if inside else "/"


def asked_path(request: Request) -> str:
    """The requested path with its query. Not `request.url`, which fails on invalid UTF-8."""
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.scope["path"]) + (f"?{query}" if query else "")


def path_in(url: str) -> str:
    """The path and query of an address that a browser sent; the home page's for an invalid one."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as "http://["
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")
