"""Undo from the toast that says what was done."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app import undo as undos
from app.errors import UserError
from app.languages import formats
from app.undo import Undone
from app.web.deps import Me, ResourcesDep, confirmed
from app.web.forms.accounts import UndoForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import inner_path, see_other

router = APIRouter(route_class=Route)


@router.post("/undo/{offer}")
def undo(request: Request, resources: ResourcesDep, me: Me, form: Sent[UndoForm], offer: str) -> Response:
    """Undo an act, in as many transactions as it was done in, and return to the page."""
    there, done = inner_path(form.back), Undone()
    try:
        with resources.database.read() as session:
            parts = undos.open_parts(session, me, offer)
        if undos.needs_confirmation(parts):
            confirmed(request, me)
        for part in parts:
            with resources.database.write() as session:
                done.also(undos.undo(session, me, part.id))
    except UserError as error:
        return see_other(there, formats.sentences((str(error), done.told)), refused=True)
    return see_other(there, done.told, refused=bool(done.refused))
