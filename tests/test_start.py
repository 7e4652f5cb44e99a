import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from streamlit_assistant import __version__
from streamlit_assistant.serving import AFTER_DRAINING
from tests.endless_model import WORD, endless_model
from tests.start_process import ROOT, START, Site, wait_until_closed

KEY = "0123456789abcdef"
LONGEST_END_OF_ANSWERS = 5 + AFTER_DRAINING  # seconds; the setting's default comes first
UVICORN = (sys.executable, "-m", "uvicorn", "main:app", "--port")
STREAMLIT_RUN = (sys.executable, "-m", "streamlit", "run", str(ROOT / "main.py"), "--server.port")

# Streamlit would ask for an e-mail address, and look up this machine's public one.
HEADLESS = {
    "STREAMLIT_SERVER_HEADLESS": "true",
    "STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE": "true",
}
ENDLESS_RUN = {
    "assistant_id": "asst_default",
    "thread": {"messages": [{"role": "user", "content": "Go on."}]},
    "stream": True,
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.at(tmp_path, ASSISTANT_API_KEY=KEY)


def config_toml(site: Site, text: str) -> None:
    folder = site.folder / ".streamlit"
    folder.mkdir()
    (folder / "config.toml").write_text(text)


@pytest.mark.parametrize("command", [(), ("doctor",)])
def test_the_version_is_told(site: Site, command: tuple[str, ...]) -> None:
    ended = site.run(*command, "--version")

    assert (ended.returncode, ended.stdout) == (0, f"streamlit-assistant {__version__}\n")


def test_the_help_names_the_flags_and_builds_nothing(site: Site) -> None:
    ended = site.run("--help")

    assert ended.returncode == 0
    assert all(flag in ended.stdout for flag in ("--port", "--host", "--data-dir", "--version"))
    assert not (site.folder / "data").exists()


def test_wrong_settings_are_all_refused_in_plain_text(site: Site) -> None:
    site.environ |= {"OPENAI_BASE_URL": "example.org", "MESSAGE_LIMIT": "many"}
    ended = site.run("--port", "http")

    assert ended.returncode == 1
    assert sorted(line.split()[0] for line in ended.stderr.splitlines()) == [
        "--port",
        "MESSAGE_LIMIT",
        "OPENAI_BASE_URL",
    ]
    assert not (site.folder / "data").exists()


def test_a_taken_port_is_told_in_one_sentence_before_anything_is_made(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)):
        ended = site.run("--port", str(site.port))

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"Port {site.port} is taken by another program; choose one with --port.\n"
    )
    assert not (site.folder / "data").exists()


def test_an_unknown_assistant_is_refused_without_a_traceback(site: Site) -> None:
    site.environ["OPENAI_ASSISTANT_ID"] = "asst_unknown"
    ended = site.run("--port", str(site.port))

    assert ended.returncode == 1
    assert "OPENAI_ASSISTANT_ID: this server has no assistant 'asst_unknown'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_first_start_makes_a_private_folder_and_shows_a_key_once(tmp_path: Path) -> None:
    site = Site.at(tmp_path)
    with site.started() as first:
        key = site.output.partition("shown this once: ")[2].split()[0]
        told = site.output
        assert first.end() == 0
    with site.started(), site.client(key) as program, site.client() as stranger:
        statuses = [client.get("/v1/models").status_code for client in (program, stranger)]

        assert key not in site.output

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert site.url in told
    assert str(tmp_path / "data") in told
    assert "Warning" not in told
    assert statuses == [200, 401]


@pytest.mark.parametrize("way", ["--port", "STREAMLIT_SERVER_PORT", "PORT", "config.toml"])
def test_the_port_can_be_given_in_four_ways(site: Site, way: str) -> None:
    command = [*START]
    environ = {}
    if way == "--port":
        command += ["--port", str(site.port)]
    elif way == "config.toml":
        config_toml(site, f"[server]\nport = {site.port}")
    else:
        environ[way] = str(site.port)

    with site.started(command, environ) as started:  # `started` has asked at this port
        assert site.url in site.output
        assert started.end() == 0


def test_an_open_address_comes_with_a_warning(site: Site) -> None:
    with site.started([*START, "--port", str(site.port), "--host", "0.0.0.0"]):
        assert "whoever reaches the port can use the site" in site.output


@pytest.mark.parametrize("server", [UVICORN, STREAMLIT_RUN])
def test_other_servers_can_serve_it_on_a_port_of_their_own(
    site: Site, server: tuple[str, ...]
) -> None:
    with site.started([*server, str(site.port)], {"PORT": "1", **HEADLESS}) as started:
        assert f":{site.port}/v1" in site.output  # what the page was told, too
        started.end()

    assert "Traceback" not in site.output


def test_other_servers_refuse_wrong_settings_in_plain_text_too(site: Site) -> None:
    ended = subprocess.run(
        [*UVICORN, str(site.port)],
        cwd=site.folder,
        env={**site.environ, "MESSAGE_LIMIT": "many"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("MESSAGE_LIMIT (environment) is 'many'; accepted: ")
    assert "Traceback" not in ended.stderr


@contextmanager
def half_a_request(site: Site) -> Iterator[None]:
    """A client that promises more than it sends, and waits."""
    head = (
        f"POST /v1/threads HTTP/1.1\r\nHost: {site.url}\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", site.port)) as slow, site.client() as other:
        slow.sendall(head.encode())
        # The server reads what comes in turn: when it answers this, it has read that.
        assert other.get("/healthz").status_code == 200
        yield


@contextmanager
def followed_answer(site: Site) -> Iterator[Iterator[str]]:
    """The lines of an endless answer that is being followed, from its first words on."""
    with (
        site.client(KEY) as client,
        client.stream("POST", "/v1/threads/runs", json=ENDLESS_RUN) as response,
    ):
        lines = response.iter_lines()
        assert any(line == "event: thread.message.delta" for line in lines)
        yield lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_seconds_while_it_is_watched_and_saves_the_answer(
    site: Site, number: signal.Signals
) -> None:
    page = f"ws://127.0.0.1:{site.port}/_stcore/stream"
    with endless_model() as model:
        upstream = {"OPENAI_BASE_URL": model, "OPENAI_MODEL": "endless"}
        with site.started(environ=upstream) as started, followed_answer(site) as lines:
            with connect(page, subprotocols=[Subprotocol("streamlit")], proxy=None):
                began = time.monotonic()
                assert started.end(number) == 0
                took = time.monotonic() - began
            assert list(lines)  # the stream was ended, not cut

    assert took < LONGEST_END_OF_ANSWERS
    assert "Traceback" not in site.output
    assert WORD in answer_after_restart(site)


def answer_after_restart(site: Site) -> str:
    """What the thread says of the answer that was interrupted."""
    with site.started(), site.client(KEY) as client:
        thread = client.get("/v1/threads").json()["data"][0]["id"]
        newest = client.get(f"/v1/threads/{thread}/messages").json()["data"][0]
    assert newest["role"] == "assistant"
    return str(newest["content"][0]["text"]["value"])


def test_it_ends_although_a_client_never_finishes_its_request(site: Site) -> None:
    with site.started() as started, half_a_request(site):
        assert started.end() == 0


def test_a_second_ctrl_c_waits_for_nobody(site: Site) -> None:
    with site.started() as started, half_a_request(site):
        began = time.monotonic()
        started.process.send_signal(signal.SIGINT)
        wait_until_closed(site.port)  # two equal signals at once would arrive as one
        assert started.end(signal.SIGINT) == 0

    assert time.monotonic() - began < LONGEST_END_OF_ANSWERS
