"""Providers: the model servers behind one seam. They know nothing of runs or HTTP routes."""

from streamlit_assistant.providers.registry import ProviderRegistry

__all__ = ["ProviderRegistry"]
