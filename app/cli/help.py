"""Help of commands in the language of now. Typer writes it in English, and is told here what to write instead.

The texts stand where commands and options are defined; `make messages` takes them from the commands.
"""

from typing import Any

from typer import rich_utils

from app.languages import N_, translated
from app.languages import gettext as _

# What Typer says of wrong arguments, which `translated` finds again.
SAID = (
    N_("Missing option '%(name)s'."),
    N_("Missing argument '%(name)s'."),
    N_("No such option: %(name)s"),
    N_("No such option: %(name)s (Possible options: %(others)s)"),
    N_("No such command '%(name)s'."),
    N_("Got unexpected extra argument(s) (%(arguments)s)"),
    N_("Invalid value for '%(name)s': %(why)s"),
    N_("Option '%(name)s' requires an argument."),
    N_("'%(given)s' is not one of %(choices)s."),
    N_("'%(given)s' is not a valid int."),
)


def translate(command: Any) -> Any:
    """A command of Typer with its subcommands, whose help is in the language of now."""
    rich_utils.ARGUMENTS_PANEL_TITLE = _("Arguments")
    rich_utils.OPTIONS_PANEL_TITLE = _("Options")
    rich_utils.COMMANDS_PANEL_TITLE = _("Commands")
    rich_utils.DEFAULT_STRING = _("[default: %(value)s]", value="{}")
    rich_utils.REQUIRED_LONG_STRING = _("[required]")
    rich_utils._make_rich_text = folded(rich_utils._make_rich_text)
    for each in commands(command):
        each.help = translated(each.help or "")
        each.get_help_option = said(each.get_help_option)
        for option in each.params:
            option.help = translated(getattr(option, "help", None) or "")
    return command


def said(get_help_option: Any) -> Any:
    """The option --help is made when it is asked for."""

    def translated_option(context: Any) -> Any:
        option = get_help_option(context)
        option.help = _("Show this message and exit.")
        return option

    return translated_option


def folded(make_text: Any) -> Any:
    """Break lines between any two characters: Japanese has no blanks, without which Rich cuts a cell's end off."""

    def made(**given: Any) -> Any:
        text = make_text(**given)
        text.overflow = "fold"
        return text

    return made


def commands(command: Any) -> list[Any]:
    """A command and all below it."""
    below = getattr(command, "commands", {}).values()
    return [command, *(each for child in below for each in commands(child))]


def texts(command: Any) -> list[str]:
    """What the help of a command and of all below it says, in English."""
    return [
        text
        for each in commands(command)
        for text in (each.help, *(getattr(option, "help", None) for option in each.params))
        if text
    ]
