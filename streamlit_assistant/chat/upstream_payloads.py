"""Sync column: what our server says of the model server it asks, checked before use."""

from pydantic import BaseModel

from streamlit_assistant.chat.chat_records import ModelCheck, ModelReport, ModelState


class Check(BaseModel):
    """What the test of one capability has shown."""

    name: str
    verdict: str
    detail: str = ""
    figure: float | None = None

    def record(self) -> ModelCheck:
        """The same for the page."""
        return ModelCheck(self.name, self.verdict, self.detail, self.figure)


class Usage(BaseModel):
    """What a test has cost."""

    total_tokens: int = 0
    estimated: bool = False


class Report(BaseModel):
    """The last test of the model."""

    created_at: int = 0
    can_answer: bool = False
    checks: list[Check] = []
    usage: Usage = Usage()

    def record(self) -> ModelReport:
        """The same for the page."""
        checks = tuple(check.record() for check in self.checks)
        cost = self.usage
        return ModelReport(checks, self.created_at, cost.total_tokens, cost.estimated)


class Probe(BaseModel):
    """How far the test has come that is being made."""

    done: int = 0
    of: int = 1


class ListedModel(BaseModel):
    """A model as the model server lists it."""

    id: str
    shutdown_date: str | None = None


class Upstream(BaseModel):
    """Who answers, and what is known of it."""

    server: str | None = None
    api: str
    model: str | None = None
    problem: str | None = None
    models: list[ListedModel] = []
    report: Report | None = None
    probe: Probe | None = None

    def record(self) -> ModelState:
        """The same for the page."""
        dates = {model.id: model.shutdown_date for model in self.models}
        return ModelState(
            server=self.server or "",
            api=self.api,
            model=self.model or "",
            problem=self.problem,
            shutdown_date=dates.get(self.model or ""),
            report=self.report.record() if self.report else None,
            progress=(self.probe.done, self.probe.of) if self.probe else None,
        )
