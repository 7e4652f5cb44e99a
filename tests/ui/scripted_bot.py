"""A ChatBot that answers by a script: the page's only neighbour, without a server behind it."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from streamlit_assistant.chatbot import (
    ChatError,
    ChatMessage,
    ChatThread,
    Ending,
    Finished,
    RunState,
    TextDelta,
    Update,
    Waiting,
)

NOW = 1_790_000_000


@dataclass(frozen=True)
class Answer:
    """What the next run writes and how it ends; `cut` interrupts it, as a click does."""

    pieces: Sequence[str] = ("Hello", " there.")
    ending: Ending = Ending.COMPLETED
    error_message: str | None = None
    error_code: str | None = None
    request_id: str | None = "req_1"
    cut: Callable[[], None] | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass
class StoredThread:
    messages: list[ChatMessage] = field(default_factory=list)
    run: RunState | None = None
    answer: Answer | None = None
    title: str = ""
    last_active_at: int = NOW
    temporary: bool = False


class ScriptedBot:
    """Has the names of ChatBot; `refuse` makes a method raise, `answers` are given in turn."""

    assistant_id = "asst_test"
    message_limit = 1000

    def __init__(self, *answers: Answer) -> None:
        self.thread_id: str | None = None
        self.stored: dict[str, StoredThread] = {}
        self.answers = list(answers)
        self.refuse: dict[str, ChatError] = {}
        self.full = False
        self.files: dict[str, bytes] = {}
        self.calls: list[str] = []
        self._made = 0

    def ask(self, prompt: str) -> Generator[Update, None, None]:
        self._called(f"ask {prompt}")
        if self.thread_id is None:
            yield from self.begin()
            self._open().title = prompt
        self._called("post")
        self.add("user", prompt)
        yield from self._start()

    def begin(
        self, messages: Sequence[tuple[str, str]] = (), *, temporary: bool = False
    ) -> Generator[Update, None, None]:
        self._called("begin")
        self.thread_id = self._new_id("thread")
        self.stored[self.thread_id] = StoredThread(temporary=temporary)
        for role, text in messages:
            self.add(role, text)
        yield from ()

    def delete(self) -> None:
        self._called("delete")
        del self.stored[str(self.thread_id)]
        self.thread_id = None

    def retry(self) -> Generator[Update, None, None]:
        self._called("retry")
        yield from self._start()

    def follow(self, run_id: str) -> Generator[Update, None, None]:
        self._called(f"follow {run_id}")
        stored = self._open()
        answer = stored.answer
        assert answer is not None and stored.run is not None and stored.run.id == run_id
        yield Waiting(0.3, stored.run.status)
        for piece in answer.pieces:
            yield TextDelta(piece)
        if answer.cut:
            answer.cut()
        yield self._finished(stored, answer)

    def latest_run(self) -> RunState | None:
        self._called("latest_run")
        return self._open().run if self.thread_id else None

    def stop(self) -> None:
        self._called("stop")
        stored = self._open()
        if stored.answer:
            stored.answer = replace(stored.answer, ending=Ending.CANCELLED, cut=None)
        if stored.run and stored.run.ending is Ending.REQUIRES_ACTION:
            stored.run = replace(stored.run, status="cancelled")

    def messages(self, limit: int = 40, before: str | None = None) -> list[ChatMessage]:
        self._called("messages")
        if self.thread_id is None:
            return []
        messages = self._open().messages
        if before is not None:
            messages = messages[: [message.id for message in messages].index(before)]
        return messages[-limit:]

    def messages_after(self, after: str | None, limit: int) -> list[ChatMessage]:
        self._called("messages_after")
        if self.thread_id is None:
            return []
        messages = self._open().messages
        if after is not None:
            messages = messages[[message.id for message in messages].index(after) + 1 :]
        return messages[:limit]

    def file(self, file_id: str) -> bytes:
        self._called(f"file {file_id}")
        if file_id not in self.files:
            raise ChatError("not_found", "No such file.")
        return self.files[file_id]

    def limit_reached(self) -> bool:
        self._called("limit_reached")
        return self.full

    def threads(self, limit: int = 30) -> list[ChatThread]:
        self._called("threads")
        listed = [
            ChatThread(thread_id, stored.title, stored.last_active_at)
            for thread_id, stored in self.stored.items()
            if not stored.temporary
        ]
        return sorted(listed, key=lambda thread: -thread.last_active_at)[:limit]

    def open(self, thread_id: str = "thread_a", *texts: str, title: str = "") -> StoredThread:
        """Store a thread of these messages, from both sides in turn, and open it."""
        self.stored[thread_id] = StoredThread(title=title)
        self.thread_id = thread_id
        for index, text in enumerate(texts):
            self.add("assistant" if index % 2 else "user", text)
        if len(texts) > 1:
            self.stored[thread_id].run = RunState("run_old", "completed", None, None)
        return self.stored[thread_id]

    def add(self, role: str, text: str, **fields: str | None) -> ChatMessage:
        """Add a message to the open thread."""
        message = ChatMessage(
            id=self._new_id("msg"),
            role=role,
            text=text,
            status=fields.get("status") or "completed",
            incomplete_reason=fields.get("incomplete_reason"),
            run_id=fields.get("run_id"),
            created_at=NOW,
        )
        self._open().messages.append(message)
        return message

    def _start(self) -> Generator[Update, None, None]:
        self._called("run")
        stored = self._open()
        stored.answer = self.answers.pop(0) if self.answers else Answer()
        run_id = self._new_id("run")
        stored.run = RunState(run_id, "in_progress", None, None)
        yield from self.follow(run_id)

    def _finished(self, stored: StoredThread, answer: Answer) -> Finished:
        assert stored.run is not None
        stored.run = RunState(
            stored.run.id, answer.ending.value, answer.error_message, answer.error_code
        )
        whole = answer.ending is Ending.COMPLETED
        if answer.text:
            self.add(
                "assistant",
                answer.text,
                status="completed" if whole else "incomplete",
                incomplete_reason=None if whole else "run_failed",
                run_id=stored.run.id,
            )
        return Finished(
            answer.ending,
            answer.text,
            None,
            answer.error_message,
            answer.error_code,
            answer.request_id,
        )

    def _open(self) -> StoredThread:
        stored = self.stored.get(self.thread_id or "")
        if stored is None:
            raise ChatError("not_found", f"No thread found with id '{self.thread_id}'.")
        return stored

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if error := self.refuse.get(call.split()[0]):
            raise error

    def _new_id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}_{self._made}"
