"""Where that can be looked at which a POST has made or changed, if its answer was lost."""

from collections.abc import Sequence

# How the ids begin that a POST to a list of this name makes.
_KINDS = {
    "assistants": "asst_",
    "threads": "thread_",
    "messages": "msg_",
    "runs": "run_",
    "files": "file-",
    "vector_stores": "vs_",
    "file_batches": "vsfb_",
}
_VERBS = frozenset({"batch", "cancel", "complete", "probe", "submit_tool_outputs"})
_STREAMS = frozenset({"runs", "submit_tool_outputs"})
_THREAD_AND_RUN = ["threads", "runs"]


def kinds_made(path: str) -> tuple[str, ...]:
    """Return how the ids begin of what a POST to this path under `/v1` makes."""
    steps = _steps(path)
    if steps == _THREAD_AND_RUN:
        return ("thread_", "run_")
    if _attaches(steps):
        return ()
    kind = _KINDS.get(steps[-1])
    return (kind,) if kind and len(steps) % 2 else ()


def places(path: str, made: Sequence[str]) -> list[str]:
    """Return the paths at which to look for it, the likeliest first.

    None: it cannot be looked at, and doing it once more does no harm. That goes for searches, for
    files put into a vector store, for uploads that were begun and for their parts.
    """
    steps = _steps(path)
    if steps == _THREAD_AND_RUN:
        threads = [made_id for made_id in made if made_id.startswith("thread_")]
        runs = [made_id for made_id in made if made_id.startswith("run_")]
        return [f"/threads/{threads[-1]}/runs/{runs[-1]}"] if threads and runs else []
    if steps[-1] in _VERBS:
        return ["/".join(["", *steps[:-1]])]
    if kinds_made(path):
        return ["/".join(["", *steps, made_id]) for made_id in reversed(made)]
    return ["/".join(["", *steps])] if len(steps) % 2 == 0 else []


def may_stream(path: str) -> bool:
    """Whether a POST to this path can be answered with a run's events."""
    return _steps(path)[-1] in _STREAMS


def _attaches(steps: Sequence[str]) -> bool:
    return len(steps) == 3 and steps[0] == "vector_stores" and steps[2] == "files"


def _steps(path: str) -> list[str]:
    return path.strip("/").split("/")
