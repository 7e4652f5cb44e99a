from pathlib import Path

import pytest

from streamlit_assistant.settings import SettingsError
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources, flattened


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / ".streamlit" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_no_files_say_nothing(tmp_path: Path) -> None:
    files = SettingsFiles.of(tmp_path)

    assert files.secrets() == {}
    assert files.config() == {}


def test_the_same_place_is_read_once(tmp_path: Path) -> None:
    assert len(SettingsFiles.of(tmp_path, tmp_path / "." / ".." / tmp_path.name).folders) == 1


def test_the_nearer_secrets_win_and_the_others_fill_in(tmp_path: Path) -> None:
    write(tmp_path / "near", "secrets.toml", 'OPENAI_MODEL = "near"')
    write(tmp_path / "far", "secrets.toml", 'OPENAI_MODEL = "far"\nMESSAGE_LIMIT = 5')

    secrets = SettingsFiles.of(tmp_path / "near", tmp_path / "far").secrets()

    assert secrets == {"OPENAI_MODEL": "near", "MESSAGE_LIMIT": 5}


def test_only_the_nearest_config_counts(tmp_path: Path) -> None:
    write(tmp_path / "far", "config.toml", "[server]\nport = 2")
    files = SettingsFiles.of(tmp_path / "near", tmp_path / "far")
    assert files.config() == {"server": {"port": 2}}

    write(tmp_path / "near", "config.toml", "[theme]\nbase = 'dark'")
    assert files.config() == {"theme": {"base": "dark"}}


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "secrets.toml", "\ufeffMESSAGE_LIMIT = 5")

    assert SettingsFiles.of(tmp_path).secrets() == {"MESSAGE_LIMIT": 5}


@pytest.mark.parametrize("name", ["secrets.toml", "config.toml"])
def test_a_malformed_file_is_refused_with_its_path_and_place(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, "[server]\nPORT = eight")

    with pytest.raises(SettingsError, match=r"is not valid TOML: .*line 2") as refused:
        SettingsSources({}, {}, SettingsFiles.of(tmp_path)).load()

    assert str(path) in str(refused.value)


def test_a_malformed_secret_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, "secrets.toml", "OPENAI_API_KEY = hunter2")

    with pytest.raises(SettingsError) as refused:
        SettingsFiles.of(tmp_path).secrets()

    assert "hunter2" not in str(refused.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "secrets.toml", "")
    path.write_bytes('OPENAI_MODEL = "小智"'.encode("gb18030"))

    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        SettingsFiles.of(tmp_path).secrets()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".streamlit" / "secrets.toml").mkdir(parents=True)

    with pytest.raises(SettingsError, match=r"secrets\.toml cannot be read"):
        SettingsFiles.of(tmp_path).secrets()


def test_sources_read_the_files_as_they_are_now(tmp_path: Path) -> None:
    sources = SettingsSources({"PORT": "7"}, {"OPENAI_MODEL": "mine"}, SettingsFiles.of(tmp_path))
    assert sources.load().message_limit == 1000

    write(tmp_path, "secrets.toml", 'MESSAGE_LIMIT = 5\nOPENAI_MODEL = "other"\nPORT = 8')

    settings = sources.load()
    assert (settings.message_limit, settings.openai_model, settings.port) == (5, "mine", 7)


def test_nested_tables_become_dotted_names() -> None:
    table = {"theme": {"base": "dark", "sidebar": {"font": "serif"}}, "x": {"y": [1]}}

    assert dict(flattened(table)) == {
        "theme.base": "dark",
        "theme.sidebar.font": "serif",
        "x.y": [1],
    }
