"""The catalogues say all that the sources say, and what the sources show is said by messages."""

import re

import pytest

from app.languages import ENGLISH, LANGUAGES
from app.languages.catalogues import Entry
from scripts import messages
from tests.languages.escapes import escaping, in_python, in_script, in_template

OTHERS = sorted(LANGUAGES.keys() - {ENGLISH})
CONVERTED = [area for area, its in messages.areas().items() if its["converted"]]
PARAMETER = re.compile(r"%%|%\((\w+)\)s")


@pytest.fixture(scope="module")
def said() -> dict[str, dict[str, Entry]]:
    return messages.extracted()


@pytest.mark.parametrize("language", OTHERS)
def test_catalogues_are_up_to_date(language: str, said: dict[str, dict[str, Entry]]) -> None:
    for area, text in messages.updated(language, said).items():
        file = messages.file_of(language, area)
        assert file.exists(), f"{file.name} is missing: run `make messages`"
        assert file.read_text("utf-8") == text, f"{file.name} is stale: run `make messages`"
    files = {file.stem for file in messages.LOCALES.joinpath(language).glob("*.po")}
    assert files == {area for area, its in said.items() if its}


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_and_none_is_guessed(language: str) -> None:
    for area in messages.areas():
        for key, entry in messages.catalogue_of(language, area).items():
            assert all(entry.translations), f"{area}.po has no translation of {key!r}"
            assert not entry.flags, f"{area}.po marks {key!r} as {entry.flags}"


@pytest.mark.parametrize("language", OTHERS)
def test_translations_have_the_parameters_of_their_message(language: str) -> None:
    for area in messages.areas():
        for entry in messages.catalogue_of(language, area).values():
            wanted = parameters(entry.plural or entry.message)
            for text in (entry.message, *entry.translations):
                assert "%" not in PARAMETER.sub("", text), f"{area}.po: a percent sign is written twice: {text!r}"
            for text in entry.translations:
                assert parameters(text) == wanted, f"{area}.po: other parameters than in {entry.message!r}: {text!r}"
                assert text.strip() == text or entry.message.strip() != entry.message, f"{area}.po: blanks: {text!r}"


def parameters(text: str) -> set[str]:
    return {name for name in PARAMETER.findall(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_message_is_translated_alike_everywhere(language: str) -> None:
    known: dict[str, tuple[str, list[str]]] = {}
    for area in messages.areas():
        for key, entry in messages.catalogue_of(language, area).items():
            first, translations = known.setdefault(key, (area, entry.translations))
            assert entry.translations == translations, f"{key!r} differs in {first}.po and {area}.po"


def test_every_source_has_an_area_and_every_area_a_source() -> None:
    assert {messages.area_of(messages.place_of(path)) for path in messages.sources()} == set(messages.areas())


@pytest.mark.parametrize("area", CONVERTED)
def test_no_text_escapes_translation(area: str) -> None:
    found = {messages.place_of(path): escaping(path) for path in messages.sources(area)}
    assert {place: texts for place, texts in found.items() if texts} == {}


def test_templates_say_only_their_own_words() -> None:
    """At the top of a template that others import, `_` would speak once, in the language of whoever came first."""
    templates = {messages.place_of(path): path.read_text() for path in messages.sources() if path.suffix == ".html"}
    imported = {name for text in templates.values() for name in re.findall(r'{%-? *(?:import|from) "([^"]+)"', text)}
    for name in imported:
        macros = re.sub(r"{%-? *macro.*?endmacro *-?%}", "", templates[f"templates/{name}"], flags=re.DOTALL)
        assert not re.search(r"[^\w](_|ngettext|pgettext)\(", macros), f"{name}: say N_(...), and |translated"


def test_what_escapes_is_found() -> None:
    template = '<p title="Two words">Some <b translate="no">name</b></p>'
    template += '{{ ui.chip("This browser", "x") }}{{ n|plural("set") }}'
    assert [text for _, text in in_template(template)] == [
        "Two words",
        "Some",
        "This browser",
        "|plural glues; say ngettext(...)",
    ]
    assert list(in_template('<p class="a b">{{ _("Fine") }} 3 px {% trans %}Fine too{% endtrans %}</p>')) == []
    python = 'raise Invalid("name", f"Enter a name, not {x!r}.")\nlog.info("Some log line is here.")\n_("It is fine.")'
    assert [line for line, _ in in_python(python)] == [1]
    assert list(in_python('def f(_: int) -> str:\n    return _("Fine")'))
    assert [line for line, _ in in_script('say("It did not work.");\nsay(_("It is fine."));')] == [1]
