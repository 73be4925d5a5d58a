"""What a review is of, in words and in its address: all pictures, or those of a set, style, campaign or person."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.campaign_names import folder
from app.languages import gettext as _
from app.models import User
from app.reviews.scoping import Scope
from app.sets import queries as sets
from app.styles import queries as styles


@dataclass(frozen=True)
class ScopeView:
    """The pictures of the review, as described on the page."""

    query: str  # of the address, without the image: "set=3"
    name: str
    back: str  # where the review started
    scope: Scope


def scope_query(scope: Scope) -> dict[str, Any]:
    pairs = {
        "set": scope.set_id,
        "style": scope.style_code,
        "campaign": scope.campaign_id,
        "owner": scope.owner_id,
        "first": "flagged" if scope.flagged_first else "",
    }
    return {name: value for name, value in pairs.items() if value}


def room_url(scope: Scope, **more: int | None) -> str:
    query = scope_query(scope) | {name: value for name, value in more.items() if value}
    return f"/review?{urlencode(query)}" if query else "/review"


def scope_view(session: Session, me: User, scope: Scope) -> ScopeView:
    """Describe the scope. Raises NotFound for a missing set, style, campaign or person."""
    named: list[tuple[str, str]] = []  # its name, and where it leads back to
    if scope.set_id:
        named.append((sets.name(session, me, scope.set_id), f"/sets/{scope.set_id}"))
    if scope.style_code:
        named.append((styles.by_code(session, me, scope.style_code).name, f"/styles/{scope.style_code}"))
    if scope.campaign_id:
        name = folder(sets.campaign(session, me, scope.campaign_id).name)
        named.append((name, f"/pictures?campaign={scope.campaign_id}"))
    if scope.owner_id:
        name = accounts.person(session, scope.owner_id).name
        named.append((name, f"/pictures?owner={scope.owner_id}"))
    words = _(", ").join(name for name, back in named) or _("All pictures")
    return ScopeView(urlencode(scope_query(scope)), words, named[0][1] if named else "/", scope)
