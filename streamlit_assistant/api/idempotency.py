"""`Idempotency-Key`: makes any POST safe to repeat, whatever became of its first answer.

The first request with a key is carried out, and its answer remembered for a day. A repetition is
answered without anything being done; while the first is being carried out, it waits. A refusal is
not remembered: nothing was done, and the key is free again. If the process was killed in between,
what the request has stored tells whether it was done (`store/idempotency_keys.py`).
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.api.gate import owner
from streamlit_assistant.api.hashed_body import HashedBody
from streamlit_assistant.api.made_objects import kinds_made
from streamlit_assistant.api.remembered_answer import FirstAnswer
from streamlit_assistant.api.repetition import Repetitions, check_target
from streamlit_assistant.api.unsettled_keys import UnsettledKeys
from streamlit_assistant.errors import AssistantError, Conflict, InvalidRequest
from streamlit_assistant.records import Clock
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.store import Store
from streamlit_assistant.store.idempotency_keys import Claim, KeyedRequest

KEY_HEADER = "Idempotency-Key"
LONGEST_KEY = 255
PATIENCE = 30.0  # seconds a repetition waits for the first request
LOOK_SECONDS = 0.1  # how often it looks whether another process has carried that out


class Idempotency:
    """ASGI middleware behind the gate, which says whose key it is."""

    def __init__(
        self,
        app: ASGIApp,
        store: Store,
        process: Callable[[], str],
        clock: Clock,
        patience: float = PATIENCE,
    ) -> None:
        """`process` returns the name under which the others know whether this process lives."""
        self._app = app
        self._keys = store.idempotency_keys
        self._unsettled = UnsettledKeys(self._keys)
        self._repetitions = Repetitions(app, store)
        self._process = process
        self._clock = clock
        self._patience = patience
        self._in_flight: dict[str, asyncio.Event] = {}  # claims, and what tells that one is settled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        given = Headers(scope=scope).getlist(KEY_HEADER) if _is_post(scope) else []
        if not given:
            await self._app(scope, receive, send)
            return
        body = HashedBody(scope, receive)
        try:
            key = _checked(given)
            send = _with_key(send, key)
            await self._serve(self._wanted(scope, key), scope, body, send)
        except (AssistantError, *PASSING) as error:
            # Most clients do not look for an answer before they have sent all.
            await body.read_out()
            response = await render_error(Request(scope), error)
            await response(scope, receive, send)

    async def _serve(
        self, wanted: KeyedRequest, scope: Scope, body: HashedBody, send: Send
    ) -> None:
        # Noted before the row is there: whoever finds the row must not take it for abandoned.
        with self._flight(wanted.claim) as settle:
            if await self._is_first(wanted, scope, body, send):
                await self._carry_out(wanted, scope, body, send, settle)

    async def _is_first(
        self, wanted: KeyedRequest, scope: Scope, body: HashedBody, send: Send
    ) -> bool:
        """Return whether the request is to be carried out; else it has been answered."""
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            known = await self._keys.claim(wanted, self._in_flight)
            if known is wanted:
                return True
            check_target(known, wanted)
            if known.status is None and known.is_live:
                await self._wait(known.claim, until)
            elif await self._repetitions.answer(known, scope, body, send):
                return False
            elif await self._keys.take_over(known, wanted):
                return True

    @contextmanager
    def _flight(self, claim: str) -> Iterator[Callable[[], None]]:
        settled = self._in_flight[claim] = asyncio.Event()

        def settle() -> None:
            self._in_flight.pop(claim, None)
            settled.set()

        try:
            yield settle
        finally:
            settle()

    async def _carry_out(
        self,
        wanted: KeyedRequest,
        scope: Scope,
        body: HashedBody,
        send: Send,
        settle: Callable[[], None],
    ) -> None:
        claim = Claim(wanted, kinds_made(_path(scope)), lambda: body.sha256)
        unsettled = self._unsettled.free
        answer = FirstAnswer(self._keys, claim, body, send, settle, unsettled)
        try:
            with claim.attending():
                await self._app(scope, body.receive, answer.send)
        finally:
            if not answer.is_settled:
                await answer.break_off()

    async def _wait(self, claim: str, until: float) -> None:
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            raise Conflict(
                "A request with the same Idempotency-Key is still being carried out. "
                "Repeat it in a moment.",
                code="idempotency_key_in_use",
            )
        settled = self._in_flight.get(claim)
        if settled is None:
            await asyncio.sleep(min(LOOK_SECONDS, left))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await settled.wait()

    def _wanted(self, scope: Scope, key: str) -> KeyedRequest:
        address = f"POST {_path(scope)}?".encode(errors="surrogatepass") + scope["query_string"]
        return KeyedRequest(
            owner=owner(Request(scope)),
            key=key,
            created_at=int(self._clock()),
            claim=secrets.token_hex(16),
            lease_owner=self._process(),
            target=hashlib.sha256(address).hexdigest(),
        )


def _is_post(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["method"] == "POST")


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _checked(given: list[str]) -> str:
    key = given[0]
    # What is not ASCII is not the same text everywhere.
    if (
        len(given) > 1
        or not 1 <= len(key) <= LONGEST_KEY
        or not (key.isascii() and key.isprintable())
    ):
        raise InvalidRequest(
            f"Invalid header '{KEY_HEADER}': expected 1 to {LONGEST_KEY} printable ASCII "
            "characters, once. A random UUID will do.",
            code="invalid_value",
        )
    return key


def _with_key(send: Send, key: str) -> Send:
    """Show in the answer that the key was understood."""

    async def send_with_key(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[KEY_HEADER] = key
        await send(message)

    return send_with_key
