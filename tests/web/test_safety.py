"""Pictures that the safety check flagged: blurred for everyone, not approved or downloaded, until they are cleared."""

import io
from collections.abc import Callable
from itertools import pairwise

import pytest
from PIL import Image

from app.errors import Conflict, Forbidden, Invalid
from app.gallery import service as gallery
from app.models import Act, Role, State
from app.reviews import service as reviews
from app.sets import safety, units
from app.sets.safety import SafetyReason
from tests.factory import Factory, encoded
from tests.web.server import Browser, Server, making
from tests.web.test_acts import newest

STATUE = SafetyReason(reason="A marble statue")


def striped() -> bytes:
    """A picture with sharp edges everywhere."""
    stripes = Image.new("L", (16, 16))
    stripes.putdata([0, 255] * 128)
    return encoded(stripes.resize((256, 256), Image.Resampling.NEAREST).convert("RGB"))


def edges(data: bytes) -> int:
    """The largest step between neighbours in a picture, of 255."""
    with Image.open(io.BytesIO(data)) as opened:
        pixels = opened.convert("L").resize((256, 256), Image.Resampling.NEAREST)
        row = [pixels.getpixel((x, 100)) for x in range(256)]
    return max(abs(a - b) for a, b in pairwise(row))  # type: ignore[operator]


def test_what_the_engine_flags_is_flagged_and_recorded(make: Factory) -> None:
    image_set = make.image_set(prompts="a fox")
    (image,) = image_set.images
    image.state = State.GENERATING
    make.session.flush()
    units.finish_image(make.session, image.unit_id or 0, image.id, "a" * 64, 10, 1.0, 0.91)
    assert safety.flagged(make.session, [image.id]) == {image.id}
    assert safety.hashes(make.session) == {"a" * 64}


def test_it_is_not_approved_until_a_reviewer_clears_it(make: Factory) -> None:
    session, reviewer, designer = make.session, make.user(Role.REVIEWER), make.user()
    first, second = make.finished_set(prompts="a fox\nan owl").images
    safety.flag(session, first, 0.9)
    session.flush()
    with pytest.raises(Conflict, match="The safety check flagged this picture"):
        reviews.decide(session, reviewer, first.id, "approved", None)
    done = gallery.decide(session, reviewer, [first.id, second.id], "approved", 0)
    assert done.ids == [second.id]
    assert "flagged" in next(iter(done.refused))
    assert reviews.decide(session, reviewer, first.id, "changes_requested", None), "other decisions are free"
    with pytest.raises(Forbidden, match="Only reviewers"):
        safety.clear(session, designer, first.id, STATUE)
    with pytest.raises(Invalid):
        SafetyReason.parse({"reason": " "})
    flag = safety.clear(session, reviewer, first.id, STATUE)
    assert (flag.cleared_by_id, flag.reason) == (reviewer.id, "A marble statue")
    assert safety.flagged(session, [first.id]) == set()
    with pytest.raises(Conflict, match="cleared already"):
        safety.clear(session, reviewer, first.id, STATUE)


def test_it_is_blurred_for_everyone_and_shown_to_reviewers_who_ask(
    server: Server, designer: Browser, sign_in: Callable[..., Browser]
) -> None:
    from app.files import Kind

    reviewer = sign_in(Role.REVIEWER)
    with making(server) as make:
        image = make.finished_set(designer.user, prompts="a fox").images[0]
        image.sha256 = make.files.put(Kind.IMAGES, striped())
        sha256, image_id = image.sha256, image.id
    paths = (
        f"/images/{image_id}.png",
        f"/images/{image_id}/thumb-320.webp",
        f"/images/{image_id}/thumb-960.webp",
        f"/images/{image_id}/preview",
        f"/thumbs/{sha256}-320.webp",
    )
    assert all(edges(designer.get(path).content) > 90 for path in paths)
    with making(server) as make:
        safety.flag(make.session, make.session.merge(image), 0.9)
    for browser in (designer, reviewer):
        for path in paths:
            answer = browser.get(path)
            assert edges(answer.content) < 30, path
            assert answer.headers["cache-control"] == "private, no-store"
    assert edges(designer.get(f"/images/{image_id}.png?unblurred=1").content) < 30
    assert edges(reviewer.get(f"/images/{image_id}.png?unblurred=1").content) > 90
    assert designer.get(f"/images/{image_id}/download.png").status_code == 409
    assert "Flagged, blurred" in reviewer.get(f"/review?image={image_id}").text
    answer = reviewer.post(f"/images/{image_id}/safety", data={"reason": ""})
    assert answer.status_code == 422
    assert 'href="#reason"' in answer.text
    assert reviewer.post(f"/images/{image_id}/safety", data={"reason": "A statue"}).status_code == 303
    assert newest(server, Act.SAFETY_CLEAR).details == {"note": "A statue", "score": 0.9}
    assert all(edges(designer.get(path).content) > 90 for path in paths)
    assert "A statue" in designer.get(f"/images/{image_id}/safety").text
