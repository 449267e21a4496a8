"""The whole of Assent as a person has it: `assent up` as a process, spoken to over HTTP, Kafka and AWS's own client."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import psutil
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from assent_common import http_client
from assent_common.identity.roles import Role
from assent_local import up as runner

from tests.support.wait import until

READY_WITHIN_S = 90.0
REGION = "eu-central-1"

FACETS: dict[str, dict[str, Any]] = {
    "business_context": {"purpose": "Call those first who are about to leave", "expected_value": "1.2 M EUR a year"},
    "legal": {"risk_class": "limited", "legal_basis": "legitimate_interests", "personal_data": True},
    "data": {"description": "24 months of contracts and usage, pseudonymised"},
    "impact": {"affected_parties": ["private customers"], "human_oversight": "An agent decides on every call"},
    "accountability": {
        "business_owner": "Bea",
        "data_steward": "Stefan",
        "data_scientist": "Grace",
        "legal": "Lucia",
        "security": "Sam",
    },
}
APPROVERS = ("data_steward", "data_scientist", "legal", "security", "business_owner")


class Assent:
    """One `assent up`, with its state in a folder, so that it can be stopped and started again."""

    def __init__(self, state: Path, environment: Mapping[str, str], *arguments: str) -> None:
        self.state = state
        self._environment = {**os.environ, **environment}
        self._arguments = arguments
        self._process: Process | None = None
        self._http = http_client.create()
        self.line: dict[str, Any] = {}

    async def start(self) -> None:
        """Returns once it says that it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "assent_local", "up", "--json", "--state", str(self.state), *self._arguments),
            stdout=PIPE,
            env=self._environment,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            line = await self._process.stdout.readline()
        assert line, f"assent up ended: {await self._process.wait()}"
        self.line = json.loads(line)

    async def stop(self) -> int:
        """SIGTERM, and its exit status. Nothing that it started is left."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        async with asyncio.timeout(20):
            status = await self._process.wait()
        assert [child for child in children if child.is_running()] == []
        return status

    async def close(self) -> None:
        await self._http.aclose()
        if self._process is not None and self._process.returncode is None:
            await self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def kafka(self) -> str:
        return str(self.line["kafka"])

    @property
    def urls(self) -> dict[str, str]:
        urls: dict[str, str] = self.line["urls"]
        return urls

    def process_of(self, service: str) -> psutil.Process:
        """The service's process as it runs now: it has another pid after it was killed."""
        module = runner.SERVICES[service]
        found = [p for p in psutil.Process(self.pid).children(recursive=True) if module in _command(p)]
        assert len(found) == 1, f"{service} runs {len(found)} times"
        return found[0]

    def kill(self, service: str) -> None:
        """kill -9; the runner starts it again. It is gone when this returns: who looks finds the next one, or none."""
        process = self.process_of(service)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)

    async def cli(self, *arguments: str) -> tuple[int, str]:
        """The command line: its exit code, and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "assent_local", *arguments), stdout=PIPE, stderr=PIPE, env=self._environment
        )
        said, complained = await process.communicate()
        assert process.returncode is not None
        return process.returncode, (said + complained).decode()

    def token(self, role: str, subject: str | None = None) -> str:
        return runner.issuer_of(self.state).mint(subject or role, role)

    async def request(
        self,
        method: str,
        service: str,
        path: str,
        *,
        role: str | None = "viewer",
        subject: str | None = None,
        **kw: Any,
    ) -> httpx.Response:
        headers = dict(kw.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role, subject)}"
        return await self._http.request(method, self.urls[service] + path, headers=headers, **kw)

    async def get(self, service: str, path: str, **params: Any) -> Any:
        answer = await self.request("GET", service, path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def everything(self, service: str, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.get(service, path, limit=200, **params, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def aws(self, service: str) -> AbstractAsyncContextManager[Any]:
        client: AbstractAsyncContextManager[Any] = get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.urls["sagemaker"],
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
            # In a storm of AWS's people persist for longer than a client does by itself.
            config=AioConfig(retries={"mode": "standard", "total_max_attempts": 20}),
        )
        return client

    async def register_version(self, group: str, report: Mapping[str, Any], **members: Any) -> str:
        """A data scientist registers a version with an evaluation report. Its ARN."""
        key = f"{group}/{os.urandom(4).hex()}/evaluation.json"
        async with self.aws("s3") as s3:
            await s3.put_object(Bucket="company-models", Key=key, Body=json.dumps(report).encode())
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://company-models/{key}"}
        async with self.aws("sagemaker") as sagemaker:
            answer = await sagemaker.create_model_package(
                ModelPackageGroupName=group,
                ModelMetrics={"ModelQuality": {"Statistics": statistics}},
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={
                    "Containers": [{"Image": "xgboost:1.7", "ModelDataUrl": f"s3://company-models/{key}.tar.gz"}]
                },
                **members,
            )
        return str(answer["ModelPackageArn"])

    async def version(self, urn: str, within_s: float = 30) -> dict[str, Any]:
        """The catalogue's record of a version, once it is there."""

        async def found() -> dict[str, Any] | None:
            page = await self.get("catalog-api", "/v1/model-versions", urn=urn)
            return page["items"][0] if page["items"] else None

        item = await until(found, within_s=within_s)
        assert item is not None
        record: dict[str, Any] = await self.get("catalog-api", f"/v1/model-versions/{item['id']}")
        return record

    async def describe_use_case(self, key: str, facets: Mapping[str, Any] = FACETS) -> None:
        created = await self.request(
            "POST", "catalog-api", "/v1/use-cases", role="business_owner", json={"key": key, "name": key.title()}
        )
        assert created.status_code == 201, created.text
        changed = await self.request(
            "PATCH",
            "catalog-api",
            f"/v1/use-cases/{key}",
            role="business_owner",
            json={"facets": facets},
            headers={"If-Match": created.headers["etag"]},
        )
        assert changed.status_code == 200, changed.text

    async def put_forward(self, key: str, urn: str, subject: str = "ada", *, submit: bool = True) -> dict[str, Any]:
        """The candidacy, under review unless told otherwise. Waits until the workflow has heard of both."""

        async def known() -> httpx.Response | None:
            answer = await self.request(
                *("POST", "workflow", "/v1/candidacies"),
                role="data_scientist",
                subject=subject,
                json={"use_case": key, "model_version": urn},
            )
            return None if answer.status_code == 404 else answer

        answer = await until(known, within_s=30)
        assert answer is not None
        assert answer.status_code == 201, answer.text
        if submit:
            path = f"/v1/candidacies/{answer.json()['id']}/submit"
            answer = await self.request("POST", "workflow", path, role="data_scientist", subject=subject)
            assert answer.status_code == 200, answer.text
        candidacy: dict[str, Any] = answer.json()
        return candidacy

    async def tasks(self, candidacy: str) -> dict[str, dict[str, Any]]:
        """Role → the open task."""
        items = await self.everything("workflow", "/v1/tasks", candidacy=candidacy, status="open")
        return {task["role"]: task for task in items}

    async def decide(
        self, task: Mapping[str, Any], verdict: str = "approve", *, subject: str | None = None
    ) -> httpx.Response:
        return await self.request(
            *("POST", "workflow", f"/v1/tasks/{task['id']}/decision"),
            role=task["role"],
            subject=subject,
            json={"verdict": verdict, "comment": "as discussed"},
        )

    async def candidacy(self, id_: str) -> dict[str, Any]:
        candidacy: dict[str, Any] = await self.get("workflow", f"/v1/candidacies/{id_}")
        return candidacy

    async def gate(self, urn: str, key: str) -> dict[str, Any]:
        answer = await self.request(
            *("POST", "workflow", "/v1/gate"), role=Role.SERVICE, json={"model_version": urn, "use_case": key}
        )
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def package(self, urn: str) -> dict[str, Any]:
        """What SageMaker itself says."""
        async with self.aws("sagemaker") as sagemaker:
            package: dict[str, Any] = await sagemaker.describe_model_package(ModelPackageName=urn)
            return package


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
