"""People who keep working through faults, as patient people do."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256

import httpx2

from tests.faults.client import ACCOUNT, FINISHED, Client, Refused

PROMPTS = "a fox\na teapot"
VARIATIONS = 2
PICTURES = 4  # of a set
WAITS_FOR = 120.0  # seconds for the pictures of a set; with less, people ask for more than is made between faults
EXPECTED = {409, 429, 503, 507}  # answers in a sentence, to try again later


class Person(Client):
    """Works in a thread of its own between `begin` and `end`."""

    def __init__(self, url: str, setup_link: str, seed: int) -> None:
        super().__init__(url, setup_link)
        self.chance = random.Random(seed)
        self.asked_sets: list[int] = []  # seeds of all sets that were asked for, acknowledged or not
        self.asked_approvals: Counter[int] = Counter()  # by picture
        self.refusals: Counter[int] = Counter()  # by status
        self.disconnections = 0
        self.problems: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="person")

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.browser.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self.round()
            except httpx2.TransportError:
                self.disconnections += 1
                self._ended.wait(1)
            except Refused as refused:
                self._note(refused)
            self._ended.wait(self.chance.uniform(0.2, 1))

    def _note(self, refused: Refused) -> None:
        self.refusals[refused.status] += 1
        if refused.status == 401:
            with suppress(httpx2.TransportError):
                self.browser.post("/login", data=ACCOUNT)
        elif refused.status not in EXPECTED:
            self.problems.append(str(refused)[:1500])

    def create_set(self, number: int) -> int:
        seed = self.chance.randrange(2**30)
        self.asked_sets.append(seed)
        form = {"style": self._style, "prompts": PROMPTS, "count": str(VARIATIONS), "steps": "3", "seed": str(seed)}
        answer = self._accepted(self.browser.post("/sets", data=form | {"campaign": "Spring"}))
        self.done.sets.append(int(answer.headers["location"].rsplit("/", 1)[1]))
        return self.done.sets[-1]

    def see_finished(self, set_id: int) -> list[int]:
        """Look at the set until all its pictures are finished, or patience ends; approve some of those."""
        shown: set[int] = set()
        ends = time.monotonic() + WAITS_FOR
        while len(shown) < PICTURES and time.monotonic() < ends and not self._ended.is_set():
            time.sleep(0.3)
            shown |= {int(found) for found in FINISHED.findall(self._page(f"/sets/{set_id}").text)}
        for image_id in shown:
            self.done.pictures[image_id] = sha256(self._page(f"/images/{image_id}.png").content).hexdigest()
        chosen = self.chance.sample(sorted(shown), len(shown) // 2)
        self.asked_approvals.update(chosen)
        return chosen

    def _accepted(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.headers.get("location", "").startswith("/login"):
            answer.status_code = 401  # the session ended: nothing was done
        return super()._accepted(answer)

    def _page(self, address: str) -> httpx2.Response:
        answer = self.browser.get(address)
        if answer.headers.get("location", "").startswith("/login"):
            answer.status_code = 401
        if answer.status_code != 200:
            raise Refused(answer)
        return answer
