"""Sync column: as much of the protocol's JSON as a chat needs, checked before use."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, Field

from streamlit_assistant.chat.chat_records import (
    ChatMessage,
    ChatThread,
    Notice,
    OfferedFile,
    Picture,
    RunState,
)

T = TypeVar("T")

PARAGRAPH = "\n\n"  # between the parts of a message and between the messages of one run


class Page(BaseModel, Generic[T]):
    """One page of any list."""

    data: list[T]


class Thread(BaseModel):
    """A thread that was created."""

    id: str


class ListedThread(BaseModel):
    """A thread as the list of threads shows it."""

    id: str
    created_at: int = 0
    title: str | None = None
    last_active_at: int | None = None

    def record(self) -> ChatThread:
        """The same for the page."""
        last_active_at = self.created_at if self.last_active_at is None else self.last_active_at
        return ChatThread(self.id, self.title or "", last_active_at)


class FileReference(BaseModel):
    """A file by its id."""

    file_id: str | None = None


class Annotation(BaseModel):
    """What a text refers to; one with a `file_path` offers a file, whose path is its `text`."""

    text: str | None = None
    file_path: FileReference | None = None


class Text(BaseModel):
    """The text of a content part."""

    value: str | None = None
    annotations: list[Annotation] | None = None


class ContentPart(BaseModel):
    """One part of a message or of its delta; an image has neither text nor refusal."""

    index: int = 0
    text: Text | None = None
    refusal: str | None = None
    image_file: FileReference | None = None

    @property
    def words(self) -> str:
        """What of the part can be read."""
        return (self.text.value if self.text else self.refusal) or ""


class Delta(BaseModel):
    """What one `thread.message.delta` adds."""

    content: list[ContentPart] | None = None


class MessageDelta(BaseModel):
    """The data of a `thread.message.delta` event; `id` is the message's."""

    id: str
    delta: Delta


class Reason(BaseModel):
    """Why a message or run is incomplete."""

    reason: str | None = None


class Origin(BaseModel):
    """What a message was in LangChain; this project's extension."""

    type: str = ""


class Message(BaseModel):
    """A message, also as the hosted API sent it: without status where it was posted by a client."""

    id: str
    role: str
    created_at: int = 0
    content: list[ContentPart] | None = None
    status: str | None = None
    incomplete_details: Reason | None = None
    run_id: str | None = None
    reasoning: str | None = None
    langchain: Origin | None = None

    def record(self) -> ChatMessage:
        """The same for the page; parts are paragraphs of their own."""
        parts = self.content or ()
        return ChatMessage(
            id=self.id,
            role=self.role,
            text=_text(parts),
            status=self.status or "completed",
            incomplete_reason=self.incomplete_details.reason if self.incomplete_details else None,
            run_id=self.run_id,
            created_at=self.created_at,
            reasoning=self.reasoning or "",
            pictures=tuple(_pictures(parts)),
            files=tuple(_files(parts)),
            kind=self.langchain.type if self.langchain else "",
        )


def _text(parts: Sequence[ContentPart]) -> str:
    return PARAGRAPH.join(part.words for part in parts if part.words)


def _pictures(parts: Sequence[ContentPart]) -> Iterator[Picture]:
    for index, part in enumerate(parts):
        if part.image_file and (file_id := part.image_file.file_id):
            yield Picture(file_id, len(_text(parts[:index])))


def _files(parts: Sequence[ContentPart]) -> list[OfferedFile]:
    files: dict[str, OfferedFile] = {}
    for annotation in (each for part in parts if part.text for each in part.text.annotations or ()):
        if annotation.file_path and (file_id := annotation.file_path.file_id):
            _, slash, name = (annotation.text or "").rpartition("/")
            offered = OfferedFile(file_id, (slash and unquote(name)) or file_id)
            files.setdefault(file_id, offered)  # a text may name a file again and again
    return list(files.values())


class LastError(BaseModel):
    """Why a run failed."""

    code: str | None = None
    message: str | None = None


class RunNotice(BaseModel):
    """What a run says of how its answer came about; this project's extension."""

    code: str = ""
    message: str = ""
    details: dict[str, str] = {}


class Run(BaseModel):
    """A run, as an answer or as the data of a `thread.run.*` event."""

    id: str
    status: str = Field(min_length=1)
    last_error: LastError | None = None
    incomplete_details: Reason | None = None
    notices: list[RunNotice] | None = None

    def record(self) -> RunState:
        """The same for the page; what cut a run short is its error code."""
        cut_short = self.incomplete_details.reason if self.incomplete_details else None
        error = self.last_error or LastError()
        notices = tuple(Notice(n.code, n.message, n.details) for n in self.notices or ())
        return RunState(self.id, self.status, error.message, error.code or cut_short, notices)


class ErrorBody(BaseModel):
    """What an `error` event says."""

    message: str = ""


class StreamError(BaseModel):
    """The data of an `error` event."""

    error: ErrorBody
