"""Our signature of a GET beside botocore's, which AWS believes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from assent_sagemaker.aws.signing import host_of, signed
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

AT = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
OWN = ReadOnlyCredentials("AKIA", "secret/+", None)
ASSUMED = ReadOnlyCredentials("ASIA", "another", "token==")
ADDRESSES = [
    "https://reports.s3.eu-central-1.amazonaws.com/churn/7/evaluation.json",
    "https://s3.eu-central-1.amazonaws.com/reports.of.ours/a%20b/%C3%A9~/..//e.json",
    "http://127.0.0.1:4566/reports/e.json",
    "https://[::1]:9000/reports/e.json",
    "http://store.example:80/folder/reports/e.json",
    "https://Store.Example:443/reports/e.json",
]


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("headers", [{}, {"if-none-match": '"4f  2"'}], ids=["whole", "unless"])
@pytest.mark.parametrize("credentials", [OWN, ASSUMED], ids=["own", "assumed"])
def test_an_object_is_asked_for_with_the_very_signature_that_botocore_would_write(
    url: str, headers: dict[str, str], credentials: ReadOnlyCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in (AT, AT + timedelta(seconds=1)):
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda at=at: at)
        theirs = AWSRequest("GET", url, headers=headers)
        S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(theirs)
        ours = signed(
            *(host_of(url), urlsplit(url).path, headers, credentials), service="s3", region="eu-central-1", at=at
        )
        assert ours == _by_lower_name(theirs)


def _by_lower_name(request: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
