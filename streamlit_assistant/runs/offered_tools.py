"""Which functions the model is offered in a round, and whether it must call one."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from streamlit_assistant.records import JSON, Run
from streamlit_assistant.runs.history import RunHistory
from streamlit_assistant.tools import file_search

MOST_SEARCH_ROUNDS = 8  # a model that goes on searching is made to answer

NO_CODE = (
    "The tool `code_interpreter` is not available on this server: you cannot run code here and "
    "cannot read the files meant for it. Say so where it matters; never pretend."
)
NOT_HOSTED = (
    "These tools are not available with this model: {}. Say so where it matters; never pretend."
)
CODE = "code_interpreter"


@dataclass(frozen=True)
class OfferedTools:
    """What `ModelRequest` says of tools. `note` belongs to the instructions.

    `callable` are the functions that somebody will answer now. `search_options` are None where
    files are not searched now. `hosted` are tools that the model server executes itself.
    """

    functions: Sequence[JSON] = ()
    tool_choice: str = "auto"
    callable: frozenset[str] = frozenset()
    search_options: JSON | None = None
    note: str = ""
    hosted: Sequence[JSON] = ()


def search_name(run: Run) -> str:
    """Return the function that stands for file search, never the name of one of the run's own."""
    own = {tool["function"]["name"] for tool in run.tools if tool["type"] == "function"}
    return file_search.OTHER_NAME if file_search.NAME in own else file_search.NAME


def offered_tools(
    run: Run, history: RunHistory, can_search: bool, code_tool: JSON | None, hosts_tools: bool
) -> OfferedTools:
    """Return the tools of the next round; `can_search`: there are files to search.

    `code_tool` is the code interpreter of a model server that `hosts_tools`.
    """
    kinds = {tool["type"]: tool for tool in run.tools}
    note = _note(run, kinds, code_tool, hosts_tools)
    if run.tool_choice == "none":
        return OfferedTools(note=note)
    hosted = [*run.options.get("hosted_tools", ())] if hosts_tools else []
    if code_tool is not None:
        hosted = [*(tool for tool in hosted if tool["type"] != CODE), code_tool]
    functions = [tool["function"] for tool in run.tools if tool["type"] == "function"]
    callable_now = {function["name"] for function in functions}
    options = None
    if "file_search" in kinds and (can_search or run.tool_choice == {"type": "file_search"}):
        # Described to the end: some servers refuse calls in the conversation without it.
        functions.append(file_search.definition(search_name(run)))
        if history.search_rounds < MOST_SEARCH_ROUNDS:
            options = kinds["file_search"].get("file_search") or {}
            callable_now.add(search_name(run))
    choice = _choice(run, history, hosted) if callable_now or hosted else "none"
    if not functions and not hosted:
        choice = "auto"
    return OfferedTools(functions, choice, frozenset(callable_now), options, note, hosted)


def _note(run: Run, kinds: Container[str], code_tool: JSON | None, hosts_tools: bool) -> str:
    """Return what the model must be told of tools that it does not get."""
    notes = [NO_CODE] if CODE in kinds and code_tool is None else []
    if not hosts_tools and (wanted := run.options.get("hosted_tools")):
        notes.append(NOT_HOSTED.format(", ".join(tool["type"] for tool in wanted)))
    return "\n\n".join(notes)


def _choice(run: Run, history: RunHistory, hosted: Sequence[JSON]) -> str:
    if history.rounds:
        return "auto"  # whoever must call again after each output would never come to an answer
    match run.tool_choice:
        case {"type": "function", "function": {"name": name}}:
            return f"function:{name}"
        case {"type": "file_search"}:
            return f"function:{search_name(run)}"
        case {"type": "code_interpreter"} if any(tool["type"] == CODE for tool in hosted):
            return f"hosted:{CODE}"
        case "required":
            return "required"
    return "auto"
