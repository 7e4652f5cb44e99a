"""What a killed process had shown of an answer, put together again from the stored events."""

import json

from streamlit_assistant.records import PageQuery, Run, StepStatus
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.delta_fold import MessageFold
from streamlit_assistant.store import Store

MOST_STEPS = 100


async def restore_answer(store: Store, run: Run) -> Answer | None:
    """Return the unfinished answer of a run as its followers saw it, or None."""
    page = await store.steps.page(run.id, PageQuery(limit=MOST_STEPS))
    step = next((step for step in page.items if step.status is StepStatus.IN_PROGRESS), None)
    if step is None:
        return None
    message_id = step.step_details["message_creation"]["message_id"]
    message = await store.messages.get(run.thread_id, message_id)
    fold = MessageFold()
    for event in await store.events.after(run.id, 0):
        if event.name == "thread.message.delta":
            delta = json.loads(event.data)
            if delta["id"] == message_id:
                fold.absorb(delta["delta"]["content"][0])
    return Answer(message, step, fold)
