"""A Lambda function that asks Assent's gate, for a Lambda step of a SageMaker pipeline. Nothing to install.

A no, or no answer, is an error: the step fails, and whatever depends on it does not run. From the environment:
`ASSENT_WORKFLOW_URL`, and `ASSENT_TOKEN_SECRET`, the ARN of the secret that holds the token (or `ASSENT_TOKEN` itself).
"""

import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

NAMES = ("model_version", "artifact_digest", "image", "use_case", "environment")


class Denied(Exception):
    """The gate said no; the message says why and what to do."""


def handler(event: Mapping[str, Any], _: object) -> dict[str, str]:
    """The step's arguments in, its output parameters out. Raises Denied; URLError where nobody answers."""
    question = {name: event[name] for name in NAMES if event.get(name)}
    url = os.environ["ASSENT_WORKFLOW_URL"].rstrip("/") + "/v1/gate"
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise ValueError(f"{url} is not https")
    request = urllib.request.Request(  # noqa: S310 - looked at above
        url,
        json.dumps(question).encode(),
        {"Authorization": f"Bearer {_token()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - looked at above
        verdict = json.load(answer)
    if verdict.get("allow") is not True:
        raise Denied(" ".join([*verdict["reasons"], *verdict.get("what_to_do", [])]))
    return {"allow": "true", "reasons": "; ".join(verdict["reasons"]), "question": verdict["question"]}


def _token() -> str:
    secret = os.environ.get("ASSENT_TOKEN_SECRET")
    if secret is None:
        return os.environ["ASSENT_TOKEN"]
    import boto3  # Lambda has it

    token: str = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    return token
