"""`soroe accounts`: for an operator who cannot sign in, or who stands in for an administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from app.cli.console import CommandRefused, need_database, open_database, out, read_settings
from app.languages import N_
from app.languages import gettext as _
from app.settings import Settings


def reset(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Print a link with which someone can choose a new password. Works while the server runs."""
    from app.accounts.resets import RESET_HOURS
    from app.accounts.service import create_reset_by_operator

    with open_accounts() as (settings, session):
        token = create_reset_by_operator(session, email)
    what = _("The link works once, within %(hours)s hours. Until then the current password works:", hours=RESET_HOURS)
    out.print(what, f"  {settings.public_url}/reset/{token}", sep="\n", markup=False, highlight=False, soft_wrap=True)


def second_step(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Remove someone's authenticator app, passkeys and linked sign-in provider. Works while the server runs."""
    from app.accounts.factors import reset_by_operator
    from app.text import listed

    with open_accounts() as (_settings, session):
        person, removed = reset_by_operator(session, email)
        name = person.name
    done = (
        _("Removed from %(name)s: %(removed)s.", name=name, removed=listed(removed))
        if removed
        else _("%(name)s signs in with a password only.", name=name)
    )
    out.print(done, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_accounts() -> Iterator[tuple[Settings, Any]]:
    """The settings, and a session that writes to their database. A refusal is one sentence."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DatabaseError

    from app.errors import UserError

    settings = read_settings()
    need_database(settings, N_("account"))
    database = open_database(settings)
    try:
        if not inspect(database.engine).has_table("passkeys"):
            raise CommandRefused(
                _(
                    "The data in %(data)s is from an earlier version of Soroe. Start this version on it once to"
                    " update it.",
                    data=settings.data,
                )
            )
        with database.write() as session:
            yield settings, session
    except UserError as error:
        raise CommandRefused(str(error)) from error
    except DatabaseError as error:
        raise CommandRefused(
            _("The database in %(data)s cannot be used: %(orig)s.", data=settings.data, orig=error.orig)
        ) from error
    finally:
        database.close()
