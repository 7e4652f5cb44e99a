"""Keys while processes die, pause and get lost: what was stored is not done twice, the rest is."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.api.idempotency import Idempotency
from streamlit_assistant.errors import AssistantError, InvalidRequest, ServerFault
from streamlit_assistant.process_identity import this_process
from streamlit_assistant.records import PageQuery, new_id
from streamlit_assistant.store import Store
from streamlit_assistant.store.idempotency_keys import IdempotencyKeys
from tests.conftest import FakeClock
from tests.factories import make_assistant

pytestmark = pytest.mark.both_databases

EVERYTHING = PageQuery(limit=100)
DAY = 24 * 3600
Step = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Go on at once."""


class Held:
    """A place at which a request is held up until it may go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.may_go_on.wait()


class Process:
    """One process that makes assistants on request, behind the middleware."""

    def __init__(self, store: Store, clock: FakeClock, name: str, patience: float = 30) -> None:
        self.store = store
        self.name = name
        self.done = 0
        self.before: Step = nothing
        self.after: Step = nothing
        api = Starlette(
            routes=[
                Route("/assistants", self._create, methods=["POST"]),
                Route("/assistants/{assistant_id}", self._retrieve, methods=["GET"]),
            ],
            exception_handlers={AssistantError: render_error},
        )
        keyed = Idempotency(api, store, lambda: self.name, clock, patience)
        self._app = _behind_a_gate(keyed)

    async def join(self, lease: float = 60) -> "Process":
        """Let the others see that it lives."""
        await self.store.executors.register(self.name, "all", this_process(), lease)
        return self

    async def die(self) -> None:
        """Be taken for dead by the others, whatever it still does."""
        await self.store.executors.bury([self.name])

    async def post(self, key: str = "key", owner: str = "ada", text: str = "") -> httpx.Response:
        """Ask it for an assistant."""
        line = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=line, base_url="http://site") as client:
            headers = {"Idempotency-Key": key, "x-owner": owner}
            return await client.post("/assistants", headers=headers, content=text)

    async def hang_up(self, key: str) -> None:
        """Begin a request and leave before all of it is sent."""
        headers = [(b"idempotency-key", key.encode()), (b"x-owner", b"ada")]
        scope = {"type": "http", "method": "POST", "path": "/assistants", "query_string": b""}

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            pass

        await self._app({**scope, "headers": headers}, receive, send)

    async def _create(self, request: Request) -> JSONResponse:
        await request.body()
        await self.before()
        made = make_assistant(id=new_id("asst"), owner=request.state.owner)
        await self.store.assistants.add(made)
        self.done += 1
        await self.after()
        return JSONResponse({"id": made.id})

    async def _retrieve(self, request: Request) -> JSONResponse:
        asked_for = request.path_params["assistant_id"]
        made = await self.store.assistants.get(request.state.owner, asked_for)
        return JSONResponse({"id": made.id})


def _behind_a_gate(app: ASGIApp) -> ASGIApp:
    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        await app({**scope, "state": {"owner": headers["x-owner"]}}, receive, send)

    return gate


@pytest.fixture
def process(store: Store, clock: FakeClock) -> Callable[..., Process]:
    """Makes processes on one database."""
    return lambda name, **options: Process(store, clock, name, **options)


def is_replayed(answer: httpx.Response) -> bool:
    return "idempotent-replayed" in answer.headers


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


Processes = Callable[..., Process]


async def test_a_repetition_at_another_process_waits_for_the_first(process: Processes) -> None:
    one, two = await process("one").join(), await process("two").join()
    one.before = Held()
    first = asyncio.create_task(one.post())
    await one.before.reached.wait()

    second = asyncio.create_task(two.post())
    await asyncio.sleep(0.15)  # it has looked, and looks again
    assert not second.done()
    one.before.may_go_on.set()

    assert (await second).content == (await first).content
    assert is_replayed(await second)
    assert (one.done, two.done) == (1, 0)


async def test_who_waits_too_long_is_asked_to_come_again(process: Processes) -> None:
    one, two = await process("one").join(), await process("two", patience=0).join()
    one.before = Held()
    first = asyncio.create_task(one.post())
    await one.before.reached.wait()

    refused = await two.post()
    one.before.may_go_on.set()

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-should-retry"] == "true"
    assert (await first).status_code == 200
    assert is_replayed(await two.post())


async def test_what_was_stored_before_its_process_was_killed_is_not_stored_again(
    process: Processes,
) -> None:
    one, two = await process("one").join(), await process("two").join()
    one.after = Held()
    lost = asyncio.create_task(one.post())
    await one.after.reached.wait()
    await one.die()

    found = await two.post()
    again = await two.post()
    await cancelled(lost)

    assert found.status_code == 200
    assert is_replayed(found)
    assert again.content == found.content
    assert two.done == 0
    assert await stored(two.store) == [found.json()["id"]]


async def stored(store: Store, owner: str = "ada") -> list[str]:
    """What there is of the owner's."""
    page = await store.assistants.page(owner, EVERYTHING)
    return [assistant.id for assistant in page.items]


async def test_what_was_not_stored_when_its_process_was_killed_is_done(process: Processes) -> None:
    one, two = await process("one").join(), await process("two").join()
    one.before = Held()
    lost = asyncio.create_task(one.post())
    await one.before.reached.wait()
    await one.die()

    done = await two.post()
    await cancelled(lost)

    assert done.status_code == 200
    assert not is_replayed(done)
    assert await stored(two.store) == [done.json()["id"]]


