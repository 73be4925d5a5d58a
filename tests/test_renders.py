"""The watch that sees statements while a template is rendered."""

import pytest
from jinja2 import DictLoader, Environment
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Image
from tests import renders
from tests.factory import Factory

PAGES = Environment(loader=DictLoader({"a.html": "{{ image.image_set.name }}"}), autoescape=True)


@pytest.fixture
def image(make: Factory, session: Session) -> Image:
    """An image just read, without its set."""
    make.image_set()
    session.commit()
    session.expire_all()
    return session.scalars(select(Image)).first() or pytest.fail("there is none")


def test_a_relation_loaded_by_a_template_is_reported(image: Image) -> None:
    PAGES.get_template("a.html").render(image=image)
    (problem,) = renders.watch.take()
    assert problem.startswith("a.html sends a statement at")
    assert "image_sets.id" in problem


def test_what_was_already_loaded_is_not(image: Image) -> None:
    assert image.image_set.name
    PAGES.get_template("a.html").render(image=image)
    assert renders.watch.take() == []
