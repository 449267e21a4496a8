"""The jars of Apache Kafka: fetched once by Maven, as the POM beside this says, and kept in `.assent/`."""

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
CACHE = HERE.parents[2] / ".assent"


class JarsNotFetched(Exception):
    """Maven failed; the message is its own."""


def version() -> str:
    found = re.search(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text())
    assert found is not None
    return found[1]


def available() -> bool:
    """Whether Apache Kafka can run here: Java, and Maven to fetch it."""
    return shutil.which("java") is not None and shutil.which("mvn") is not None


def fetched() -> Path:
    """The folder with all jars. Another POM gives another folder; several processes may ask at the same time."""
    CACHE.mkdir(exist_ok=True)
    folder = CACHE / f"kafka-{version()}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"
    with (CACHE / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            command = [
                "mvn",
                "-q",
                "-B",
                "-f",
                str(POM),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={unfinished}",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise JarsNotFetched(done.stdout + done.stderr)
            unfinished.rename(folder)
    return folder
