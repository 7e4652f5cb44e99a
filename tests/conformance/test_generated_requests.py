"""Requests that schemathesis makes up from the specification: valid ones, and broken in every way.

Whatever comes, the answer is never a failure of the server's own, and always one of the schema.
Ids are exchanged for those of real objects more often than not: made up, they would all be unknown.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.conformance.conftest import BETA
from tests.conformance.world import ASSISTANT, World
from tests.conftest import API_KEY, LiveServer
from tests.spec_validator import SPEC, Spec, load_spec
from tests.sse import parse_events

EXAMPLES = 8  # of valid and again of broken requests, for each operation: half a minute in all
SCHEMA = schemathesis.openapi.from_path(SPEC)
SCHEMA.config.generation.update(with_security_parameters=False)
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
HEADERS = {"Authorization": f"Bearer {API_KEY}", **BETA}
# What changes or removes what it is called for, so that each request needs another.
ONCE = {"delete", "cancel", "complete", "submit"}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as kept_open:
        yield kept_open


class Ids:
    """Ids of real objects under the names that paths and bodies give them."""

    def __init__(self, world: World, names: set[str]) -> None:
        self._names = names
        self.known: dict[str, str] = {"model": "scripted", "assistant_id": ASSISTANT}
        if "assistant_id" in names:
            self.known["assistant_id"] = world.assistant().id
        if "thread_id" in names:
            self.known |= self._of_thread(world)
        if "vector_store_id" in names:
            self.known |= self._of_store(world)
        elif "upload_id" in names:
            self.known["upload_id"] = upload_id = world.upload()
            self.known["part_ids"] = world.part(upload_id)
        self.known.setdefault("file_id", world.file())
        self.known["file_ids"] = self.known["file_id"]

    def _of_thread(self, world: World) -> Mapping[str, str]:
        if "run_id" in self._names:
            run = world.waiting_run()
            runs = world.client.beta.threads.runs
            [step] = runs.steps.list(run.id, thread_id=run.thread_id).data
            [call_id] = world.call_ids(run)
            ids = {"run_id": run.id, "step_id": step.id, "tool_call_id": call_id}
            return {"thread_id": run.thread_id, **ids}
        message = world.message()
        return {"thread_id": message.thread_id, "message_id": message.id}

    def _of_store(self, world: World) -> Mapping[str, str]:
        if "batch_id" in self._names:
            store_id, batch_id = world.batch()
            return {"vector_store_id": store_id, "batch_id": batch_id}
        store_id, file_id = world.file_in_store()
        return {"vector_store_id": store_id, "vector_store_ids": store_id, "file_id": file_id}

    def put_into(self, value: Any) -> Any:
        """Return the value with every id in it that has a known name exchanged."""
        if isinstance(value, list):
            return [self.put_into(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: self._exchanged(name, inner) for name, inner in value.items()}

    def _exchanged(self, name: str, value: Any) -> Any:
        known = self.known.get(name)
        if known is not None and isinstance(value, str):
            return known
        if known is not None and isinstance(value, list) and value:
            return [known, *value[1:]] if len(value) > 1 else [known]
        return self.put_into(value)


def kinds_of_requests() -> Iterator[tuple[str, GenerationMode]]:
    """Every operation with valid requests, and with broken ones where anything can be broken."""
    for name, operation in OPERATIONS.items():
        yield name, GenerationMode.POSITIVE
        if operation.body or operation.query:
            yield name, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("operation", "mode"), list(kinds_of_requests()))
def test_no_request_breaks_the_server_or_gets_an_answer_outside_the_schema(
    site: LiveServer, world: World, session: requests.Session, operation: str, mode: GenerationMode
) -> None:
    called = OPERATIONS[operation]
    names = {parameter.name for parameter in called.path_parameters}
    kept = Ids(world, names)
    is_for_once = operation.startswith(tuple(ONCE))

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=called.as_strategy(generation_mode=mode), real=st.integers(0, 3))
    def ask(case: Case[Any], real: int) -> None:
        if real:
            ids = Ids(world, names) if is_for_once else kept
            case.path_parameters = ids.put_into(case.path_parameters)
            case.body = ids.put_into(case.body)
        answer = case.call(base_url=f"{site.url}/v1", headers=HEADERS, session=session)
        check(load_spec(), case, answer)

    ask()


def check(spec: Spec, case: Case[Any], answer: schemathesis.Response) -> None:
    """Fail unless the answer is one the operation may give."""
    shown = f"{case.as_curl_command()}\n{answer.status_code} {answer.text[:1000]}"
    assert answer.status_code < 500, shown
    kind = answer.headers["content-type"][0].partition(";")[0]
    if (
        case.path.endswith("/content")
        and case.path.startswith("/files")
        and answer.status_code == 200
    ):
        return  # the file itself, whose type the specification gives as JSON
    if kind == "text/event-stream":
        spec.check_stream(parse_events(answer.content))
        return
    assert kind == "application/json", shown
    spec.check_response(case.method, case.path, answer.status_code, answer.json())
