"""People who go on talking while processes are killed, and who check each answer they get."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.chaos.checks import JSON, Outcome, check_follower, check_outcome
from tests.chaos.cluster import LONGEST_SILENCE, PATIENCE, Caller
from tests.chaos.following import TERMINAL, Follower, Starter
from tests.chaos.planned_model import FUNCTION, Plan, PlannedModel

LOOK_EVERY = 0.03  # seconds


class Conversation:
    """One thread, turn after turn; `outcomes` are the runs so far."""

    def __init__(self, caller: Caller, model: PlannedModel, assistant_id: str) -> None:
        self.outcomes: list[Outcome] = []
        self.lost_events = 0
        self._caller = caller
        self._model = model
        self._assistant_id = assistant_id
        self._thread = ""

    async def go_on(self, plans: Callable[[], Plan], until: asyncio.Event) -> None:
        """Take turns until told to stop, then check the thread as a whole."""
        while not until.is_set():
            await self.turn(plans())
        await self.check()

    async def turn(self, plan: Plan) -> Outcome:
        """Ask, follow, answer the calls, check what came."""
        if not self._thread:
            self._thread = f"/threads/{(await self._caller.post('/threads', {}))['id']}"
        question = {"role": "user", "content": plan.question()}
        await self._caller.post(f"{self._thread}/messages", question)
        body = {"assistant_id": self._assistant_id}
        starter = Starter(self._caller, self._thread, body)
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            group.create_task(starter.follow())
            path = await starter.path()
            follower = Follower(self._caller, path)
            group.create_task(follower.follow())
            await self._until_over(path)
            # Followers see the end as soon as they find a process to show it to them.
            limit.reschedule(asyncio.get_running_loop().time() + PATIENCE)
        outcome = await read_outcome(self._caller, plan, path)
        check_outcome(outcome, self._model)
        for seen in (starter.seen, follower.seen):
            self.lost_events += check_follower(seen, outcome.replay)
        self.outcomes.append(outcome)
        return outcome

    async def check(self) -> None:
        """Check that the thread holds what was asked, once, and that nothing locks it."""
        query = "?limit=100&order=asc"
        runs = (await self._caller.get(f"{self._thread}/runs{query}"))["data"]
        assert [run["id"] for run in runs] == [o.run["id"] for o in self.outcomes][:100]
        messages = (await self._caller.get(f"{self._thread}/messages{query}"))["data"]
        asked = [m["content"][0]["text"]["value"] for m in messages if m["role"] == "user"]
        assert asked == [o.plan.question() for o in self.outcomes][: len(asked)]

    async def _until_over(self, path: str) -> None:
        moved_at, status = time.monotonic(), ""
        while True:
            run: JSON = await self._caller.get(path)
            if run["status"] != status:
                moved_at, status = time.monotonic(), run["status"]
            if status in TERMINAL:
                return
            if status == "requires_action":
                await self._submit(path, run)
                status = ""
                continue
            since = time.monotonic() - max(moved_at, self._caller.cluster.disturbed_at)
            assert since < PATIENCE, f"{path} is still {status}: {run}"
            await asyncio.sleep(LOOK_EVERY)

    async def _submit(self, path: str, run: JSON) -> None:
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        nonce = self._caller.new_key()
        outputs = [{"tool_call_id": c["id"], "output": f"{c['id']} {nonce}"} for c in calls]
        path, body = f"{path}/submit_tool_outputs", {"tool_outputs": outputs}
        if self._caller.cluster.random.random() < 0.5:
            await self._caller.post(path, body)
            return
        # As a program that knows no keys: whoever gets no answer looks, and says it again.
        answer = await self._caller.once(path, body)
        if answer is not None:
            assert answer.status_code == 200, answer.text


async def ask(caller: Caller, plan: Plan, **options: Any) -> str:
    """Ask on a thread of its own; return the path of the run."""
    thread = {"messages": [{"role": "user", "content": plan.question()}]}
    body = {"assistant_id": "asst_default", "thread": thread, **options}
    run = await caller.post("/threads/runs", body)
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


async def until_over(caller: Caller, path: str) -> Follower:
    """Follow a run to its end, and return what was seen."""
    follower = Follower(caller, path)
    async with asyncio.timeout(LONGEST_SILENCE):
        await follower.follow()
    return follower


async def read_outcome(caller: Caller, plan: Plan, path: str) -> Outcome:
    """Read all there is of a run, once it is over."""
    replay = (await until_over(caller, path)).seen
    thread, _, run_id = path.partition("/runs/")
    run = await caller.get(path)
    steps = (await caller.get(f"{path}/steps?order=asc"))["data"]
    messages = (await caller.get(f"{thread}/messages?run_id={run_id}&order=asc"))["data"]
    return Outcome(plan, run, steps, messages, replay)


async def new_assistant(caller: Caller) -> str:
    """Make an assistant that looks things up by function and in a file; return its id."""
    file = await _upload(caller)
    store = await caller.post("/vector_stores", {"file_ids": [file]})
    async with asyncio.timeout(60):
        while store["status"] != "completed":
            await asyncio.sleep(LOOK_EVERY)
            store = await caller.get(f"/vector_stores/{store['id']}")
    body = {
        "model": "default",
        "tools": [FUNCTION, {"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}},
    }
    return str((await caller.post("/assistants", body))["id"])


async def _upload(caller: Caller) -> str:
    url = caller.url + "/files"
    files = {"file": ("tea.txt", b"The colour of tea is green, black or white.\n" * 20)}
    answer = await caller.http.post(url, data={"purpose": "assistants"}, files=files)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def counted(conversations: Sequence[Conversation]) -> dict[str, int]:
    """Return how many runs ended in which way."""
    statuses = [o.run["status"] for c in conversations for o in c.outcomes]
    return {status: statuses.count(status) for status in sorted(set(statuses))}
