"""Reports of tests as JSON, to be kept."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.records import JSON


def report_key(server: str, model: str) -> str:
    """Return under which key the report on a model is kept.

    A hash: names may be of any length, hold any character, and an address may hold a password.
    """
    return hashlib.sha256(json.dumps([server, model]).encode()).hexdigest()


def encoded(report: Report) -> JSON:
    """Return a report as JSON, without the names that its key stands for."""
    kept = asdict(report)
    return {name: kept[name] for name in kept if name not in ("server", "model")}


def decoded(server: str, model: str, kept: Any) -> Report | None:
    """Return the report that was kept; None: another version of this program wrote it."""
    try:
        checks = tuple(_check(**check) for check in kept["checks"])
        return Report(server, model, **{**kept, "checks": checks})
    except (TypeError, KeyError, ValueError):
        return None


def _check(name: str, verdict: str, **more: Any) -> Check:
    return Check(Capability(name), Verdict(verdict), **more)
