"""The API: endpoints that translate between HTTP and the store, the executor, the providers."""

from streamlit_assistant.api.app import create_api
from streamlit_assistant.api.auth import KeyRing, hash_key
from streamlit_assistant.api.gate import Strictness

__all__ = ["KeyRing", "Strictness", "create_api", "hash_key"]
