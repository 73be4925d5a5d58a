"""Templates: the environment, what every page gets, and the addresses of static files."""

from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from fastapi import Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app import days
from app.models import Role
from app.reviews import pending
from app.text import plural, thin
from app.web import filters
from app.web.deps import resources_of, signed_in_user
from app.web.warnings import warnings

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"

# Display choices that a script keeps in cookies, so that the server renders them directly and no page flashes; the
# first of each is the default.
PREFERENCES = {
    "size": ("m", "s", "l"),
    "view": ("grid", "rows"),
    "surround": ("auto", "white", "grey", "black"),
    "reference": ("on", "off"),
}
TOAST_COOKIE = "toast"
TOAST_LETTERS = 300
REFUSED = "!"  # prefix of the cookie with a sentence about a refusal
TOAST_SECONDS = 20


def make_environment(**known: object) -> Environment:
    """`known`: additional names for every template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("ago", "day", "clock", "exactly", "duration", "filesize", "japanese"):
        environment.filters[name] = getattr(filters, name)
    environment.filters |= {"thin": thin, "plural": plural, "role": lambda role: Role(role).word}
    version = content_hash(STATIC)
    environment.globals["static"] = lambda path: f"/static/{version}/{path}"
    environment.globals |= {"Role": Role, **known}
    environment.globals["zone"] = days.zone
    return environment


def content_hash(folder: Path) -> str:
    """One hash of all files, because they refer to each other by relative paths."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFiles):
    """Static files under `/static/<hash>/`: cached permanently under the current hash, revalidated under any other."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self.version = content_hash(directory)
        self.kept: dict[str, tuple[int, bytes]] = {}  # by path: when it was changed (ns), and its content

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Without a thread, which might have to wait: the files are few, small and soon in memory."""
        version, _, path = path.partition("/")
        response = self.found(path, scope)
        fresh = version == self.version
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
        return response

    def found(self, path: str, scope: Scope) -> Response:
        """The file, or that it is the one that the browser has. Raises HTTPException."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        try:
            place, stat = self.lookup_path(path)
        except (OSError, ValueError):  # such as a name that is too long
            stat = None
        if stat is None or not S_ISREG(stat.st_mode):
            raise HTTPException(404)
        response = self.file_response(place, stat, scope)
        if not isinstance(response, FileResponse):
            return response
        changed, content = self.kept.get(place, (0, b""))
        if changed != stat.st_mtime_ns:
            content = Path(place).read_bytes()
            self.kept[place] = stat.st_mtime_ns, content
        return Response(content, headers=dict(response.headers) | {"content-length": str(len(content))})


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
    """Render a whole page. `nav` marks its place in the navigation."""
    values = shared_context(request) | {"nav": nav, "status": status} | context
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
    toast = unquote(request.cookies.get(TOAST_COOKIE, ""))
    return {
        "user": user,
        "theme": theme if theme in ("light", "dark") else "",
        "prefs": {name: preference(request, name) for name in PREFERENCES},
        "toast": toast.removeprefix(REFUSED) or None,
        "toast_refused": toast.startswith(REFUSED),
        "pending_reviews": waiting,
        "warnings": warnings(resources_of(request), user),
    }


def preference(request: Request, name: str) -> str:
    value = request.cookies.get(name)
    return value if value in PREFERENCES[name] else PREFERENCES[name][0]


def see_other(url: str, toast: str = "", refused: bool = False) -> RedirectResponse:
    """Show the page at `url` after a form was accepted, or `refused` by the current state, once with `toast`."""
    response = RedirectResponse(url, 303)
    if toast:
        said = quote((REFUSED if refused else "") + toast[:TOAST_LETTERS])
        response.set_cookie(TOAST_COOKIE, said, max_age=TOAST_SECONDS, httponly=True, samesite="lax")
    return response


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
