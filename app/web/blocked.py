"""The list of blocked words and names, for managers."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.blocked import lists, queries, service
from app.blocked.service import MOST_WORDS, WordSpec
from app.days import in_names
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.languages import ngettext
from app.languages.formats import sentences
from app.models import BlockedWord, Role, User, now
from app.text import whole_number
from app.web.deps import Read, Resources, ResourcesDep, require, tried
from app.web.forms.blocked import WordForm, WordsForm
from app.web.forms.form import Sent
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

HERE = "/blocked"
Manager = Annotated[User, Depends(require(Role.MANAGER))]


@router.get(HERE)
def index(request: Request, me: Manager, session: Read) -> Response:
    wanted = whole_number(request.query_params.get("edit", ""))
    edited = queries.get(session, me, wanted) if wanted else None
    return words_page(request, me, session, form_of(edited) if edited else WordForm(), edited)


@router.post(HERE)
def add(request: Request, resources: ResourcesDep, me: Manager, form: Sent[WordForm]) -> Response:
    return said(request, resources, me, form, None, service.add, lambda word: _("“%(word)s” is blocked.", word=word))


@router.post("/blocked/import", dependencies=[tried("upload")])
def import_words(request: Request, resources: ResourcesDep, me: Manager, form: Sent[WordsForm]) -> Response:
    """Add the words of a CSV file; those that are in the list already stay as they are."""
    try:
        if not form.file:
            raise Invalid("file", _("Choose a CSV file first."))
        specs = lists.read(form.file.read())
        with resources.database.write() as session:
            added = lists.add_all(session, me, specs)
    except Invalid as error:
        with resources.database.read() as session:
            return words_page(request, me, session, WordForm(), None, error.errors)
    known = len(specs) - added
    words = ngettext("%(number)s word added.", "%(number)s words added.", added)
    more = ngettext("%(number)s was in the list already.", "%(number)s were in the list already.", known)
    return see_other(HERE, sentences((words, more if known else "")))


@router.get("/blocked.csv")
def export(me: Manager, session: Read) -> Response:
    name = f"blocked-words-{in_names(now())}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lists.written(session, me), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/blocked/{word_id}")
def change(request: Request, resources: ResourcesDep, me: Manager, form: Sent[WordForm], word_id: int) -> Response:
    act = partial(service.change, word_id=word_id)
    return said(request, resources, me, form, word_id, act, lambda word: _("“%(word)s” changed.", word=word))


@router.post("/blocked/{word_id}/remove")
def remove(resources: ResourcesDep, me: Manager, word_id: int) -> Response:
    with resources.database.write() as session:
        word = service.remove(session, me, word_id)
    return see_other(HERE, _("“%(word)s” is allowed again.", word=word.name), undo=undos.offered(session))


def form_of(word: BlockedWord) -> WordForm:
    return WordForm(
        name=word.name,
        reason=word.reason,
        match="whole" if word.whole else "part",
        who="managers" if word.managers_may else "nobody",
    )


def said(
    request: Request,
    resources: Resources,
    me: User,
    form: WordForm,
    word_id: int | None,
    act: Callable[..., BlockedWord],
    done: Callable[[str], str],
) -> Response:
    """Add or change a word; shows the page with what was typed if that is refused."""
    values = {"name": form.name, "reason": form.reason}
    try:
        spec = WordSpec.parse({**values, "whole": form.match != "part", "managers_may": form.who == "managers"})
        with resources.database.write() as session:
            word = act(session, me, spec=spec)
            return see_other(HERE, done(word.name))
    except Conflict as error:
        return see_other(HERE, str(error), refused=True)
    except Invalid as error:
        with resources.database.read() as session:
            edited = queries.get(session, me, word_id) if word_id else None
            return words_page(request, me, session, form, edited, error.errors)


def words_page(
    request: Request,
    me: User,
    session: Session,
    form: WordForm,
    edited: BlockedWord | None,
    errors: dict[str, str] | None = None,
) -> Response:
    """The list, with the form of a new word or of the one that is `edited`."""
    after = whole_number(request.query_params.get("after", ""))
    words, last = part(queries.listed(session, me, after, queries.PAGE + 1), queries.PAGE)
    return page(
        request,
        "blocked/index.html",
        422 if errors else 200,
        words=words,
        after=last,
        total=queries.count(session),
        most=MOST_WORDS,
        form=form,
        edited=edited,
        errors=errors or {},
    )
