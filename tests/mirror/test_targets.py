"""What the stores are called that get copies."""

import sys

import pytest

from streamlit_assistant.errors import StartError
from streamlit_assistant.mirror import Target, mirror_targets


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
def test_a_missing_driver_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, driver, None)

    with pytest.raises(StartError) as refused:
        mirror_targets([url])

    assert str(refused.value).startswith(f"HISTORY_URLS ({Target.at(url).kind}): ")
    assert f"streamlit-assistant[{extra}]" in str(refused.value)
    assert "hunter2" not in str(refused.value)
