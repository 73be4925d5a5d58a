"""Messages in templates: `{{ _("Sign in") }}`, `{{ ngettext(...) }}`, and `{% trans %}` for a sentence with markup.

`_`, `ngettext` and `pgettext` are those of `app.languages` and give text, which is escaped where it is written. What is
within `{% trans %}` is HTML: it may contain elements, and its parameters are escaped.
"""

from typing import Any

from jinja2 import Environment, nodes
from jinja2.ext import InternationalizationExtension
from markupsafe import Markup

from app import languages
from app.languages.catalogues import catalogue
from app.languages.formats import number as written
from app.languages.messages import plural_form, translated

HTML = {"gettext": "html_gettext", "ngettext": "html_ngettext", "pgettext": "html_pgettext"}


class Trans(InternationalizationExtension):
    """`{% trans %}` by functions of its own, because its messages are HTML."""

    def _make_node(self, *args: Any, **named: Any) -> nodes.Output:
        output = super()._make_node(*args, **named)
        (call,) = output.nodes
        assert isinstance(call, nodes.Call)  # noqa: S101  (for the type checker)
        assert isinstance(call.node, nodes.Name)  # noqa: S101
        call.node.name = HTML[call.node.name]
        return output


def html_gettext(message: str, /, **named: object) -> Markup:
    return Markup(translated(message)) % named  # noqa: S704  (templates contain only their own messages)


def html_pgettext(context: str, message: str, /, **named: object) -> Markup:
    return Markup(translated(message, context)) % named  # noqa: S704


def html_ngettext(one: str, many: str, number: int, /, **named: object) -> Markup:
    return Markup(plural_form(one, many, number)) % ({"number": written(number)} | named)  # noqa: S704


def with_languages(environment: Environment) -> None:
    """Let the templates of an environment speak. Reads the catalogues now, not while the first who needs one waits."""
    for language in languages.LANGUAGES:
        catalogue(language)
    environment.add_extension(Trans)
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals |= {
        "_": languages.gettext,
        "N_": languages.N_,
        "gettext": languages.gettext,
        "ngettext": languages.ngettext,
        "pgettext": languages.pgettext,
        "html_gettext": html_gettext,
        "html_ngettext": html_ngettext,
        "html_pgettext": html_pgettext,
    }
    environment.filters["translated"] = translated
