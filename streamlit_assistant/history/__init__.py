"""Chat message histories as LangChain knows them, each usable on its own.

They know nothing of the rest of the product. LangChain and the drivers are extras: each is loaded
when a class that needs it is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from streamlit_assistant.history.drivers import driver

if TYPE_CHECKING:
    from streamlit_assistant.history.addresses import open_history
    from streamlit_assistant.history.kafka_history import KafkaHistory
    from streamlit_assistant.history.redis_history import RedisHistory
    from streamlit_assistant.history.sql_history import SQLHistory
    from streamlit_assistant.history.streamlit_history import StreamlitHistory
    from streamlit_assistant.history.thread_history import ThreadHistory

__all__ = [
    "KafkaHistory",
    "RedisHistory",
    "SQLHistory",
    "StreamlitHistory",
    "ThreadHistory",
    "open_history",
]

_MODULES = {
    "KafkaHistory": "kafka_history",
    "RedisHistory": "redis_history",
    "SQLHistory": "sql_history",
    "StreamlitHistory": "streamlit_history",
    "ThreadHistory": "thread_history",
    "open_history": "addresses",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "open_history":
        driver("langchain_core", "langchain")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
