"""Valid records with little typing."""

from typing import Any

from streamlit_assistant.records import Assistant, Message, Run, Thread, new_id

OWNER = "owner"


def make_assistant(**fields: Any) -> Assistant:
    return Assistant(
        **{
            "id": new_id("asst"),
            "owner": OWNER,
            "created_at": 1_700_000_000,
            "model": "m",
            **fields,
        }
    )


def make_thread(**fields: Any) -> Thread:
    created_at = 1_700_000_000
    return Thread(**{"id": new_id("thread"), "owner": OWNER, "created_at": created_at, **fields})


def make_message(thread_id: str, text: str = "hello", **fields: Any) -> Message:
    return Message(
        **{
            "id": new_id("msg"),
            "thread_id": thread_id,
            "created_at": 1_700_000_000,
            "role": "user",
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
            **fields,
        }
    )


def make_run(thread_id: str, **fields: Any) -> Run:
    return Run(
        **{
            "id": new_id("run"),
            "owner": OWNER,
            "thread_id": thread_id,
            "assistant_id": "asst_test",
            "created_at": 1_700_000_000,
            "expires_at": 1_700_000_600,
            "model": "m",
            **fields,
        }
    )
