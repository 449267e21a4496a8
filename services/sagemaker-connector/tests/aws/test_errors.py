from typing import Any

import pytest
from assent_sagemaker.aws import errors
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError


@pytest.mark.parametrize(
    ("code", "message", "status", "kind"),
    [
        ("ThrottlingException", "Rate exceeded", 400, errors.Throttled),
        ("ThrottlingException", None, 400, errors.Throttled),
        ("Whatever", "", 429, errors.Throttled),
        ("ValidationException", "Rate exceeded", 400, errors.Throttled),
        ("InternalFailure", "", 500, errors.Unavailable),
        ("503", "<html>", 503, errors.Unavailable),
        ("AccessDeniedException", "not authorized", 400, errors.Denied),
        ("403", "Forbidden", 403, errors.Denied),
        (
            "ExpiredTokenException",
            "The security token is expired",
            400,
            errors.CredentialsExpired,
        ),
        ("ValidationException", "ModelPackage arn:… does not exist.", 400, errors.Gone),
        ("ResourceNotFound", "", 400, errors.Gone),
        ("ValidationException", "Invalid NextToken", 400, errors.TokenExpired),
        ("ValidationException", "The provided pagination token has expired.", 400, errors.TokenExpired),
        ("ValidationException", "1 validation error detected", 400, errors.Refused),
        ("ConflictException", "", 400, errors.Conflict),
        (None, None, 418, errors.Refused),
    ],
)
def test_a_services_error_says_what_the_caller_can_do(
    code: str | None, message: str | None, status: int, kind: type[errors.AwsError]
) -> None:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(kind) as raised, errors.translated("list"):
        raise ClientError(response, "List")
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), errors.Unavailable),
        (TimeoutError(), errors.Unavailable),
        (NoCredentialsError(), errors.Denied),
        (ParamValidationError(report="no"), errors.Refused),
    ],
)
def test_so_do_the_wires(error: Exception, kind: type[errors.AwsError]) -> None:
    with pytest.raises(kind), errors.translated("list"):
        raise error


def test_a_fault_of_ours_passes() -> None:
    with pytest.raises(KeyError), errors.translated("list"):
        raise KeyError("ours")
