"""Archives in a folder in which somebody else has been at work."""

import os
from pathlib import Path

import pytest

from streamlit_assistant.archive.archive_errors import NotArchived, PlaceTrouble
from streamlit_assistant.archive.folder_place import FolderPlace
from streamlit_assistant.archive.places import Found


@pytest.fixture
def threads(tmp_path: Path) -> Path:
    """The folder of the objects, with one in it."""
    folder = tmp_path / "archive" / "threads"
    folder.mkdir(parents=True)
    (folder / "thread_a.ndjson.gz").write_bytes(b"object")
    return folder


@pytest.fixture
def place(threads: Path) -> FolderPlace:
    return FolderPlace(threads.parent)


def test_what_is_no_file_is_no_object(place: FolderPlace, threads: Path) -> None:
    (threads / "thread_b.ndjson.gz").mkdir()
    (threads / "thread_c.ndjson.gz").symlink_to("nowhere")
    os.mkfifo(threads / "thread_d.ndjson.gz")

    assert [*place.found()] == [Found("thread_a", 6)]
    for thread_id in ("thread_b", "thread_c", "thread_d"):
        with pytest.raises(NotArchived, match=thread_id), place.fetched(thread_id):
            pass


def test_a_file_that_cannot_be_read_is_named(place: FolderPlace, threads: Path) -> None:
    circle = threads / "thread_b.ndjson.gz"
    circle.symlink_to(circle)

    with pytest.raises(PlaceTrouble, match=f"The file {circle} cannot be read"):
        [*place.chunks("thread_b")]
