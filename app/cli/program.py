"""What `soroe` can do: `generate` makes a set without a server, `evaluate` compares settings on many, `serve` runs the
server, the rest maintains it.
"""

import os
import sys
from typing import Any

import typer

from app.cli import accounts, audit, backup, certificates, check, evaluate, generate, layers, serve, subject
from app.cli.command import command
from app.cli.console import BAD_INPUT, INTERRUPTED, CommandRefused, err
from app.errors import UserError
from app.languages import ENGLISH, current, translated

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn one reference picture into a matched set.",
)
app.command("generate")(command(generate.GenerateOptions, generate.generate))
app.command("subject")(command(subject.SubjectOptions, subject.teach))
app.command("evaluate")(command(evaluate.EvaluateOptions, evaluate.evaluate))
app.command("rank-layers")(command(layers.RankLayersOptions, layers.rank_layers))
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


def spoken() -> Any:
    """The command, with help in the language of now."""
    command = typer.main.get_command(app)
    if current() == ENGLISH:
        return command
    from app.cli.help import translate

    return translate(command)


def run() -> None:
    """Run the command. Bad input is one sentence on stderr and status 2."""
    # Threads that spin while they wait take the processor from the web server and other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = spoken()(standalone_mode=False)
    except typer.Exit as stop:
        status = stop.exit_code
    except typer.Abort:
        status = INTERRUPTED
    except (CommandRefused, UserError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # without a command, Typer has printed the help
            err.print(f"soroe: {translated(message)}", markup=False)
        status = BAD_INPUT
    sys.exit(status if isinstance(status, int) else 0)
