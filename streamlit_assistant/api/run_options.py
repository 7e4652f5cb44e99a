"""What is asked of a run beyond the protocol, mostly in its assistant's metadata."""

import re
from collections.abc import Sequence

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.hosted_tools import ACCEPTED, read_hosted_tools
from streamlit_assistant.records import JSON, Assistant

HOSTED_TOOLS, FALLBACK_MODELS = "hosted_tools", "fallback_models"
TEMPORARY = "temporary"


def run_options(
    assistant: Assistant, hosted_tools: Sequence[JSON], *, temporary: bool = False
) -> JSON:
    """Return a run's options; `hosted_tools` are the site's, which an assistant may override.

    The run of a `temporary` thread knows that it is one. Raises `InvalidRequest` where the metadata
    cannot be understood.
    """
    options: JSON = {}
    tools = _hosted(assistant) if HOSTED_TOOLS in assistant.metadata else list(hosted_tools)
    if tools:
        options[HOSTED_TOOLS] = tools
    if models := re.findall(r"[^\s,]+", assistant.metadata.get(FALLBACK_MODELS, "")):
        options[FALLBACK_MODELS] = models
    if temporary:
        options[TEMPORARY] = True
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
