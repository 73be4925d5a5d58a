"""The search for everything: its page, and the command palette, which also finds pages and acts."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app import search
from app.languages import N_, translated
from app.models import Role, User
from app.ranking import NOTHING, rank
from app.web.deps import Me, Read
from app.web.pools import Route
from app.web.templating import Page, render

router = APIRouter(route_class=Route)

PICTURES = 12  # on the page
IN_PALETTE = 3  # of each kind


@dataclass(frozen=True)
class Command:
    """A page to open or an act, in the palette."""

    name: str  # a message
    icon: str
    href: str = ""
    does: str = ""  # what a script does instead of opening a page: "theme", "keys", "sign-out"
    value: str = ""
    role: Role = Role.DESIGNER
    also: str = ""  # other words that find it, a message

    def ranks(self, words: str) -> tuple[int, int]:
        """How well its name matches, and how well it does with the other words, in the language of now and English."""
        name = translated(self.name)
        return rank(name, words), rank(f"{name} {translated(self.also)} {self.name} {self.also}", words)


COMMANDS = (
    Command(N_("New set"), "plus", "/sets/new", also=N_("create generate")),
    Command(N_("New style"), "image-plus", "/styles/new", also=N_("create reference")),
    Command(N_("New subject"), "plus", "/subjects/new", also=N_("create train lora")),
    Command(N_("New blind test"), "plus", "/blind/new", role=Role.REVIEWER, also=N_("create compare judge")),
    Command(N_("Open review room"), "scan-eye", "/review", also=N_("decide approve reject")),
    Command(N_("Home"), "house", "/"),
    Command(N_("Sets"), "images", "/sets"),
    Command(N_("Campaigns"), "folder", "/campaigns"),
    Command(N_("Pictures"), "layout-grid", "/pictures", also=N_("gallery")),
    Command(N_("Styles"), "palette", "/styles"),
    Command(N_("Subjects"), "box", "/subjects", also=N_("lora")),
    Command(N_("Queue"), "list", "/queue"),
    Command(N_("Templates"), "copy", "/templates", also=N_("negative prompts")),
    Command(N_("Exports"), "download", "/exports", also=N_("zip share")),
    Command(N_("Blind tests"), "columns-2", "/blind", also=N_("compare judge")),
    Command(N_("Checklists"), "list", "/checklists", also=N_("markets customs")),
    Command(N_("Bin"), "trash-2", "/pictures/bin", also=N_("deleted restore")),
    Command(N_("Usage policy"), "shield-check", "/policy", also=N_("rules terms")),
    Command(N_("For your lawyer"), "book-open", "/law", also=N_("rights contracts")),
    Command(N_("Your account"), "key-round", "/account", also=N_("password passkey security e-mail")),
    Command(N_("Audit log"), "list", "/record", role=Role.MANAGER, also=N_("record history")),
    Command(
        N_("Reasons and approvals"), "scan-eye", "/review/settings", role=Role.MANAGER, also=N_("settings four eyes")
    ),
    Command(N_("Reports"), "shield-alert", "/reports", role=Role.MANAGER, also=N_("complaints")),
    Command(N_("Blocked words"), "ban", "/blocked", role=Role.MANAGER, also=N_("names forbidden")),
    Command(N_("People"), "shield-check", "/people", role=Role.ADMIN, also=N_("accounts roles invite")),
    Command(N_("Invite a person"), "plus", "/people#invite", role=Role.ADMIN, also=N_("account link")),
    Command(N_("Two-step sign-in"), "shield-check", "/people/second-step", role=Role.ADMIN, also=N_("authenticator")),
    Command(N_("Theme: dark"), "sun-moon", does="theme", value="dark", also=N_("night")),
    Command(N_("Theme: light"), "sun-moon", does="theme", value="light", also=N_("day")),
    Command(N_("Theme: as the system"), "sun-moon", does="theme", value="", also=N_("automatic")),
    Command(N_("Guide"), "book-open", "/guide", also=N_("help learn tutorial how to")),
    Command(N_("Workshop"), "book-open", "/guide/workshop", also=N_("guide slides exercises team")),
    Command(N_("Keyboard shortcuts"), "keyboard", does="keys", also=N_("help")),
    Command(N_("Sign out"), "arrow-left", does="sign-out", also=N_("log out")),
)


@dataclass(frozen=True, kw_only=True)
class Options(Page):
    """The options of the palette."""

    template = "search/_options.html"

    words: str
    commands: list[Command]
    found: list[search.Matches]
    admin: bool


@dataclass(frozen=True, kw_only=True)
class SearchPage(Page):
    template = "search/index.html"

    words: str
    found: list[search.Matches]
    pictures: search.FoundPictures
    admin: bool


@router.get("/search")
def index(request: Request, me: Me, session: Read, q: str = "") -> Response:
    words = search.query_of(q)
    shown = SearchPage(
        words=words,
        found=search.things(session, me, words) if words else [],
        pictures=search.pictures(session, me, words, PICTURES),
        admin=me.can(Role.ADMIN),
    )
    return render(request, shown)


@router.get("/search/palette")
def palette(request: Request, me: Me, session: Read, q: str = "") -> Response:
    words = search.query_of(q)
    found = search.things(session, me, words, IN_PALETTE) if words else []
    return render(request, Options(words=words, commands=commands(me, words), found=found, admin=me.can(Role.ADMIN)))


def commands(user: User, words: str) -> list[Command]:
    """The commands that `user` may use; those that match `words` best first."""
    allowed = [each for each in COMMANDS if user.can(each.role)]
    if not words:
        return allowed
    ranks = {each: each.ranks(words) for each in allowed}
    return sorted((each for each in allowed if ranks[each][1] > NOTHING), key=lambda each: ranks[each], reverse=True)
