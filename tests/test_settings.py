from pathlib import Path

import pytest

from streamlit_assistant.model_setting_values import FallbackModel
from streamlit_assistant.settings import Role, Settings, SettingsError, default_data_dir

KEY = "sk-abcdefghijklmnopqrstuvwxyz"


def load(
    *,
    flags: dict[str, str | None] | None = None,
    environ: dict[str, str] | None = None,
    secrets: dict[str, object] | None = None,
    config: dict[str, object] | None = None,
) -> Settings:
    return Settings.load(flags or {}, environ or {}, secrets or {}, config or {})


def problems(**sources: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(**sources)  # type: ignore[arg-type]
    return refused.value.problems


def test_nothing_given_is_a_complete_configuration() -> None:
    settings = load(environ={"XDG_DATA_HOME": "/srv/data"})

    assert settings == Settings(data_dir=Path("/srv/data/streamlit-assistant"))
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)
    assert (settings.streaming, settings.message_limit) == (True, 1000)
    assert (settings.strict_ids, settings.require_beta_header) == (True, False)
    assert (settings.max_runs, settings.max_runs_per_user) == (200, 50)
    assert (settings.max_queued_runs, settings.max_queued_runs_per_user) == (1000, 200)
    assert (settings.role, settings.run_seconds, settings.drain_seconds) == ("all", 600, 5)
    assert (settings.openai_api, settings.background_responses) == (None, None)
    assert (settings.fallback_models, settings.model_aliases) == ((), ())
    assert settings.hosted_tools == ()
    assert (settings.requests_per_minute, settings.tokens_per_minute) == (None, None)
    assert (settings.answer_cache_seconds, settings.silence_seconds) == (0, 120)
    assert settings.first_token_seconds is None


def test_every_setting_can_come_from_the_environment() -> None:
    settings = load(
        environ={
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1",
            "OPENAI_MODEL": "llama3.2:3b",
            "EMBEDDING_MODEL": "nomic-embed-text",
            "OPENAI_ASSISTANT_ID": "asst_Abc123",
            "ASSISTANT_API_KEY": "0123456789abcdef",
            "DATA_DIR": "/srv/chats",
            "DATABASE_URL": "sqlite:////srv/chats/chats.db",
            "HISTORY_URLS": "redis://:p%40ss@cache:6379/0,kafka://a:9092,b:9092",
            "HOST": "0.0.0.0",
            "PORT": "9000",
            "ASSISTANT_STREAMING": "off",
            "MESSAGE_LIMIT": "50",
            "STRICT_IDS": "no",
            "REQUIRE_BETA_HEADER": "yes",
            "MAX_RUNS": "20",
            "MAX_RUNS_PER_USER": "5",
            "MAX_QUEUED_RUNS": "100",
            "MAX_QUEUED_RUNS_PER_USER": "25",
            "RUN_SECONDS": "1200",
            "DRAIN_SECONDS": "0",
            "OPENAI_API": "Responses",
            "BACKGROUND_RESPONSES": "false",
            "FALLBACK_MODELS": "qwen3, gpt-6-luna@https://:k%2Fey@api.openai.com/v1",
            "MODEL_ALIASES": "gpt-4o=llama3.2:3b, gpt-4 = qwen3",
            "HOSTED_TOOLS": "web_search",
            "REQUESTS_PER_MINUTE": "600",
            "TOKENS_PER_MINUTE": "200000",
            "ANSWER_CACHE_SECONDS": "3600",
            "FIRST_TOKEN_SECONDS": "30",
            "SILENCE_SECONDS": "15",
        }
    )

    assert settings == Settings(
        openai_api_key=KEY,
        openai_base_url="http://127.0.0.1:11434/v1",
        openai_model="llama3.2:3b",
        embedding_model="nomic-embed-text",
        openai_assistant_id="asst_Abc123",
        assistant_api_key="0123456789abcdef",
        data_dir=Path("/srv/chats"),
        database_url="sqlite:////srv/chats/chats.db",
        history_urls=("redis://:p%40ss@cache:6379/0", "kafka://a:9092,b:9092"),
        host="0.0.0.0",
        port=9000,
        streaming=False,
        message_limit=50,
        strict_ids=False,
        require_beta_header=True,
        max_runs=20,
        max_runs_per_user=5,
        max_queued_runs=100,
        max_queued_runs_per_user=25,
        run_seconds=1200,
        drain_seconds=0,
        openai_api="responses",
        background_responses=False,
        fallback_models=(
            FallbackModel("qwen3"),
            FallbackModel("gpt-6-luna", "https://api.openai.com/v1", "k/ey"),
        ),
        model_aliases=(("gpt-4o", "llama3.2:3b"), ("gpt-4", "qwen3")),
        hosted_tools=({"type": "web_search"},),
        requests_per_minute=600,
        tokens_per_minute=200_000,
        answer_cache_seconds=3600,
        first_token_seconds=30,
        silence_seconds=15,
    )


