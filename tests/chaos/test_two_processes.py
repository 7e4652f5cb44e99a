"""Two processes on one database: what one does, the other shows, stops and takes over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from streamlit_assistant.runs.execute_run import INTERRUPTED
from tests.chaos.checks import check_follower, check_outcome
from tests.chaos.cluster import LONGEST_SILENCE, Caller
from tests.chaos.conftest import HURRY, NewSite
from tests.chaos.conversation import ask, read_outcome, until_over
from tests.chaos.following import Follower, says
from tests.chaos.planned_model import FUNCTION, LOOKUP, Plan, PlannedModel

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(new_site: NewSite) -> AsyncIterator[Caller]:
    async with new_site(2, pace=HURRY, drain_seconds=2) as made:
        yield made


async def until_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONGEST_SILENCE):
        while not holds():  # noqa: ASYNC110 - a process or a model in a thread of its own
            await asyncio.sleep(0.01)


async def test_a_follower_on_the_other_process_sees_the_words_as_they_come(
    site: Caller, model: PlannedModel
) -> None:
    plan = Plan("live", words=10, gate=5)
    path = await ask(site.of(0), plan)
    follower = Follower(site.of(1), path)
    following = asyncio.create_task(follower.follow())

    await follower.until(says(4))
    model.open_gate(plan)
    await following

    outcome = await read_outcome(site.of(1), plan, path)
    check_outcome(outcome, model)
    assert check_follower(follower.seen, outcome.replay) == 0


async def test_a_cancellation_by_the_other_process_reaches_the_model(
    site: Caller, model: PlannedModel
) -> None:
    plan = Plan("cancelled", words=10, gate=5)
    path = await ask(site.of(0), plan)
    follower = Follower(site.of(1), path)
    following = asyncio.create_task(follower.follow())
    await follower.until(says(4))

    shown = await site.of(1).post(f"{path}/cancel", {})
    await until_true(model.request(plan).hung_up.is_set)  # the gate is still closed
    await following

    outcome = await read_outcome(site.of(1), plan, path)
    assert (shown["status"], outcome.run["status"]) == ("cancelling", "cancelled")
    assert outcome.text.endswith(":4 ")
    assert check_follower(follower.seen, outcome.replay) == 0


@pytest.mark.parametrize("gate", [0, 5])
async def test_a_process_that_slept_over_its_lease_writes_nothing(
    site: Caller, model: PlannedModel, gate: int
) -> None:
    plan = Plan("slept", words=10, gate=gate)
    path = await ask(site.of(0), plan)
    follower = Follower(site.of(1), path)
    following = asyncio.create_task(follower.follow())
    await follower.until(says(4) if gate else lambda event: event.event.endswith("in_progress"))
    await until_true(lambda: len(model.requests_of(plan, 0)) == 1)
    site.cluster.processes[0].send(signal.SIGSTOP)

    # What was shown is kept, and the run ends; with nothing shown, the other begins again.
    if gate == 0:
        await until_true(lambda: len(model.requests_of(plan, 0)) == 2)
    else:
        await asyncio.wait_for(following, LONGEST_SILENCE)
    model.open_gate(plan)
    await asyncio.wait_for(following, LONGEST_SILENCE)
    before = await read_outcome(site.of(1), plan, path)

    # The model has said the rest to the sleeper as well, which reads it now.
    site.cluster.processes[0].send(signal.SIGCONT)
    await until_true(lambda: "taken for dead" in site.cluster.processes[0].complaints)
    again = Plan("awake", words=3)
    awake = await read_outcome(site.of(0), again, await ask(site.of(0), again))
    after = await read_outcome(site.of(0), plan, path)

    assert after == before
    check_outcome(after, model)
    assert check_follower(follower.seen, after.replay) <= 1  # `in_progress`, of the first attempt
    assert (after.run["status"], after.text.count(" ")) == (
        ("failed", 5) if gate else ("completed", 10)
    )
    assert awake.run["status"] == "completed"


async def test_outputs_are_taken_by_another_process_than_the_one_that_asked(
    site: Caller, model: PlannedModel
) -> None:
    plan = Plan("outputs", (LOOKUP,), words=3)
    path = await ask(site.of(0), plan, tools=[FUNCTION])
    follower = Follower(site.of(1), path)
    following = asyncio.create_task(follower.follow())
    await follower.until(lambda event: event.event == "thread.run.requires_action")
    await site.cluster.kill(0)

    run = await site.of(1).get(path)
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "green"} for call in calls]
    await site.of(1).post(f"{path}/submit_tool_outputs", {"tool_outputs": outputs})
    await asyncio.wait_for(following, LONGEST_SILENCE)

    outcome = await read_outcome(site.of(1), plan, path)
    check_outcome(outcome, model)
    assert outcome.run["status"] == "completed"
    assert check_follower(follower.seen, outcome.replay) == 0


async def test_a_process_told_to_end_lets_answers_finish_and_hands_the_others_over(
    site: Caller, model: PlannedModel
) -> None:
    finishing = Plan("finishing", words=10, gate=5)
    waiting = Plan("waiting", words=10, gate=0)
    endless = Plan("endless", words=10, gate=5)
    paths = {plan: await ask(site.of(0), plan) for plan in (finishing, waiting, endless)}
    followers = {plan: Follower(site.of(1), path) for plan, path in paths.items()}
    following = [asyncio.create_task(follower.follow()) for follower in followers.values()]
    await followers[finishing].until(says(4))
    await followers[endless].until(says(4))
    await until_true(lambda: len(model.requests_of(waiting, 0)) == 1)

    site.cluster.processes[0].send(signal.SIGTERM)
    model.open_gate(finishing)
    await until_over(site.of(1), paths[finishing])
    await until_true(lambda: len(model.requests_of(waiting, 0)) == 2)
    model.open_gate(waiting)
    await asyncio.wait_for(asyncio.gather(*following), LONGEST_SILENCE)
    await asyncio.to_thread(site.cluster.processes[0].wait_until_ended)

    outcomes = {plan: await read_outcome(site.of(1), plan, paths[plan]) for plan in paths}
    for plan, outcome in outcomes.items():
        check_outcome(outcome, model)
        check_follower(followers[plan].seen, outcome.replay)
    statuses = {plan.id: outcome.run["status"] for plan, outcome in outcomes.items()}
    assert statuses == {"finishing": "completed", "waiting": "completed", "endless": "failed"}
    assert outcomes[endless].run["last_error"]["message"] == INTERRUPTED
    assert outcomes[endless].text.endswith(":4 ")


async def test_what_an_api_process_takes_in_a_worker_executes(
    new_site: NewSite, model: PlannedModel
) -> None:
    plans = [Plan("here", words=10, gate=5), Plan("later", words=3)]
    async with new_site(roles=("api", "worker"), pace=HURRY) as site:
        api, worker = site.of(0), 1
        path = await ask(api, plans[0])
        follower = Follower(api, path)
        following = asyncio.create_task(follower.follow())
        await follower.until(says(4))
        await site.cluster.kill(worker)
        waiting = await ask(api, plans[1])
        assert (await api.get(waiting))["status"] == "queued"
        assert (await api.get(path))["status"] == "in_progress"

        await site.cluster.start_again(worker)
        await asyncio.wait_for(following, LONGEST_SILENCE)
        outcomes = [
            await read_outcome(api, plan, at)
            for plan, at in zip(plans, (path, waiting), strict=True)
        ]

    for outcome in outcomes:
        check_outcome(outcome, model)
    assert [outcome.run["status"] for outcome in outcomes] == ["failed", "completed"]
    assert check_follower(follower.seen, outcomes[0].replay) == 0
