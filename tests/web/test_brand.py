"""Brand rules in the browser: the form, proposals, history, and the score where pictures are shown."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable

from PIL import Image as Picture

from app.brand import scores
from app.brand.spec import BrandSpec
from app.measures.jobs import packed
from app.models import Act, BrandScore, PictureFeatures, Role
from app.quality.features import features
from tests.web.server import Browser, Server, making
from tests.web.test_acts import newest
from tests.web.test_policy import hidden


def measured(server: Server) -> tuple[int, int, int, int]:
    """Two approved pictures of one colour each: the ids of the set, its style, its campaign and the first picture."""
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\nan owl", campaign="Autumn")
        for image, colour in zip(image_set.images, ("#008080", "#d01010"), strict=True):
            data = packed(features(Picture.new("RGB", (64, 64), colour)))
            make.session.merge(PictureFeatures(image_id=image.id, data=data))
            make.decide(image)
        first = image_set.images[0]
        return image_set.id, first.style_id, image_set.campaign_id, first.id


def score(server: Server) -> None:
    with making(server) as make:
        while rows := scores.scored(make.session):
            scores.keep(make.session, rows)


def test_rules_are_saved_and_shown_with_their_scores(
    server: Server, sign_in: Callable[..., Browser], designer: Browser
) -> None:
    set_id, style_id, campaign_id, image_id = measured(server)
    manager, here = sign_in(Role.MANAGER), f"/brand/style/{style_id}"
    assert "Brand rules" in manager.get(here).text
    answer = manager.post(here, data={"colours": "#008080 grün", "never": "#d01010", "seen": "0"})
    assert answer.status_code == 422
    assert "grün is not a colour." in answer.text
    assert 'value="#008080 grün"' in answer.text
    sent = {"colours": "#008080", "never": "#d01010", "tolerance": "8", "seen": "0", "note": "For <autumn>"}
    assert manager.post(here, data=sent).status_code == 303
    assert newest(server, Act.BRAND_CHANGE).details["what"] == ["palette", "never"]
    score(server)
    page = designer.get(here).text
    assert "For &lt;autumn&gt;" in page
    assert "Save rules" not in page
    assert "mean of 2 pictures" in page
    assert f'href="/review?image={image_id}"' in page
    assert "On brand 100" in designer.get(f"/review?image={image_id}").text
    assert "On brand: 50 on average, 0 at least." in designer.get(f"/sets/{set_id}").text
    assert f'href="/brand/campaign/{campaign_id}"' in designer.get(f"/manage/campaign/{campaign_id}").text
    assert designer.post(here, data=sent).status_code == 403
    assert designer.get(f"{here}/proposal").status_code == 403
    assert designer.get("/brand/style/999").status_code == 404
    assert designer.get("/brand/subject/1").status_code in (404, 422)


def test_the_second_of_two_editors_compares_and_saves(server: Server, sign_in: Callable[..., Browser]) -> None:
    """Also from a draft, begun before the other one saved."""
    _, style_id, _, _ = measured(server)
    manager, here = sign_in(Role.MANAGER), f"/brand/style/{style_id}"
    mine = BrandSpec().shown() | {"colours": "#000000", "tolerance": "9", "seen": "0"}
    manager.post("/drafts", data=mine | {"draft-place": here, "draft": "a-key-of-the-page", "draft-revision": "0"})
    assert manager.post(here, data={"colours": "#008080", "tolerance": "9", "seen": "0"}).status_code == 303
    begun = manager.get(here).text
    assert 'value="#000000"' in begun
    assert hidden(begun)["seen"] == "0", "the draft does not know the rules that were saved since"
    answer = manager.post(here, data=mine)
    assert answer.status_code == 422
    assert "Someone saved other rules since." in answer.text
    assert 'value="#000000"' in answer.text
    assert "Current value: #008080" in answer.text
    assert answer.text.count("Current value:") == 1, "only where they differ"
    assert hidden(answer.text)["seen"] == "1"
    assert manager.post(here, data=mine | {"seen": "1"}).status_code == 303


def test_a_proposal_that_was_edited_is_there_again(server: Server, sign_in: Callable[..., Browser]) -> None:
    _, _, campaign_id, _ = measured(server)
    manager, here = sign_in(Role.MANAGER), f"/brand/campaign/{campaign_id}"
    typed = {"colours": "#123456", "seen": "0", "pictures": "2", "draft-place": f"{here}/proposal"}
    manager.post("/drafts", data=typed | {"draft": "a-key-of-the-page", "draft-revision": "0"})
    page = manager.get(f"{here}/proposal").text
    assert 'value="#123456"' in page
    assert "Proposed from 2 approved pictures." in page
    assert manager.post(here, data=typed | {"colours": "nothing"}).text.count("Proposed from 2 approved pictures.") == 1


def test_rules_are_proposed_changed_and_restored(server: Server, sign_in: Callable[..., Browser]) -> None:
    _, _, campaign_id, _ = measured(server)
    manager, here = sign_in(Role.MANAGER), f"/brand/campaign/{campaign_id}"
    page = manager.get(f"{here}/proposal").text
    assert "Proposed from 2 approved pictures." in page
    assert hidden(page)["pictures"] == "2"
    assert manager.post(here, data={"colours": "#008080 #d01010", "seen": "0", "pictures": "2"}).status_code == 303
    assert "from 2 approved pictures" in manager.get(here).text
    assert manager.post(here, data={"colours": "#ffffff", "seen": "1"}).status_code == 303
    assert manager.post(f"{here}/versions/1/restore").status_code == 303
    assert 'value="#008080 #d01010"' in manager.get(here).text
    assert manager.post(f"{here}/versions/7/restore").status_code == 404


def test_manifests_have_the_score_and_its_parts(server: Server, sign_in: Callable[..., Browser]) -> None:
    set_id, style_id, _, _ = measured(server)
    manager = sign_in(Role.MANAGER)
    manager.post(f"/brand/style/{style_id}", data={"colours": "#008080", "seen": "0"})
    score(server)
    zipped = zipfile.ZipFile(io.BytesIO(manager.get(f"/sets/{set_id}/approved.zip", follow_redirects=True).content))
    rows = list(csv.DictReader(io.StringIO(zipped.read("manifest.csv").decode("utf-8-sig"))))
    assert sorted(row["on brand"] for row in rows) == ["0.0", "100.0"]
    files = json.loads(zipped.read("manifest.json"))["files"]
    assert [each["on brand"]["parts"] for each in files] == [{"palette": 100.0}, {"palette": 0.0}]


def test_the_list_of_campaigns_shows_how_well_their_pictures_keep_the_rules(server: Server, admin: Browser) -> None:
    with making(server) as make:
        plain = make.finished_set(prompts="a fox", campaign="Plain")
    assert "On brand" not in admin.get("/campaigns").text, "nothing is scored"
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\nan owl", campaign="Autumn")
        for image, score in zip(image_set.images, (60.0, 91.0), strict=True):
            make.session.add(BrandScore(image_id=image.id, stamp="of today", score=score))
    page = admin.get("/campaigns").text
    assert re.search(rf'href="/brand/campaign/{image_set.campaign_id}" title="Lowest 60">76<', page)
    assert f"/brand/campaign/{plain.campaign_id}" not in page
