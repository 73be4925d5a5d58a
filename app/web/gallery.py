"""All finished pictures, with filters."""

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.models import User, Verdict
from app.sets import queries
from app.sets.queries import NOT_REVIEWED, Option, PictureFilter
from app.styles.queries import normal_code
from app.text import whole_number
from app.web.deps import Me, Read
from app.web.templating import page

router = APIRouter()

PAGE = 60
DECISIONS = (*(str(verdict) for verdict in Verdict), NOT_REVIEWED)
WORDS_LENGTH = 200

Texts = Annotated[list[str], Query(max_length=50)]


@router.get("/pictures")
def index(
    request: Request,
    me: Me,
    session: Read,
    decision: Texts = [],  # noqa: B006  (FastAPI copies it)
    style: Texts = [],  # noqa: B006
    campaign: Texts = [],  # noqa: B006
    owner: Texts = [],  # noqa: B006
    set: str = "",
    q: str = "",
    after: int | None = None,
) -> Response:
    wanted = PictureFilter(
        decision=[each for each in decision if each in DECISIONS],
        style=[normal_code(code) for code in style if code],
        campaign=numbers(campaign),
        owner=numbers(owner),
        set=next(iter(numbers([set])), None),
        q=q.strip()[:WORDS_LENGTH],
    )
    shown = queries.pictures(session, me, wanted, after, PAGE + 1)
    return page(
        request,
        "gallery/index.html",
        nav="pictures",
        images=shown[:PAGE],
        after=str(shown[PAGE - 1].id) if len(shown) > PAGE else None,
        total=queries.pictures_count(session, me, wanted),
        of=queries.pictures_count(session, me),
        filters=filters(session, me, wanted),
        options=options(queries.picture_options(session, me, wanted)),
        query=urlencode(pairs(wanted)),
    )


def numbers(values: Iterable[str]) -> list[int]:
    return [number for value in values if (number := whole_number(value)) is not None]


def filters(session: Session, me: User, wanted: PictureFilter) -> dict[str, Any]:
    return {
        "decision": wanted.decision,
        "style": wanted.style,
        "campaign": wanted.campaign,
        "owner": wanted.owner,
        "set": wanted.set,
        "set_name": queries.get(session, me, wanted.set).name if wanted.set else "",
        "q": wanted.q,
    }


def options(found: queries.PictureOptions) -> dict[str, Any]:
    def by_id(rows: list[Option]) -> list[dict[str, Any]]:
        return [{"id": row.value, "name": row.name, "count": row.count} for row in rows]

    return {
        "decisions": found.decisions,
        "styles": [
            {"code": row.value, "name": row.name, "reference_id": row.reference_id, "count": row.count}
            for row in found.styles
        ],
        "campaigns": by_id(found.campaigns),
        "owners": by_id(found.owners),
    }


def pairs(wanted: PictureFilter) -> list[tuple[str, Any]]:
    """The filters as an address has them."""
    several = {"decision": wanted.decision, "style": wanted.style, "campaign": wanted.campaign, "owner": wanted.owner}
    single = {"set": wanted.set, "q": wanted.q}
    return [(name, value) for name, values in several.items() for value in values] + [
        (name, value) for name, value in single.items() if value
    ]
