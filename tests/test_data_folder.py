import fcntl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from streamlit_assistant.data_folder import DataFolder
from streamlit_assistant.errors import StartError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_all_in_it_are_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    folder.open()
    folder.site_key()
    made = tmp_path / "deep" / "data"

    assert mode(made) == 0o700
    assert {mode(file) for file in made.iterdir()} == {0o600}
    folder.close()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = DataFolder(tmp_path)
    folder.open()

    assert mode(tmp_path) == 0o755
    folder.close()


def test_the_key_of_the_site_is_made_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)

    assert folder.site_key() == folder.site_key()
    assert len(folder.site_key()) > 40


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"sa-short", b"two words of nothing at all"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "site.key").write_bytes(content)

    with pytest.raises(StartError, match="holds no key"):
        DataFolder(tmp_path).site_key()


def test_several_processes_use_one_folder_and_one_database(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.open()
    second.open()

    assert first.site_key() == second.site_key()
    first.close()
    second.close()


def test_a_folder_is_used_with_one_database_at_a_time(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    other = DataFolder(tmp_path, f"sqlite:///{tmp_path / 'other.db'}")
    first.open()
    with pytest.raises(StartError, match=r"uses the folder .* with the database .*assistant.db"):
        other.open()
    first.close()
    other.open()

    with pytest.raises(StartError, match=r"with the database .*other.db"):
        first.open()
    other.close()


@pytest.mark.parametrize("name", ["lock", "assistant.db.lock"])
def test_a_process_that_knows_no_leases_and_one_that_does_keep_each_other_out(
    tmp_path: Path, name: str
) -> None:
    folder = DataFolder(tmp_path)
    with (tmp_path / name).open("w") as older:
        fcntl.flock(older, fcntl.LOCK_EX)
        with pytest.raises(StartError, match="a process of an older version is serving from"):
            folder.open()
    folder.open()
    with (tmp_path / name).open("w") as older, pytest.raises(BlockingIOError):
        fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)

    folder.close()
    with (tmp_path / name).open("w") as older:
        fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_of_keys_made_at_the_same_time_one_stays_and_all_use_it(tmp_path: Path) -> None:
    makers = 8
    ready = Barrier(makers)

    def make(_number: int) -> str:
        ready.wait()
        return DataFolder(tmp_path).site_key()

    with ThreadPoolExecutor(makers) as threads:
        keys = set(threads.map(make, range(makers)))

    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["site.key"]


def test_a_postgresql_database_leaves_no_file_in_the_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path, "postgresql://me:hunter2@db/chats")
    folder.open()

    assert [file.name for file in tmp_path.iterdir()] == ["lock"]
    folder.close()


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="DATA_DIR: the folder"):
        DataFolder(tmp_path / "file" / "data").open()
