"""The `soroe` command: `generate` makes a set without a server, `serve` runs the server, the rest maintains it."""

import os
import sys

import typer

from app.cli import accounts, audit, backup, certificates, check, generate, serve, subject
from app.cli.command import command
from app.cli.console import BAD_INPUT, INTERRUPTED, CommandRefused, err
from app.errors import UserError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn one reference picture into a matched set.",
)
app.command("generate")(command(generate.GenerateOptions, generate.generate))
app.command("subject")(command(subject.SubjectOptions, subject.teach))
app.command()(serve.serve)
app.command()(certificates.certificates)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(check.check)
people = typer.Typer(no_args_is_help=True, help="Help people who cannot sign in.")
people.command("reset")(accounts.reset)
people.command("second-step")(accounts.second_step)
app.add_typer(people, name="accounts")
record = typer.Typer(no_args_is_help=True, help="The audit log: check that it is intact.")
record.command("verify")(audit.verify)
record.command("head")(audit.print_head)
app.add_typer(record, name="audit")


def main() -> None:
    """Run the command. Bad input is one sentence on stderr and status 2."""
    # Threads that spin while they wait take the processor from the web server and other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except typer.Exit as stop:
        status = stop.exit_code
    except typer.Abort:
        status = INTERRUPTED
    except (CommandRefused, UserError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        err.print(f"soroe: {message}", markup=False)
        status = BAD_INPUT
    sys.exit(status if isinstance(status, int) else 0)
