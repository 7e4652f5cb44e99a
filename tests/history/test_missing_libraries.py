"""Histories where an extra is not installed, and where no process can fork."""

import os
import subprocess
import sys

import pytest

# Keeps a library away from a program, as if it were not installed.
WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
try:
    {code}
except ImportError as error:
    print(type(error).__name__, error)
"""
IMPORT = "from streamlit_assistant.history import SQLHistory"
OPEN = "from streamlit_assistant.history import open_history; open_history('{}', 's')"


def told(library: str, code: str, tmp_path: os.PathLike[str]) -> str:
    """Return what a program prints that has everything but one library."""
    program = WITHOUT.format(library=library, code=code)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environ,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("library", "code", "extra"),
    [
        ("langchain_core", IMPORT, "langchain"),
        ("langchain_core", "from streamlit_assistant.history import *", "langchain"),
        ("langchain_core", OPEN.format("sqlite://"), "langchain"),
        ("redis", OPEN.format("redis://localhost"), "redis"),
        ("confluent_kafka", OPEN.format("kafka://localhost:9092"), "kafka"),
        ("psycopg", OPEN.format("postgresql://localhost/d"), "postgresql"),
    ],
    ids=["class", "everything", "langchain", "redis", "kafka", "postgresql"],
)
def test_a_missing_library_is_named_with_its_extra(
    library: str, code: str, extra: str, tmp_path: os.PathLike[str]
) -> None:
    assert told(library, code, tmp_path) == (
        f"MissingDriver {library} is not installed: pip install -e '.[{extra}]'"
    )


def test_a_log_needs_no_langchain(tmp_path: os.PathLike[str]) -> None:
    code = (
        "from streamlit_assistant.history.addresses import open_log;"
        " print(open_log('sqlite://', 's').read())"
    )
    assert told("langchain_core", code, tmp_path) == "[]"


def test_a_system_that_cannot_fork_will_do(tmp_path: os.PathLike[str]) -> None:
    code = (
        "import os; del os.fork, os.register_at_fork;"
        " from streamlit_assistant.history.addresses import open_log;"
        " print(open_log('sqlite://', 's').read())"
    )
    assert told("langchain_core", code, tmp_path) == "[]"
