"""What a batch of files is said to be, by what became of its files."""

from dataclasses import replace

import pytest

from streamlit_assistant.file_responses import file_batch
from tests.file_factories import make_batch


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"in_progress": 1, "cancelled": 1}, "in_progress"),
        ({"completed": 1, "cancelled": 1}, "completed"),
        ({"completed": 1, "failed": 1}, "completed"),
        ({"failed": 2}, "failed"),
        ({"cancelled": 2}, "cancelled"),
        ({"cancelled": 1, "failed": 1}, "cancelled"),
        ({"in_progress": 1, "is_cancelled": True}, "cancelled"),
        ({}, "completed"),
    ],
)
def test_a_batch_is_what_became_of_its_files(counts: dict[str, int], status: str) -> None:
    batch = replace(make_batch("vs_1"), **counts)  # type: ignore[arg-type]

    assert file_batch(batch)["status"] == status
