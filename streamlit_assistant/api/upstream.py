"""The model server's endpoints, which are ours: who answers, what it can do, and testing that."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from streamlit_assistant import upstream_responses as responses
from streamlit_assistant.api.fields import Body
from streamlit_assistant.api.requests import read_body
from streamlit_assistant.providers import ProviderRegistry
from streamlit_assistant.providers.capabilities import Capability, Report
from streamlit_assistant.providers.probing.probe import OFFLINE, Subject
from streamlit_assistant.providers.probing.reports import ProbeReports
from streamlit_assistant.providers.upstream import ModelInfo
from streamlit_assistant.records import JSON, Clock


class ProbeUpstream(Body):
    """`POST /upstream/probe`; `wait` false: the answer does not wait for the report."""

    wait: bool = True


class UpstreamEndpoints:
    """Show the model server, and have its model tested."""

    def __init__(self, providers: ProviderRegistry, clock: Clock) -> None:
        self._providers = providers
        self._probes = ProbeReports(providers.subject, providers.probed, clock)

    def routes(self) -> list[BaseRoute]:
        """Return the routes under `/v1`."""
        return [
            Route("/upstream", self.retrieve, methods=["GET"]),
            Route("/upstream/probe", self.probe, methods=["POST"]),
        ]

    async def retrieve(self, _request: Request) -> JSONResponse:
        """`GET /upstream`"""
        return JSONResponse(await self._upstream())

    async def probe(self, request: Request) -> JSONResponse:
        """`POST /upstream/probe`"""
        body = await read_body(request, ProbeUpstream)
        if body.wait:
            return JSONResponse(_report(await self._probes.report()))
        self._probes.begin()
        return JSONResponse(await self._upstream())

    async def _upstream(self) -> JSON:
        subject = await self._providers.subject()
        return responses.upstream(
            subject.server or None,
            subject.api,
            subject.model or None,
            problem=_problem(subject),
            models=[_model(model) for model in subject.models],
            report=await self._latest(subject),
            probe=self._progress(),
        )

    async def _latest(self, subject: Subject) -> JSON | None:
        latest = await self._probes.latest(subject)
        return None if latest is None else _report(latest)

    def _progress(self) -> JSON | None:
        checks = self._probes.under_way
        return None if checks is None else responses.probe_progress(len(checks), len(Capability))


def _problem(subject: Subject) -> str | None:
    if subject.failure is None or subject.api == OFFLINE:
        return None
    return subject.failure.message


def _model(model: ModelInfo) -> JSON:
    return responses.upstream_model(model.id, model.shutdown_date, model.context_tokens)


def _report(report: Report) -> JSON:
    return responses.probe_report(
        report.server,
        report.model,
        report.api,
        created_at=report.probed_at,
        shutdown_date=report.shutdown_date,
        can_answer=report.can_answer,
        checks=[
            responses.probe_check(
                check.name, check.verdict, check.detail, check.seconds, check.figure
            )
            for check in report.checks
        ],
        tokens=report.tokens,
        is_estimated=report.is_estimated,
    )
