"""Who answers, asked over HTTP, and the test of what its model can do."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from streamlit_assistant.providers.capabilities import Capability
from streamlit_assistant.providers.upstream import Upstream
from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.providers.probed_server import MODEL, ProbedServer, probed_server, refusal

HEADERS = {"Authorization": f"Bearer {API_KEY}"}
UPSTREAM_KEY = "sk-proj-abcdefghijklmnop1234"


@pytest.fixture
def upstream() -> Iterator[ProbedServer]:
    with probed_server(shutdown_date="2027-01-14") as server:
        yield server


@pytest.fixture
def site(settings: Settings, upstream: ProbedServer) -> Iterator[LiveServer]:
    known = replace(settings, openai_base_url=upstream.url, openai_api_key=UPSTREAM_KEY)
    with serve(known) as live:
        yield live


@pytest.fixture
def http(site: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{site.url}/v1", headers=HEADERS, timeout=30) as client:
        yield client


def test_who_answers_is_shown_without_the_key(http: httpx.Client, upstream: ProbedServer) -> None:
    answer = http.get("/upstream")

    assert answer.status_code == 200
    assert UPSTREAM_KEY not in answer.text
    assert answer.json() == {
        "object": "upstream",
        "server": upstream.url,
        "api": "chat",
        "model": MODEL,
        "problem": None,
        "models": [
            {"id": MODEL, "shutdown_date": "2027-01-14", "context_length": 8192},
            {"id": "embedder", "shutdown_date": None, "context_length": None},
        ],
        "report": None,
        "probe": None,
    }
    assert upstream.requests == []


def test_the_report_is_returned_and_kept(http: httpx.Client, upstream: ProbedServer) -> None:
    report = http.post("/upstream/probe").json()

    assert report["object"] == "upstream.report"
    assert (report["server"], report["model"], report["api"]) == (upstream.url, MODEL, "chat")
    assert (report["shutdown_date"], report["can_answer"]) == ("2027-01-14", True)
    assert report["usage"] == {"total_tokens": 450, "estimated": False}
    verdicts = {check["name"]: check["verdict"] for check in report["checks"]}
    assert verdicts == dict.fromkeys(Capability, "yes") | {"reasoning": "no"}
    assert http.get("/upstream").json()["report"] == report


def test_two_who_ask_at_once_get_the_report_of_one_test(
    http: httpx.Client, upstream: ProbedServer
) -> None:
    upstream.pause = 0.05
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: http.post("/upstream/probe").json(), range(2))

    assert first == second
    assert len(upstream.requests) == 9


def test_a_test_goes_on_without_whoever_asked_for_it(
    http: httpx.Client, upstream: ProbedServer
) -> None:
    upstream.pause = 0.05
    with pytest.raises(httpx.ReadTimeout):
        http.post("/upstream/probe", timeout=0.02)

    assert http.post("/upstream/probe").json()["can_answer"]
    assert len(upstream.requests) == 9


def test_who_does_not_wait_is_told_how_far_it_has_come(
    http: httpx.Client, upstream: ProbedServer
) -> None:
    upstream.pause = 0.05
    begun = http.post("/upstream/probe", json={"wait": False}).json()
    seen = [begun["probe"]]
    pause = threading.Event()
    while (state := http.get("/upstream").json())["probe"] is not None:
        seen.append(state["probe"])
        pause.wait(0.02)

    assert begun["report"] is None
    assert seen[0] == {"status": "in_progress", "done": 0, "of": len(Capability)}
    assert [each["done"] for each in seen] == sorted(each["done"] for each in seen)
    assert seen[-1]["done"] > 0
    assert state["report"]["can_answer"]


def test_the_report_outlives_the_process_that_made_it(
    settings: Settings, upstream: ProbedServer
) -> None:
    upstream.sees = False
    known = replace(settings, openai_base_url=upstream.url)
    with serve(known) as site:
        report = httpx.post(f"{site.url}/v1/upstream/probe", headers=HEADERS, timeout=30).json()
    with serve(known) as site:
        after = httpx.get(f"{site.url}/v1/upstream", headers=HEADERS).json()
        told = site.server._providers.probed.of(upstream.url, MODEL)

    assert after["report"] == report
    assert told == frozenset({"tools", "json_schema"})


def test_the_report_of_one_process_is_shown_by_the_others(
    settings: Settings, upstream: ProbedServer
) -> None:
    known = replace(settings, openai_base_url=upstream.url)
    with serve(known) as one, serve(known) as other:
        before = httpx.get(f"{other.url}/v1/upstream", headers=HEADERS).json()["report"]
        report = httpx.post(f"{one.url}/v1/upstream/probe", headers=HEADERS, timeout=30).json()
        after = httpx.get(f"{other.url}/v1/upstream", headers=HEADERS).json()["report"]
        again = httpx.post(f"{other.url}/v1/upstream/probe", headers=HEADERS, timeout=30).json()

    assert (before, after) == (None, report)
    assert again["created_at"] >= report["created_at"]


def test_what_is_found_out_is_told_to_whoever_chooses_a_model(
    http: httpx.Client, site: LiveServer, upstream: ProbedServer
) -> None:
    known = site.server._providers.probed
    assert known.of(upstream.url, MODEL) is None
    upstream.sees = refusal(500, "image input is not supported")

    http.post("/upstream/probe")

    assert known.of(upstream.url, MODEL) == frozenset({"tools", "json_schema"})


def test_a_server_that_fails_is_no_failure_of_ours(
    http: httpx.Client, upstream: ProbedServer
) -> None:
    upstream.down = refusal(401, f"Incorrect API key provided: {UPSTREAM_KEY}.")

    answer = http.post("/upstream/probe")

    assert answer.status_code == 200
    assert not answer.json()["can_answer"]
    assert "Incorrect API key" in answer.json()["checks"][0]["detail"]
    assert UPSTREAM_KEY not in answer.text + http.get("/upstream").text


def test_the_report_on_another_server_is_not_shown(
    http: httpx.Client, site: LiveServer, upstream: ProbedServer
) -> None:
    http.post("/upstream/probe")
    with probed_server() as other:
        site.server._providers.configure(Upstream(other.url))
        state = http.get("/upstream").json()

    assert (state["server"], state["report"]) == (other.url, None)


def test_a_server_that_is_not_there_is_named_with_what_is_wrong(settings: Settings) -> None:
    with serve(replace(settings, openai_base_url="http://127.0.0.1:9/v1")) as site:
        state = httpx.get(f"{site.url}/v1/upstream", headers=HEADERS).json()
        report = httpx.post(f"{site.url}/v1/upstream/probe", headers=HEADERS).json()

    assert (state["server"], state["model"]) == ("http://127.0.0.1:9/v1", None)
    assert "cannot be reached" in state["problem"]
    assert not report["can_answer"]


def test_a_server_that_lists_nothing_may_answer_all_the_same(
    settings: Settings, upstream: ProbedServer
) -> None:
    address = upstream.url.replace("/v1", "/unlisted/v1")
    with serve(replace(settings, openai_base_url=address, openai_model=MODEL)) as site:
        state = httpx.get(f"{site.url}/v1/upstream", headers=HEADERS).json()
        report = httpx.post(f"{site.url}/v1/upstream/probe", headers=HEADERS).json()

    assert (state["model"], state["problem"], state["models"]) == (MODEL, None, [])
    assert report["can_answer"]


def test_offline_there_is_nobody_to_ask(offline: LiveServer) -> None:
    state = httpx.get(f"{offline.url}/v1/upstream", headers=HEADERS).json()
    report = httpx.post(f"{offline.url}/v1/upstream/probe", headers=HEADERS).json()

    assert (state["server"], state["api"], state["model"]) == (None, "offline", "offline")
    assert not report["can_answer"]
    assert report["usage"]["total_tokens"] == 0


@pytest.mark.parametrize(("method", "path"), [("GET", "/upstream"), ("POST", "/upstream/probe")])
def test_strangers_are_refused(offline: LiveServer, method: str, path: str) -> None:
    assert httpx.request(method, f"{offline.url}/v1{path}").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/upstream", 405), ("GET", "/upstream/probe", 405), ("DELETE", "/upstream", 405)],
)
def test_other_methods_are_refused(
    offline: LiveServer, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, f"{offline.url}/v1{path}", headers=HEADERS)

    assert answer.status_code == status


@pytest.mark.parametrize("body", [{"wait": "no"}, {"model": "m"}, []])
def test_other_wishes_are_refused(offline: LiveServer, body: object) -> None:
    answer = httpx.post(f"{offline.url}/v1/upstream/probe", headers=HEADERS, json=body)

    assert answer.status_code == 400


def test_a_key_makes_the_request_safe_to_repeat(http: httpx.Client, upstream: ProbedServer) -> None:
    key = {"Idempotency-Key": "k1"}
    first = http.post("/upstream/probe", headers=key).json()
    again = http.post("/upstream/probe", headers=key).json()

    assert first == again
    assert len(upstream.requests) == 9
