"""`soroe certificates`: who signs delivered pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from app.cli.console import CommandRefused, open_data, open_database, opened, out, read_settings
from app.languages import gettext as _
from app.settings import Settings


def certificates(
    renew: Annotated[
        bool, typer.Option("--renew", help="Create a new signing certificate from the same authority.")
    ] = False,
) -> None:
    """Show the certificate that signs delivered pictures, and create this server's authority if there is none."""
    from app.errors import UserError
    from app.exports import certificates as signing

    settings = read_settings()
    if renew and settings.signing_certificate:
        raise CommandRefused(_("SOROE_SIGNING_CERTIFICATE names your own certificate. Renew it where you got it."))
    open_data(settings)
    try:
        with noting(settings, renew):
            if renew:
                opened(lambda: signing.renew(settings))
            found = opened(lambda: signing.identity(settings))
    except UserError as error:
        raise CommandRefused(str(error)) from error
    for line in signing.told(found, settings):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def noting(settings: Settings, renew: bool) -> Iterator[None]:
    """Record in the audit log what is created within; before the server's first start there is none."""
    from sqlalchemy import inspect

    from app.audit.service import note_certificate
    from app.exports import certificates as signing
    from app.models import Act

    fresh = not (settings.signing_certificate or (signing.folder_of(settings) / "authority.pem").exists())
    there = (settings.data / "soroe.sqlite3").exists()
    if not there or not (fresh or renew):
        yield
        return
    database = open_database(settings)
    try:
        if not inspect(database.engine).has_table("audit_head"):
            yield
            return
        yield
        made = signing.identity(settings)
        with database.write() as session:
            act = Act.CERTIFICATE_MAKE if fresh else Act.CERTIFICATE_RENEW
            note_certificate(session, act, certificate=made.fingerprint, authority=made.authority_fingerprint)
    finally:
        database.close()
