"""Containers of a code interpreter: one a thread, with the thread's files in it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamlit_assistant.errors import Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.base import Begun
from streamlit_assistant.records import JSON, Run
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.factories import make_thread
from tests.runs.test_executor import QUICK, Site, site
from tests.scripted_provider import STOP, Line

pytestmark = pytest.mark.both_databases

TOOLS = [{"type": "code_interpreter"}]
ELSEWHERE = Trouble.ELSEWHERE


class ScriptedHost:
    """A server with containers. `refused` are names of files that it does not take."""

    server = "http://up/v1"

    def __init__(self) -> None:
        self.containers: dict[str, list[tuple[str, bytes]]] = {}
        self.refused: set[str] = set()
        self.made = 0
        self.failure: UpstreamError | None = None

    async def open_container(self) -> str:
        if self.failure is not None:
            raise self.failure
        self.made += 1
        self.containers[f"cntr_{self.made}"] = []
        return f"cntr_{self.made}"

    async def has_container(self, container_id: str) -> bool:
        return container_id in self.containers

    async def add_file(self, container_id: str, filename: str, pieces: AsyncIterator[bytes]) -> str:
        data = b"".join([piece async for piece in pieces])
        if filename in self.refused:
            raise UpstreamError("Too large.")
        self.containers[container_id].append((filename, data))
        return f"cfile_{filename}"


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


def answers(count: int) -> list[list[Line]]:
    return [["ok", STOP] for _ in range(count)]


async def given(s: Site, name: str) -> str:
    """The id of a file that was uploaded."""

    async def pieces() -> AsyncIterator[bytes]:
        yield name.encode()

    return (await s.files.add("owner", name, "assistants", pieces())).id


async def asked(s: Site, host: ScriptedHost, resources: JSON | None = None) -> Run:
    s.provider.choice = {"hosts_tools": True, "code_host": host}
    return await s.ended(await s.ask(tools=TOOLS, tool_resources=resources or {}))


def code(*file_ids: str) -> JSON:
    return {"code_interpreter": {"file_ids": list(file_ids)}}


async def test_a_thread_keeps_its_container_and_gets_each_file_once(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    async with site(store, clock, *answers(2)) as s:
        first, second = await given(s, "a.csv"), await given(s, "b.csv")
        await asked(s, host, code(first))
        await asked(s, host, code(first, second))
        tools = [request.hosted_tools for request in s.provider.requests]

    assert host.containers == {"cntr_1": [("a.csv", b"a.csv"), ("b.csv", b"b.csv")]}
    assert tools == [[{"type": "code_interpreter", "container": "cntr_1"}]] * 2


async def test_a_container_that_is_gone_gives_way_to_one_with_all_files(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    async with site(store, clock, *answers(2)) as s:
        file_id = await given(s, "a.csv")
        await asked(s, host, code(file_id))
        del host.containers["cntr_1"]
        await asked(s, host, code(file_id))

    assert host.containers == {"cntr_2": [("a.csv", b"a.csv")]}


async def test_what_the_thread_itself_has_is_given_too(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    async with site(store, clock, *answers(1)) as s:
        file_id = await given(s, "mine.csv")
        thread = make_thread(tool_resources=code(file_id))
        await store.threads.add(thread)
        s.thread_id = thread.id
        await asked(s, host)

    assert host.containers == {"cntr_1": [("mine.csv", b"mine.csv")]}


async def test_a_file_that_cannot_be_given_does_not_harm_the_run(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    host.refused.add("huge.csv")
    async with site(store, clock, *answers(1)) as s:
        run = await asked(s, host, code(await given(s, "huge.csv"), "file-gone"))

    assert run.status == "completed"
    assert host.containers == {"cntr_1": []}


async def test_without_the_tool_nothing_is_opened(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    async with site(store, clock, *answers(1)) as s:
        s.provider.choice = {"hosts_tools": True, "code_host": host}
        await s.ended(await s.ask())

    assert host.containers == {}
    assert s.provider.requests[0].hosted_tools == []


@pytest.mark.parametrize("gone", [Unreachable("Down."), UpstreamError("?", trouble=ELSEWHERE)])
async def test_a_server_that_is_away_is_left_to_whoever_asks_for_the_answer(
    store: Store, clock: FakeClock, host: ScriptedHost, gone: UpstreamError
) -> None:
    host.failure = gone
    async with site(store, clock, *answers(1)) as s:
        run = await asked(s, host)
        tools = s.provider.requests[0].hosted_tools

    assert run.status == "completed"
    assert tools == [{"type": "code_interpreter", "container": {"type": "auto"}}]


async def test_a_server_that_fails_to_make_a_container_fails_the_run(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    host.failure = UpstreamError("No room.")
    async with site(store, clock, *answers(1)) as s:
        run = await asked(s, host)

    assert (run.status, (run.last_error or {})["message"]) == ("failed", "No room.")


async def test_an_answer_that_is_taken_up_again_has_its_code_and_needs_no_new_container(
    store: Store, clock: FakeClock, host: ScriptedHost
) -> None:
    whole: list[Line] = [Begun("resp_1"), "ok", STOP]
    async with site(store, clock, [*whole[:2], asyncio.Event()], whole) as s:
        s.provider.choice = {"hosts_tools": True, "code_host": host}
        run = await s.ask(tools=TOOLS)
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        await s.ended(run)
        resumed = s.provider.requests[1]

    assert (resumed.resume, host.made) == ("resp_1", 1)
    # What the code brought is only told to whoever asks for it.
    assert [tool["type"] for tool in resumed.hosted_tools] == ["code_interpreter"]