def test_every_setting_can_come_from_secrets_toml_in_the_types_of_toml() -> None:
    settings = load(
        secrets={
            "OPENAI_API_KEY": KEY,
            "HISTORY_URLS": ["redis://cache", "sqlite:////srv/copies.db"],
            "PORT": 9000,
            "ASSISTANT_STREAMING": False,
            "MESSAGE_LIMIT": 50,
            "FALLBACK_MODELS": ["qwen3", "llama3.2"],
            "MODEL_ALIASES": {"gpt-4o": "qwen3"},
            "HOSTED_TOOLS": [{"type": "mcp", "server_label": "s", "server_url": "https://s"}],
            "BACKGROUND_RESPONSES": True,
        }
    )

    assert settings.openai_api_key == KEY
    assert settings.history_urls == ("redis://cache", "sqlite:////srv/copies.db")
    assert settings.fallback_models == (FallbackModel("qwen3"), FallbackModel("llama3.2"))
    assert settings.model_aliases == (("gpt-4o", "qwen3"),)
    assert settings.hosted_tools[0]["server_label"] == "s"
    assert settings.background_responses is True
    assert (settings.port, settings.message_limit, settings.streaming) == (9000, 50, False)


def test_flags_win_over_the_environment_that_over_secrets_and_those_over_defaults() -> None:
    flags: dict[str, str | None] = {"DATA_DIR": "/flag", "PORT": None}
    environ = {"DATA_DIR": "/environment", "PORT": "2", "MESSAGE_LIMIT": "2"}
    secrets: dict[str, object] = {"DATA_DIR": "/secrets", "MESSAGE_LIMIT": 3, "OPENAI_MODEL": "m"}

    settings = load(flags=flags, environ=environ, secrets=secrets)

    assert settings.data_dir == Path("/flag")
    assert (settings.port, settings.message_limit, settings.openai_model) == (2, 2, "m")


@pytest.mark.parametrize("role", ["api", "worker"])
def test_what_one_process_does_is_told_by_its_flags_alone(role: Role) -> None:
    assert load(flags={"ROLE": role}).role == role
    assert load(flags={"ROLE": None}, environ={"ROLE": role}, secrets={"ROLE": role}).role == "all"


def test_the_port_is_looked_for_in_five_places() -> None:
    environ = {"STREAMLIT_SERVER_PORT": "2", "PORT": "3"}
    config: dict[str, object] = {"server": {"port": 4}}

    assert load(flags={"PORT": "1"}, environ=environ, config=config).port == 1
    assert load(environ=environ, config=config).port == 2
    assert load(environ={"PORT": "3"}, config=config).port == 3
    assert load(config=config).port == 4
    assert load().port == 8501


def test_the_host_is_looked_for_in_five_places() -> None:
    environ = {"STREAMLIT_SERVER_ADDRESS": "10.0.0.2", "HOST": "10.0.0.3"}
    config: dict[str, object] = {"server": {"address": "10.0.0.4"}}

    assert load(flags={"HOST": "10.0.0.1"}, environ=environ, config=config).host == "10.0.0.1"
    assert load(environ=environ, config=config).host == "10.0.0.2"
    assert load(environ={"HOST": "10.0.0.3"}, config=config).host == "10.0.0.3"
    assert load(config=config).host == "10.0.0.4"
    assert load().host == "127.0.0.1"


def test_an_empty_value_counts_as_not_given() -> None:
    settings = load(flags={"PORT": ""}, environ={"PORT": " ", "OPENAI_API_KEY": ""})

    assert settings.port == 8501
    assert settings.openai_api_key is None


@pytest.mark.parametrize(
    ("sources", "place"),
    [
        ({"flags": {"DATA_DIR": "\n/"}}, "--data-dir (command line) is '\\n/'"),
        ({"flags": {"PORT": "x"}}, "--port (command line) is 'x'"),
        ({"environ": {"STREAMLIT_SERVER_PORT": "x"}}, "STREAMLIT_SERVER_PORT (environment) is 'x'"),
        ({"secrets": {"PORT": "x"}}, "PORT (secrets.toml) is 'x'"),
        ({"config": {"server": {"port": "x"}}}, "server.port (config.toml) is 'x'"),
    ],
)
def test_a_wrong_value_is_shown_with_where_it_came_from(
    sources: dict[str, object], place: str
) -> None:
    (problem,) = problems(**sources)

    assert problem.startswith(place + "; accepted: ")


def test_a_wrong_value_is_refused_even_where_a_lower_source_has_a_right_one() -> None:
    (problem,) = problems(environ={"PORT": "x"}, config={"server": {"port": 9000}})

    assert "PORT (environment)" in problem


def test_all_wrong_values_are_reported_together_a_line_each() -> None:
    with pytest.raises(SettingsError) as refused:
        load(
            flags={"PORT": "x"},
            environ={"OPENAI_ASSISTANT_ID": "x"},
            secrets={"MESSAGE_LIMIT": 0, "OPENAI_API_KEY": "two words"},
        )

    assert len(refused.value.problems) == 4
    assert str(refused.value).splitlines() == list(refused.value.problems)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "ASSISTANT_API_KEY"])
