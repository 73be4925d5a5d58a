"""Ask before an act that cannot be undone: the page in place of the dialog, for browsers without scripts.

A form with the macro `ask` (`templates/_macros.html`) posts to "…?ask" with the question in fields of its own. With
scripts, `static/js/ask.js` asks in a dialog and then posts without `?ask`. Otherwise `current_user` refuses the form
with QuestionNeeded, and this page has the question, the form's fields, and two buttons: one posts to the same address
without `?ask`, the other leads back.
"""

import re
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from app.web.confirm import form_of
from app.web.continuing import continued
from app.web.forms.form import ASKING, own_fields
from app.web.templating import inner_path, page, path_in

PLAIN = {"title": "Continue?", "text": "", "act": "Continue", "keep": "Back", "typed": ""}
SYNTAX = re.compile(r"[\^$\\.*+?()\[\]{}|/]")  # of patterns in HTML, which allow no other escapes


async def question_page(request: Request) -> Response:
    """The answer to a form that must ask first."""
    form = await form_of(request)
    sent = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    question = PLAIN | {name.removeprefix(ASKING): value for name, value in sent if name.startswith(ASKING)}
    return await run_in_threadpool(
        page,
        request,
        "ask.html",
        question=question,
        pattern=SYNTAX.sub(r"\\\g<0>", question["typed"]),
        fields=own_fields(form),
        path=continued(inner_path(quote(request.scope["path"])), request),
        back=inner_path(path_in(request.headers.get("referer", "/"))),
    )
