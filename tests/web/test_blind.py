"""Blind tests in the browser's words: nothing that is sent tells the sides apart, or the result before its time."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from PIL import Image

from app.blind import queries
from app.blind import service as blind
from app.blind.order import turns
from app.blind.spec import BlindSpec
from app.gallery import service as gallery
from app.models import BlindPair, BlindTest, Role, User
from tests.web.server import Browser, Server, making, signed_in_browser

PROMPTS = "a fox\nan owl\na pear\na bell"


@dataclass
class World:
    server: Server
    test_id: int
    maker: User
    people: list[User]  # who judge
    names: list[str]  # of both sides
    hashes: list[str]
    opened: list[Browser]

    def browser(self, user: User) -> Browser:
        """Closed with the world."""
        self.opened.append(signed_in_browser(self.server, user))
        return self.opened[-1]

    def test(self) -> BlindTest:
        with self.server.resources.database.read() as session:
            return session.get_one(BlindTest, self.test_id)


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    made = make_world(server)
    yield made
    for browser in made.opened:
        browser.close()


def make_world(server: Server) -> World:
    with making(server) as make:
        maker = make.user(Role.REVIEWER, "Sato")
        people = [make.user(name=name) for name in ("Mori", "Ito", "Kato")]
        style = make.style()
        one = make.finished_set(style.owner, style, prompts=PROMPTS, name="Velvet approach")
        other = make.finished_set(
            style.owner, style, prompts=PROMPTS, name="Granite approach", size="custom", width="128", height="128"
        )
        spec = BlindSpec.parse(
            {
                "name": "Which look",
                "a": f"set-{one.id}",
                "b": f"set-{other.id}",
                "people": tuple(person.id for person in people),
                "planned": 8,
            }
        )
        test = blind.create(make.session, maker, spec)
        images = [*one.images, *other.images]
        return World(
            server,
            test.id,
            maker,
            people,
            ["Velvet", "Granite"],
            [image.sha256 or "" for image in images],
            [],
        )


def plain(answer: httpx2.Response, person: User) -> str:
    """A page without what is the reader's own: their name, id and address."""
    text = answer.text.replace(person.name, "NAME").replace(person.email, "EMAIL")
    text = text.replace(f">{person.initials}</button>", "></button>")
    return re.sub(rf'content="{person.id}"', 'content="ID"', text)


def seen(answer: httpx2.Response) -> tuple[int, ...]:
    """The colour of a picture, which each of the tests' pictures has of its own."""
    with Image.open(io.BytesIO(answer.content)) as picture:
        return picture.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[return-value]


# What is sent


def test_a_page_is_the_same_whichever_side_is_left(world: World) -> None:
    """For everyone at the same place, with the same pair and A on either side, every byte is the same."""
    test = world.test()
    plans = {person.id: turns(test.seed, person.id, range(1, 5)) for person in world.people}
    assert len({turn.a_left for plan in plans.values() for turn in plan}) == 2
    pages: dict[str, set[bool]] = {}
    for person in world.people:
        with world.browser(person) as browser:
            for turn in plans[person.id]:
                answer = browser.get(f"/blind/{world.test_id}/judge")
                assert answer.status_code == 200
                prompt = PROMPTS.split("\n")[turn.position - 1]
                text = re.sub(r"\d+ of 8 judgements", "", plain(answer, person)).replace(prompt, "PROMPT")
                pages.setdefault(re.sub(r"(Pair \d)|value=\"\d\"|/blind/\d+/\d/", "", text), set()).add(turn.a_left)
                if turn.number < 2:  # one place is enough, and a result would end the test
                    browser.post(f"/blind/{world.test_id}/judge", data={"number": "1", "answer": "tie"})
                    break
    assert len(pages) == 1
    with world.browser(world.people[0]) as browser:
        text = browser.get(f"/blind/{world.test_id}/judge").text
    assert not [name for name in (*world.names, *world.hashes) if name in text]
    assert not re.findall(r"/images/|/thumbs/|set-\d", text)


