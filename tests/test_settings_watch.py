import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

import pytest

from streamlit_assistant.settings import Settings
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources
from streamlit_assistant.settings_watch import watched_settings

LONGEST_WAIT = 20  # seconds; only a failing test waits so long


class LogQueue(logging.Handler):
    """Lets a test wait for a line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Queue[str] = Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.put(record.getMessage())


@dataclass(frozen=True)
class NotedSources(SettingsSources):
    """Lets a test wait until the files were read."""

    reads: Queue[Settings] = field(default_factory=Queue)

    def load(self) -> Settings:
        settings = super().load()
        self.reads.put(settings)
        return settings


class Watched:
    """A folder with a secrets.toml that is being watched."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.path = folder / ".streamlit" / "secrets.toml"
        self.path.parent.mkdir()
        self.path.write_text('OPENAI_MODEL = "first"')
        self.sources = NotedSources({}, environ, SettingsFiles.of(folder))
        self.used: Queue[Settings] = Queue()

    @contextmanager
    def open(self) -> Iterator[None]:
        with watched_settings(self.sources.load(), self.sources, self.used.put):
            yield

    def model(self) -> str | None:
        """The model of the next settings that are handed on."""
        return self.used.get(timeout=LONGEST_WAIT).openai_model


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path, {})


@pytest.fixture
def log() -> Iterator[LogQueue]:
    handler = LogQueue()
    logger = logging.getLogger("streamlit_assistant.settings_watch")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def write_in_place(path: Path, text: str) -> None:
    path.write_text(text)


def put_another_file_in_its_place(path: Path, text: str) -> None:
    other = path.with_suffix(".tmp")
    other.write_text(text)
    os.replace(other, path)


def move_in_from_another_folder(path: Path, text: str) -> None:
    other = path.parent.parent / "elsewhere.toml"
    other.write_text(text)
    os.replace(other, path)


def keep_a_backup_and_write_anew(path: Path, text: str) -> None:
    os.replace(path, path.with_suffix(".toml~"))
    path.write_text(text)


def swap_a_mounted_folder(path: Path, text: str) -> None:
    """As container platforms do: the file is a link into a folder that is a link itself."""
    newest = path.parent / f"..{len(text)}"
    newest.mkdir()
    (newest / path.name).write_text(text)
    link = path.parent / "..data_tmp"
    link.symlink_to(newest.name)
    os.replace(link, path.parent / "..data")
    path.unlink()
    path.symlink_to(f"..data/{path.name}")


@pytest.mark.parametrize(
    "save",
    [
        write_in_place,
        put_another_file_in_its_place,
        move_in_from_another_folder,
        keep_a_backup_and_write_anew,
        swap_a_mounted_folder,
    ],
)
def test_a_changed_file_is_handed_on_however_it_was_saved(
    watched: Watched, save: Callable[[Path, str], None]
) -> None:
    with watched.open():
        save(watched.path, 'OPENAI_MODEL = "second"')

        assert watched.model() == "second"


def test_a_file_that_did_not_exist_at_start_is_noticed(watched: Watched) -> None:
    watched.path.unlink()
    with watched.open():
        watched.path.write_text('OPENAI_MODEL = "second"')

        assert watched.model() == "second"


def test_a_deleted_file_means_the_defaults(watched: Watched) -> None:
    with watched.open():
        watched.path.unlink()

        assert watched.model() is None


def test_the_file_behind_a_link_is_watched_too(watched: Watched, tmp_path: Path) -> None:
    target = tmp_path / "etc" / "chat.toml"
    target.parent.mkdir()
    shutil.move(watched.path, target)
    watched.path.symlink_to(target)
    with watched.open():
        target.write_text('OPENAI_MODEL = "second"')

        assert watched.model() == "second"


def test_an_invalid_file_is_logged_and_the_old_settings_stay(
    watched: Watched, log: LogQueue
) -> None:
    with watched.open():
        watched.path.write_text("OPENAI_MODEL = ")
        assert "is not valid TOML" in log.lines.get(timeout=LONGEST_WAIT)

        watched.path.write_text("MESSAGE_LIMIT = 0")
        assert "MESSAGE_LIMIT (secrets.toml) is 0" in log.lines.get(timeout=LONGEST_WAIT)

        watched.path.write_text('OPENAI_MODEL = "mended"')
        assert watched.model() == "mended"


def test_a_file_saved_without_a_change_is_not_handed_on(watched: Watched) -> None:
    with watched.open():
        watched.sources.reads.get(timeout=LONGEST_WAIT)  # the one at start
        watched.path.write_text('OPENAI_MODEL = "first" # a remark')
        watched.sources.reads.get(timeout=LONGEST_WAIT)
        watched.path.write_text('OPENAI_MODEL = "second"')

        assert watched.model() == "second"


def test_many_saves_in_a_row_are_handed_on_as_the_last(watched: Watched) -> None:
    with watched.open():
        for number in range(100):
            watched.path.write_text(f'OPENAI_MODEL = "{number}"')

        assert watched.model() == "99"


def test_the_log_names_what_is_used_at_once_and_what_needs_a_restart(
    watched: Watched, log: LogQueue
) -> None:
    with watched.open():
        watched.path.write_text('OPENAI_API_KEY = "sk-hunter2"\nPORT = 9000')
        lines = [log.lines.get(timeout=LONGEST_WAIT), log.lines.get(timeout=LONGEST_WAIT)]

    assert lines == [
        "Changed settings, used for new runs: openai_api_key, openai_model",
        "Changed settings, used after a restart: port",
    ]


def test_limits_of_the_model_server_count_at_once_as_the_log_says(
    watched: Watched, log: LogQueue
) -> None:
    with watched.open():
        limits = "REQUESTS_PER_MINUTE = 60\nTOKENS_PER_MINUTE = 1000"
        watched.path.write_text(f'OPENAI_MODEL = "first"\n{limits}')
        told = log.lines.get(timeout=LONGEST_WAIT)

    assert told == "Changed settings, used for new runs: requests_per_minute, tokens_per_minute"


def test_what_the_environment_said_at_start_still_wins(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"OPENAI_MODEL": "from the environment"})
    with watched.open():
        watched.path.write_text('OPENAI_MODEL = "second"\nOPENAI_BASE_URL = "http://localhost/v1"')

        assert watched.model() == "from the environment"


def test_nothing_to_watch_is_no_error(tmp_path: Path) -> None:
    sources = SettingsSources({}, {}, SettingsFiles.of(tmp_path / "missing"))

    with watched_settings(sources.load(), sources, lambda _: None):
        pass


def test_its_threads_end_with_it(watched: Watched) -> None:
    before = set(threading.enumerate())
    with watched.open():
        started = set(threading.enumerate()) - before

    assert len(started) >= 2  # the observer's and the debouncer's
    assert not any(thread.is_alive() for thread in started)
