"""OpenAI's Node client against a real process: create, stream, call functions, submit, go on."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.start_process import Site
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer, Ending

HERE = Path(__file__).parent / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")
IN_CI = os.environ.get("CI") == "true"
KEY = "key-of-the-node-client"
LONGEST = 120  # seconds, for a registry far away

pytestmark = pytest.mark.skipif(not (NODE and NPM), reason="needs node and npm")

Drive = Callable[[str], Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client installed."""
    path = tmp_path_factory.mktemp("node")
    shutil.copytree(HERE, path, dirs_exist_ok=True)
    command = [str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(
        command, cwd=path, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    if installed.returncode:
        reason = f"npm cannot install the client: {installed.stderr[-500:]}"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def drive(
    folder: Path, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drive]:
    """Run a scenario of the program and return what it saw."""
    site = Site.at(
        tmp_path_factory.mktemp("site"), OPENAI_BASE_URL=upstream.base_url, ASSISTANT_API_KEY=KEY
    )
    environ = {
        "PATH": os.environ["PATH"],
        "OPENAI_BASE_URL": f"{site.url}/v1",
        "OPENAI_API_KEY": KEY,
    }

    def run(scenario: str) -> Any:
        ended = subprocess.run(
            [str(NODE), "drive.mjs", scenario],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    with site.started():
        yield run


def test_a_plain_answer_is_streamed_with_every_event(drive: Drive) -> None:
    seen = drive("plain")

    counts = seen["counts"]
    deltas = counts.pop("messageDelta")
    assert deltas == counts.pop("textDelta") > 1
    once = {
        *("messageCreated", "messageDone", "runStepCreated", "runStepDone"),
        *("textCreated", "textDone", "end"),
    }
    assert counts == dict.fromkeys(once, 1)
    assert (seen["first"], seen["last"]) == ("thread.run.created", "thread.run.completed")
    assert (seen["status"], seen["text"]) == ("completed", "Turn 1. You said: Good morning")


def test_two_functions_are_called_and_their_outputs_lead_to_the_answer(drive: Drive) -> None:
    seen = drive("tools")

    assert (seen["first"]["status"], seen["then"]["status"]) == ("requires_action", "completed")
    assert seen["first"]["counts"]["toolCallCreated"] == 2
    assert seen["first"]["counts"]["toolCallDone"] == 2
    assert seen["first"]["last"] == "thread.run.requires_action"
    assert seen["then"]["first"] == "thread.run.step.completed"
    assert [json.loads(given) for given in seen["arguments"]] == [
        {"city": "Paris"},
        {"city": "Lima"},
    ]
    assert seen["text"] == "I was told: sunny; sunny"
    assert seen["steps"] == [["tool_calls", "completed"], ["message_creation", "completed"]]
    assert seen["outputs"] == ["sunny", "sunny"]


def test_the_polling_helpers_reach_the_answer_too(drive: Drive) -> None:
    assert drive("polled") == {
        "status": ["requires_action", "completed"],
        "text": "I was told: sunny",
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(["Half an "], reason="length"), "incomplete"),
        (Answer(["Half an "], ending=Ending.CUT), "failed"),
    ],
    ids=["incomplete", "failed"],
)
def test_a_stream_that_ends_badly_still_has_a_final_run(
    drive: Drive, upstream: Upstream, answer: Answer, status: str
) -> None:
    upstream.queue(answer)

    seen = drive("ending")

    assert (seen["status"], seen["last"]) == (status, f"thread.run.{status}")
    assert seen["counts"]["messageDone"] == seen["counts"]["end"] == 1


def test_an_unknown_path_is_not_found(drive: Drive) -> None:
    assert drive("unknown_path") == {"name": "NotFoundError", "status": 404}


def test_a_long_list_is_paged_through(drive: Drive) -> None:
    assert drive("pages") == {"texts": [f"m{number}" for number in range(7)]}


def test_the_lock_file_names_no_registry() -> None:
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")

    assert "resolved" not in lock
    assert "://" not in lock
