"""Request ids: on every answer, and in every line that is logged because of the request."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streamlit_assistant.request_log import REQUEST_ID, log_request_ids
from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.start_process import Site, free_port
from tests.upstream import model_server
from tests.upstream_scripts import server_error

KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log as `start` sets it up."""
    before = logging.getLogRecordFactory()
    log_request_ids()
    yield caplog
    logging.setLogRecordFactory(before)


def test_every_answer_carries_an_id_of_its_own(offline: LiveServer) -> None:
    paths = ("/assistants", "/nowhere", "/threads/x")
    answers = [httpx.get(f"{offline.url}/v1{path}", headers=KEY) for path in paths]
    answers.append(httpx.get(f"{offline.url}/v1/assistants"))
    ids = {answer.headers["x-request-id"] for answer in answers}

    assert len(ids) == 4
    assert all(name.startswith("req_") and len(name) == 28 for name in ids)
    assert all(answer.headers["openai-processing-ms"].isdigit() for answer in answers)


def test_a_client_cannot_choose_what_the_log_says(
    offline: LiveServer, lines: pytest.LogCaptureFixture
) -> None:
    headers = {**KEY, "X-Request-Id": "req_mine", "X-Client-Request-Id": "forged" * 1000}

    answer = httpx.get(f"{offline.url}/v1/models", headers=headers)

    assert answer.headers["x-request-id"] not in ("req_mine", headers["X-Client-Request-Id"])
    assert "forged" not in lines.text


def test_what_a_run_logs_names_the_request_that_started_it(
    settings: Settings, lines: pytest.LogCaptureFixture
) -> None:
    # Asked once and again: both fail, and then the run does.
    with model_server(*[server_error(401)] * 5) as upstream:
        connected = dataclasses.replace(settings, openai_base_url=upstream.base_url)
        with serve(connected) as live, httpx.Client(base_url=f"{live.url}/v1", headers=KEY) as http:
            started = http.post(
                "/threads/runs",
                json={
                    "assistant_id": "asst_default",
                    "thread": {"messages": [{"role": "user", "content": "hi"}]},
                    "stream": True,
                },
            )

    assert "event: thread.run.failed" in started.text
    [line] = [record for record in lines.records if "failed: " in record.getMessage()]
    assert line.getMessage().startswith(f"{started.headers['x-request-id']} run run_")


def test_a_line_of_no_request_is_left_as_it_is(lines: pytest.LogCaptureFixture) -> None:
    logging.getLogger("streamlit_assistant.test").warning("%d %s", 1, "thing")

    assert lines.records[-1].getMessage() == "1 thing"


def test_the_id_is_in_the_formatted_line(lines: pytest.LogCaptureFixture) -> None:
    token = REQUEST_ID.set("req_1")
    logging.getLogger("streamlit_assistant.test").warning("100%% of %s", {"a": 1})
    REQUEST_ID.reset(token)

    formatted = logging.Formatter("%(levelname)s %(message)s").format(lines.records[-1])
    assert formatted == "WARNING req_1 100% of {'a': 1}"


def test_the_log_of_a_started_site_shows_the_id_the_client_was_given(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/v1"
    site = Site.at(tmp_path, OPENAI_BASE_URL=nobody, ASSISTANT_API_KEY=API_KEY)
    with site.started(), site.client(API_KEY) as http:
        thread = {"messages": [{"role": "user", "content": "hi"}]}
        body = {"assistant_id": "asst_default", "stream": True, "thread": thread}
        started = http.post("/v1/threads/runs", json=body)

        assert "event: thread.run.failed" in started.text
        assert f"{started.headers['x-request-id']} run run_" in site.output