@pytest.mark.parametrize(
    "key", ["hunter2-hunter2 hunter2", "hunter2-hunter2-hunter2\n", "hünter2-hunter2-hunter2"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(name: str, key: str) -> None:
    (problem,) = problems(environ={name: key})

    assert problem.startswith(f"{name} (environment) is a hidden value; accepted: ")
    assert "unter2" not in problem


def test_a_key_for_other_programs_must_be_long() -> None:
    (problem,) = problems(environ={"ASSISTANT_API_KEY": "hunter2"})

    assert "at least 16" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:hunter2@db/chats"),
        ("DATABASE_URL", "postgresql://db/?password=hunter2"),
        ("DATABASE_URL", "postgresql://me:@:hunter2@db/chats"),
        ("DATABASE_URL", "postgresql://me:\"' hunter2@db/chats"),
        ("DATABASE_URL", "postgresql://me:hunter2"),
        ("DATABASE_URL", "postgresql:me:hunter2"),
        ("DATABASE_URL", "me:hunter2@db/chats"),
        ("HISTORY_URLS", "redis://:hunter2@cache,amqp://me:hunter2@queue"),
        ("OPENAI_BASE_URL", "https://me:hunter2@example.org/v1"),
        ("OPENAI_BASE_URL", "https://example.org/v1?key=hunter2"),
        ("OPENAI_ASSISTANT_ID", "sk-hunter2"),
        ("OPENAI_MODEL", "sk-hunter2\tand more"),
        ("FALLBACK_MODELS", "m@https://me:hunter2@example.org/v1"),
        ("FALLBACK_MODELS", "m@https://:hunter2 @example.org/v1"),
        ("HOSTED_TOOLS", '[{"type": "mcp", "authorization": "hunter2"}]'),
    ],
)
def test_passwords_and_keys_in_wrong_values_are_not_shown(name: str, value: str) -> None:
    (problem,) = problems(environ={name: value})

    assert "hunter2" not in problem


def test_what_cannot_be_secret_is_shown() -> None:
    (problem,) = problems(environ={"OPENAI_BASE_URL": "http://example.org:port/v1"})

    assert "is 'http://example.org:port/v1'; accepted" in problem


def test_a_very_long_wrong_value_is_cut() -> None:
    (problem,) = problems(environ={"PORT": "9" * 10_000})

    assert len(problem) < 200


def test_secrets_do_not_show_in_the_text_of_the_settings() -> None:
    settings = load(
        environ={
            "OPENAI_API_KEY": KEY,
            "ASSISTANT_API_KEY": "0123456789abcdef",
            "DATABASE_URL": "postgresql://me:hunter2@db/chats",
            "FALLBACK_MODELS": "m@https://:hunter2@example.org/v1",
            "HOSTED_TOOLS": (
                '[{"type": "mcp", "server_label": "s", "server_url": "https://s", '
                '"authorization": "hunter2"}]'
            ),
        }
    )

    for shown in (str(settings), repr(settings), f"{settings}"):
        assert KEY not in shown
        assert "hunter2" not in shown
        assert "0123456789abcdef" not in shown


def test_a_relative_data_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load(flags={"DATA_DIR": "chats"}).data_dir == tmp_path / "chats"


def test_a_tilde_in_the_data_folder_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert load(flags={"DATA_DIR": "~/chats"}).data_dir == Path("/home/someone/chats")
    assert default_data_dir({}) == Path("/home/someone/.local/share/streamlit-assistant")


def test_a_relative_xdg_data_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert default_data_dir({"XDG_DATA_HOME": "data"}).is_relative_to("/home/someone")


def test_a_config_toml_without_a_server_section_is_fine() -> None:
    assert load(config={"server": "none"}).port == 8501
    assert load(config={"theme": {"base": "dark"}}).port == 8501


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_server_s_own_address_is_no_model_server(host: str) -> None:
    own = f"http://{host}:9000/v1"
    (problem,) = problems(environ={"OPENAI_BASE_URL": own, "PORT": "9000"})

    assert "this server's own address" in problem
    assert load(environ={"OPENAI_BASE_URL": own}).openai_base_url == own


def test_this_server_does_not_stand_in_for_itself() -> None:
    own = "m@http://127.0.0.1:9000/v1"
    (problem,) = problems(environ={"FALLBACK_MODELS": own, "PORT": "9000"})

    assert problem.startswith("FALLBACK_MODELS names http://127.0.0.1:9000/v1, which is this")


def test_this_server_s_own_key_is_not_sent_to_a_model_server() -> None:
    (problem,) = problems(environ={"OPENAI_API_KEY": f"sa-{'x' * 43}"})

    assert problem.startswith("OPENAI_API_KEY is a key of this server")
    assert "xxx" not in problem
