"""The guide by doing: its contents and its pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from app import languages
from app.errors import NotFound
from app.guide.lessons import LESSONS, Lesson
from app.guide.settings import Setting, of_lesson
from app.guide.workshop import SLIDES, Slide, starts
from app.languages import gettext as _
from app.models import User
from app.styles import queries as styles
from app.web.deps import Me, Read, resources_of
from app.web.pools import Route
from app.web.templating import Page, render

router = APIRouter(route_class=Route)


@dataclass(frozen=True, kw_only=True)
class GuideIndex(Page):
    template = "guide/index.html"

    lessons: Sequence[Lesson]


@dataclass(frozen=True, kw_only=True)
class GuidePage(Page):
    template = "guide/show.html"

    lessons: Sequence[Lesson]
    lesson: Lesson
    number: int  # from 1
    prose: Markup
    settings: Sequence[Setting]  # that it tells more about
    address: str  # of the exercise
    before: Lesson | None
    after: Lesson | None


@dataclass(frozen=True, kw_only=True)
class Workshop(Page):
    template = "guide/workshop.html"

    slides: Sequence[tuple[Slide, int]]  # each with the minute in which it begins
    bodies: Sequence[Markup]


@dataclass(frozen=True, kw_only=True)
class SlidePage(Page):
    template = "guide/slide.html"

    slide: Slide
    number: int  # from 1
    total: int
    start: int  # minute
    body: Markup


@router.get("/guide")
def index(request: Request, me: Me) -> Response:
    return render(request, GuideIndex(lessons=list(LESSONS.values())))


@router.get("/guide/workshop")
def workshop(request: Request, me: Me, session: Read) -> Response:
    """What the workshop takes, and all its slides, to print."""
    addresses = exercises(session, me)
    shown = Workshop(
        slides=list(zip(SLIDES, starts(), strict=True)),
        bodies=[slide_body(request, number, addresses, printed=True) for number in range(1, len(SLIDES) + 1)],
    )
    return render(request, shown)


@router.get("/guide/workshop/{slide}")
def show_slide(request: Request, me: Me, session: Read, slide: int) -> Response:
    if not 1 <= slide <= len(SLIDES):
        raise NotFound(_("The workshop has no such slide."))
    shown = SlidePage(
        slide=SLIDES[slide - 1],
        number=slide,
        total=len(SLIDES),
        start=starts()[slide - 1],
        body=slide_body(request, slide, exercises(session, me)),
    )
    return render(request, shown)


def exercises(session: Session, me: User) -> dict[str, str]:
    """The addresses of the exercises, by page."""
    has_styles = styles.exist(session, me)
    return {slug: lesson.try_it.address(slug, has_styles) for slug, lesson in LESSONS.items()}


def slide_body(request: Request, number: int, addresses: dict[str, str], *, printed: bool = False) -> Markup:
    """Of one slide. What the moderator says is open where all are `printed`, and closed where one is shown to all."""
    return prose(request, "workshop", only=number, addresses=addresses, printed=printed)


@router.get("/guide/{slug}")
def show(request: Request, me: Me, session: Read, slug: str) -> Response:
    if slug not in LESSONS:
        raise NotFound(_("The guide has no such page."))
    lessons, lesson = list(LESSONS.values()), LESSONS[slug]
    place = lessons.index(lesson)
    shown = GuidePage(
        lessons=lessons,
        lesson=lesson,
        number=place + 1,
        prose=prose(request, slug),
        settings=of_lesson(slug),
        address=lesson.try_it.address(slug, styles.exist(session, me)),
        before=lessons[place - 1] if place else None,
        after=lessons[place + 1] if place + 1 < len(lessons) else None,
    )
    return render(request, shown)


def prose(request: Request, name: str, **values: object) -> Markup:
    """A text of the guide in the language of now, or in English."""
    environment = resources_of(request).environment
    names = [f"guide/{language}/{name}.html" for language in (languages.current(), languages.ENGLISH)]
    return Markup(environment.select_template(names).render(values))  # noqa: S704  (it has no values of others)
