"""The fence: who may write a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update

from streamlit_assistant.records import JSON
from streamlit_assistant.store.tables import runs

# Changes the columns it is executed with, if the attempt still owns the run.
HELD = update(runs).where(
    runs.c.id == bindparam("held_run"),
    runs.c.lease_owner == bindparam("held_by"),
    runs.c.attempt == bindparam("held_attempt"),
)


@dataclass(frozen=True)
class Fence:
    """One attempt of one process at one run. A write without it could be a zombie's."""

    run_id: str
    lease_owner: str
    attempt: int

    def write(self, columns: Mapping[str, Any]) -> JSON:
        """Return what `HELD` is executed with to change these columns."""
        return {
            **columns,
            "held_run": self.run_id,
            "held_by": self.lease_owner,
            "held_attempt": self.attempt,
        }
