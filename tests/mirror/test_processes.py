"""Processes of one site that were told different things about copies."""

import time
from dataclasses import replace
from pathlib import Path

import httpx2

from streamlit_assistant.runs import Pace
from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.mirror.mirrored_store import copied_ids, wait_until

PACE = Pace(heartbeat=0.3, lease=2.0, look=0.2)


def site(folder: Path, database: str, *urls: str) -> Settings:
    data_dir = folder
    data_dir.mkdir(mode=0o700)
    return Settings(
        data_dir=data_dir, assistant_api_key=API_KEY, database_url=database, history_urls=urls
    )


def say(live: LiveServer, text: str) -> tuple[str, str]:
    """Post a message; return the ids of its thread and of itself."""
    client = live.client()
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text}])
    return thread.id, client.beta.threads.messages.list(thread.id).data[0].id


def mirrors(live: LiveServer) -> int:
    health = httpx2.get(f"{live.url}/healthz", trust_env=False).json()
    return len(health.get("mirrors", []))


def test_what_a_process_without_the_setting_takes_in_is_copied_by_another(
    tmp_path: Path, postgres_url: str
) -> None:
    copies = f"sqlite:///{tmp_path / 'copies.db'}"
    without = site(tmp_path / "one", postgres_url)
    with_copies = site(tmp_path / "two", postgres_url, copies)
    with serve(replace(without, role="api"), pace=PACE) as api:
        before, first = say(api, "before")
        with serve(replace(with_copies, role="worker"), pace=PACE):
            wait_until(lambda: copied_ids(copies, before) == [first])
            after, second = say(api, "after")

            wait_until(lambda: copied_ids(copies, after) == [second])
            wait_until(lambda: mirrors(api) == 1)  # every process tells of them


def test_a_process_that_still_has_another_setting_does_not_end_the_copying(
    tmp_path: Path, postgres_url: str
) -> None:
    copies = f"sqlite:///{tmp_path / 'copies.db'}"
    with serve(site(tmp_path / "new", postgres_url, copies), pace=PACE) as new:
        thread_id, first = say(new, "one")
        wait_until(lambda: copied_ids(copies, thread_id) == [first])
        with serve(site(tmp_path / "old", postgres_url), pace=PACE) as old:
            time.sleep(0.5)  # in which it looks what is wanted
            other, second = say(old, "two")

            wait_until(lambda: copied_ids(copies, other) == [second])
            assert mirrors(old) == mirrors(new) == 1
