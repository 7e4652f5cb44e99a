import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer
from tests.source_tree import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".streamlit" / "secrets.toml.example").read_text(encoding="utf-8")
NAMES = re.findall(
    r"given\.read\(\s*\"([A-Z_]+)\"",
    (ROOT / "streamlit_assistant" / "settings.py").read_text(encoding="utf-8"),
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def example_settings() -> dict[str, object]:
    """The example with every setting in it turned on."""
    return tomllib.loads(re.sub(r"^# (?=[A-Z_]+ = )", "", EXAMPLE, flags=re.MULTILINE))


def test_both_languages_give_the_same_commands_and_the_same_program() -> None:
    for language in ("sh", "python", "caddy"):
        assert blocks(README, language) == blocks(CHINESE, language)
        assert blocks(README, language)


def test_the_settings_were_found_in_the_source() -> None:
    assert len(NAMES) == len(set(NAMES)) == 31


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_explained(name: str) -> None:
    assert f"`{name}`" in README
    assert f"`{name}`" in CHINESE
    assert name in example_settings()


def test_the_example_as_it_is_changes_nothing_and_turned_on_is_valid() -> None:
    assert tomllib.loads(EXAMPLE) == {}
    assert Settings.load({}, {}, example_settings()).port == 8501


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_the_files_it_names_exist(text: str) -> None:
    named = re.findall(r"`((?:streamlit_assistant|tests|\.ci)/[\w./]+|main\.py)`", text)

    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_program_it_shows_works(offline: LiveServer, tmp_path: Path) -> None:
    (program,) = blocks(README, "python")
    program = program.replace("http://127.0.0.1:8501", offline.url)
    program = program.replace("the key shown at the first start", API_KEY)

    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip()


def put_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_ci_runs_the_command_of_the_readme_to_its_first_failure(tmp_path: Path) -> None:
    """On a machine that lacks nothing, with programs that only say their names."""
    for name in ("README.md", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("python3", "chromium", "fc-list", "initdb", "redis-server", "java", "mvn"):
        put_program(tmp_path / "there" / name, "echo yes")
    for name in ("python", "pip", "mypy", "pytest"):
        put_program(tmp_path / ".venv" / "bin" / name, f"echo {name} $1")
    put_program(tmp_path / ".venv" / "bin" / "ruff", "echo ruff $1; test $1 = format")

    ended = subprocess.run(
        [tmp_path / ".ci" / "run"],
        env={"PATH": f"{tmp_path / 'there'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert ended.stdout.splitlines() == ["yes", "pip install", "ruff format", "ruff check"]


def test_the_lock_names_no_private_place() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")

    assert not re.search(r"https?://|file:|@ /|--(index-url|extra-index-url|find-links)", lock)
