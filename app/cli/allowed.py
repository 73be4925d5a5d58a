"""Words that the team of this machine's server does not allow, for commands that make pictures without it."""

from collections.abc import Iterable, Mapping

from sqlalchemy import inspect

from app.blocked import queries
from app.cli.console import DATABASE, CommandRefused, open_database
from app.models import BlockedWord
from app.settings import Settings


def need_allowed(settings: Settings, texts: Iterable[str], drawn_as: Mapping[str, str] | None = None) -> None:
    """Raise CommandRefused if a text has a blocked word, also one for managers only: a command has no account.

    Without a database, or one from before there was a list, everything is allowed.
    """
    if not (settings.data / DATABASE).exists():
        return
    database = open_database(settings, for_check=True)
    try:
        if not inspect(database.engine).has_table(BlockedWord.__tablename__):
            return
        with database.read() as session:
            why = queries.problem(session, None, texts, drawn_as)
    finally:
        database.close()
    if why:
        raise CommandRefused(why)
