from collections.abc import Iterable

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from streamlit_assistant import __version__
from streamlit_assistant.api import KeyRing, hash_key
from streamlit_assistant.metrics import Metrics, Source, this_build
from tests.conftest import API_KEY, LiveServer

ENDED = ("assistant_process_runs_ended_total", frozenset({("status", "completed")}))

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def asked(live: LiveServer, key: str = API_KEY, accept: str = "*/*") -> httpx.Response:
    bearer = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"{live.url}/metrics", headers={"Accept": accept, **bearer}, trust_env=False)


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.mark.parametrize("key", ["", "sk-wrong"])
def test_the_figures_are_behind_a_key(offline: LiveServer, key: str) -> None:
    answer = asked(offline, key)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert "assistant_" not in answer.text


def test_an_idle_site_tells_of_itself(offline: LiveServer) -> None:
    samples = read(asked(offline).text)

    assert value(samples, "assistant_database_up") == 1
    assert value(samples, "assistant_runs_waiting") == 0
    assert value(samples, "assistant_runs_running") == 0
    assert value(samples, "assistant_people_with_runs") == 0
    assert value(samples, "assistant_oldest_waiting_seconds") == 0
    assert value(samples, "assistant_processes", role="all") == 1
    assert value(samples, "assistant_processes", role="worker") == 0
    assert value(samples, "assistant_process_runs_refused_total") == 0
    assert value(samples, "assistant_process_followers") == 0
    assert value(samples, "assistant_process_unstored_events") == 0
    assert value(samples, "process_resident_memory_bytes") > 0
    (build,) = (dict(labels) for name, labels in samples if name == "assistant_build_info")
    assert build["version"] == __version__


def test_runs_are_counted_by_how_they_ended(offline: LiveServer) -> None:
    before = read(asked(offline).text).get(ENDED, 0.0)
    client = offline.client()
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    for _ in range(2):
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id="asst_default"
        )
        assert run.status == "completed"

    assert read(asked(offline).text)[ENDED] == before + 2


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_both_formats_of_prometheus_are_served(
    offline: LiveServer, accept: str, media_type: str
) -> None:
    answer = asked(offline, accept=accept)

    assert answer.headers["content-type"].startswith(media_type)
    assert answer.text.rstrip().endswith("# EOF") is ("openmetrics" in accept)


async def away() -> Iterable[Metric]:
    raise OperationalError("SELECT", None, Exception("connection refused"))


@pytest.mark.parametrize("sources", [[away, this_build()], [this_build(), away]])
def test_without_the_database_the_process_still_tells_what_it_knows(sources: list[Source]) -> None:
    metrics = Metrics(KeyRing({hash_key(API_KEY): "owner"}), sources)

    answer = TestClient(metrics).get("/", headers={"Authorization": f"Bearer {API_KEY}"})

    samples = read(answer.text)
    assert value(samples, "assistant_database_up") == 0
    assert value(samples, "process_resident_memory_bytes") > 0
