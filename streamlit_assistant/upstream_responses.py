"""What this server says of the model server it asks, as JSON, beside the protocol's objects.

The protocol knows nothing of it: these objects are ours.
"""

from collections.abc import Sequence

from streamlit_assistant.records import JSON


def upstream(
    server: str | None,
    api: str,
    model: str | None,
    *,
    problem: str | None,
    models: Sequence[JSON],
    report: JSON | None,
    probe: JSON | None,
) -> JSON:
    """Return the `upstream` object. `problem` says why it cannot be asked for its models."""
    return {
        "object": "upstream",
        "server": server,
        "api": api,
        "model": model,
        "problem": problem,
        "models": list(models),
        "report": report,
        "probe": probe,
    }


def upstream_model(model_id: str, shutdown_date: str | None, context_length: int | None) -> JSON:
    """Return a model as the upstream lists it."""
    return {"id": model_id, "shutdown_date": shutdown_date, "context_length": context_length}


def probe_progress(done: int, of: int) -> JSON:
    """Return how far a test has come."""
    return {"status": "in_progress", "done": done, "of": of}


def probe_check(name: str, verdict: str, detail: str, seconds: float, figure: float | None) -> JSON:
    """Return what the test of one capability has shown."""
    return {
        "name": name,
        "verdict": verdict,
        "detail": detail,
        "seconds": round(seconds, 3),
        "figure": figure,
    }


def probe_report(
    server: str,
    model: str,
    api: str,
    *,
    created_at: int,
    shutdown_date: str | None,
    can_answer: bool,
    checks: Sequence[JSON],
    tokens: int,
    is_estimated: bool,
) -> JSON:
    """Return the `upstream.report` object; `tokens` is what the test has cost."""
    return {
        "object": "upstream.report",
        "created_at": created_at,
        "server": server,
        "api": api,
        "model": model,
        "shutdown_date": shutdown_date,
        "can_answer": can_answer,
        "checks": list(checks),
        "usage": {"total_tokens": tokens, "estimated": is_estimated},
    }
