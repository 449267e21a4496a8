"""What botocore's errors mean, as a table, and as exceptions that say what the caller can do.

AwsError
├── Denied              this role may not; no use in trying again
├── CredentialsExpired  fetch new credentials, then again
├── Gone                it is not there (any more)
├── TokenExpired        the page token is no longer good: list again from the start
├── Conflict            it is being changed by another; read it and decide again
├── Refused             the request breaks a rule of SageMaker's
└── Unavailable         a passing fault; the same call may work later
    └── Throttled       too many calls: slow down
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError


class AwsError(Exception):
    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {message or 'no message'} ({code})")
        self.operation = operation
        self.code = code


class Denied(AwsError):
    """The source's role may not do this."""


class CredentialsExpired(AwsError):
    """The credentials ran out before their time."""


class Gone(AwsError):
    """The resource is not there (any more)."""


class TokenExpired(AwsError):
    """The page token is no longer good: list again from the start."""


class Conflict(AwsError):
    """Another change is under way."""


class Refused(AwsError):
    """The request breaks a rule of the service's."""


class Unavailable(AwsError):
    """A passing fault: the same call may work later."""


class Throttled(Unavailable):
    """Too many calls."""


#: By the error's code. A code of none of these is Unavailable where the status is 5xx, else Refused.
MEANING: dict[str, type[AwsError]] = {
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "ThrottledException": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "RequestThrottled": Throttled,
    "RequestThrottledException": Throttled,
    "BandwidthLimitExceeded": Throttled,
    "LimitExceededException": Throttled,
    "SlowDown": Throttled,
    "ServiceUnavailable": Unavailable,
    "InternalFailure": Unavailable,
    "InternalServerError": Unavailable,
    "InternalError": Unavailable,
    "RequestTimeout": Unavailable,
    "RequestTimeoutException": Unavailable,
    "RequestTimeTooSkewed": Unavailable,
    "AccessDenied": Denied,
    "AccessDeniedException": Denied,
    "UnauthorizedOperation": Denied,
    "UnrecognizedClientException": Denied,
    "InvalidClientTokenId": Denied,
    "SignatureDoesNotMatch": Denied,
    "OptInRequired": Denied,
    "KMS.DisabledException": Denied,
    "403": Denied,
    "ExpiredToken": CredentialsExpired,
    "ExpiredTokenException": CredentialsExpired,
    "RequestExpired": CredentialsExpired,
    "ResourceNotFound": Gone,
    "ResourceNotFoundException": Gone,
    "NoSuchKey": Gone,
    "NoSuchBucket": Gone,
    "NoSuchVersion": Gone,
    "404": Gone,
    "ConflictException": Conflict,
    "ResourceInUse": Conflict,
    "InvalidNextTokenException": TokenExpired,
    "InvalidNextToken": TokenExpired,
    "ExpiredNextTokenException": TokenExpired,
}

#: SageMaker says several things by `ValidationException`; only the words tell which.
_VALIDATION = frozenset({"ValidationException", "ValidationError"})
_GONE_WORDS = ("does not exist", "not found", "could not find", "no longer exists")
_TOKEN_WORDS = ("nexttoken", "next token", "pagination token", "paginationtoken")


_OF_THE_WIRE = (
    HTTPClientError,
    BotoConnectionError,
    IncompleteReadError,
    FlexibleChecksumError,
    ResponseParserError,
    aiohttp.ClientError,
    TimeoutError,
)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raises AwsError for what botocore and the wire raise; anything else is a fault of ours and passes."""
    try:
        yield
    except ClientError as error:
        raise meaning(operation, error.response) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise Denied(operation, type(error).__name__, str(error)) from error
    except _OF_THE_WIRE as error:
        raise Unavailable(operation, type(error).__name__, str(error)) from error
    except BotoCoreError as error:
        raise Refused(operation, type(error).__name__, str(error)) from error


def meaning(operation: str, response: dict[str, Any]) -> AwsError:
    error = response.get("Error", {})
    # Throttling sometimes comes with a null message.
    code, message = str(error.get("Code") or "unknown"), str(error.get("Message") or "")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return _kind(code, message, status)(operation, code, message)


def _kind(code: str, message: str, status: int) -> type[AwsError]:
    if code in _VALIDATION:
        words = message.lower()
        if any(word in words for word in _TOKEN_WORDS):
            return TokenExpired
        if any(word in words for word in _GONE_WORDS):
            return Gone
        if "rate exceeded" in words:
            return Throttled
        return Refused
    if code in MEANING:
        return MEANING[code]
    if status == 429:
        return Throttled
    return Unavailable if status >= 500 or code.startswith("5") else Refused
