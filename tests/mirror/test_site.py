"""A whole site with copies in every kind of store: they equal the threads."""

import base64
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.messages import BaseMessage

from streamlit_assistant.errors import StartError
from streamlit_assistant.history import ThreadHistory, open_history
from streamlit_assistant.mirror.figures import FRESH_SECONDS
from streamlit_assistant.server import Server
from streamlit_assistant.settings import Settings
from tests.chaos.planned_model import Plan, PlannedModel
from tests.conftest import API_KEY, LiveServer, new_site, serve
from tests.history.contract import EVERY_KIND
from tests.mirror.mirrored_store import wait_until
from tests.test_metrics import read as samples_of
from tests.upstream import served

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = "data:image/png;base64," + base64.b64encode(PIXEL).decode()


@dataclass(frozen=True)
class MirroredSite:
    """A site, its model, and where its copies are."""

    live: LiveServer
    model: PlannedModel
    url: str

    def copy(self, thread_id: str) -> list[BaseMessage]:
        return open_history(self.url, thread_id).messages

    def health(self) -> Any:
        return httpx2.get(f"{self.live.url}/healthz", trust_env=False).json()

    def metrics(self) -> dict[str, float]:
        answer = httpx2.get(
            f"{self.live.url}/metrics",
            headers={"Authorization": f"Bearer {API_KEY}"},
            trust_env=False,
        )
        found = samples_of(answer.text).items()
        return {name: value for (name, _), value in found if "mirror" in name}


def new_store(request: pytest.FixtureRequest, folder: Path) -> str:
    match request.param:
        case "postgresql":
            return str(request.getfixturevalue("postgres").new_database())
        case "redis":
            return str(request.getfixturevalue("shared_redis").url)
        case "kafka":
            return f"kafka://{request.getfixturevalue('own_kafka').servers}"
        case _:
            return f"sqlite:///{folder / 'copies.db'}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "redis", "kafka"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[MirroredSite]:
    folder = tmp_path_factory.mktemp("site")
    url = new_store(request, folder)
    with served(PlannedModel()) as model:
        settings = new_site(folder, empty_database)
        settings = replace(settings, openai_base_url=model.base_url, history_urls=(url,))
        with serve(settings) as live:
            yield MirroredSite(live, model, url)


def assert_copied(site: MirroredSite, client: openai.OpenAI, thread_id: str, count: int) -> None:
    thread = ThreadHistory(client, thread_id).messages
    assert len(thread) == count
    wait_until(lambda: len(site.copy(thread_id)) >= count)

    assert site.copy(thread_id) == thread


def ask(client: openai.OpenAI, thread_id: str, plan: Plan) -> str:
    client.beta.threads.messages.create(thread_id, role="user", content=plan.question())
    run = client.beta.threads.runs.create(thread_id=thread_id, assistant_id="asst_default")
    return run.id


def test_questions_and_answers_are_copied(site: MirroredSite) -> None:
    client = site.live.client()
    thread = client.beta.threads.create(
        messages=[
            {"role": "user", "content": "Grüße, 世界! 👩‍👩‍👧 \u202eright\u202c"},
            {"role": "assistant", "content": "你好"},
        ]
    )
    run_id = ask(client, thread.id, Plan("whole", words=3))
    wait_until(lambda: client.beta.threads.runs.retrieve(run_id, thread_id=thread.id).completed_at)

    assert_copied(site, client, thread.id, 4)
    assert site.copy(thread.id)[3].response_metadata["run_id"] == run_id


def test_an_answer_that_was_stopped_is_copied_as_far_as_it_came(site: MirroredSite) -> None:
    client = site.live.client()
    thread = client.beta.threads.create()
    plan = Plan("stopped", words=9, gate=4)
    with client.beta.threads.runs.create(
        thread_id=thread.id,
        assistant_id="asst_default",
        additional_messages=[{"role": "user", "content": plan.question()}],
        stream=True,
    ) as stream:
        for event in stream:
            if event.event == "thread.message.delta" and "3 " in event.model_dump_json():
                [run] = client.beta.threads.runs.list(thread.id).data
                client.beta.threads.runs.cancel(run.id, thread_id=thread.id)

    assert_copied(site, client, thread.id, 2)
    answer = site.copy(thread.id)[1]
    assert answer.response_metadata["finish_reason"] == "run_cancelled"
    assert str(answer.text).startswith("stopped/")


