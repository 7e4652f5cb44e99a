"""What the tests of the archive need: a site with old threads, and a server that speaks S3."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from streamlit_assistant.settings import Settings
from tests.archive.archived_site import ArchivedSite
from tests.archive.s3_server import S3Server, s3_server
from tests.maven_jars import NoJars

BUCKETS = count(1)


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> ArchivedSite:
    """A site of this test's own, and a folder for its old threads."""
    return ArchivedSite(settings, str(tmp_path / "archive"))


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A store; where none can be had the tests are skipped, except where they must not be."""
    try:
        with s3_server() as server:
            yield server
    except NoJars as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """The name of a bucket of this test's own."""
    name = f"bucket-{next(BUCKETS)}"
    s3.new_bucket(name)
    return name
