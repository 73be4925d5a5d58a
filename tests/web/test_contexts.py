"""Templates get exactly their variables: every variable is a field of the page, and every field is used."""

import dataclasses
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

import app.main
from app.models import Base
from app.web.door import Ways
from app.web.templating import Page, make_environment
from tests.web.variables import Variables

# What `shared_context` and `page` give to all, and what a template sets for one that it includes.
SHARED = {
    "user",
    "theme",
    "prefs",
    "toast",
    "toast_refused",
    "toast_undo",
    "here",
    "pending_reviews",
    "warnings",
    "nav",
    "status",
    "to_fix",
}
LARGE = {
    "sets/show.html",
    "sets/new.html",
    "sets/_progress.html",
    "sets/_more.html",
    "sets/_place.html",
    "subjects/show.html",
    "subjects/new.html",
    "subjects/_live.html",
    "review/show.html",
    "layout/show.html",
    "gallery/index.html",
    "gallery/_more.html",
    "exports/new.html",
    "exports/show.html",
    "exports/_example.html",
    "styles/show.html",
    "styles/new.html",
}
ENVIRONMENT = make_environment(ways=Ways(password=True, passkeys=True, provider=""))


def pages(of: type[Page] = Page) -> list[type[Page]]:
    """All pages with their own template, defined by importing the app."""
    return [each for child in of.__subclasses__() for each in (child, *pages(child)) if "template" in vars(each)]


@cache
def variables(template: str) -> Variables:
    return Variables(ENVIRONMENT, template)


PAGES = list(dict.fromkeys(pages()))


def test_the_large_templates_have_pages() -> None:
    assert app.main.PAGES
    assert {page.template for page in PAGES} >= LARGE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_template_uses_the_fields_of_its_page_and_no_others(page: type[Page]) -> None:
    of_template = variables(page.template)
    given = {field.name for field in dataclasses.fields(page)}
    assert of_template.needed - SHARED - given == set(), "it takes what its page does not give"
    assert given - of_template.names == set(), "its page gives what it does not take"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_what_a_template_reads_of_a_field_is_there(page: type[Page]) -> None:
    hints = get_type_hints(page)
    for name, attribute in sorted(variables(page.template).attributes):
        classes = classes_of(hints.get(name, Any))
        if classes:
            assert any(has(each, attribute) for each in classes), f"{name}.{attribute}"


def classes_of(hint: Any) -> list[type]:
    """Our classes that a field may have; none if it may be something else, such as a list or a dictionary."""
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    choices = tuple(each for each in choices if each is not type(None))
    ours = [each for each in choices if isinstance(each, type) and each.__module__.startswith("app.")]
    return ours if len(ours) == len(choices) else []


def has(owner: type, attribute: str) -> bool:
    if issubclass(owner, Base):
        return hasattr(owner, attribute)
    return hasattr(owner, attribute) or attribute in get_type_hints(owner)
