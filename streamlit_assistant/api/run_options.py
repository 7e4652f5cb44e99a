"""What an assistant asks for in its metadata, beyond the protocol: it goes with each run."""

import re
from collections.abc import Sequence

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.hosted_tools import ACCEPTED, read_hosted_tools
from streamlit_assistant.records import JSON, Assistant

HOSTED_TOOLS, FALLBACK_MODELS = "hosted_tools", "fallback_models"


def run_options(assistant: Assistant, hosted_tools: Sequence[JSON]) -> JSON:
    """Return a run's options; `hosted_tools` are the site's, which an assistant may override.

    Raises `InvalidRequest` where its metadata cannot be understood.
    """
    options: JSON = {}
    tools = _hosted(assistant) if HOSTED_TOOLS in assistant.metadata else list(hosted_tools)
    if tools:
        options[HOSTED_TOOLS] = tools
    if models := re.findall(r"[^\s,]+", assistant.metadata.get(FALLBACK_MODELS, "")):
        options[FALLBACK_MODELS] = models
    return options


def _hosted(assistant: Assistant) -> list[JSON]:
    try:
        return read_hosted_tools(assistant.metadata[HOSTED_TOOLS])
    except ValueError as error:
        raise InvalidRequest(
            f"Invalid 'metadata.{HOSTED_TOOLS}' of assistant '{assistant.id}': {error}. "
            f"Expected {ACCEPTED}.",
            param="assistant_id",
            code="invalid_value",
        ) from error
