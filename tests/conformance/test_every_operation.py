"""A walk through the specification: each of its operations, called in two ways.

The clients hold every answer against the schema. An operation that the specification has and the
lists beside this file lack fails here.
"""

import httpx
import openai
import pytest

from tests.conformance.conftest import Operations
from tests.conformance.official_client import CALLS
from tests.conformance.plain_http import REQUESTS
from tests.conformance.world import World
from tests.spec_validator import load_spec

every_operation = pytest.mark.parametrize("operation", load_spec().operation_ids())


def test_nothing_is_called_that_the_specification_does_not_have() -> None:
    known = load_spec().operation_ids()

    assert len(known) == 51
    assert set(CALLS) == set(REQUESTS) == set(known)


@every_operation
def test_the_official_client_can_call_it(
    client: openai.OpenAI, world: World, asked: Operations, operation: str
) -> None:
    assert CALLS[operation](client, world)
    assert asked == [operation]


@every_operation
def test_it_can_be_called_without_a_client(
    http: httpx.Client, world: World, asked: Operations, operation: str
) -> None:
    wire = REQUESTS[operation](world)

    answer = http.request(wire.method, wire.path, **wire.body)

    assert asked == [operation]
    assert answer.status_code == wire.status, answer.text
