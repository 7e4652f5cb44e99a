"""What each setting accepts, seen from where the values come in."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from streamlit_assistant.setting_values import postgres_place
from streamlit_assistant.settings import Settings, SettingsError


def refusal(
    environ: Mapping[str, str] | None = None, secrets: Mapping[str, object] | None = None
) -> str:
    """The one thing that is wrong."""
    with pytest.raises(SettingsError) as refused:
        Settings.load({}, environ or {}, secrets or {})
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "85.01", "a whole number from 1 to 65535"),
        ("PORT", "8_501", "a whole number from 1 to 65535"),
        ("PORT", "٣٤", "a whole number from 1 to 65535"),
        ("HOST", "http://localhost", "an IP address or a host name"),
        ("HOST", "300.1.2.3", "an IP address or a host name"),
        ("HOST", "[::1]", "an IP address or a host name"),
        ("HOST", "unix:///run/chat", "an IP address or a host name"),
        ("MESSAGE_LIMIT", "0", "a whole number from 1 to 100000"),
        ("MESSAGE_LIMIT", "100001", "a whole number from 1 to 100000"),
        ("MESSAGE_LIMIT", "-5", "a whole number from 1 to 100000"),
        ("ASSISTANT_STREAMING", "maybe", "one of true, false, yes, no, on, off, 1, 0"),
        ("OPENAI_BASE_URL", "localhost:11434/v1", "an address such as http://"),
        ("OPENAI_BASE_URL", "ftp://example.org/v1", "an address such as http://"),
        ("OPENAI_BASE_URL", "http://", "an address such as http://"),
        ("OPENAI_BASE_URL", "http://example.org:port/v1", "an address such as http://"),
        ("OPENAI_BASE_URL", "http://[::1/v1", "an address such as http://"),
        ("OPENAI_BASE_URL", "https://example.org/v1?key=1", "an address such as http://"),
        ("OPENAI_BASE_URL", "https://example.org/a b", "an address such as http://"),
        ("OPENAI_ASSISTANT_ID", "thread_1", "begins with asst_"),
        ("OPENAI_ASSISTANT_ID", "asst_", "begins with asst_"),
        ("OPENAI_ASSISTANT_ID", "asst_ä", "begins with asst_"),
        ("OPENAI_MODEL", "gpt\n6", "a model's name"),
        ("DATABASE_URL", "mysql://db/chats", "sqlite:///path/to/file.db or postgresql://user"),
        ("DATABASE_URL", "postgresql+asyncpg://db/chats", "or postgresql://user"),
        ("DATABASE_URL", "postgresql://db", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://db/", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://db:0/chats", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://db:x/chats", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://[::1/chats", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://db/chats/more", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://me:p@ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:p:ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:1/ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:1?ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://db/chats?a=p@ss", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:p#ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:p%ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:p ss@db/chats", "a password's @ : / ? # and % as %40"),
        ("DATABASE_URL", "postgresql://me:p\x00@db/chats", "a password's @ : / ? # and % as %40"),
        ("MAX_RUNS", "0", "a whole number from 1 to 1000000"),
        ("MAX_QUEUED_RUNS_PER_USER", "none", "a whole number from 1 to 1000000"),
        ("RUN_SECONDS", "59", "a whole number from 60 to 86400"),
        ("DRAIN_SECONDS", "301", "a whole number from 0 to 300"),
        ("OPENAI_API", "assistants", "one of auto, responses, chat"),
        ("BACKGROUND_RESPONSES", "maybe", "auto, or one of true, false"),
        ("MODEL_ALIASES", "gpt-4o", "pairs of models"),
        ("MODEL_ALIASES", "gpt-4o=", "pairs of models"),
        ("REQUESTS_PER_MINUTE", "0", "a whole number from 1 to 999999999"),
        ("TOKENS_PER_MINUTE", "many", "a whole number from 1 to 999999999"),
        ("ANSWER_CACHE_SECONDS", "-1", "a whole number from 0 to 2592000"),
        ("FIRST_TOKEN_SECONDS", "0", "a whole number from 1 to 3600"),
        ("SILENCE_SECONDS", "3601", "a whole number from 1 to 3600"),
        ("DATABASE_URL", "chats.db", "sqlite:///path/to/file.db"),
        ("DATABASE_URL", "sqlite:///", "sqlite:///path/to/file.db"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///path/to/file.db"),
        ("DATABASE_URL", "sqlite:///chats.db?mode=ro", "sqlite:///path/to/file.db"),
        ("DATA_DIR", "~nobody-of-this-name/chats", "no such user has a home folder here"),
        ("DATA_DIR", "a\nb", "the path of a folder"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_place_and_what_is_accepted(
    name: str, value: str, accepted: str
) -> None:
    problem = refusal(environ={name: value})

    assert problem.startswith(f"{name} (environment) is '")
    assert accepted in problem.partition("; accepted: ")[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", True),
        ("PORT", 85.0),
        ("PORT", [8501]),
        ("MESSAGE_LIMIT", True),
        ("OPENAI_MODEL", 6),
        ("OPENAI_API_KEY", 1234),
        ("ASSISTANT_API_KEY", 1234567890123456),
        ("OPENAI_BASE_URL", {"url": "http://localhost"}),
        ("HISTORY_URLS", ["redis://localhost", 7]),
        ("HISTORY_URLS", False),
        ("HISTORY_URLS", {"redis": "redis://localhost"}),
        ("DATA_DIR", 7),
        ("ASSISTANT_STREAMING", 2),
        ("FALLBACK_MODELS", [1]),
        ("FALLBACK_MODELS", {"model": "m"}),
        ("MODEL_ALIASES", {"gpt-4o": ""}),
        ("MODEL_ALIASES", 3),
        ("HOSTED_TOOLS", [3]),
        ("HOSTED_TOOLS", [datetime(2026, 1, 1, tzinfo=UTC)]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    problem = refusal(secrets={name: value})

    assert problem.startswith(f"{name} (secrets.toml) is ")


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("mongodb://:hunter2@db", "number 1 is none of these"),
        ("redis://cache,http://:hunter2@db", "number 2 is none of these"),
        ("redis://cache, ,kafka://queue", "number 1 is none of these"),
        ("redis://", "number 1 is none of these"),
        ("redis://:hunter2@[::1", "number 1 is none of these"),
        ("redis://:hunter2@cache:port", "number 1 is none of these"),
        ("sqlite:///", "number 1 is none of these"),
        ("sqlite:///:memory:", "number 1 is none of these"),
        ("postgresql+asyncpg://me:hunter2@db/chats", "number 1 is none of these"),
        ("postgresql://me:hunter2@db", "number 1 is none of these"),
        ("redis://:hunter2@cache,redis://cache:6379/0", "number 2 has been named before"),
        ("rediss://cache/,REDIS://CACHE", "number 2 has been named before"),
        ("kafka://a:9092,b,kafka://b:9092,a", "number 2 has been named before"),
        ("postgres://db/chats,postgresql+psycopg://me@db:5432/chats", "number 2 has been named"),
        ("sqlite:////srv/chats.db,sqlite:////srv/../srv/chats.db", "number 2 has been named"),
    ],
)
def test_a_store_that_cannot_get_copies_is_refused_by_its_number(value: str, accepted: str) -> None:
    problem = refusal(environ={"HISTORY_URLS": value})

    assert problem.startswith("HISTORY_URLS (environment) is a hidden value; accepted: ")
    assert accepted in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("redis://cache", ("redis://cache",)),
        (" redis://a , rediss://b:7000/2 ,", ("redis://a", "rediss://b:7000/2")),
        ("kafka://a:9092,b:9092,redis://c", ("kafka://a:9092,b:9092", "redis://c")),
        ("sqlite:////srv/a, b.db,sqlite:///c.db", ("sqlite:////srv/a, b.db", "sqlite:///c.db")),
        ("redis://cache/0,redis://cache/1", ("redis://cache/0", "redis://cache/1")),
        (
            "redis://cache?key_prefix=a:,redis://cache?key_prefix=b:",
            ("redis://cache?key_prefix=a:", "redis://cache?key_prefix=b:"),
        ),
        (["postgresql://me:s%2Ccret@db/chats"], ("postgresql://me:s%2Ccret@db/chats",)),
        (["kafka://[::1]:9092", "redis://[::1]"], ("kafka://[::1]:9092", "redis://[::1]")),
        ([], ()),
    ],
)
def test_several_stores_may_get_copies(given: object, used: tuple[str, ...]) -> None:
    assert Settings.load({}, {}, {"HISTORY_URLS": given}).history_urls == used


@pytest.mark.parametrize(
    "own", ["sqlite:////srv/chats.db", "postgresql://me:secret@db/chats?sslmode=require", None]
)
def test_copies_are_not_kept_where_the_chats_are(own: str | None) -> None:
    copies = {
        None: "sqlite:////srv/assistant.db",
        "sqlite:////srv/chats.db": "sqlite:////srv/chats.db",
    }
    environ = {
        "DATA_DIR": "/srv",
        "DATABASE_URL": own or "",
        "HISTORY_URLS": copies.get(own, "redis://cache,postgres://you:hunter2@DB:5432/chats"),
    }

    problem = refusal(environ=environ)

    assert problem.startswith("HISTORY_URLS names this server's own database")
    assert "hunter2" not in problem


@pytest.mark.parametrize("host", ["::1", "::", "localhost", "chat.example.org", "my_box"])
def test_a_host_may_be_an_address_or_a_name(host: str) -> None:
    assert Settings.load({"HOST": host}, {}, {}).host == host


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:////srv/chats.db", "sqlite:////srv/chats.db"),
        ("postgresql://db/chats", "postgresql://db/chats"),
        ("postgres://db/chats", "postgresql://db/chats"),
        ("PostgreSQL+psycopg://db/chats", "postgresql://db/chats"),
        ("postgresql://me:p%40ss@[::1]:6432/chats", "postgresql://me:p%40ss@[::1]:6432/chats"),
        ("postgresql://db/chats?sslmode=require", "postgresql://db/chats?sslmode=require"),
        ("postgresql:///chats?host=/run/postgresql", "postgresql:///chats?host=/run/postgresql"),
    ],
)
def test_a_database_may_be_named_in_several_ways(given: str, used: str) -> None:
    assert Settings.load({}, {"DATABASE_URL": given}, {}).database_url == used


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:hunter2@db:6432/chats?password=hunter2", "db:6432/chats"),
        ("postgresql:///chats?host=/run/postgresql", "localhost/chats"),
    ],
)
def test_the_place_of_a_database_is_shown_without_what_is_secret(url: str, place: str) -> None:
    assert postgres_place(url) == place


@pytest.mark.parametrize(
    "value",
    [
        "@https://example.org/v1",
        "m@https://me:key@example.org/v1",
        "m@https://:key with spaces@example.org/v1",
        "m@https:///v1",
        "m@http://example.org/v1?key=1",
        "m@https://:@example.org/v1",
    ],
)
def test_a_model_of_another_server_is_named_one_way_only(value: str) -> None:
    assert "model@https://:KEY@host/v1" in refusal({"FALLBACK_MODELS": value})


@pytest.mark.parametrize("name", ["claude-3@20240620", "meta-llama/llama-3:free"])
def test_names_of_models_may_look_like_addresses(name: str) -> None:
    loaded = Settings.load({}, {"FALLBACK_MODELS": f"{name}@http://h:1/v1, {name}"}, {})

    assert [known.model for known in loaded.fallback_models] == [name, name]
    assert [known.base_url for known in loaded.fallback_models] == ["http://h:1/v1", None]


@pytest.mark.parametrize(
    "value", ["file_search", "mcp", "web_search, abacus", '[{"type": "mcp"}]', "[", '["web"]']
)
def test_a_tool_that_no_server_has_or_that_lacks_something_is_refused(value: str) -> None:
    assert "web_search, image_generation" in refusal({"HOSTED_TOOLS": value})
