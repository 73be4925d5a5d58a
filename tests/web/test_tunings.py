"""Find the best setting, and where the look came from: from the form to what is taken, as browsers send it."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import select

from app.models import Role, Tuning
from app.quality.tuning import Scores
from app.sets import tunings
from app.sets.tunings import DraftedSetting, TuningFound
from app.web.tradeoff import FRAMES, GAP, LEFT, Frame, plots_of, points_of
from tests.engine.painter import FACTS, Painter
from tests.web.conftest import Browser
from tests.web.server import Server, make_person, making, signed_in_browser
from tests.web.world import tuning_of


def finished(browser: Browser, path: str) -> str:
    """The page at `path`, once it no longer asks how far the work is."""
    ends = time.monotonic() + 60
    while 'hx-trigger="every 1s"' in (text := browser.get(path).text):
        assert time.monotonic() < ends, text
        time.sleep(0.05)
    return text


def test_drafts_a_plot_and_a_choice(server: Server, sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        code = make.style().code
    assert 'action="/tunings"' in manager.get(f"/styles/{code}/tuning").text
    answer = manager.post("/tunings", data={"style": code, "prompts": "a fox\nan owl"})
    assert answer.status_code == 303
    place = answer.headers["location"]
    page = finished(manager, place)
    assert page.count("tried__one") == 6
    assert page.count('<a class="tradeoff__point') == 6 * len(FRAMES)
    assert "hardly differ" in page, "the painter draws alike at every strength"
    assert "Suggested" not in page
    draft = manager.get(f"{place}/1.webp")
    assert draft.content[8:12] == b"WEBP"
    other = manager.get(f"{place}?setting=5").text
    assert ">Strength 1.4, all layers" in other
    assert "judged by the bundled CLIP" in other
    assert "Version 2 is made from version 1" in other
    assert "taken=1.4" in re.search(r'href="(/sets/new\?[^"]*)"', other)[1]
    taken = manager.post(f"{place}/take", data={"setting": "5"})
    assert taken.status_code == 303, taken.text
    assert taken.headers["location"] == f"/styles/{code}"
    assert "strength 1.4" in manager.get(f"/styles/{code}").text.lower()
    assert "Version 2 has this setting already" in manager.get(f"{place}?setting=5").text
    assert manager.post(f"{place}/take", data={"setting": "9"}).status_code == 409
    assert manager.get("/pictures").text.count("tuning") == 0


def test_nothing_is_suggested_before_all_drafts_are_there(server: Server) -> None:
    with making(server) as make:
        image_set = make.finished_set()
        tuning = tuning_of(image_set.owner, image_set)
        make.session.add(tuning)
        make.session.flush()
        assert tunings.found(tuning).best is not None
        tuning.drafts[-1].webp = tuning.drafts[-1].features = None
        found = tunings.found(tuning)
        assert found.settings[0].scores
        assert found.best is None


def test_what_is_wrong_comes_back_with_what_was_typed(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    answer = designer.post("/tunings", data={"style": code, "prompts": "a\nb\nc\nd\nan owl"})
    assert answer.status_code == 422
    assert "At most 4 prompts can be tried at once." in answer.text
    assert "an owl</textarea>" in answer.text


def test_the_form_says_how_many_drafts_and_how_long(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code

    def said(layers: int) -> str:
        return designer.get(f"/tunings/effort?prompts=2&layers={layers}").text

    assert said(1) == "22 drafts · Time not known before the first set"
    assert designer.get("/tunings/effort?prompts=5&layers=1").text == "", "more than can be tried"
    with making(server) as make:
        make.finished_set(prompts="a\nb", steps="4", size="256x256")
    assert said(0) == "12 drafts · About 5 s"
    form = designer.get(f"/styles/{code}/tuning", params={"prompts": "a fox\nan owl"}).text
    assert said(form.count('name="layers"')) in form
    for layers in ([], ["upper"]):
        data = {"style": code, "prompts": "a fox\nan owl", "layers": layers}
        place = designer.post("/tunings", data=data).headers["location"]
        with server.resources.database.read() as session:
            drafts = len(session.get_one(Tuning, int(place.rpartition("/")[2])).drafts)
        assert said(len(layers)).startswith(f"{drafts} drafts ·")
        designer.post(f"{place}/cancel")
    assert designer.post("/tunings", data={"style": code, "prompts": "a\nb", "layers": "none"}).status_code == 422


def test_what_was_cancelled_shows_no_drafts_that_never_come(
    server: Server, sign_in: Callable[..., Browser], engine: Painter
) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    engine.pause_at = 1
    place = designer.post("/tunings", data={"style": code, "prompts": "a fox"}).headers["location"]
    assert "tried__blank" in designer.get(place).text, "drafts are coming"
    designer.post(f"{place}/cancel")
    engine.go_on()
    page = designer.get(place).text
    assert "These drafts were cancelled" in page
    assert "tried__blank" not in page
    assert 'id="h-drafts"' not in page


def signed_in_as_another(server: Server, role: Role) -> Browser:
    return signed_in_browser(server, make_person(server, role))


def test_another_person_sees_nothing_of_it(server: Server, sign_in: Callable[..., Browser]) -> None:
    one, other = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    place = one.post("/tunings", data={"style": code, "prompts": "a fox"}).headers["location"]
    for path in (place, f"{place}/1.webp"):
        assert other.get(path).status_code == 404
    assert other.post(f"{place}/cancel").status_code == 404
    assert one.post(f"{place}/cancel").status_code == 303


def test_a_map_is_asked_for_made_and_shown(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        image_id = make.finished_set(prompts="a fox").images[0].id
    path = f"/images/{image_id}/map"
    assert "Make the map" in designer.get(path).text
    assert designer.get(f"{path}-sheet").status_code == 404
    assert designer.post(path).headers["location"] == path
    page = finished(designer, path)
    assert "Encoder, 1/1" in page
    assert 'data-steps="2"' in page
    assert designer.get(f"{path}-sheet").content[:4] == b"\x89PNG"
    assert designer.get(f"{path}-plain").content[8:12] == b"WEBP"


def test_the_form_of_a_set_opens_it_and_is_filled_in_by_the_choice(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    """With all that was typed in it; layers become a version of the style on the way."""
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        code = make.style(strength=1.0).code
    typed = {"style": code, "prompts": "a fox\nan owl\na cat\na dog\na bee", "name": "Autumn", "steps": "3"}
    ours = {"draft": "k" * 22, "draft-place": "/sets/new", "draft-revision": "0"}
    form = manager.get(manager.post("/tunings/begin", data=typed | ours).headers["location"]).text
    assert "a fox\nan owl\na cat\na dog</textarea>" in form, "as many as can be tried"
    back = unescape(re.search(r'name="from" value="([^"]*)"', form)[1])
    asked = {"style": code, "prompts": "a fox", "layers": "upper", "from": back}
    place = manager.post("/tunings", data=asked).headers["location"]
    page = finished(manager, place)
    assert page.count("tried__one") == 11
    with server.resources.database.read() as session:
        assert session.scalars(select(Tuning.steps).order_by(Tuning.id.desc())).first() == 3
    path, _, query = place.partition("?")
    same = manager.get(f"{path}?{query}&setting=3").text
    filled = manager.get(unescape(re.search(r'href="(/sets/new\?[^"]*taken=[^"]*)"', same)[1])).text
    assert 'value="Autumn"' in filled
    assert re.search(r'name="strength"[^>]*value="0.7"', filled)
    assert "a bee</textarea>" in filled
    assert "Strength 0.7 is filled in, from the drafts of" in filled
    undo = unescape(re.search(r'href="([^"]*)" data-undo-strength=""', filled)[1])
    undone = manager.get(undo).text
    assert re.search(r'name="strength"[^>]*value="1(\.0)?"', undone)
    assert 'value="Autumn"' in undone
    assert "is filled in" not in undone
    with signed_in_as_another(server, Role.DESIGNER) as other:
        assert "which you chose by drafts" in other.get("/sets/new?taken=0.7&trial=1").text, (
            "they see no trial of others"
        )
    upper = manager.get(f"{path}?{query}&setting=8").text
    assert "Save as version 2 and use in your set" in upper
    assert "Use in your set" not in upper, "a set has the layers of its style"
    taken = manager.post(f"{path}/take", data={"setting": "8", "from": back}).headers["location"]
    assert re.search(r'name="strength"[^>]*value="0.7"', manager.get(taken).text)
    assert "upper half of the layers" in manager.get(f"/styles/{code}").text


def test_who_may_not_change_the_style_makes_another_with_these_layers(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    place = designer.post("/tunings", data={"style": code, "prompts": "a fox", "layers": "upper"}).headers["location"]
    finished(designer, place)
    page = designer.get(f"{place}?setting=8").text
    assert "Save as version" not in page
    form = designer.get(unescape(re.search(r'href="(/styles/new\?[^"]*)"', page)[1])).text
    assert '<option value="up_blocks" selected' in form
    assert re.search(r'name="strength"[^>]*value="0.7"', form)


def test_only_the_form_of_a_set_takes_a_setting(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    for place in ("https://example.org/sets/new", "//example.org/sets/new", "/sets", "/sets/newer"):
        assert 'name="from"' not in designer.get(f"/styles/{code}/tuning", params={"from": place}).text


def found_at(*scores: Scores | None) -> TuningFound:
    return TuningFound([DraftedSetting(n, n / 10, (), [], each) for n, each in enumerate(scores, 1)], None, "")


def test_no_plot_without_scores() -> None:
    assert plots_of(found_at(None, Scores(0.5, 0.3, 0.1)), None) == []


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.name)
def test_equal_scores_are_told_apart_in_the_plot(frame: Frame) -> None:
    """No draft or its words cover another's, and all are within the axes."""
    points = points_of(found_at(*[Scores(0.5, 0.3, 0.1)] * 12, *[Scores(0.5, 0.301, None)] * 9), None, frame)
    drafts = [
        (point.left, point.top, point.left + frame.side, point.top + frame.side + frame.under) for point in points
    ]
    for place, (left, top, right, bottom) in enumerate(drafts):
        assert LEFT <= left <= right <= frame.width
        assert 0 <= top <= bottom <= frame.bottom
        for other_left, other_top, other_right, other_bottom in drafts[:place]:
            apart = max(left - other_right, other_left - right, top - other_bottom, other_top - bottom)
            assert apart >= GAP - 1e-9


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.name)
def test_drafts_are_where_the_scores_are_if_there_is_room(frame: Frame) -> None:
    low, high = points_of(found_at(Scores(0.2, 0.9, 0.0), Scores(0.8, 0.1, 0.5)), None, frame)
    assert (low.left, low.top) == (
        frame.width - frame.side - GAP / 2,
        frame.bottom - frame.side - frame.under - GAP / 2,
    )
    assert (high.left, high.top) == (LEFT + GAP / 2, GAP / 2)


