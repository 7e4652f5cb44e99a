"""The message a run writes, with its run step: from the first token to the end.

What an earlier attempt has shown of it comes again when the model server repeats its answer; it is
then passed over.
"""

from collections.abc import Mapping
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
from streamlit_assistant.runs.citations import CitationFinder
from streamlit_assistant.runs.delta_fold import IMAGE, TEXT, MessageFold
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.repetition import Repetition, marked
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
        """`fold` holds what was shown before; `sources`: file ids behind numbers of citations."""
        self.reasoning = ""  # what the model thought before it answered, if it said so
        self._message = message
        self._step = step
        self._fold = fold
        self._citations = CitationFinder(sources)
        self._repetition = Repetition(fold.content)
        self._kind, self._position = "", 0  # of the text as it comes, seen or not

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

    @property
    def has_words(self) -> bool:
        """Whether more than pictures was said; those stand in one message with what follows."""
        return self._kind not in ("", IMAGE)

    @property
    def is_closed(self) -> bool:
        """Whether an earlier attempt has stored it as whole."""
        return self._step.status is not StepStatus.IN_PROGRESS

    def append(self, kind: str, piece: str, journal: Journal) -> None:
        """Add a piece and show it."""
        self._position = len(piece) + (self._position if kind == self._kind else 0)
        self._kind = kind
        unseen = self._repetition.unseen(piece)
        self._show_late(journal)
        if unseen:
            self._show(self._fold.append(kind, unseen), journal)
        if kind == TEXT:
            for annotation in self._citations.feed(piece, self._position):
                if self.wants_annotation(annotation["type"], annotation["text"]):
                    self.annotate(annotation, journal)

    def wants_annotation(self, kind: str, text: str) -> bool:
        """Whether the annotation that comes now, of this kind and text, is a new one."""
        return not self._repetition.has_annotation(kind, text)

    def annotate(self, annotation: JSON, journal: Journal) -> None:
        """Add an annotation of the text that was added last."""
        placed = self._repetition.placed(annotation)
        if placed is not None and self._kind == TEXT:
            self._show(self._fold.annotate(placed), journal)

    def wants_image(self) -> bool:
        """Whether the image that comes now is a new one."""
        self._kind = IMAGE
        return not self._repetition.has_image()

    def illustrate(self, file_id: str, journal: Journal) -> None:
        """Add an image."""
        self._kind = IMAGE
        self._show(self._fold.illustrate(file_id), journal)

    def _show_late(self, journal: Journal) -> None:
        for text, annotation in self._repetition.late():
            self._show(self._fold.append(TEXT, text), journal)
            if annotation is not None:
                placed = marked(annotation, self._fold.length - len(text))
                self._show(self._fold.annotate(placed), journal)

    def _show(self, part: JSON, journal: Journal) -> None:
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
            reasoning=self.reasoning or None,
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
