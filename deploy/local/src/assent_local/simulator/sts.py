"""STS: roles are assumed, and the keys that come of it act in the role's account."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from xml.sax.saxutils import escape

from assent_common import ids
from assent_common.clock import Clock

from assent_local.simulator.caller import Caller, access_key_for
from assent_local.simulator.errors import AwsError
from assent_local.simulator.faults import Dials

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Tokens:
    def __init__(self, dials: Dials, clock: Clock) -> None:
        self._dials = dials
        self._clock = clock
        self._sessions: dict[str, str] = {}
        self.operations = {"AssumeRole": self.assume_role, "GetCallerIdentity": self.caller_identity}

    def known(self, caller: Caller) -> Caller:
        """The caller with the session of its key. A key from before a restart still acts in its account, as a user."""
        session = self._sessions.get(caller.access_key)
        return replace(caller, session=session) if session else caller

    def assume_role(self, caller: Caller, form: Mapping[str, str]) -> str:
        role, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        parts = role.split(":")
        if len(parts) != 6 or not parts[5].startswith("role/") or not session:
            raise AwsError("ValidationError", "RoleArn and RoleSessionName are required.")
        expected = self._dials.external_id(role)
        if expected is not None and form.get("ExternalId") != expected:
            raise AwsError(
                "AccessDenied", f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on {role}", 403
            )
        account, name = parts[4], parts[5].removeprefix("role/")
        expires = self._clock.now() + timedelta(seconds=int(form.get("DurationSeconds", 3600)))
        assumed = f"arn:{parts[1]}:sts::{account}:assumed-role/{name.rpartition('/')[2]}/{session}"
        key = access_key_for(account)
        self._sessions[key] = assumed
        return (
            "<Credentials>"
            f"<AccessKeyId>{key}</AccessKeyId>"
            f"<SecretAccessKey>{ids.new().hex}</SecretAccessKey>"
            f"<SessionToken>{ids.new().hex}</SessionToken>"
            f"<Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA{account}:{escape(session)}</AssumedRoleId>"
            f"<Arn>{escape(assumed)}</Arn></AssumedRoleUser>"
        )

    def caller_identity(self, caller: Caller, form: Mapping[str, str]) -> str:
        return (
            f"<Arn>{escape(caller.arn)}</Arn><UserId>{caller.principal}</UserId>"
            f"<Account>{caller.place.account}</Account>"
        )


def answer(operation: str, result: str) -> bytes:
    return (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{ids.new()}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def refusal(error: AwsError) -> bytes:
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{ids.new()}</RequestId></ErrorResponse>"
    ).encode()
