"""Page layer: what one browser tab is about. The ChatBot, the open chat and its address."""

from dataclasses import dataclass, field

import openai
import streamlit as st

from streamlit_assistant.chat.temporary_chat import TEMPORARY, Copied, TemporaryChat
from streamlit_assistant.chatbot import ChatBot, ChatError, ErrorKind
from streamlit_assistant.ui.session_transcript import SessionTranscript
from streamlit_assistant.ui.texts import Texts, language_for, load_texts

BOT = "chatbot"
BOT_CLASS = "chatbot_class"
STATE = "page_state"
THREAD = "thread"  # the query parameter


@dataclass(frozen=True)
class Problem:
    """What went wrong, kept from a ChatError for the next drawing."""

    kind: ErrorKind
    detail: str
    request_id: str | None

    @classmethod
    def of(cls, error: ChatError) -> "Problem":
        """The problem an error tells of."""
        return cls(error.kind, error.detail, error.request_id)


@dataclass
class Unsent:
    """A prompt that is not known to be in its thread."""

    text: str
    tried: bool = False  # to post it, when `after` was the thread's newest message
    after: str | None = None
    problem: Problem | None = None


@dataclass
class Window:
    """Which of a chat's messages are drawn: the newest ones, from `oldest` on."""

    length: int = 40
    longest: int = 80  # a chat that goes on beyond this is cut to its newest messages again
    oldest: str | None = None


@dataclass
class PageState:
    """What must survive from one run of the script to the next; all else the API knows."""

    address: str | None = None  # the chat the URL named when last looked at
    copied: Copied | None = None  # of a temporary chat, while one is open
    opened: int = 0  # how many chats this tab has opened
    unsent: dict[str | None, list[Unsent]] = field(default_factory=dict)
    newest: str | None = None  # message of the open thread, as last read
    window: Window = field(default_factory=Window)
    wants_answer: bool = False  # to the last message, should it have none
    chats_listed: int = 30
    notice: str | None = None  # what the last click led to: a key of the catalogue
    problem: Problem | None = None  # and what prevented it
    request_id: str | None = None  # of the newest answer, if it ended badly
    pictures: dict[str, bytes] = field(default_factory=dict)  # of the open chat, by file


@dataclass(frozen=True)
class Page:
    """What every part of the page is handed."""

    bot: ChatBot
    state: PageState
    texts: Texts
    is_new: bool = False  # the session has just begun, whatever the browser shows

    @property
    def temporary(self) -> TemporaryChat | None:
        """The open chat, if it is a temporary one."""
        if self.state.copied is None:
            return None
        return TemporaryChat(self.bot, SessionTranscript(st.session_state), self.state.copied)

    @property
    def chat(self) -> ChatBot | TemporaryChat:
        """The open chat."""
        return self.temporary or self.bot

    @property
    def unsent(self) -> list[Unsent]:
        """The open chat's prompts that wait to be sent, in their order."""
        return self.state.unsent.setdefault(self.chat.thread_id, [])


def open_page() -> Page:
    """The page as this run of the script finds it, showing the chat the URL names."""
    texts = load_texts(language_for(st.context.locale))
    is_new = STATE not in st.session_state
    if is_new:
        st.session_state[STATE] = PageState()
    page = Page(_open_bot(), st.session_state[STATE], texts, is_new)
    follow_address(page)
    return page


def follow_address(page: Page) -> None:
    """Open the chat the URL names if the person changed it, else have it name the open chat."""
    state, thread_id = page.state, page.chat.thread_id
    named = st.query_params.get(THREAD) or None
    if named != state.address:
        _show(page, named)
    elif thread_id is not None and thread_id != named:
        # The first message made the thread; what waited in the new chat belongs to it now.
        state.unsent[thread_id] = state.unsent.pop(named, [])
        st.query_params[THREAD] = thread_id
    state.address = page.chat.thread_id


def begin_action(page: Page) -> None:
    """What every callback does first: be sure which chat is open, and forget the last notice."""
    follow_address(page)
    page.state.notice = page.state.problem = None


def go_to(page: Page, thread_id: str | None) -> None:
    """Open another chat, a new one, or a new `TEMPORARY` one."""
    begin_action(page)
    _show(page, thread_id)
    page.state.address = thread_id
    if thread_id is None:
        st.query_params.pop(THREAD, None)
    else:
        st.query_params[THREAD] = thread_id


def _show(page: Page, thread_id: str | None) -> None:
    state = page.state
    if page.temporary:
        page.temporary.end()
        state.unsent.pop(TEMPORARY, None)
    is_temporary = thread_id == TEMPORARY
    page.bot.thread_id = None if is_temporary else thread_id
    state.copied = Copied() if is_temporary else None
    state.opened += 1
    state.window = Window()
    state.pictures = {}
    state.newest = state.request_id = state.notice = state.problem = None
    state.wants_answer = False


def _open_bot() -> ChatBot:
    kept: ChatBot | None = st.session_state.get(BOT)
    # After a change of its source the class is a new one, and a bot of the old class would hand
    # out updates that the new page does not recognize.
    if kept is None or st.session_state.get(BOT_CLASS, ChatBot) is not ChatBot:
        st.session_state[BOT] = _new_bot(kept.thread_id if kept else None)
        st.session_state[BOT_CLASS] = ChatBot
    bot: ChatBot = st.session_state[BOT]
    return bot


def _new_bot(thread_id: str | None) -> ChatBot:
    site = st.secrets["site"]
    return ChatBot(
        _client(site["base_url"], site["api_key"]),
        site["assistant_id"],
        thread_id,
        streaming=site["streaming"],
        message_limit=site["message_limit"],
    )


@st.cache_resource(show_spinner=False)
def _client(base_url: str, api_key: str) -> openai.OpenAI:
    return _new_client(base_url, api_key)


def _new_client(base_url: str, api_key: str) -> openai.OpenAI:
    # The API is in this very process: no proxy of the environment may see the site's key.
    http_client = openai.DefaultHttpx2Client(trust_env=False)
    return openai.OpenAI(base_url=base_url, api_key=api_key, http_client=http_client)


def preload() -> None:
    """Have the client load the parts it would otherwise load with the first message."""
    with _new_client("http://127.0.0.1/v1", "none") as client:
        _ = client.beta.threads.messages, client.beta.threads.runs
