import stat
from pathlib import Path

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


def test_a_second_process_is_kept_out_until_the_first_has_left(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.open()

    with pytest.raises(StartError, match="DATA_DIR: another process"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_one_database_is_not_served_from_two_folders(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first, second = DataFolder(tmp_path / "a", url), DataFolder(tmp_path / "b", url)
    first.open()

    with pytest.raises(StartError, match="DATABASE_URL: another process"):
        second.open()
    first.close()


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="DATA_DIR: the folder"):
        DataFolder(tmp_path / "file" / "data").open()
