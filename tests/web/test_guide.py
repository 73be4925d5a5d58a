"""The guide on its pages, and its exercises: each opens a real form with everything filled in."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from app.guide.lessons import LESSONS, NEW_SET, Lesson
from app.guide.settings import OF_SETS, OF_STYLES
from app.guide.workshop import SLIDES
from app.models import Role
from tests.web.server import Browser, Server, making

EXERCISES = list(LESSONS.values())


class Fields(HTMLParser):
    """What a browser would send of the form with an `action`: names and values."""

    def __init__(self, action: str) -> None:
        super().__init__(convert_charrefs=True)
        self.action, self.within = action, False
        self.values: dict[str, str] = {}
        self.area = self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.within = given.get("action") == self.action
        elif not self.within or given.get("form"):
            return
        elif tag == "textarea":
            self.area, self.values[name] = name, ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and ("selected" in given or self.select not in self.values):
            self.values[self.select] = given.get("value", "")
        elif tag == "input" and name and given.get("type") not in ("file", "submit"):
            ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
            self.values |= {name: given.get("value", "on")} if ticked else {}

    def handle_endtag(self, tag: str) -> None:
        self.area = "" if tag == "textarea" else self.area
        self.within = self.within and tag != "form"

    def handle_data(self, data: str) -> None:
        if self.area:
            self.values[self.area] += data


def fields(page: str, action: str) -> dict[str, str]:
    parser = Fields(action)
    parser.feed(page)
    return parser.values


def exercise(browser: Browser, lesson: Lesson) -> str:
    """The address of its button."""
    page = browser.get(f"/guide/{lesson.slug}").text
    (address,) = re.findall(r'guide__try"><a class="[^"]+" href="([^"]+)"', page)
    return str(address.replace("&amp;", "&"))


def asks_for(lesson: Lesson) -> dict[str, str]:
    """What its form is filled in with."""
    return {name: value for name, value in lesson.try_it.values.items() if name not in ("sample_map", "sample")}


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_everyone_reads_the_guide_in_their_language(sign_in: Callable[..., Browser], role: Role) -> None:
    browser = sign_in(role)
    assert 'href="/guide"' in browser.get("/sets").text
    index = browser.get("/guide").text
    for lesson in EXERCISES:
        assert f'href="/guide/{lesson.slug}"' in index
        page = browser.get(f"/guide/{lesson.slug}").text
        assert f"<h1>{lesson.title}</h1>" in page
        assert '<div class="prose" lang="en">' in page
    browser.post("/account/language", data={"language": "ja", "back": "/guide"})
    assert '<div class="prose" lang="ja">' in browser.get("/guide/strength").text
    assert browser.get("/guide/nothing").status_code == 404
    assert 'href="/guide"' in browser.get("/search/palette?q=help").text


def test_the_headings_of_a_page_have_names_of_their_own(designer: Browser) -> None:
    """Scripts find the dialogs of a page by theirs, which are in its frame."""
    for lesson in EXERCISES:
        names = re.findall(r'\bid="([^"]+)"', designer.get(f"/guide/{lesson.slug}").text)
        assert len(names) == len(set(names)), (lesson.slug, sorted({name for name in names if names.count(name) > 1}))


def test_what_people_read_of_an_exercise_is_in_their_language(designer: Browser) -> None:
    designer.post("/account/language", data={"language": "ja", "back": "/guide"})
    filled = fields(designer.get(exercise(designer, LESSONS["layers"])).text, "/styles")
    assert filled["name"] == "ブループリント（色は共有しない）"


def test_pages_lead_to_their_neighbours(designer: Browser) -> None:
    page = designer.get("/guide/prompts").text
    assert re.search(r'href="/guide/reference"\s+data-key="ArrowLeft"', page)
    assert re.search(r'href="/guide/strength"\s+data-key="ArrowRight"', page)
    assert 'data-key="ArrowLeft"' not in designer.get("/guide/reference").text
    assert 'data-key="ArrowRight"' not in designer.get("/guide/automatic").text


@pytest.mark.parametrize("lesson", EXERCISES, ids=lambda lesson: lesson.slug)
def test_an_exercise_fills_in_its_form(server: Server, designer: Browser, lesson: Lesson) -> None:
    with making(server) as make:
        make.style(make.user(Role.DESIGNER))
    address = exercise(designer, lesson)
    if lesson.try_it.is_about_rights:
        assert address.startswith("/styles/new?")
        return
    assert address.startswith(lesson.try_it.form)
    filled = fields(designer.get(address).text, lesson.try_it.form.removesuffix("/new"))
    for name, value in asks_for(lesson).items():
        assert filled.get(name, "0").replace("\r\n", "\n").strip() == value, name


@pytest.mark.parametrize("lesson", EXERCISES, ids=lambda lesson: lesson.slug)
def test_an_exercise_begins_with_a_sample_where_there_is_no_style(designer: Browser, lesson: Lesson) -> None:
    address = exercise(designer, lesson)
    if lesson.try_it.form != NEW_SET and not lesson.try_it.is_about_rights:
        assert designer.get(address).status_code == 200
        return
    page = designer.get(address).text
    assert "the exercise opens" in page
    saved = designer.post("/styles", data=fields(page, "/styles"))
    assert saved.status_code == 303, saved.text
    there = designer.get(saved.headers["location"])
    assert there.status_code == 200
    if lesson.try_it.is_about_rights:
        assert saved.headers["location"].startswith("/references/")
        filled = fields(there.text, saved.headers["location"].partition("?")[0])
    else:
        filled = fields(there.text, "/sets")
        assert f"style={filled['style']}" in saved.headers["location"]
    for name, value in asks_for(lesson).items():
        assert filled[name].replace("\r\n", "\n").strip() == value, name


def test_a_colleague_who_repeats_the_exercise_about_rights_sees_the_record(sign_in: Callable[..., Browser]) -> None:
    for browser, ending in ((sign_in(), "/rights?"), (sign_in(), "")):
        page = browser.get(exercise(browser, LESSONS["rights"])).text
        place = browser.post("/styles", data=fields(page, "/styles")).headers["location"]
        assert re.fullmatch(r"/references/\d+" + re.escape(ending) + ".*", place), place
        assert ending or "rights" not in place
        assert browser.get(place).status_code == 200


def test_a_subject_is_trained_on_the_samples(designer: Browser) -> None:
    page = designer.get(exercise(designer, LESSONS["subjects"])).text
    made = designer.post("/subjects", data=fields(page, "/subjects"))
    assert made.status_code == 303, made.text
    assert "@guide-toy" in designer.get(made.headers["location"]).text


def test_the_map_of_the_exercise_is_there(designer: Browser, server: Server) -> None:
    with making(server) as make:
        make.style(make.user(Role.DESIGNER))
    page = designer.get(exercise(designer, LESSONS["structure"])).text
    (address,) = re.findall(r'data-sample-map="([^"]+)"', page)
    assert designer.get(address).headers["content-type"] == "image/webp"
    assert "data-sample-map" not in designer.get("/sets/new?sample_map=../set").text


def explained(page: str) -> set[str]:
    """The settings with an explanation that a button opens, without scripts."""
    buttons = set(re.findall(r'popovertarget="why-(\w+)"', page))
    assert buttons == set(re.findall(r'<div class="why__pop" id="why-(\w+)" popover>', page))
    return buttons


def test_every_setting_is_explained_where_it_stands(server: Server, designer: Browser) -> None:
    with making(server) as make:
        reference = make.style(make.user(Role.DESIGNER)).versions[0].references[0].reference_id
    assert explained(designer.get("/sets/new").text) == OF_SETS.keys()
    assert explained(designer.get(f"/styles/new?reference={reference}").text) == OF_STYLES.keys()


def test_the_workshop_has_slides_to_show_and_to_print(designer: Browser) -> None:
    whole = designer.get("/guide/workshop").text
    for number, slide in enumerate(SLIDES, 1):
        page = designer.get(f"/guide/workshop/{number}").text
        assert f"<h1>{slide.title}</h1>" in page
        assert re.findall(r'data-slide="(\d+)"', page) == [str(number)]
        assert f'data-slide="{number}"' in whole
        assert ('data-key="ArrowRight"' in page) == (number < len(SLIDES))
        assert ('data-key="ArrowLeft"' in page) == (number > 1)
        assert '<details class="slide__says">' in page, "closed where everyone sees it"
    assert whole.count('<details class="slide__says" open>') == len(SLIDES), "open where all are printed"
    assert 'loading="lazy"' not in whole, "a picture that was not scrolled to would be missing on paper"
    assert "/styles/new?sample=" in whole, "there is no style yet"
    assert designer.get("/guide/workshop/99").status_code == 404
