"""Choose a language, and what scripts say in it."""

import json
from functools import cache
from hashlib import sha256

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app import undo
from app.accounts.language import choose_language
from app.errors import NotFound
from app.languages import ENGLISH, LANGUAGES, current, prefer
from app.languages import gettext as _
from app.languages.catalogues import catalogue
from app.web.deps import Me, ResourcesDep
from app.web.forms.accounts import LanguageForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.speaking import remember
from app.web.templating import inner_path, see_other

router = APIRouter(route_class=Route)

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.post("/account/language")
def of_person(resources: ResourcesDep, me: Me, form: Sent[LanguageForm]) -> Response:
    with resources.database.write() as session:
        choose_language(session, me, form.language)
        offer = undo.offered(session)
    prefer(form.language)
    return see_other(inner_path(form.back), _("Language changed.") if offer else "", undo=offer)


@router.post("/login/language")
def of_browser(request: Request, form: Sent[LanguageForm]) -> Response:
    """For this browser, before anyone has signed in."""
    response = see_other(inner_path(form.back))
    remember(request, response, form.language if form.language in LANGUAGES else "")
    return response


@router.get("/languages/{language}/{version}.js")
async def words(language: str, version: str) -> Response:
    """What scripts say in a language. Another version of it gets the newest, for the moment."""
    if language == ENGLISH or language not in LANGUAGES:
        raise NotFound(_("There is no such language here."))
    headers = FOREVER if version == script_version(language) else {}
    return Response(script(language), headers=headers, media_type="text/javascript; charset=utf-8")


def script_address() -> str:
    """The address of what scripts say in the language of now; "" for English, which needs none."""
    language = current()
    return "" if language == ENGLISH else f"/languages/{language}/{script_version(language)}.js"


@cache
def script(language: str) -> str:
    """Assigns what `static/js/languages.js` reads: the messages of scripts, and which plural form a number takes."""
    known = catalogue(language)
    if not known:
        return ""
    messages = {
        key: (known.one | known.several)[key] for key in sorted(known.in_scripts & {*known.one, *known.several})
    }
    words = json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
    return f"globalThis.soroeMessages={{plural:(n)=>Number({known.rule}),messages:{words}}};"


@cache
def script_version(language: str) -> str:
    return sha256(script(language).encode()).hexdigest()[:12]
