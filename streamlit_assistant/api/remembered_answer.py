"""Answers that are remembered before anybody sees them, so that every repetition gets the same."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Message, Send

from streamlit_assistant.api.hashed_body import HashedBody
from streamlit_assistant.api.private_answers import is_private
from streamlit_assistant.store.idempotency_keys import Claim, IdempotencyKeys, KeyedRequest

MOST_REMEMBERED = 1024 * 1024  # bytes; what a longer answer was about is looked at again instead
EVENT_STREAM = "text/event-stream"

logger = logging.getLogger(__name__)

HeaderPairs = Sequence[Sequence[str]]


class RememberedAnswer:
    """Stands in for the `send` of a request whose answer is known to be the right one.

    A whole answer is held back until it is stored. Of a stream only its address is: what it says
    can be had again there; of a private answer only that there was one. Errors are passed on and
    not remembered.
    """

    def __init__(self, keys: IdempotencyKeys, claim: Claim, body: HashedBody, send: Send) -> None:
        self._keys = keys
        self._claim = claim
        self._body = body
        self._send = send
        self._held: Message | None = None
        self._answer = bytearray()

    async def send(self, message: Message) -> None:
        """Take the next part of the answer."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._held is None:
            await self._send(message)
        else:
            self._answer += message.get("body", b"")
            if not message.get("more_body", False):
                await self._end(self._held)

    async def _begin(self, start: Message) -> None:
        self._claim.end()
        if not 200 <= start["status"] < 300:
            await self._pass_over(start["status"])
        elif is_stream(pairs(start)):
            await self._remember(start, None)
        else:
            self._held = start
            return
        await self._send(start)

    async def _end(self, start: Message) -> None:
        answer = bytes(self._answer)
        may_keep = len(answer) <= MOST_REMEMBERED and not is_private(pairs(start))
        await self._remember(start, answer if may_keep else None)
        await self._send(start)
        await self._send({"type": "http.response.body", "body": answer})

    async def _remember(self, start: Message, answer: bytes | None) -> None:
        await self._body.read_out()
        request, sha256 = self._claim.request, self._body.sha256
        try:
            await self._keys.remember(request, sha256, start["status"], pairs(start), answer)
        except SQLAlchemyError as error:
            # What was to be done is done. A repetition will look at it, as after a crash.
            logger.warning("an answer could not be remembered: %s", error.__class__.__name__)
            self._lose(request)

    def _lose(self, request: KeyedRequest) -> None:
        """Be told that the answer could not be remembered."""

    async def _pass_over(self, status: int) -> None:
        """Be told that the answer is an error."""


class FirstAnswer(RememberedAnswer):
    """The answer of whoever carries the request out: after an error the key is free again."""

    def __init__(
        self,
        keys: IdempotencyKeys,
        claim: Claim,
        body: HashedBody,
        send: Send,
        settled: Callable[[], None],
        unsettled: Callable[[KeyedRequest, bool], None],
    ) -> None:
        """`settled` is called once repetitions in this process need not wait any longer.

        `unsettled` is called instead of freeing the key of a request (and whether it was refused)
        while the database is away.
        """
        super().__init__(keys, claim, body, send)
        self._settled = settled
        self._unsettled = unsettled
        self.is_settled = False

    async def break_off(self) -> None:
        """Note that there will be no answer."""
        await self._release(refused=False)

    async def _remember(self, start: Message, answer: bytes | None) -> None:
        await super()._remember(start, answer)
        self._settle()

    def _lose(self, request: KeyedRequest) -> None:
        self._unsettled(request, False)

    async def _pass_over(self, status: int) -> None:
        await self._release(refused=status < 500)

    async def _release(self, *, refused: bool) -> None:
        try:
            await self._keys.release(self._claim.request, refused=refused)
        except SQLAlchemyError as error:
            logger.warning("a key could not be freed: %s", error.__class__.__name__)
            self._unsettled(self._claim.request, refused)
        self._settle()

    def _settle(self) -> None:
        self.is_settled = True
        self._settled()


def is_stream(headers: HeaderPairs) -> bool:
    """Whether an answer with these headers is a stream of events."""
    return header(headers, "content-type").startswith(EVENT_STREAM)


def header(headers: HeaderPairs, name: str) -> str:
    """Return the value of a header, or nothing."""
    return next((value for given, value in headers if given.lower() == name), "")


def pairs(start: Message) -> list[tuple[str, str]]:
    """Return the headers an answer begins with, as text."""
    headers = start.get("headers", ())
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
