"""Run steps in the database."""

from sqlalchemy import select

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import Page, PageQuery, RunStep, StepStatus
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import run_steps


class Steps:
    """The `run_steps` table, to read; the executor writes it through `Runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, run_id: str, step_id: str) -> RunStep:
        """Return one step, or raise `NotFound`."""
        query = select(run_steps).where(run_steps.c.run_id == run_id, run_steps.c.id == step_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"No run step found with id '{step_id}'.")
        return to_record(RunStep, row)

    async def unfinished(self, run_id: str) -> RunStep | None:
        """Return the step in progress, such as the one that waits for tool outputs."""
        query = select(run_steps).where(
            run_steps.c.run_id == run_id, run_steps.c.status == StepStatus.IN_PROGRESS
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else to_record(RunStep, row)

    async def of_run(self, run_id: str) -> list[RunStep]:
        """Return all steps of a run, in order."""
        query = select(run_steps).where(run_steps.c.run_id == run_id).order_by(run_steps.c.seq)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [to_record(RunStep, row) for row in rows]

    async def page(self, run_id: str, query: PageQuery) -> Page[RunStep]:
        """Return a page of the run's steps."""
        async with self._database.read() as connection:
            return await read_page(
                connection,
                run_steps,
                RunStep,
                query,
                run_steps.c.run_id == run_id,
                noun="run step",
            )
