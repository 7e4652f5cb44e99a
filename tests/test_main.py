import asyncio
import dataclasses
import socket
from pathlib import Path

import pytest
import uvicorn
from streamlit import config
from streamlit.web.server.app_discovery import discover_asgi_app

import main
from streamlit_assistant.server import FirstStart, Server
from streamlit_assistant.serving import Address
from streamlit_assistant.settings import Role, Settings
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources
from streamlit_assistant.ui import hosting

OWN_FILES = SettingsFiles.of(Path("/nowhere"), main.HERE)
OWN_SOURCES = SettingsSources({}, {}, OWN_FILES)
LOOPBACK = Address("127.0.0.1", 8501)


def write_config(place: Path, text: str) -> None:
    (place / ".streamlit").mkdir(parents=True)
    (place / ".streamlit" / "config.toml").write_text(text)


def test_streamlit_run_finds_the_application() -> None:
    found = discover_asgi_app(Path(main.__file__))

    assert (found.is_asgi_app, found.import_string) == (True, "main:app")


def test_other_names_are_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'main' has no attribute 'application'"):
        _ = main.application


def test_the_page_is_where_it_is_looked_for() -> None:
    assert hosting.PAGE.is_file()


def test_the_look_does_not_depend_on_the_current_folder(tmp_path: Path) -> None:
    write_config(tmp_path / "product", "[theme]\nbase = 'dark'\n[theme.sidebar]\nfont = 'serif'")

    look = main.look(SettingsFiles.of(tmp_path / "here", tmp_path / "product"))

    assert look == {"theme.base": "dark", "theme.sidebar.font": "serif"}


def test_a_config_in_the_current_folder_is_left_to_streamlit(tmp_path: Path) -> None:
    write_config(tmp_path / "here", "[theme]\nbase = 'light'")
    write_config(tmp_path / "product", "[theme]\nbase = 'dark'")

    assert main.look(SettingsFiles.of(tmp_path / "here", tmp_path / "product")) == {}


def test_without_any_config_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert main.look(SettingsFiles.of(tmp_path)) == {}


def test_streamlit_gets_no_secrets_and_tells_nobody() -> None:
    assert hosting.PRIVATE == {"browser.gatherUsageStats": False, "secrets.files": []}


@pytest.mark.parametrize("name", [*hosting.PRIVATE, *main.look(OWN_FILES)])
def test_streamlit_knows_every_option_it_is_told(name: str) -> None:
    assert name in config.get_config_options()


def test_the_page_is_told_how_to_reach_the_api(settings: Settings) -> None:
    server = Server(settings)
    server.prepare()

    told = main.page_secrets(Address("0.0.0.0", 9000), settings, server)

    assert told == {
        "base_url": "http://127.0.0.1:9000/v1",
        "api_key": server.site_key,
        "assistant_id": "asst_default",
        "streaming": True,
        "message_limit": 1000,
    }


def test_the_page_is_told_of_another_assistant(settings: Settings) -> None:
    chosen = dataclasses.replace(settings, openai_assistant_id="asst_other")

    assert main.page_secrets(LOOPBACK, chosen, Server(chosen))["assistant_id"] == "asst_other"


def test_the_greeting_says_where_the_chat_and_the_data_are(settings: Settings) -> None:
    told = main.greeting(LOOPBACK, settings, Server(settings))

    assert "http://127.0.0.1:8501\n" in told
    assert "http://127.0.0.1:8501/v1\n" in told
    assert str(settings.data_dir) in told
    assert "shown this once" not in told
    assert "Warning" not in told


def test_the_greeting_shows_a_key_that_was_just_made(settings: Settings) -> None:
    server = Server(settings)
    server.first_start = FirstStart("sa-new")

    assert "sa-new" in main.greeting(LOOPBACK, settings, server)


def test_the_greeting_names_a_postgresql_database_without_its_password(settings: Settings) -> None:
    url = "postgresql://me:hunter2@db:6432/chats?password=hunter2"
    shared = dataclasses.replace(settings, database_url=url)

    told = main.greeting(LOOPBACK, shared, Server(settings))

    assert "PostgreSQL at db:6432/chats\n" in told
    assert str(settings.data_dir) in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("role", "said", "unsaid"),
    [("api", ["API: "], ["Chat: ", "Warning"]), ("worker", ["Worker: "], ["Chat: ", "API: "])],
)
def test_the_greeting_says_what_the_process_does(
    settings: Settings, role: Role, said: list[str], unsaid: list[str]
) -> None:
    told = main.greeting(
        Address("0.0.0.0", 8501), dataclasses.replace(settings, role=role), Server(settings)
    )

    assert [words for words in said if words not in told] == []
    assert [words for words in unsaid if words in told] == []


def test_the_greeting_warns_of_an_open_address(settings: Settings) -> None:
    told = main.greeting(Address("0.0.0.0", 8501), settings, Server(settings))

    assert "whoever reaches the port can use the site" in told


async def test_the_running_application_sends_small_answers_at_once(settings: Settings) -> None:
    server = Server(settings, local_base_url=None)
    app = main.create_app(settings, server, OWN_SOURCES)
    # As Streamlit makes it: without naming the protocol, so that asyncio leaves the delay on.
    with socket.socket(socket.AF_INET) as plain:
        plain.bind(("127.0.0.1", 0))
        host = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="error"))
        serving = asyncio.create_task(host.serve([plain]))
        try:
            async with asyncio.timeout(20):
                while not plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            host.should_exit = True
            await serving