def test_pictures_differ_in_nothing_but_their_pixels(world: World) -> None:
    """Addresses, types, sizes in pixels, and every header but the length and a mark that depends on the turn alone."""
    test = world.test()
    heads: set[tuple[tuple[str, str], ...]] = set()
    shapes, colours = set(), set()
    marks: dict[bool, list[str]] = {True: [], False: []}
    for person in world.people:
        with world.browser(person) as browser:
            for turn in turns(test.seed, person.id, range(1, 5)):
                for side in ("left", "right"):
                    answer = browser.get(f"/blind/{world.test_id}/{turn.number}/{side}.webp")
                    assert answer.status_code == 200
                    heads.add(
                        tuple(
                            (name, value)
                            for name, value in answer.headers.items()
                            if name not in ("etag", "content-length", "date", "x-request-id")
                        )
                    )
                    marks[turn.a_left == (side == "left")].append(answer.headers["etag"])
                    with Image.open(io.BytesIO(answer.content)) as picture:
                        shapes.add(picture.size)
                        assert not set(picture.info) - {"loop", "background", "duration", "timestamp"}
                        assert not picture.getexif()
                    colours.add(seen(answer))
                    assert not [each for each in world.hashes if each in str(answer.headers) + str(answer.content)]
    assert len(heads) == 1
    assert len(shapes) == 1, "one side has larger pictures, and both are shown equally large"
    assert len(colours) > 4
    assert len({*marks[True], *marks[False]}) == 24, "the same picture has another mark for each person and turn"
    assert {len(each) for each in marks[True]} == {len(each) for each in marks[False]}


def test_the_picture_on_the_left_is_what_left_chooses(world: World) -> None:
    person, test = world.people[0], world.test()
    with world.browser(person) as browser, world.server.resources.database.read() as session:
        for turn in turns(test.seed, person.id, range(1, 5)):
            pair = session.query(BlindPair).filter_by(test_id=test.id, position=turn.position).one()
            image = pair.a_image if turn.a_left else pair.b_image
            shown = seen(browser.get(f"/blind/{test.id}/{turn.number}/left.webp"))
            own = seen(browser.get(f"/images/{image.id}.png"))
            assert max(abs(one - other) for one, other in zip(shown, own, strict=True)) < 6


def test_a_picture_is_kept_for_its_person_alone(world: World) -> None:
    address = f"/blind/{world.test_id}/1/left.webp"
    with world.browser(world.people[0]) as browser:
        answer = browser.get(address)
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-cache", "Cookie")
        assert browser.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    with world.browser(world.people[1]) as browser:
        assert browser.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 200
    with world.browser(world.maker) as browser:
        assert browser.get(address).status_code == 403
        assert browser.get(f"/blind/{world.test_id}/9/left.webp").status_code == 403


# No peeking


def answers(world: World, person: User, number: int) -> None:
    """Let a person prefer A, `number` times."""
    for _ in range(number):
        with world.server.resources.database.write() as session:
            test = session.get_one(BlindTest, world.test_id)
            asked = queries.asked(session, person, test)
            assert asked
            blind.judge(session, person, test.id, asked.turn.number, "left" if asked.turn.a_left else "right")


def test_no_page_tells_a_partial_result_to_anyone(world: World, sign_in: Callable[..., Browser]) -> None:
    """What everyone can read is the same whether A or B leads."""
    first, second, _ = world.people
    readers = [sign_in(Role.ADMIN), sign_in(Role.MANAGER), world.browser(world.maker), world.browser(second)]
    paths = ("/", "/blind", f"/blind/{world.test_id}", "/record", "/record.csv", f"/blind/{world.test_id}/judge")

    def read() -> list[str]:
        found = []
        for reader in readers:
            for path in paths:
                text = reader.get(path).text
                if path == "/record.csv":  # without the lines of these downloads
                    text = "\n".join(line for line in text.splitlines() if "blind" in line)
                elif path == "/record":
                    text = str(re.findall(r"blind test[^<]*", text))
                found.append(re.sub(r'datetime="[^"]*"|\d+ (?:min|s|h) ago|just now', "", text))
        return found

    answers(world, first, 3)
    with_a = read()
    assert not [text for text in with_a if re.search(r"For A|prefer(red|s)? the set|p = ", text)]
    with world.server.resources.database.write() as session:
        session.connection().exec_driver_sql("UPDATE blind_judgements SET choice = 'b'")
    assert read() == with_a
    answers(world, second, 4)
    third = world.people[2]
    answers(world, third, 1)
    for reader in readers:
        text = reader.get(f"/blind/{world.test_id}").text
        assert "No clear preference: the set Velvet approach was chosen 5 of 8 times" in text
        assert "By person" in text


