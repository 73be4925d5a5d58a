"""Messages, dates and numbers in the language of now, and which language that is."""

from collections.abc import Iterator
from datetime import date
from threading import Thread

import pytest
from anyio import from_thread, to_thread

from app import days, languages
from app.languages import catalogues, choice, formats, ngettext
from app.languages import gettext as _
from app.text import filesize, thin
from app.web import filters
from tests import clock

PO = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);\n"

#. for scripts
#: static/js/grid.js templates/gallery/index.html
msgid "%(number)s picture"
msgid_plural "%(number)s pictures"
msgstr[0] "%(number)s obrázek"
msgstr[1] "%(number)s obrázky"
msgstr[2] "%(number)s obrázků"

msgctxt "noun"
msgid "Review"
msgstr "Kontrola"

msgid ""
"The picture \"%(name)s\" is "
"lost.\n"
msgstr "Obrázek \"%(name)s\" \\ chybí.\n"

msgid "Not translated yet"
msgstr ""
"""


@pytest.fixture
def czech(tmp_path, monkeypatch) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """A third language is one folder."""
    (tmp_path / "cs").mkdir()
    (tmp_path / "cs" / "sets.po").write_text(PO)
    monkeypatch.setattr(catalogues, "LOCALES", tmp_path)
    monkeypatch.setitem(catalogues.LANGUAGES, "cs", "čeština")
    catalogues.catalogue.cache_clear()
    with languages.speaking("cs"):
        yield
    catalogues.catalogue.cache_clear()


def test_a_message_is_said_in_the_language_of_now(czech: None) -> None:
    assert _('The picture "%(name)s" is lost.\n', name="Fox") == 'Obrázek "Fox" \\ chybí.\n'
    assert [ngettext("%(number)s picture", "%(number)s pictures", count) for count in (1, 3, 5)] == [
        "1 obrázek",
        "3 obrázky",
        "5 obrázků",
    ]
    assert (languages.pgettext("noun", "Review"), _("Review")) == ("Kontrola", "Review")
    assert _("Not translated yet") == "Not translated yet"
    assert languages.translated("Not in any catalogue: 100 %") == "Not in any catalogue: 100 %"


def test_english_is_what_the_message_says() -> None:
    assert _("%(done)s of %(all)s, 100 %%", done=1, all=2) == "1 of 2, 100 %"
    assert ngettext("%(number)s picture", "%(number)s pictures", 1) == "1 picture"
    assert ngettext("%(number)s picture", "%(number)s pictures", 1200) == "1\u202f200 pictures"


def test_the_messages_of_scripts_are_known(czech: None) -> None:
    known = catalogues.catalogue("cs")
    assert known
    assert known.in_scripts == {"%(number)s picture"}


def test_threads_of_a_request_speak_what_one_of_them_found_out() -> None:
    """The person is looked up in the thread of one dependency; the route runs in another."""

    async def request() -> list[str]:
        languages.speak("en")
        await to_thread.run_sync(languages.prefer, "ja")
        return [languages.current(), await to_thread.run_sync(languages.current)]

    with from_thread.start_blocking_portal() as portal:
        assert portal.call(request) == ["ja", "ja"]
        assert portal.call(to_thread.run_sync, languages.current) == "en", "the next request begins again"


def test_what_nobody_reads_now_is_english() -> None:
    """Stored texts and log lines are written by threads and tasks that no request started."""
    said: list[str] = []
    with languages.speaking("ja"):
        thread = Thread(target=lambda: said.append(languages.current()))
        thread.start()
        thread.join()
    languages.prefer("ja")  # nobody speaks
    assert [*said, languages.current()] == ["en", "en"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-GB,ja;q=0.5", "en"),
        ("fr, de;q=0.9, JA;q=0.3", "ja"),
        ("en;q=0.2, ja;q=0.7", "ja"),
        ("ja;q=0, en", "en"),
        ("ja;q=0", ""),
        ("fr", ""),
        ("*", ""),
        ("", ""),
        (";q=x,,ja;q=oops", ""),
    ],
)
def test_a_browser_asks_for_languages(header: str, language: str) -> None:
    assert choice.of_header(header) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ja_JP", "LANG": "en_US"}, "ja"),
        ({"LANG": "C.UTF-8", "SOROE_LANGUAGE": "ja"}, "ja"),
        ({"LANG": "POSIX"}, "en"),
        ({}, "en"),
    ],
)
def test_a_command_speaks_the_language_of_the_locale(environment: dict[str, str], language: str) -> None:
    assert choice.of_environment(environment) == language


def test_numbers_dates_and_lists_in_japanese() -> None:
    with languages.speaking("ja"):
        assert thin(1631) == "1,631"
        assert filesize(9_500_000) == "9.1 MB"
        assert days.written(date(2026, 12, 11)) == "2026年12月11日"
        assert filters.day(date(1999, 12, 11)) == "1999年12月11日"
        assert formats.listed(["A", "B", "C"]) == "A、B、C"
        assert formats.sentences(["一。", "", "二。"]) == "一。二。"
    assert formats.sentences(["One.", "Two."]) == "One. Two."


def test_reading_three_thousand_messages_takes_no_time() -> None:
    entry = '#: templates/a.html\nmsgid "Message {0}, which is about as long as most."\nmsgstr "番号{0}の文章。"\n\n'
    text = "".join(map(entry.format, range(3000)))
    with clock.at_most(0.1):
        assert len(list(catalogues.entries(text.split("\n")))) == 3000
