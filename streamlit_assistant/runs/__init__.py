"""Runs: the records that the executor moves. They know the store and the providers' seam."""

from streamlit_assistant.runs.events import EventHub
from streamlit_assistant.runs.executor import RunExecutor

__all__ = ["EventHub", "RunExecutor"]
