"""Chains that remember, the way LangChain teaches to make them, over histories of any store."""

from collections.abc import Callable
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.upstream import Upstream

# What every file that makes such chains marks its tests with; the class works until version 2.
DEPRECATED = "ignore:RunnableWithMessageHistory is deprecated"
ABOUT = {"role": "a patient teacher", "language": "English"}
GetHistory = Callable[[str], BaseChatMessageHistory]
Chain = Runnable[Any, Any]


def model_at(upstream: Upstream, **options: Any) -> ChatOpenAI:
    """The official model class, pointed at a scripted model server."""
    key = SecretStr("none")
    return ChatOpenAI(
        model="scripted", base_url=upstream.base_url, api_key=key, max_retries=0, **options
    )


def prompted(model: Chain, get_history: GetHistory) -> Chain:
    """A chain whose prompt has a place for the history; it is asked with `question`."""
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "You are {role}. Answer in {language}."),
            MessagesPlaceholder("history"),
            ("human", "{question}"),
        ]
    )
    return RunnableWithMessageHistory(
        prompt | model,
        get_history,
        input_messages_key="question",
        history_messages_key="history",
    )


def bare(model: Chain, get_history: GetHistory) -> Chain:
    """The model itself with a history, which LangChain then reads again before it writes."""
    return RunnableWithMessageHistory(model, get_history)


def session(session_id: str) -> RunnableConfig:
    """What says which conversation is meant."""
    return {"configurable": {"session_id": session_id}}


def said(messages: list[BaseMessage]) -> list[tuple[str, str]]:
    """Who has said what."""
    return [(message.type, str(message.text)) for message in messages]


def conversation(*questions: str) -> list[tuple[str, str]]:
    """What is in a history after questions that the scripted model has answered in its way."""
    return [
        turn
        for number, question in enumerate(questions, 1)
        for turn in (("human", question), ("ai", f"Turn {number}. You said: {question}"))
    ]


def sent(upstream: Upstream, number: int = -1) -> list[tuple[str, str]]:
    """Who has said what in a request that the model server received, by default the last."""
    return [(turn["role"], turn["content"]) for turn in upstream.requests[number].messages]
