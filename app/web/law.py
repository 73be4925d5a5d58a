"""The page for a lawyer: which questions of law and contracts the software answers, and which it does not."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.languages import current
from app.web import markdown
from app.web.deps import Me
from app.web.pools import Route
from app.web.templating import TEMPLATES, page

router = APIRouter(route_class=Route)

LANGUAGES = ("en", "ja")  # it is written in


@router.get("/law")
def show(request: Request, me: Me) -> Response:
    language = current() if current() in LANGUAGES else LANGUAGES[0]
    return page(request, "law/index.html", **text_in(language))


@cache
def text_in(language: str) -> dict[str, Any]:
    text = (TEMPLATES / "law" / f"{language}.md").read_text("utf-8")
    return {"text_language": language, "heading": markdown.title(text), "text": markdown.html(text)}
