"""From a thread's messages to what the model is shown."""

from collections.abc import Sequence

from streamlit_assistant.providers.base import ModelRequest, PromptMessage
from streamlit_assistant.records import Message, MessageStatus, Run
from streamlit_assistant.store import Store

# Newest messages shown when a run does not say how many: bounds the cost of a turn.
DEFAULT_WINDOW = 200


async def build_request(store: Store, run: Run, model: str) -> ModelRequest:
    """Return the request for a run: its instructions and the end of its thread."""
    window = run.truncation_strategy.get("last_messages") or DEFAULT_WINDOW
    messages = await store.messages.newest(run.thread_id, window)
    return ModelRequest(
        model=model,
        instructions=run.instructions,
        messages=[PromptMessage(m.role, m.content) for m in _shown(messages)],
        temperature=run.temperature,
        top_p=run.top_p,
        max_completion_tokens=run.max_completion_tokens,
        response_format=run.response_format,
        reasoning_effort=run.reasoning_effort,
    )


def _shown(messages: Sequence[Message]) -> list[Message]:
    shown = [message for message in messages if message.content]
    # A broken-off answer at the end is the one this run replaces: shown to the model, it would be
    # taken for a finished turn. Further up it is part of the conversation.
    while shown and _is_broken_answer(shown[-1]):
        shown.pop()
    return shown


def _is_broken_answer(message: Message) -> bool:
    return message.role == "assistant" and message.status is not MessageStatus.COMPLETED
