"""The life of runs over HTTP: whatever clients do in whatever order, the state machine holds.

Each step also checks what must always hold: one active run at most, which locks its thread; moves
of the published diagram only; times, steps and messages that follow the run.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conformance.world import ASK_FOR_TWO, ASSISTANT, WEATHER
from tests.conftest import API_KEY, FakeClock, new_site, serve
from tests.spec_validator import load_spec
from tests.sse import parse_events
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer, server_error

LONGEST = 20.0  # seconds until the server is where it is going
# The diagram of the protocol's description.
MOVES = {
    "queued": {"in_progress", "cancelling", "cancelled", "failed", "expired"},
    "in_progress": {
        *("requires_action", "cancelling", "cancelled"),
        *("completed", "incomplete", "failed", "expired"),
    },
    "requires_action": {"queued", "cancelling", "cancelled", "expired"},
    "cancelling": {"cancelled", "failed", "expired"},
}
ENDS = {"completed", "incomplete", "failed", "cancelled", "expired"}
REACHED_AT = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}
ENDED_MESSAGES = {"completed", "incomplete"}


@dataclasses.dataclass
class Site:
    """What all lives share."""

    http: httpx.Client
    upstream: Upstream
    clock: FakeClock


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, empty_database: Any) -> Iterator[Site]:
    folder, clock, spec = tmp_path_factory.mktemp("site"), FakeClock(), load_spec()

    def check(response: httpx.Response) -> None:
        response.read()
        if not response.request.url.path.endswith("/events"):
            spec.check_http(response)

    with model_server() as upstream:
        connected = dataclasses.replace(
            new_site(folder, empty_database), openai_base_url=upstream.base_url
        )
        with (
            serve(connected, clock=clock) as live,
            httpx.Client(
                base_url=f"{live.url}/v1",
                headers={"Authorization": f"Bearer {API_KEY}"},
                timeout=LONGEST,
                event_hooks={"response": [check]},
            ) as http,
        ):
            yield Site(http, upstream, clock)


def refused(answer: httpx.Response, words: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"] == words


class RunLife(RuleBasedStateMachine):
    """One thread, and everything that can be done to its runs."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.thread = ""
        self.last: dict[str, str] = {}  # the status each run was last seen in
        self.active: str | None = None
        self.calls: list[str] = []  # what the active run waits for
        self.held: threading.Event | None = None  # what its model waits for

    # ---- what is done ----

    @initialize()
    def begin(self) -> None:
        self.thread = self._post("/threads").json()["id"]

    @precondition(lambda self: self.active is None)
    @rule(question=st.sampled_from(["hi", ASK_FOR_TWO]), held=st.booleans())
    def start(self, question: str, held: bool) -> None:
        self.site.upstream.forget()
        if held:
            self.held = threading.Event()
            self.site.upstream.queue(Answer(["Once ", self.held, "upon a time."]))
        run = self._post(
            f"{self._path}/runs",
            assistant_id=ASSISTANT,
            tools=[WEATHER],
            additional_messages=[{"role": "user", "content": question}],
        ).json()
        self.active = run["id"]
        self.last[run["id"]] = run["status"]
        assert (run["status"], run["started_at"]) == ("queued", None)
        if held:
            self._wait(lambda: bool(self.site.upstream.requests))
        else:
            self._settle()

    @precondition(lambda self: self.active is None)
    @rule()
    def fail(self) -> None:
        self.site.upstream.forget()
        self.site.upstream.queue(*[server_error(401)] * 5)
        run = self._post(
            f"{self._path}/runs",
            assistant_id=ASSISTANT,
            additional_messages=[{"role": "user", "content": "hi"}],
        ).json()
        self.active = run["id"]
        self.last[run["id"]] = run["status"]
        self._settle("failed")

    @precondition(lambda self: self.held is not None)
    @rule()
    def let_go(self) -> None:
        assert self.held is not None
        self.held.set()
        self._settle("completed")

    @rule(which=st.sampled_from(["one", "none", "wrong", "twice", "whole"]))
    def submit(self, which: str) -> None:
        run_id = self._some_run()
        if run_id is None:
            return
        given = {
            "one": self.calls[:1],
            "none": [],
            "wrong": ["call_wrong", *self.calls[1:]],
            "twice": [*self.calls, *self.calls],
            "whole": self.calls,
        }[which]
        answer = self._submit(run_id, given)
        if not self.calls:
            refused(answer, f'Runs in status "{self.last[run_id]}" do not accept tool outputs.')
        elif which == "whole":
            assert answer.json()["status"] == "queued", answer.text
            assert answer.json()["required_action"] is None
            self.calls = []
            self._settle("completed")
        elif which in ("one", "none"):
            refused(answer, f"Expected tool outputs for call_ids {self.calls}, got {given}")
        else:
            assert answer.status_code == 400, answer.text

    @rule()
    def cancel(self) -> None:
        run_id = self._some_run()
        if run_id is None:
            return
        answer = self._post(f"{self._path}/runs/{run_id}/cancel")
        if run_id != self.active:
            refused(answer, f"Cannot cancel run with status '{self.last[run_id]}'.")
            return
        assert answer.json()["status"] == "cancelling", answer.text
        self.last[run_id] = "cancelling"
        if self.held is not None:
            self.held.set()
        self._settle("cancelled")

    @precondition(lambda self: self.calls)
    @rule()
    def expire(self) -> None:
        self.site.clock.now += 601
        self._settle("expired")

    @rule()
    def add_message(self) -> None:
        body = {"role": "user", "content": "And another thing."}
        answer = self._post(f"{self._path}/messages", **body)
        if self.active is None:
            assert answer.status_code == 200, answer.text
        else:
            refused(
                answer, f"Can't add messages to {self.thread} while a run {self.active} is active."
            )

    @precondition(lambda self: self.active is not None)
    @rule()
    def start_another(self) -> None:
        answer = self._post(f"{self._path}/runs", assistant_id=ASSISTANT)
        refused(answer, f"Thread {self.thread} already has an active run {self.active}.")

    @rule(value=st.sampled_from(["a", "b"]))
    def modify(self, value: str) -> None:
        for run_id in self.last:
            path = f"{self._path}/runs/{run_id}"
            assert self._post(path, metadata={"k": value}).json()["metadata"] == {"k": value}
            assert self.site.http.get(path).json()["metadata"] == {"k": value}

    @precondition(lambda self: len(self.last) > 2)
    @rule()
    def delete_the_thread(self) -> None:
        assert self.site.http.delete(self._path).json()["deleted"]
        for path in (self._path, *(f"{self._path}/runs/{run_id}" for run_id in self.last)):
            assert self.site.http.get(path).status_code == 404
        if self.held is not None:
            self.held.set()
        self.active, self.held, self.calls, self.last = None, None, [], {}
        self.begin()

    # ---- what must hold ----

    @invariant()
    def runs_are_where_they_should_be(self) -> None:
        if not self.thread:
            return
        listed = self.site.http.get(f"{self._path}/runs", params={"limit": 100}).json()["data"]
        assert {run["id"] for run in listed} == set(self.last)
        assert [run["id"] for run in listed if run["status"] not in ENDS] == (
            [] if self.active is None else [self.active]
        )
        for run in listed:
            self._see(run)

    @invariant()
    def nothing_is_left_unfinished(self) -> None:
        if not self.thread or self.active is not None:
            return
        messages = self.site.http.get(f"{self._path}/messages", params={"limit": 100}).json()
        assert {message["status"] for message in messages["data"]} <= ENDED_MESSAGES
        for run_id in self.last:
            steps = self.site.http.get(f"{self._path}/runs/{run_id}/steps").json()["data"]
            assert "in_progress" not in {step["status"] for step in steps}

    def teardown(self) -> None:
        if self.held is not None:
            self.held.set()
        for run_id, status in self.last.items():
            if status in ENDS:
                self._check_events(run_id)

    # ---- how ----

    @property
    def _path(self) -> str:
        return f"/threads/{self.thread}"

    def _post(self, path: str, **body: Any) -> httpx.Response:
        return self.site.http.post(path, json=body)

    def _submit(self, run_id: str, call_ids: list[str]) -> httpx.Response:
        outputs = [{"tool_call_id": call_id, "output": "sunny"} for call_id in call_ids]
        path = f"{self._path}/runs/{run_id}/submit_tool_outputs"
        return self._post(path, tool_outputs=outputs)

    def _some_run(self) -> str | None:
        """The active run, else the newest, if there is one."""
        return self.active or next(reversed(self.last), None)

    def _settle(self, expected: str | None = None) -> None:
        """Wait until the active run waits or has ended."""
        run: dict[str, Any] = {}

        def settled() -> bool:
            run.update(self.site.http.get(f"{self._path}/runs/{self.active}").json())
            self._see(run)
            return run["status"] in ENDS or (run["status"] == "requires_action" and not self.calls)

        self._wait(settled)
        assert expected in (None, run["status"]), run
        self.held = None
        self.calls = []
        if run["status"] in ENDS:
            self.active = None
        else:
            calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            self.calls = [call["id"] for call in calls]

    def _wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST
        while not until():
            assert time.monotonic() < deadline, "the server does not get there"
            time.sleep(0.005)

    def _see(self, run: dict[str, Any]) -> None:
        before, now = self.last[run["id"]], run["status"]
        assert now == before or now in _reachable(before), f"{before} -> {now}"
        self.last[run["id"]] = now
        assert (run["required_action"] is not None) == (now == "requires_action")
        assert (run["expires_at"] is None) == (now in ENDS)
        assert (run["last_error"] is not None) == (now == "failed")
        for status, reached_at in REACHED_AT.items():
            assert (run[reached_at] is not None) == (now == status), run

    def _check_events(self, run_id: str) -> None:
        body = self.site.http.get(f"{self._path}/runs/{run_id}/events").content
        names = [event.event for event in parse_events(body)]
        statuses = [
            name.removeprefix("thread.run.")
            for name in names
            if name.startswith("thread.run.") and not name.startswith("thread.run.step.")
        ]
        assert statuses[:2] == ["created", "queued"]
        assert statuses[-1] == self.last[run_id]
        for before, now in pairwise(statuses[1:]):
            assert now in MOVES[before], statuses


def _reachable(status: str) -> set[str]:
    found: set[str] = set()
    edge = {status}
    while edge:
        edge = {following for each in edge for following in MOVES.get(each, ())} - found
        found |= edge
    return found


def test_whatever_clients_do_the_life_of_a_run_is_a_legal_one(site: Site) -> None:
    run_state_machine_as_test(
        partial(RunLife, site),  # type: ignore[arg-type] # anything that makes a machine will do
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
        ),
    )
