"""What the stores are called that get copies."""

import subprocess
import sys

import pytest

from streamlit_assistant.mirror import Target, mirror_targets
from tests.start_process import ROOT


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("redis://cache", "redis://:hunter2@CACHE:6379/0"),
        ("redis://cache", "rediss://me@cache?patience=3"),
        ("kafka://a:9092,b", "kafka://me:pw@b:9092,a?sasl.username=me&sasl.password=hunter2"),
        ("postgres://db/chats", "postgresql+psycopg://me:hunter2@db:5432/chats"),
        ("sqlite:////srv/a.db", "sqlite:////srv/x/../a.db"),
    ],
)
def test_a_store_has_one_name_whoever_signs_in(one: str, same: str) -> None:
    assert Target.at(one).name == Target.at(same).name
    assert Target.at(one).kind == Target.at(same).kind


@pytest.mark.parametrize(
    "other",
    [
        "redis://cache/1",
        "redis://cache:6380",
        "redis://other",
        "redis://cache?key_prefix=site:",
        "kafka://cache:6379/0",
        "redis://cache/0?ttl=60",
    ],
)
def test_different_stores_have_different_names(other: str) -> None:
    assert Target.at(other).name != Target.at("redis://cache").name


def test_a_name_and_a_text_say_nothing_of_where_the_store_is() -> None:
    target = Target.at("redis://me:hunter2@cache.example.org")

    for secret in ("hunter2", "cache", "me:"):
        assert secret not in repr(target)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("redis://cache", "redis://cache?patience=3"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db?patience=3"),
        ("redis://cache?ttl=60", "redis://cache?ttl=60&patience=3"),
        ("redis://cache?patience=20", "redis://cache?patience=20"),
    ],
)
def test_a_log_is_not_to_wait_for_long(url: str, used: str) -> None:
    assert Target.at(url).url == used
    mirror_targets([url])  # which know the option


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("redis://:hunter2@cache", "redis", "redis"),
        ("kafka://queue", "confluent_kafka", "kafka"),
        ("postgresql://me:hunter2@db/chats", "psycopg", "postgresql"),
    ],
)
def test_a_missing_driver_is_told_with_what_installs_it(url: str, driver: str, extra: str) -> None:
    # A process of its own, for this one may have loaded it.
    script = f"import sys; sys.modules[{driver!r}] = None\nfrom streamlit_assistant.mirror import *"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nmirror_targets([{url!r}])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    said = done.stderr.splitlines()[-1]
    assert f"StartError: HISTORY_URLS ({Target.at(url).kind}): " in said
    assert f"'.[{extra}]'" in said
    assert "hunter2" not in said
