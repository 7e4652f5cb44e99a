"""The message a run writes, with its run step: from the first token to the end."""

from dataclasses import replace

from streamlit_assistant import responses
from streamlit_assistant.records import (
    JSON,
    Message,
    MessageStatus,
    Run,
    RunStep,
    StepStatus,
    new_id,
)
from streamlit_assistant.runs.delta_fold import MessageFold
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Emission, Journal

_REACHED_AT = {
    StepStatus.COMPLETED: "completed_at",
    StepStatus.FAILED: "failed_at",
    StepStatus.CANCELLED: "cancelled_at",
    StepStatus.EXPIRED: "expired_at",
}


class Answer:
    """An assistant message that grows."""

    def __init__(self, message: Message, step: RunStep, fold: MessageFold) -> None:
        self._message = message
        self._step = step
        self._fold = fold

    @classmethod
    async def begin(cls, run: Run, journal: Journal, now: int) -> "Answer":
        """Announce an empty message and the step that creates it."""
        message = Message(
            id=new_id("msg"),
            thread_id=run.thread_id,
            created_at=now,
            role="assistant",
            content=[],
            status=MessageStatus.IN_PROGRESS,
            assistant_id=run.assistant_id,
            run_id=run.id,
        )
        step = RunStep(
            id=new_id("step"),
            run_id=run.id,
            thread_id=run.thread_id,
            assistant_id=run.assistant_id,
            created_at=now,
            type="message_creation",
            step_details={
                "type": "message_creation",
                "message_creation": {"message_id": message.id},
            },
        )
        shown_step, shown_message = responses.run_step(step), responses.message(message)
        await journal.commit(
            [
                ("thread.run.step.created", shown_step),
                ("thread.run.step.in_progress", shown_step),
                ("thread.message.created", shown_message),
                ("thread.message.in_progress", shown_message),
            ],
            {},
            message,
            step,
        )
        return cls(message, step, MessageFold())

    def append(self, kind: str, piece: str, journal: Journal) -> None:
        """Add a piece and show it."""
        part = self._fold.append(kind, piece)
        journal.emit("thread.message.delta", responses.message_delta(self._message.id, part))

    def end(
        self, ending: Ending, usage: JSON | None, now: int
    ) -> tuple[Message, RunStep, list[Emission]]:
        """Return the final message and step, and the events that announce them."""
        whole = ending.incomplete_reason is None
        message = replace(
            self._message,
            content=self._fold.content,
            status=MessageStatus.COMPLETED if whole else MessageStatus.INCOMPLETE,
            completed_at=now if whole else None,
            incomplete_at=None if whole else now,
            incomplete_reason=ending.incomplete_reason,
        )
        reached: JSON = {"status": ending.step, _REACHED_AT[ending.step]: now}
        step = replace(self._step, usage=usage, last_error=ending.last_error, **reached)
        emissions = [
            (f"thread.message.{message.status}", responses.message(message)),
            (f"thread.run.step.{step.status}", responses.run_step(step)),
        ]
        return message, step, emissions
