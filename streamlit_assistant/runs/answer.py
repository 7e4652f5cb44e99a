"""The message a run writes, with its run step: from the first token to the end."""

from collections.abc import Mapping
from dataclasses import replace

from streamlit_assistant import responses
from streamlit_assistant.records import (
    JSON,
    Message,
    MessageStatus,
    Run,
    RunStep,
    new_id,
)
from streamlit_assistant.runs.citations import CitationFinder
from streamlit_assistant.runs.delta_fold import TEXT, MessageFold
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.run_steps import MESSAGE_CREATION, ended_step, new_step


class Answer:
    """An assistant message that grows."""

    def __init__(
        self,
        message: Message,
        step: RunStep,
        fold: MessageFold,
        sources: Mapping[str, str],
    ) -> None:
        """`sources`: the file ids behind the numbers of citation markers."""
        self._message = message
        self._step = step
        self._fold = fold
        self._citations = CitationFinder(sources)

    @classmethod
    async def begin(
        cls, run: Run, journal: Journal, now: int, sources: Mapping[str, str]
    ) -> "Answer":
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
        creation = {"type": MESSAGE_CREATION, MESSAGE_CREATION: {"message_id": message.id}}
        step = new_step(run, creation, now)
        shown_step, shown_message = responses.run_step(step), responses.message(message)
        await journal.commit(
            [
                ("thread.run.step.created", shown_step),
                ("thread.run.step.in_progress", shown_step),
                ("thread.message.created", shown_message),
                ("thread.message.in_progress", shown_message),
            ],
            {},
            [message, step],
        )
        return cls(message, step, MessageFold(), sources)

    @property
    def message_id(self) -> str:
        """The message that is being written."""
        return self._message.id

    def append(self, kind: str, piece: str, journal: Journal) -> None:
        """Add a piece and show it."""
        parts = [self._fold.append(kind, piece)]
        if kind == TEXT:
            found = self._citations.feed(piece, self._fold.position)
            parts += [self._fold.annotate(annotation) for annotation in found]
        for part in parts:
            journal.emit("thread.message.delta", responses.message_delta(self._message.id, part))

    def note_metadata(self, metadata: Mapping[str, str], message_id: str) -> None:
        """Take over what a client has changed, if it is this message."""
        if message_id == self._message.id:
            self._message = replace(self._message, metadata=metadata)

    def end(self, ending: Ending, usage: JSON | None, now: int) -> Closing:
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
        step = ended_step(self._step, ending, usage, now)
        return Closing(
            [message, step],
            [
                (f"thread.message.{message.status}", responses.message(message)),
                (f"thread.run.step.{step.status}", responses.run_step(step)),
            ],
        )
