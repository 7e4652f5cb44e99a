"""The fence: who may write a run."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from streamlit_assistant.store.tables import runs


@dataclass(frozen=True)
class Fence:
    """One attempt of one process at one run. A write without it could be a zombie's."""

    run_id: str
    lease_owner: str
    attempt: int

    def holds(self) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions under which this attempt still owns the run."""
        return (
            runs.c.id == self.run_id,
            runs.c.lease_owner == self.lease_owner,
            runs.c.attempt == self.attempt,
        )
