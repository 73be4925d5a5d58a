"""A person who works on a server and notes each thing that it acknowledged."""

import re
import time
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from random import randrange

import httpx2

from tests.factory import png
from tests.web.server import Browser

ACCOUNT = {"name": "Mori Haruka", "email": "haruka@example.com", "password": "a sentence of my own"}
HEAD = re.compile(r'data-copy="([0-9a-f]{64})"')
FINISHED = re.compile(r'data-state="finished".*?/images/(\d+)/thumb', re.DOTALL)


@dataclass
class Acknowledged:
    """What was answered; `promises.lost` compares it with a data folder."""

    styles: list[str] = field(default_factory=list)  # codes
    sets: list[int] = field(default_factory=list)
    approvals: list[int] = field(default_factory=list)  # ids of pictures
    pictures: dict[int, str] = field(default_factory=dict)  # the SHA-256 of each that was shown as finished
    maps: list[int] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)  # their SHA-256
    subject_pictures: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)  # hashes of the audit log, as its page showed them

    @property
    def total(self) -> int:
        return sum(map(len, vars(self).values()))


class Refused(AssertionError):
    """An answer that was not the wanted one."""

    def __init__(self, answer: httpx2.Response) -> None:
        super().__init__(f"{answer.status_code} of {answer.request.url.path}: {answer.text[-2000:]}")
        self.status = answer.status_code


class Client:
    """Signs up as the first administrator if there is a link for that, or signs in; then does rounds of work."""

    def __init__(self, url: str, setup_link: str = "") -> None:
        self.browser = Browser(url)
        path = setup_link.removeprefix(url) or "/login"
        answer = self.browser.post(path, data=ACCOUNT)
        assert answer.status_code == 303, answer.text
        self.done = Acknowledged()
        self._is_first = bool(setup_link)
        self._numbers = count(1)
        self._style = ""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def round(self) -> None:
        """One of everything. Raises TransportError if the server is gone."""
        number = next(self._numbers)
        if number % 8 == 1:
            self.upload_style(number)
        self.upload_others(number)
        set_id = self.create_set(number)
        if self._is_first and number == 1:
            self._accepted(self.browser.post("/review/campaigns/1/four-eyes", data={"on": "0"}))
        for image_id in self.see_finished(set_id):
            self._accepted(self.browser.post(f"/images/{image_id}/decision", data={"verdict": "approved"}))
            self.done.approvals.append(image_id)
        self.done.heads += HEAD.findall(self._page("/record").text)

    def upload_style(self, number: int) -> None:
        files = {"picture": ("a.png", png((randrange(256), randrange(256), 40), (128, 128)), "image/png")}
        answer = self._accepted(self.browser.post("/styles", data={"name": f"Style {number}"}, files=files))
        self._style = answer.headers["location"].rsplit("/", 1)[1]
        self.done.styles.append(self._style)

    def create_set(self, number: int) -> int:
        form = {"style": self._style, "prompts": "a fox\na teapot", "steps": "1", "seed": str(randrange(2**31))}
        answer = self._accepted(self.browser.post("/sets", data=form | {"campaign": "Spring"}))
        self.done.sets.append(int(answer.headers["location"].rsplit("/", 1)[1]))
        return self.done.sets[-1]

    def see_finished(self, set_id: int) -> list[int]:
        """Reload the set's page until it shows its two pictures as finished."""
        shown: list[int] = []
        while len(shown) < 2:
            shown = [int(found) for found in FINISHED.findall(self._page(f"/sets/{set_id}").text)]
            time.sleep(0.05)
        for image_id in shown:
            self.done.pictures[image_id] = sha256(self._page(f"/images/{image_id}.png").content).hexdigest()
        return shown

    def upload_others(self, number: int) -> None:
        colour = (randrange(256), randrange(256), randrange(256))
        drawn = {"picture": ("map.png", png(colour), "image/png")}
        answer = self.browser.post("/maps", data={"kind": "edges", "size": "256x256", "ready": "1"}, files=drawn)
        self.done.maps.append(self._accepted(answer).json()["id"])
        mug = {"picture": ("mug.png", png(colour, (128, 128)), "image/png")}
        answer = self.browser.post("/subjects/pictures", files=mug)
        self.done.subject_pictures.append(self._accepted(answer).json()["sha256"])
        licence = f"%PDF-{number}".encode()
        files = {"file": ("licence.pdf", licence, "application/pdf")}
        if self._is_first and number <= 8:  # as many as a reference may have
            self._accepted(self.browser.post("/references/1/rights/files", files=files))
            self.done.documents.append(sha256(licence).hexdigest())

    def _page(self, address: str) -> httpx2.Response:
        answer = self.browser.get(address)
        if answer.status_code != 200:
            raise Refused(answer)
        return answer

    def _accepted(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code not in (201, 303):
            raise Refused(answer)
        return answer
