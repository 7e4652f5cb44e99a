"""Java programs for tests: jars from Maven Central, fetched by the first who needs them."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROGRAMS = ("java", "mvn")
INSTALL = "apt-get install default-jre-headless maven"
LONGEST_DOWNLOAD = 600  # seconds
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""
DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
    </dependency>"""


class NoJars(Exception):
    """There is no such program to be had on this machine; the text says what to install."""


def jars(name: str, artefacts: Sequence[tuple[str, str, str]]) -> Path:
    """Return the folder with artefacts (group, name, version) and all that they need.

    `name` is the folder's in the cache: another version needs another one. Raises `NoJars`.
    """
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise NoJars(f"{' and '.join(missing)} is missing: {INSTALL}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamlit-assistant"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / name
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder, artefacts)
    return folder


def _fetch(folder: Path, artefacts: Sequence[tuple[str, str, str]]) -> None:
    wanted = "".join(DEPENDENCY.format(*artefact) for artefact in artefacts)
    # Whole or not at all: a folder that is there is taken for complete.
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(POM.format(wanted), encoding="utf-8")
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_DOWNLOAD,
            check=False,
        )
        if done.returncode != 0:
            raise NoJars(f"Maven could not fetch {folder.name}: {done.stdout[-500:]}")
        (Path(work) / "jars").rename(folder)
