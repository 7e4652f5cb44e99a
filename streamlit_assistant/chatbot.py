"""Sync column: ChatBot, one chat with one assistant. Knows the openai client and no streamlit."""

from collections.abc import Generator, Sequence

import openai

from streamlit_assistant.chat.assistants_client import AssistantsClient, new_key
from streamlit_assistant.chat.chat_errors import ChatError, ErrorKind
from streamlit_assistant.chat.chat_records import (
    ChatMessage,
    ChatThread,
    Ending,
    Finished,
    ModelCheck,
    ModelReport,
    ModelState,
    Notice,
    OfferedFile,
    Picture,
    RunState,
    TextDelta,
    Update,
    Waiting,
)
from streamlit_assistant.chat.patience import Patience, Timing
from streamlit_assistant.chat.run_following import POST_PATIENCE, Progress, RunFollower

__all__ = [
    "ChatBot",
    "ChatError",
    "ChatMessage",
    "ChatThread",
    "Ending",
    "ErrorKind",
    "Finished",
    "ModelCheck",
    "ModelReport",
    "ModelState",
    "Notice",
    "OfferedFile",
    "Picture",
    "RunState",
    "TextDelta",
    "Timing",
    "Update",
    "Waiting",
]

READ_PATIENCE = 5.0  # seconds: the page draws nothing while it reads
TEST_POLL = 0.5  # seconds between two looks at how far the test of the model has come


class ChatBot:
    """A chat: asks, follows the answer, and reads what the thread holds.

    Every method raises ChatError, and no other error, when the API cannot be reached or refuses.
    The server owns the answer: closing an iterator of updates stops nothing but the following.
    """

    def __init__(
        self,
        client: openai.OpenAI,
        assistant_id: str,
        thread_id: str | None = None,
        *,
        streaming: bool = True,
        message_limit: int = 1000,
        timing: Timing | None = None,
    ) -> None:
        self.assistant_id = assistant_id
        self.thread_id = thread_id or None
        self._streaming = streaming
        self.message_limit = message_limit
        self._timing = timing or Timing()
        self._api = AssistantsClient(client, self._timing.wall)
        self._posting = Patience(self._timing, POST_PATIENCE)
        self._reading = Patience(self._timing, READ_PATIENCE)

    def ask(self, prompt: str) -> Generator[Update, None, None]:
        """Post the prompt, in a new thread if none is open, and follow the answer."""
        if not prompt.strip():
            raise ChatError("rejected", "The message is empty.")
        return self._ask(prompt)

    def begin(
        self, messages: Sequence[tuple[str, str]] = (), *, temporary: bool = False
    ) -> Generator[Update, None, None]:
        """Make a thread of these messages, by role and text, and open it.

        A `temporary` one is listed nowhere, and the server deletes it once it has been left.
        """
        key = new_key()
        self.thread_id = yield from self._posting.insist(
            lambda: self._api.create_thread(key, messages, temporary=temporary),
            sign=Progress(self._timing).waiting,
        )

    def delete(self) -> None:
        """Delete the open thread, and with it what is being written there; none is open then."""
        if (thread_id := self.thread_id) is None:
            return
        try:
            self._reading.call(lambda: self._api.delete_thread(thread_id))
        except ChatError as error:
            if error.kind != "not_found":
                raise
        self.thread_id = None

    def retry(self) -> Generator[Update, None, None]:
        """Have the thread answered again, without a new message, and follow the answer."""
        return self._follower(self._open_thread()).start(self.assistant_id)

    def follow(self, run_id: str) -> Generator[Update, None, None]:
        """Follow a run from its first word, whether it still runs or has just ended."""
        return self._follower(self._open_thread()).attach(run_id)

    def latest_run(self) -> RunState | None:
        """The newest run of the open thread."""
        if (thread_id := self.thread_id) is None:
            return None
        return self._reading.call(lambda: self._api.latest_run(thread_id))

    def stop(self) -> None:
        """Cancel the run that holds the open thread; that it ended just now is no error."""
        run = self.latest_run()
        if run is None or not _can_be_cancelled(run):
            return
        thread_id, key = self._open_thread(), new_key()
        try:
            self._reading.call(lambda: self._api.cancel_run(thread_id, run.id, key))
        except ChatError:
            if self._still_runs(run):
                raise

    def messages(self, limit: int = 40, before: str | None = None) -> list[ChatMessage]:
        """The newest messages, or the page just older than message `before`; the oldest first."""
        if (thread_id := self.thread_id) is None:
            return []
        return self._reading.call(lambda: self._api.messages(thread_id, limit, before))

    def messages_after(self, after: str | None, limit: int) -> list[ChatMessage]:
        """The first messages, or those that follow message `after`; the oldest first."""
        if (thread_id := self.thread_id) is None:
            return []
        return self._reading.call(lambda: self._api.messages_after(thread_id, after, limit))

    def file(self, file_id: str) -> bytes:
        """The bytes of a file that a message shows or offers."""
        return self._reading.call(lambda: self._api.file_content(file_id))

    def message_count(self) -> int | None:
        """How many messages the open thread holds, or None where the server does not say."""
        if (thread_id := self.thread_id) is None:
            return 0
        return self._reading.call(lambda: self._api.message_count(thread_id))

    def limit_reached(self) -> bool:
        """Whether the open thread is known to be full."""
        count = self.message_count()
        return count is not None and count >= self.message_limit

    def threads(self, limit: int = 30) -> list[ChatThread]:
        """The newest chats, or none where the server keeps no list of them."""
        try:
            return self._reading.call(lambda: self._api.threads(limit))
        except ChatError as error:
            if error.kind != "not_found":
                raise
            return []

    def model(self) -> ModelState | None:
        """Who answers, or None where the server does not say."""
        try:
            return self._reading.call(self._api.upstream)
        except ChatError as error:
            if error.kind != "not_found":
                raise
            return None

    def test_model(self) -> Generator[ModelState, None, None]:
        """Have the model tested, and follow how far that has come; the last one has the report."""
        state = self._reading.call(self._api.begin_probe)
        yield state
        while state.progress is not None:
            for _ in self._timing.slices(TEST_POLL):
                yield state
            state = self._reading.call(self._api.upstream)
            yield state

    def _ask(self, prompt: str) -> Generator[Update, None, None]:
        progress = Progress(self._timing)
        if self.thread_id is None:
            yield from self.begin()
        thread_id, key = self._open_thread(), new_key()
        yield from self._posting.insist(
            lambda: self._api.post_message(thread_id, prompt, key), sign=progress.waiting
        )
        # Nothing is yielded between the two posts when all goes well: the page may drop the
        # iterator at any yield, and a message without a run would go unanswered.
        yield from self._follower(thread_id, progress).start(self.assistant_id)

    def _follower(self, thread_id: str, progress: Progress | None = None) -> RunFollower:
        progress = progress or Progress(self._timing)
        return RunFollower(self._api, self._timing, progress, thread_id, streaming=self._streaming)

    def _open_thread(self) -> str:
        if self.thread_id is None:
            raise ChatError("not_found", "No chat is open.")
        return self.thread_id

    def _still_runs(self, run: RunState) -> bool:
        newest = self.latest_run()
        return newest is not None and newest.id == run.id and _can_be_cancelled(newest)


def _can_be_cancelled(run: RunState) -> bool:
    waits_for_tools = run.ending is Ending.REQUIRES_ACTION
    return (run.active and run.status != "cancelling") or waits_for_tools
