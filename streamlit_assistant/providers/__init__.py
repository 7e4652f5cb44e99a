"""Providers: the model servers behind one seam. They know nothing of runs or HTTP routes."""

from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import configured_upstream

__all__ = ["ProviderRegistry", "configured_upstream"]
