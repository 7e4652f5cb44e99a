"""What an address of an SQL database may say, and what is told to whoever writes another."""

from pathlib import Path

import pytest

from streamlit_assistant.history import SQLHistory
from streamlit_assistant.history.addresses import check_address, open_history, open_log
from streamlit_assistant.history.history_errors import BadAddress, HistoryError
from streamlit_assistant.history.sql_addresses import sql_address


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "PostgreSQL"])
def test_postgresql_has_many_names(scheme: str) -> None:
    url = f"{scheme}://me:se%40cret@db:6543/chats?sslmode=require&application_name=x"
    address = sql_address(url)
    check_address(url)

    assert (address.url.drivername, address.url.password) == ("postgresql+psycopg", "se@cret")
    assert dict(address.url.query) == {"sslmode": "require", "application_name": "x"}


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"])
def test_sqlite_has_many_names(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}:///{tmp_path}/a.db"
    SQLHistory("s", url).add_user_message("one")

    check_address(url)
    assert open_log(f"sqlite:///{tmp_path}/a.db", "s").read()
    assert [m.content for m in open_history(url, "s").messages] == ["one"]


def test_a_file_is_the_same_whatever_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history = SQLHistory("s", "sqlite:///here.db")
    monkeypatch.chdir("/")
    history.add_user_message("one")

    assert (tmp_path / "here.db").exists()
    assert SQLHistory("s", f"sqlite:///{tmp_path}/here.db").messages == history.messages


def test_memory_is_shared_until_the_last_one_closes_it() -> None:
    with SQLHistory("s", "sqlite://") as one, SQLHistory("s", "sqlite:///:memory:") as other:
        one.add_user_message("one")
        assert other.messages == one.messages != []
    with SQLHistory("s", "sqlite://") as later:
        assert later.messages == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///a.db?cache=shared", "no option cache: SQLite takes only patience"),
        ("sqlite:///a.db?mode=ro&uri=true", "no option mode, uri"),
        ("postgresql://me:secret@h/d?ttl=3", "no option ttl: patience and those of libpq"),
        ("sqlite://a.db", "three slashes or four"),
        ("sqlite://me:secret@/a.db", "three slashes or four"),
        ("postgresql://me:secret@h:port/d", "no address of an SQL database: use sqlite:///"),
        ("postgresql://me:half@secret@h/d", "@ is written as %40"),
        ("postgresql+asyncpg://me:secret@h/d", "no driver postgresql"),
        ("postgresql://h/d?patience=soon", "patience is a number of seconds"),
        ("postgresql://h/d?patience=-1", "patience is a number of seconds"),
        ("postgresql://h/d?patience=nan", "patience is a number of seconds"),
        ("postgresql://h/d?patience=1&patience=2", "patience is a number of seconds"),
        ("mysql://me:secret@h/d", "no driver mysql: use sqlite:///"),
        ("no address, secret", "no address of an SQL database"),
    ],
)
def test_another_address_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(BadAddress) as refused:
        SQLHistory("s", url)

    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_patience_is_seconds() -> None:
    with pytest.raises(BadAddress, match="patience"):
        SQLHistory("s", "sqlite://", patience=-1)


def test_a_closed_history_says_so() -> None:
    history = SQLHistory("s", "sqlite://")
    history.close()
    history.close()

    with pytest.raises(HistoryError, match="closed"):
        history.add_user_message("late")


def test_closing_twice_takes_nothing_from_others() -> None:
    with SQLHistory("s", "sqlite://") as kept:
        kept.add_user_message("one")
        other = SQLHistory("s", "sqlite://")
        other.close()
        other.close()

        assert len(kept.messages) == 1
