"""`soroe certificates`: who signs delivered pictures."""

from typing import Annotated

import typer

from app.cli.console import Refused, opened, out, read_settings


def certificates(
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new signing certificate of the same authority.")
    ] = False,
) -> None:
    """Show who signs delivered pictures, and make this server's authority where it is missing."""
    from app.errors import UserError
    from app.exports import certificates as signing

    settings = read_settings()
    if renew and settings.signing_certificate:
        raise Refused("SOROE_SIGNING_CERTIFICATE names the team's own certificate; renew it where it was made.")
    opened(lambda: settings.data.mkdir(mode=0o700, parents=True, exist_ok=True))
    try:
        if renew:
            opened(lambda: signing.renew(settings))
        found = opened(lambda: signing.identity(settings))
    except UserError as error:
        raise Refused(str(error)) from error
    for line in signing.told(found, settings):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
