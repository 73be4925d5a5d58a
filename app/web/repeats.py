"""A form that arrives twice acts once: a double press without scripts, or another try after the answer was lost."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response

SECONDS = 10.0  # that an answer is kept


class Repeats:
    """The answers to accepted forms, in memory, on one event loop."""

    def __init__(self) -> None:
        self._answers: dict[bytes, asyncio.Future[Response | None]] = {}  # None: not accepted, so it can be sent again

    async def once(
        self, key: bytes, act: Callable[[], Awaitable[Response]], is_accepted: Callable[[Response], bool]
    ) -> Response:
        """What `act` answers; for a form that came before, under way or accepted, the answer to that one."""
        while earlier := self._answers.get(key):
            if accepted := await asyncio.shield(earlier):
                return again(accepted)
        loop = asyncio.get_running_loop()
        mine = self._answers[key] = loop.create_future()
        accepted = None
        try:
            response = await act()
            accepted = again(response) if is_accepted(response) else None
            return response
        finally:
            mine.set_result(accepted)
            if accepted:
                loop.call_later(SECONDS, self._answers.pop, key, None)
            else:
                del self._answers[key]


def again(response: Response) -> Response:
    """The same answer, for another request."""
    copy = Response(response.body, response.status_code)
    copy.raw_headers = list(response.raw_headers)
    return copy