def test_pictures_are_copied(site: MirroredSite) -> None:
    client = site.live.client()
    file = client.files.create(file=("dot.png", PIXEL), purpose="vision")
    content: Any = [
        {"type": "text", "text": "What is this? 这是什么"},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": file.id}},
    ]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": content}])

    assert_copied(site, client, thread.id, 1)
    blocks: Any = site.copy(thread.id)[0].content
    assert [block["type"] for block in blocks] == ["text", "image_url", "image"]


def test_what_langchain_has_written_is_copied_unharmed(site: MirroredSite) -> None:
    client = site.live.client()
    history = ThreadHistory.new(client)
    history.add_messages(list(EVERY_KIND))

    assert_copied(site, client, history.thread_id, len(EVERY_KIND))
    assert site.copy(history.thread_id) == list(EVERY_KIND)


def test_long_and_odd_messages_are_copied(site: MirroredSite) -> None:
    client = site.live.client()
    thread = client.beta.threads.create()
    for text in ("价格 😀 " * 40_000, "a\0b", "﷽", "'; DROP TABLE x;--", "[]", "{}"):
        client.beta.threads.messages.create(thread.id, role="user", content=text)

    assert_copied(site, client, thread.id, 6)


def test_what_is_deleted_is_deleted_there(site: MirroredSite) -> None:
    client = site.live.client()
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": f"{n}"} for n in range(3)]
    )
    wait_until(lambda: len(site.copy(thread.id)) == 3)
    first = client.beta.threads.messages.list(thread.id, order="asc").data[0]

    client.beta.threads.messages.delete(first.id, thread_id=thread.id)
    wait_until(lambda: [m.content for m in site.copy(thread.id)] == ["1", "2"])
    client.beta.threads.delete(thread.id)
    wait_until(lambda: site.copy(thread.id) == [])


def test_health_and_metrics_tell_of_the_copies(site: MirroredSite) -> None:
    client = site.live.client()
    client.beta.threads.create(messages=[{"role": "user", "content": "once more"}])
    time.sleep(2 * FRESH_SECONDS)  # what is told may be a moment old
    wait_until(lambda: site.health()["mirrors"][0]["pending"] == 0)

    health = site.health()
    assert health["status"] == "ok"
    kind = site.url.partition(":")[0]
    assert health["mirrors"] == [
        {"target": kind, "pending": 0, "lag_seconds": 0.0, "state": "ok"},
    ]
    metrics = site.metrics()
    assert metrics.pop("assistant_mirror_delivered_total") > 0
    assert metrics == {
        "assistant_mirror_pending": 0,
        "assistant_mirror_lag_seconds": 0,
        "assistant_mirror_refused_total": 0,
        "assistant_mirror_up": 1,
    }


def test_a_site_without_copies_tells_of_none(tmp_path: Path, empty_database: Path) -> None:
    with serve(new_site(tmp_path, empty_database)) as live:
        health = httpx2.get(f"{live.url}/healthz", trust_env=False).json()

    assert health == {"status": "ok"}


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        (["redis://:hunter2@cache?colour=red"], "HISTORY_URLS (redis): "),
        (["redis://cache", "postgresql://me:hunter2@db/x?colour=red"], "(address 2, postgresql)"),
    ],
)
def test_an_option_that_no_store_knows_is_refused_at_the_start(
    tmp_path: Path, urls: Sequence[str], said: str
) -> None:
    server = Server(Settings(data_dir=tmp_path, history_urls=tuple(urls)))

    with pytest.raises(StartError) as refused:
        server.prepare()

    assert said in str(refused.value)
    assert "colour" in str(refused.value)
    assert "hunter2" not in json.dumps(str(refused.value))
