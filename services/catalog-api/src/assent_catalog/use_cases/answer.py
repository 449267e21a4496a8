"""A use case as what was asked for or done answers with it."""

from assent_common.http.etags import etag
from fastapi import Response

from assent_catalog.use_cases.schemas import UseCaseOut
from assent_catalog.use_cases.store import UseCase


def answer(use_case: UseCase, *, status: int = 200) -> Response:
    headers = {"ETag": etag(use_case.sequence)}
    if status == 201:
        headers["Location"] = f"/v1/use-cases/{use_case.key}"
    return Response(UseCaseOut.of(use_case).model_dump_json(), status, headers, "application/json")