def test_strength_0_is_marked_and_a_style_with_a_text_says_why_it_can_be_high(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    designer = sign_in(Role.DESIGNER)
    for text in ("", "flat poster"):
        with making(server) as make:
            image_set = make.finished_set(style=make.style(text=text))
            tuning = tuning_of(designer.user, image_set)
            make.session.add(tuning)
            make.session.flush()
            number = tuning.id
        page = designer.get(f"/tunings/{number}").text
        assert page.count('<a class="tradeoff__point tradeoff__point--plain"') == len(FRAMES)
        assert ("This style has a text" in page) is bool(text)


def test_without_a_style_the_form_says_so_and_keeps_what_was_typed(server: Server, designer: Browser) -> None:
    with making(server) as make:
        make.style()
    ours = {"draft": "k" * 22, "draft-place": "/sets/new", "draft-revision": "0"}
    answer = designer.post("/tunings/begin", data={"prompts": "a fox", "style": " "} | ours)
    assert answer.headers["location"].startswith("/sets/new?")
    assert "Choose%20a%20style" in answer.headers["set-cookie"]
    assert "a fox</textarea>" in designer.get(answer.headers["location"]).text


def test_layers_of_another_model_are_not_taken(
    server: Server, sign_in: Callable[..., Browser], engine: Painter
) -> None:
    """A version with them could make no set."""
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        code = make.style().code
    place = manager.post("/tunings", data={"style": code, "prompts": "a fox", "layers": "upper"}).headers["location"]
    finished(manager, place)
    engine.facts = replace(FACTS, name="other", layers=("encoder.1", "decoder.1"))
    answer = manager.post(f"{place}/take", data={"setting": "8"})
    assert answer.status_code == 409
    assert "The server now runs other, which has other layers." in answer.text
    assert manager.post(f"{place}/take", data={"setting": "5"}).status_code == 303, "all layers"


def test_what_is_finished_cannot_be_stopped(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        code = make.style().code
    place = designer.post("/tunings", data={"style": code, "prompts": "a fox"}).headers["location"]
    finished(designer, place)
    answer = designer.post(f"{place}/cancel")
    assert answer.headers["location"] == place
    assert "set-cookie" not in answer.headers, "nothing was stopped, so nothing says so"


def test_only_who_asked_for_a_map_stops_it(server: Server, sign_in: Callable[..., Browser], engine: Painter) -> None:
    one, other = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER)
    with making(server) as make:
        image_id = make.finished_set(prompts="a fox").images[0].id
    path = f"/images/{image_id}/map"
    engine.pause_at = 1
    one.post(path)
    assert f'action="{path}/cancel"' in one.get(path).text
    assert f'action="{path}/cancel"' not in other.get(path).text
    assert other.post(f"{path}/cancel").status_code == 403
    assert "Stopped. Nothing was changed." in one.post(f"{path}/cancel", follow_redirects=True).text
    assert f'action="{path}/cancel"' not in one.get(path).text
    one.post(path)
    engine.go_on()
    finished(one, path)
    assert one.get(f"{path}-sheet").status_code == 200, "it was made all the same"
    assert "set-cookie" not in one.post(f"{path}/cancel").headers


@pytest.mark.parametrize(("measures", "said"), [("off", "SOROE_MEASURES is off"), ("", "could not be compared")])
def test_without_scores_the_page_says_why(
    server: Server, sign_in: Callable[..., Browser], measures: str, said: str
) -> None:
    server.resources.settings.measures = measures
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        tuning = tuning_of(designer.user, make.finished_set())
        for draft in tuning.drafts:
            draft.features = None
        make.session.add(tuning)
        make.session.flush()
        number = tuning.id
    page = designer.get(f"/tunings/{number}").text
    assert said in page
    assert "Suggested" not in page
