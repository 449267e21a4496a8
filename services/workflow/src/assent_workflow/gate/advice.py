"""What to do about a no, in words: the next step, by whom, and where."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assent_workflow.gate.names import Question

UNKNOWN = (
    "Register it in a registry that Assent reads, or wait for the next reading (`assent sync SOURCE` does it now). "
    "If it is registered, look at what you named."
)
NO_SUCH_USE_CASE = (
    "Look at the key that you named; GET /v1/use-cases of the catalogue has them all. What was only just written there "
    "is known here in a moment."
)
WAIT = "Ask again in a moment. If it stays so, /health/ready of the workflow says what it waits for."
NAME_THE_VERSION = "Name the model version, too: its ARN or its id (`model_version`)."
DEPLOY_WHAT_WAS_JUDGED = (
    "Deploy the very artifact and image that were judged; or register what you have, and have that judged."
)
#: Part of a reason: it is accepted, but not there.
ELSEWHERE = "accepted for"
SAY_WHERE = (
    "Deploy it where it is accepted for, and say so (`environment`); for elsewhere it has to be accepted by a policy "
    "that allows it there."
)
REGISTER_ANEW = "Register it anew in the source, then put that version forward."

Row = Mapping[str, Any]


def steps(question: Question, row: Row, reasons: Sequence[str]) -> list[str]:
    """For one version (and its candidacy, where there is one) that was refused for these reasons."""
    found = [DEPLOY_WHAT_WAS_JUDGED] if any("was judged" in reason for reason in reasons) else []
    if not row["live"]:
        return [*found, REGISTER_ANEW]
    if row["id"] is None:
        key = question.use_case or "KEY"
        forward = f'{{"use_case": "{key}", "model_version": "{row["urn"]}"}}'
        return [*found, f"A data scientist puts it forward (POST /v1/candidacies {forward}) and submits it."]
    if row["status"] == "accepted" and any(f"it is {ELSEWHERE}" in reason for reason in reasons):
        found.append(SAY_WHERE)
    if row["status"] == "accepted" and found and len(reasons) == len(found):
        return found
    return [*found, _NEXT[row["status"]](row)]


def _submit(row: Row) -> str:
    if row["review"] is not None:
        return (
            f"Somebody asked for changes: read for which (GET /v1/reviews/{row['review']}), make them, then a data "
            f"scientist submits it again: POST /v1/candidacies/{row['id']}/submit."
        )
    return f"A data scientist submits it: POST /v1/candidacies/{row['id']}/submit."


def _decide(row: Row) -> str:
    roles = ", ".join(row["open_to"] or [])
    waits = f"It waits for {roles}" if roles else "Every decision is in, a check is not passed"
    return f"{waits}: see GET /v1/candidacies/{row['id']} and /v1/tasks?candidacy={row['id']}."


def _again(row: Row) -> str:
    return f"See to the reason, then a data scientist submits it again: POST /v1/candidacies/{row['id']}/submit."


def _mend(row: Row) -> str:
    return f"Read why (GET /v1/reviews/{row['review']}), mend that, and submit it again."


def _forward(row: Row) -> str:
    return f"A data scientist puts it forward anew for {row['use_case']}: POST /v1/candidacies."


_NEXT: Mapping[str, Callable[[Row], str]] = {
    "candidate": _submit,
    "under_review": _decide,
    # Accepted, but expired, or about to be suspended for its content.
    "accepted": _again,
    "suspended": _again,
    "rejected": _mend,
    "retired": _forward,
    "withdrawn": _forward,
}
