"""Where to look for what a POST has made."""

import pytest

from streamlit_assistant.api.made_objects import kinds_made, may_stream, places

VS = "/vector_stores/vs_1"


@pytest.mark.parametrize(
    ("path", "made", "seen_at"),
    [
        ("/assistants", ["asst_1"], ["/assistants/asst_1"]),
        ("/assistants/asst_1", [], ["/assistants/asst_1"]),
        ("/threads", ["thread_1"], ["/threads/thread_1"]),
        ("/threads/", ["thread_1"], ["/threads/thread_1"]),
        ("/threads/runs", ["thread_1", "run_1"], ["/threads/thread_1/runs/run_1"]),
        ("/threads/runs", ["thread_1"], []),
        ("/threads/thread_1/runs", ["run_1", "run_2"], [
            "/threads/thread_1/runs/run_2",
            "/threads/thread_1/runs/run_1",
        ]),
        ("/threads/thread_1/runs/run_1/cancel", [], ["/threads/thread_1/runs/run_1"]),
        ("/threads/t/runs/run_1/submit_tool_outputs", [], ["/threads/t/runs/run_1"]),
        ("/threads/thread_1/messages", ["msg_1"], ["/threads/thread_1/messages/msg_1"]),
        ("/threads/thread_1/messages/batch", [], ["/threads/thread_1/messages"]),
        ("/files", ["file-1"], ["/files/file-1"]),
        ("/files", [], []),
        ("/uploads", [], []),
        ("/uploads/upload_1/parts", [], []),
        ("/uploads/upload_1/complete", [], ["/uploads/upload_1"]),
        (VS, [], [VS]),
        (f"{VS}/search", [], []),
        (f"{VS}/files", [], []),
        (f"{VS}/files/file-1", [], [f"{VS}/files/file-1"]),
        (f"{VS}/file_batches", ["vsfb_1"], [f"{VS}/file_batches/vsfb_1"]),
        (f"{VS}/file_batches/vsfb_1/cancel", [], [f"{VS}/file_batches/vsfb_1"]),
        ("/", [], []),
        ("/nowhere", ["thread_1"], []),
    ],
)  # fmt: skip
def test_what_was_made_is_seen_at_its_own_path(
    path: str, made: list[str], seen_at: list[str]
) -> None:
    assert places(path, made) == seen_at


def test_only_ids_of_what_is_asked_for_are_noted() -> None:
    assert kinds_made("/threads/runs") == ("thread_", "run_")
    assert kinds_made("/threads") == ("thread_",)
    assert kinds_made("/threads/thread_1") == ()
    assert kinds_made("/vector_stores/vs_1/files") == ()


def test_runs_alone_are_streamed() -> None:
    assert may_stream("/v1/threads/runs")
    assert may_stream("/v1/threads/thread_1/runs/run_1/submit_tool_outputs")
    assert not may_stream("/v1/threads/thread_1/messages")
