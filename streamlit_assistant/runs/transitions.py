"""The state machine of a run: a pure table and one function that obeys it.

The table follows the hosted service's lifecycle diagram; that a waiting run can be cancelled is
observed behaviour.
"""

from dataclasses import replace
from typing import Any

from streamlit_assistant.records import Run, RunStatus

_S = RunStatus

LEGAL: dict[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.IN_PROGRESS, _S.CANCELLING, _S.CANCELLED, _S.FAILED, _S.EXPIRED}),
    _S.IN_PROGRESS: frozenset(
        {_S.REQUIRES_ACTION, _S.CANCELLING, _S.CANCELLED}
        | {_S.COMPLETED, _S.INCOMPLETE, _S.FAILED, _S.EXPIRED}
    ),
    _S.REQUIRES_ACTION: frozenset({_S.QUEUED, _S.CANCELLING, _S.CANCELLED, _S.EXPIRED}),
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.FAILED, _S.EXPIRED}),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.INCOMPLETE: frozenset(),
    _S.EXPIRED: frozenset(),
}

TERMINAL = frozenset(status for status, following in LEGAL.items() if not following)

# The field that says when a run reached a status.
_REACHED_AT = {
    _S.IN_PROGRESS: "started_at",
    _S.COMPLETED: "completed_at",
    _S.FAILED: "failed_at",
    _S.CANCELLED: "cancelled_at",
}


def waits(run: Run) -> bool:
    """Whether a run waits for somebody to execute it."""
    return run.lease_owner is None and run.status in (_S.QUEUED, _S.IN_PROGRESS)


class IllegalTransition(Exception):
    """The state machine has no such move: a defect of ours."""


def advance(run: Run, status: RunStatus, now: int, **details: Any) -> Run:
    """Return the run moved to `status` at `now`, with its timestamps as the service set them.

    A run that starts again keeps its first `started_at`; an ended run no longer expires.
    """
    if status not in LEGAL[run.status]:
        raise IllegalTransition(f"{run.id}: {run.status} -> {status}")
    changes: dict[str, Any] = {"status": status, **details}
    reached_at = _REACHED_AT.get(status)
    if reached_at and getattr(run, reached_at) is None:
        changes[reached_at] = now
    if status in TERMINAL:
        changes["expires_at"] = None
    return replace(run, **changes)
