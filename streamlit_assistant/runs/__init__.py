"""Runs: the records that the executor moves. They know the store and the providers' seam."""

from streamlit_assistant.runs.events import EventHub
from streamlit_assistant.runs.executor import RunExecutor
from streamlit_assistant.runs.pace import Pace

__all__ = ["EventHub", "Pace", "RunExecutor"]
