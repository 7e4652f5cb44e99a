"""`start doctor` as people run it: a process of its own, and the model servers it meets."""

import io
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import main
from streamlit_assistant.catalogue import ENGLISH, read_catalogue
from streamlit_assistant.doctor import WIDTH, Table
from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.providers.offline import OfflineProvider
from streamlit_assistant.providers.probing.probe import Subject
from tests.providers.probed_server import MODEL, probed_server, refusal
from tests.start_process import START, Site
from tests.upstream import model_server

KEY = "sk-proj-abcdefghijklmnop1234"
SILENCE = 8.0  # seconds
WORDS = read_catalogue(ENGLISH)


def examined(folder: Path, url: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    site = Site.at(folder, OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY, **settings)
    return site.run("doctor")


def verdicts(printed: str) -> dict[str, str]:
    """The rows of the table: what was found out of each capability."""
    names = {WORDS[f"model.name.{name}"]: name.value for name in Capability}
    rows = (line for line in printed.splitlines() if line[17:26].strip() in set(Verdict))
    return {names[row[:17].strip()]: row[17:26].strip() for row in rows}


def test_a_model_that_can_do_everything_is_found_to(tmp_path: Path) -> None:
    with probed_server(thoughts="Hm.") as server:
        ended = examined(tmp_path, server.url)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert verdicts(ended.stdout) == {name.value: "yes" for name in Capability}
    assert server.url in ended.stdout
    assert MODEL in ended.stdout
    assert "The test has cost 450 tokens." in ended.stdout
    assert "What this means" not in ended.stdout
    assert ended.stdout.endswith("The model answers.\n")


def test_what_a_model_cannot_do_is_told_with_what_it_means(tmp_path: Path) -> None:
    weak: dict[str, Any] = {
        "calls": False,
        "obeys_force": False,
        "sees": refusal(500, "image input is not supported - you may need the mmproj"),
        "vectors": None,
        "shutdown_date": "2027-01-14",
    }
    with probed_server(**weak) as server:
        ended = examined(tmp_path, server.url)

    found = verdicts(ended.stdout)
    assert ended.returncode == 0
    assert (found["streaming"], found["vision"], found["tools"]) == ("yes", "no", "no")
    told = " ".join(ended.stdout.split())
    for name in ("vision", "tools", "embeddings"):
        assert f"- {WORDS[f'model.lacks.{name}']}" in told
    assert WORDS["model.lacks.parallel_tools"] not in told
    assert "you may need the mmproj" in told
    assert WORDS["model.shutdown_soon"].format(date="2027-01-14") in told
    assert max(len(line) for line in ended.stdout.splitlines()) <= WIDTH


def test_a_refused_key_is_told_and_never_shown(tmp_path: Path) -> None:
    with probed_server(down=refusal(401, f"Incorrect API key provided: {KEY}.")) as server:
        ended = examined(tmp_path, server.url)

    assert ended.returncode == 1
    assert "Incorrect API key provided: …" in " ".join(ended.stdout.split())
    assert KEY not in ended.stdout + ended.stderr
    assert verdicts(ended.stdout)["streaming"] == "no"
    assert "vision" not in verdicts(ended.stdout)
    assert ended.stdout.endswith("The model does not answer.\n")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    ended = examined(tmp_path, "http://127.0.0.1:9/v1")

    assert (ended.returncode, ended.stderr) == (1, "")
    assert verdicts(ended.stdout) == {"streaming": "no"}
    assert "cannot be reached" in " ".join(ended.stdout.split())


def test_the_scripted_model_server_of_the_other_tests_answers(tmp_path: Path) -> None:
    with model_server() as server:
        ended = examined(tmp_path, server.base_url)

    assert ended.returncode == 0
    assert verdicts(ended.stdout)["streaming"] == "yes"
    assert len(server.requests) <= 12


def test_wrong_settings_are_explained_as_at_start(tmp_path: Path) -> None:
    ended = examined(tmp_path, "example.org")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("OPENAI_BASE_URL (environment) is 'example.org'; accepted: ")


def test_it_writes_nothing_and_opens_no_port_beside_a_running_server(tmp_path: Path) -> None:
    with probed_server() as server:
        site = Site.at(tmp_path, OPENAI_BASE_URL=server.url)
        with site.started():
            before = sorted((tmp_path / "data").rglob("*"))
            ended = site.run("--port", str(site.port), "doctor")
            after = sorted((tmp_path / "data").rglob("*"))
        fresh = examined(tmp_path, server.url, DATA_DIR=str(tmp_path / "nowhere"))

    assert ended.returncode == fresh.returncode == 0
    assert before == after
    assert not (tmp_path / "nowhere").exists()


def test_ctrl_c_ends_it_at_once_and_without_a_traceback(tmp_path: Path) -> None:
    with probed_server(pause=SILENCE) as server:
        site = Site.at(tmp_path, OPENAI_BASE_URL=server.url)
        process = subprocess.Popen(
            [*START, "doctor"],
            cwd=site.folder,
            env=site.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            deadline = time.monotonic() + 30
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.02)
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            printed, complaints = process.communicate(timeout=10)
            took = time.monotonic() - interrupted
        finally:
            process.kill()
            process.wait()

    assert process.returncode == main.INTERRUPTED
    assert took < SILENCE / 2
    assert complaints.strip() == "Interrupted; nothing was changed."
    assert server.url in printed


@pytest.mark.parametrize("arguments", [["--port", "9000"], ["--api-only"], []])
def test_without_the_command_the_flags_are_what_they_were(arguments: list[str]) -> None:
    assert main.command_line().parse_args(arguments).command is None


@pytest.mark.parametrize("arguments", [["doctor", "--port", "9"], ["--port", "9", "doctor"]])
def test_the_command_and_the_flags_stand_in_any_order(arguments: list[str]) -> None:
    flags = main.command_line().parse_args(arguments)

    assert (flags.command, flags.PORT) == ("doctor", "9")


def test_other_commands_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.command_line().parse_args(["docter"])

    assert "invalid choice: 'docter'" in capsys.readouterr().err


def subject(**fields: Any) -> Subject:
    return Subject(**{"server": "http://x/v1", "api": "chat", "model": "m", **fields})


def test_without_a_model_it_says_what_to_do() -> None:
    out = io.StringIO()
    Table(out).begin(subject(api="offline", provider=OfflineProvider()))

    assert "OPENAI_BASE_URL" in out.getvalue()


def test_what_a_server_says_cannot_paint_the_terminal() -> None:
    out = io.StringIO()
    detail = "\x1b[31mred\x1b[0m\r\nover there " + "long " * 40
    Table(out).row(Check(Capability.VISION, Verdict.NO, detail))

    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue() and "\r" not in out.getvalue()
    assert max(map(len, lines)) <= WIDTH
    assert {line[:26].strip() for line in lines[1:]} == {""}


def test_a_terminal_without_a_letter_shows_the_rest() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Table(out).row(Check(Capability.EMBEDDINGS, Verdict.YES, "“bge” 模型 works."))

    assert b"works." in raw.getvalue()


def test_estimated_costs_are_called_so() -> None:
    out = io.StringIO()
    checks = [Check(Capability.STREAMING, Verdict.YES, "")]
    Table(out).end(Report("http://x/v1", "m", "chat", checks, tokens=1234, is_estimated=True))

    assert "has cost about 1,234 tokens" in out.getvalue()


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_protocol_is_called_by_its_name(api: str) -> None:
    out = io.StringIO()
    Table(out).begin(subject(api=api, provider=OfflineProvider()))

    assert f"Protocol         {WORDS[f'model.api.{api}']}\n" in out.getvalue()


def test_the_help_names_the_command() -> None:
    assert "doctor" in main.command_line().format_help()
    assert os.environ.get("OPENAI_API_KEY", KEY) not in main.command_line().format_help()