def test_a_test_goes_from_the_form_to_the_result(
    server: Server, sign_in: Callable[..., Browser], designer: Browser
) -> None:
    reviewer = sign_in(Role.REVIEWER)
    with making(server) as make:
        style = make.style()
        one, other = (make.finished_set(style.owner, style, prompts="a fox\nan owl") for _ in range(2))
    assert f'value="set-{other.id}" selected' in reviewer.get(f"/blind/new?b=set-{other.id}").text
    form = {"name": "Looks", "a": f"set-{one.id}", "b": f"set-{other.id}", "question": "own", "planned": "5"}
    answer = reviewer.post("/blind", data={**form, "people": [str(designer.user.id)]})
    assert answer.status_code == 422
    assert "Write your question." in answer.text
    form["own_question"] = "Which is <warmer>?"
    answer = reviewer.post("/blind", data={**form, "people": [str(designer.user.id)]})
    assert "2 pairs and 1 person give at most 2 judgements" in answer.text
    assert "Which is &lt;warmer&gt;?" in answer.text
    answer = reviewer.post("/blind", data={**form, "planned": "2", "people": [str(designer.user.id)]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/blind/1")
    home = designer.get("/").text
    assert "2 pairs to judge" in home
    assert 'href="/blind/1/judge"' in home
    assert "Which is &lt;warmer&gt;?" in designer.get("/blind/1/judge").text
    assert "You read what is compared once the test is closed." in designer.get("/blind/1").text
    assert designer.post("/blind/1/judge", data={"number": "1", "answer": "left"}).status_code == 303
    assert "1 pair to judge" in designer.get("/").text
    assert designer.post("/blind/1/undo", data={"number": "1"}).status_code == 303
    for number in ("1", "2"):
        answer = designer.post("/blind/1/judge", data={"number": number, "answer": "tie"})
    assert answer.headers["location"] == "/blind/1"
    assert "Nobody saw a difference" in designer.get("/blind/1").text
    assert designer.get("/blind/1/judge").headers["location"] == "/blind/1"
    answer = designer.get("/blind/1/judge", headers={"hx-request": "true"})  # or htmx would take it for a part
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/blind/1")
    assert designer.post("/blind", data=form).status_code == 403


def test_inviting_stopping_and_leaving(world: World, sign_in: Callable[..., Browser]) -> None:
    here = f"/blind/{world.test_id}"
    manager, first = sign_in(Role.MANAGER), world.browser(world.people[0])
    assert manager.post(f"{here}/invite", data={}).status_code == 422
    assert manager.post(f"{here}/invite", data={"people": [str(manager.user.id)]}).status_code == 303
    assert "4 pairs to judge" in manager.get("/").text
    assert first.post(f"{here}/leave").status_code == 303
    assert "to judge" not in first.get("/").text
    assert "Join again" in first.get(here).text
    assert first.post(f"{here}/join").status_code == 303
    assert first.post(f"{here}/stop", data={"why": ""}).status_code == 403
    assert manager.post(f"{here}/stop", data={"why": "x" * 300}).status_code == 422
    assert "Stop this blind test?" in manager.post(f"{here}/stop?ask", data={"ask-title": "Stop this blind test?"}).text
    assert manager.post(f"{here}/stop", data={"why": "A <new> brief"}).status_code == 303
    text = first.get(here).text
    assert "Stopped, without a result." in text
    assert "A &lt;new&gt; brief" in text
    assert "By person" not in text


def test_a_pair_that_is_deleted_meanwhile_gives_the_next_one(world: World) -> None:
    person, test = world.people[0], world.test()
    turn = turns(test.seed, person.id, range(1, 5))[0]
    with making(world.server) as make:
        pair = make.session.query(BlindPair).filter_by(test_id=test.id, position=turn.position).one()
        gallery.delete(make.session, make.user(Role.MANAGER), [pair.a_image_id])
    with world.browser(person) as browser:
        answer = browser.post(f"/blind/{test.id}/judge", data={"number": "1", "answer": "left"})
        assert answer.status_code == 303
        page = browser.get(f"/blind/{test.id}/judge").text
        assert "This pair is left out since." in page
        assert "Pair 1 of 3" in page
        assert browser.get(f"/blind/{test.id}/1/left.webp").status_code == 409
        assert "1 pair is left out because a picture was deleted." in browser.get(f"/blind/{test.id}").text


def test_it_says_when_too_few_judgements_are_possible(world: World) -> None:
    with making(world.server) as make:
        pairs = make.session.query(BlindPair).filter_by(test_id=world.test_id).order_by(BlindPair.position).all()
        manager, deleted = make.user(Role.MANAGER), [pair.a_image_id for pair in pairs]
    with world.browser(world.maker) as browser:
        for count, sentence in ((3, "Only 3 more judgements are possible"), (4, "No more judgements are possible")):
            with making(world.server) as make:
                gallery.delete(make.session, make.session.merge(manager), deleted[:count])
            assert sentence in browser.get(f"/blind/{world.test_id}").text
