"""`soroe accounts`: for an operator who cannot sign in, or who stands in for an administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from app.cli.console import CommandRefused, open_database, out, read_settings
from app.settings import Settings


def reset(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Print a link with which someone can choose a new password. Works while the server runs."""
    from app.accounts.resets import RESET_HOURS
    from app.accounts.service import create_reset_by_operator

    with open_accounts() as (settings, session):
        token = create_reset_by_operator(session, email)
    what = f"The link works once, within {RESET_HOURS} hours. Until then the current password works:"
    out.print(what, f"  {settings.public_url}/reset/{token}", sep="\n", markup=False, highlight=False, soft_wrap=True)


def second_step(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Remove someone's authenticator app, passkeys and linked sign-in provider. Works while the server runs."""
    from app.accounts.factors import reset_by_operator
    from app.text import listed

    with open_accounts() as (_, session):
        person, removed = reset_by_operator(session, email)
        name = person.name
    done = f"Removed from {name}: {listed(removed)}." if removed else f"{name} signs in with a password only."
    out.print(done, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_accounts() -> Iterator[tuple[Settings, Any]]:
    """The settings, and a session that writes to their database. A refusal is one sentence."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DatabaseError

    from app.errors import UserError

    settings = read_settings()
    if not (settings.data / "soroe.sqlite3").exists():
        raise CommandRefused(
            f"There are no accounts in {settings.data}; SOROE_DATA says where the server keeps its data."
        )
    database = open_database(settings)
    try:
        if not inspect(database.engine).has_table("passkeys"):
            raise CommandRefused(
                f"The data in {settings.data} is from an earlier version of Soroe. Start this version on it once to"
                " update it."
            )
        with database.write() as session:
            yield settings, session
    except UserError as error:
        raise CommandRefused(str(error)) from error
    except DatabaseError as error:
        raise CommandRefused(f"The database in {settings.data} cannot be used: {error.orig}.") from error
    finally:
        database.close()
