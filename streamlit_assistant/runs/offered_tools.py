"""Which functions the model is offered in a round, and whether it must call one."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamlit_assistant.records import JSON, Run
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.tools import file_search

MOST_SEARCH_ROUNDS = 8  # a model that goes on searching is made to answer

NO_CODE = (
    "The tool `code_interpreter` is not available on this server: you cannot run code here and "
    "cannot read the files meant for it. Say so where it matters; never pretend."
)


@dataclass(frozen=True)
class OfferedTools:
    """What `ModelRequest` says of tools. `note` belongs to the instructions.

    `callable` are the functions that somebody will answer now. `search_options` are None where
    files are not searched now.
    """

    functions: Sequence[JSON] = ()
    tool_choice: str = "auto"
    callable: frozenset[str] = frozenset()
    search_options: JSON | None = None
    note: str = ""


def search_name(run: Run) -> str:
    """Return the function that stands for file search, never the name of one of the run's own."""
    own = {tool["function"]["name"] for tool in run.tools if tool["type"] == "function"}
    return file_search.OTHER_NAME if file_search.NAME in own else file_search.NAME


def offered_tools(run: Run, history: RunHistory, can_search: bool) -> OfferedTools:
    """Return the tools of the next round; `can_search`: there are files to search."""
    kinds = {tool["type"]: tool for tool in run.tools}
    note = NO_CODE if "code_interpreter" in kinds else ""
    if run.tool_choice == "none":
        return OfferedTools(note=note)
    functions = [tool["function"] for tool in run.tools if tool["type"] == "function"]
    callable_now = {function["name"] for function in functions}
    options = None
    if "file_search" in kinds and (can_search or run.tool_choice == {"type": "file_search"}):
        # Described to the end: some servers refuse calls in the conversation without it.
        functions.append(file_search.definition(search_name(run)))
        if history.search_rounds < MOST_SEARCH_ROUNDS:
            options = kinds["file_search"].get("file_search") or {}
            callable_now.add(search_name(run))
    choice = _choice(run, history) if callable_now else "none"
    return OfferedTools(
        functions, choice if functions else "auto", frozenset(callable_now), options, note
    )


def _choice(run: Run, history: RunHistory) -> str:
    if history.rounds:
        return "auto"  # whoever must call again after each output would never come to an answer
    match run.tool_choice:
        case {"type": "function", "function": {"name": name}}:
            return f"function:{name}"
        case {"type": "file_search"}:
            return f"function:{search_name(run)}"
        case "required":
            return "required"
    return "auto"
