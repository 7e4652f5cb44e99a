"""The assistants that a new site begins with."""

from streamlit_assistant.providers.upstream import DEFAULT_MODEL
from streamlit_assistant.records import Assistant

DEFAULT_ASSISTANT_ID = "asst_default"

_INSTRUCTIONS = (
    "You are 小智·Zero, a friendly and careful assistant on a private site. "
    "Answer in the language of the question. Be accurate and to the point; say so when you do "
    "not know something. Use Markdown: fenced code blocks with their language, tables where they "
    "help, and LaTeX between $$ for formulas."
)


def default_assistant(owner: str, now: int) -> Assistant:
    """Return 「小智·Zero」, who follows the model of the settings."""
    return Assistant(
        id=DEFAULT_ASSISTANT_ID,
        owner=owner,
        created_at=now,
        model=DEFAULT_MODEL,
        name="小智·Zero",
        description="The assistant of this site.",
        instructions=_INSTRUCTIONS,
    )
