"""IAM: statements that deny, as organisations and accounts write them, and the simulation of what they deny.

Whatever no statement denies is allowed: there are no statements that allow.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal
from xml.sax.saxutils import escape

from assent_common import ids
from pydantic import BaseModel, ConfigDict

from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import AwsError

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


class Statement(BaseModel):
    """A denial, in the policy language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    Sid: str = ""
    Effect: Literal["Deny"] = "Deny"
    Action: str | tuple[str, ...]
    Resource: str | tuple[str, ...] = "*"
    Condition: dict[str, dict[str, str | tuple[str, ...]]] = {}

    def matches(self, action: str, resource: str, context: Mapping[str, Sequence[str]]) -> bool:
        return (
            any(_like(action.casefold(), pattern.casefold()) for pattern in _several(self.Action))
            and any(_like(resource, pattern) for pattern in _several(self.Resource))
            and all(
                _OPERATORS[operator](context.get(key, ()), _several(values))
                for operator, keys in self.Condition.items()
                for key, values in keys.items()
            )
        )


def check(statements: Sequence[Statement], action: str, caller: Caller, request: Mapping[str, Any]) -> None:
    """Raises AwsError where a statement denies the caller this request."""
    resource = next((v for v in request.values() if isinstance(v, str) and v.startswith("arn:")), "*")
    forbid(statements, action, caller, resource, _context(request))


def forbid(
    statements: Sequence[Statement],
    action: str,
    caller: Caller,
    resource: str,
    context: Mapping[str, Sequence[str]] | None = None,
) -> None:
    known = {"aws:PrincipalArn": [principal_of(caller.arn)], **(context or {})}
    if any(statement.matches(action, resource, known) for statement in statements):
        raise AwsError(
            "AccessDeniedException",
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} "
            "with an explicit deny in a service control policy",
        )


def principal_of(arn: str) -> str:
    """The role behind a session: what conditions compare with."""
    head, separator, session = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{session.partition('/')[0]}" if separator else arn


def simulate(statements: Sequence[Statement], form: Mapping[str, str]) -> bytes:
    """SimulatePrincipalPolicy, of one action on one resource."""
    context = {"aws:PrincipalArn": [form["PolicySourceArn"]]}
    for number in range(1, 21):
        entry = f"ContextEntries.member.{number}"
        if f"{entry}.ContextKeyName" in form:
            context[form[f"{entry}.ContextKeyName"]] = [form[f"{entry}.ContextKeyValues.member.1"]]
    action, resource = form["ActionNames.member.1"], form.get("ResourceArns.member.1", "*")
    denied = any(statement.matches(action, resource, context) for statement in statements)
    return (
        f'<SimulatePrincipalPolicyResponse xmlns="{_NAMESPACE}"><SimulatePrincipalPolicyResult><EvaluationResults>'
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalDecision>{'explicitDeny' if denied else 'allowed'}</EvalDecision></member></EvaluationResults>"
        f"<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>"
        f"<ResponseMetadata><RequestId>{ids.new()}</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
    ).encode()


def refusal(error: AwsError) -> bytes:
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{ids.new()}</RequestId></ErrorResponse>"
    ).encode()


def _context(request: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """SageMaker's condition keys, of a request that has what they are about."""
    stage = request.get("ModelLifeCycle") or {}
    given = {
        "sagemaker:ModelApprovalStatus": [request.get("ModelApprovalStatus")],
        "sagemaker:ModelLifeCycle:Stage": [stage.get("Stage")],
        "sagemaker:ModelLifeCycle:StageStatus": [stage.get("StageStatus")],
    }
    return {key: [value for value in values if value] for key, values in given.items() if any(values)}


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern)


def _several(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


#: A negated operator holds where the key is missing, the others do not.
_OPERATORS: Mapping[str, Callable[[Sequence[str], Sequence[str]], bool]] = {
    "StringEquals": lambda values, wanted: any(value in wanted for value in values),
    "StringLike": lambda values, wanted: any(_like(value, each) for value in values for each in wanted),
    "ArnLike": lambda values, wanted: any(_like(value, each) for value in values for each in wanted),
    "ArnNotLike": lambda values, wanted: not any(_like(value, each) for value in values for each in wanted),
    "ForAnyValue:ArnNotLike": lambda values, wanted: any(
        not any(_like(value, each) for each in wanted) for value in values
    ),
}