async def test_a_process_that_wakes_up_late_stores_nothing(process: Processes) -> None:
    one, two = await process("one").join(), await process("two").join()
    one.before = Held()
    late = asyncio.create_task(one.post())
    await one.before.reached.wait()
    await one.die()
    done = await two.post()

    one.before.may_go_on.set()
    refused = await late

    assert refused.status_code == 409
    assert one.done == 0
    assert await stored(two.store) == [done.json()["id"]]
    assert (await one.post()).content == done.content


async def test_a_lease_that_is_over_is_as_good_as_none(
    process: Processes, clock: FakeClock, database: str
) -> None:
    # PostgreSQL has a clock of its own: there it is over from the start.
    one = await process("one").join(lease=-1 if database == "postgresql" else 10)
    two = await process("two").join()
    one.before = Held()
    lost = asyncio.create_task(one.post())
    await one.before.reached.wait()
    clock.now += 11

    answer = await two.post()
    await cancelled(lost)

    assert answer.status_code == 200
    assert not is_replayed(answer)


@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_cancelled_request_keeps_nobody_waiting(process: Processes, place: str) -> None:
    one, two = await process("one").join(), await process("two").join()
    held = Held()
    setattr(one, place, held)
    lost = asyncio.create_task(one.post())
    await held.reached.wait()
    await cancelled(lost)

    answer = await two.post()

    assert is_replayed(answer) == (place == "after")
    assert len(await stored(two.store)) == 1


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("error", [ServerFault("Oh."), ZeroDivisionError()], ids=["500", "defect"])
async def test_a_failure_is_done_again_unless_it_was_stored(
    process: Processes, place: str, error: Exception
) -> None:
    one = await process("one").join()

    async def fail() -> None:
        setattr(one, place, nothing)
        raise error

    setattr(one, place, fail)
    with suppress(ZeroDivisionError):
        assert (await one.post()).status_code == 500

    again = await one.post()

    assert again.status_code == 200
    assert is_replayed(again) == (place == "after")
    assert len(await stored(one.store)) == 1


async def test_what_was_refused_after_something_was_stored_is_asked_anew(
    process: Processes,
) -> None:
    one = await process("one").join()

    async def refuse() -> None:
        one.after = nothing
        raise InvalidRequest("No.")

    one.after = refuse

    assert (await one.post()).status_code == 400
    assert not is_replayed(await one.post())


async def test_what_a_process_dropped_on_the_way_it_does_itself(
    process: Processes, store: Store
) -> None:
    one = await process("one").join()
    one.before = Held()
    dropped = asyncio.create_task(one.post())
    await one.before.reached.wait()

    # The same process, of which nothing is left but its name.
    answer = await process("one").post()
    await cancelled(dropped)

    assert answer.status_code == 200
    assert not is_replayed(answer)


async def test_keys_of_two_people_have_nothing_to_do_with_each_other(process: Processes) -> None:
    one = await process("one").join()

    ada, bob = await one.post(owner="ada"), await one.post(owner="bob", text="another body")

    assert ada.json() != bob.json()
    assert (await one.post(owner="ada")).content == ada.content
    assert one.done == 2


async def test_after_a_day_a_key_is_new_again(process: Processes, clock: FakeClock) -> None:
    one = await process("one").join()
    first = await one.post()
    clock.now += DAY - 1
    same = await one.post()
    clock.now += 1

    other = await one.post(text="another body")

    assert same.content == first.content
    assert not is_replayed(other)
    assert other.json() != first.json()


async def test_what_is_old_is_forgotten(process: Processes, store: Store, clock: FakeClock) -> None:
    one = await process("one").join()
    await one.post("old")
    clock.now += 10
    await one.post("new")

    await store.idempotency_keys.forget(int(clock()))

    assert is_replayed(await one.post("new"))
    assert not is_replayed(await one.post("old"))


async def test_who_hangs_up_within_the_request_leaves_the_key_free(process: Processes) -> None:
    one, two = await process("one").join(), await process("two").join()
    with suppress(Exception):
        await one.hang_up("key")

    assert not is_replayed(await two.post("key"))


async def test_what_goes_on_after_the_answer_is_not_the_requests(
    process: Processes, store: Store, clock: FakeClock
) -> None:
    one = await process("one").join()
    answered = asyncio.Event()
    later: list[asyncio.Task[None]] = []

    async def work() -> None:
        await answered.wait()
        made = make_assistant(id=new_id("asst"), owner="ada")
        await store.assistants.add(made)

    async def begin() -> None:
        later.append(asyncio.create_task(work()))

    one.after = begin
    await one.post()
    await store.idempotency_keys.forget(int(clock()) + 1)
    answered.set()
    await later[0]

    assert len(await stored(store)) == 2


class Forgetful(IdempotencyKeys):
    """Keys of a database that goes away while a request is carried out."""

    away = False

    async def remember(self, *args: Any, **options: Any) -> None:
        self._check()
        await super().remember(*args, **options)

    async def release(self, *args: Any, **options: Any) -> None:
        self._check()
        await super().release(*args, **options)

    def _check(self) -> None:
        if self.away:
            raise OperationalError("UPDATE", {}, OSError("the server closed the connection"))


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_database_that_goes_away_keeps_nobody_waiting_once_it_is_back(
    process: Processes, store: Store, clock: FakeClock, status: int
) -> None:
    store.idempotency_keys = keys = Forgetful(store.idempotency_keys._database, clock)
    one, two = await process("one").join(), await process("two").join()

    async def end() -> None:
        one.before = one.after = nothing
        keys.away = True
        if status != 200:
            raise InvalidRequest("No.") if status == 400 else ServerFault("Oh.")

    setattr(one, "after" if status == 200 else "before", end)
    first = await one.post()
    keys.away = False
    again = await two.post()

    assert first.status_code == status
    assert again.status_code == 200
    assert is_replayed(again) == (status == 200)
    assert await stored(store) == [again.json()["id"]]
