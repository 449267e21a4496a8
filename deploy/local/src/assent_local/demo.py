"""`assent demo`: the story of one model version, told as it happens. Every step is checked to be true, or it fails."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from aiobotocore.session import get_session
from aiokafka import AIOKafkaConsumer
from assent_client import Catalog, Connection, NotFound, Refused
from assent_common import http_client
from assent_common.events import envelope
from assent_common.kafka import topics
from assent_common.kafka.connection import options
from assent_common.settings import Settings
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assent_local import up as runner

GROUP = "customer-churn"
REPORT = {
    "binary_classification_metrics": {
        "accuracy": {"value": 0.934, "standard_deviation": 0.0041},
        "precision": {"value": 0.881, "standard_deviation": 0.0077},
        "recall": {"value": 0.812, "standard_deviation": 0.0093},
        "f1": {"value": 0.845, "standard_deviation": 0.0080},
        "auc": {"value": 0.957, "standard_deviation": 0.0031},
        "accuracy_best_constant_classifier": {"value": 0.735, "standard_deviation": 0.0},
        "confusion_matrix": {"0": {"0": 1403, "1": 67}, "1": {"0": 100, "1": 430}},
    }
}
USE_CASE = {
    "business_context": {
        "purpose": "Find customers who are about to leave, so that the care team calls the right ones first",
        "expected_value": "1.2 M EUR a year in contracts kept",
    },
    "legal": {"risk_class": "limited", "legal_basis": "legitimate_interests", "personal_data": True},
    "data": {"description": "Contract, usage and billing history of 24 months, pseudonymised"},
    "impact": {
        "affected_parties": ["private customers"],
        "human_oversight": "An agent decides on every call; the score only sorts the list",
    },
    "accountability": {
        "business_owner": "Bea Okafor",
        "data_steward": "Stefan Lindqvist",
        "data_scientist": "Grace Nakamura",
        "legal": "Lucía Ferrer",
        "security": "Sam Adeyemi",
    },
}
APPROVERS = {
    "data_steward": "stefan",
    "data_scientist": "grace",
    "legal": "lucia",
    "security": "sam",
    "business_owner": "bea",
}


class NotTrue(Exception):
    """A step of the story did not come true."""


async def tell(out: Console, *, state: Path | None = None, port_base: int | None = None) -> None:
    """Raises NotTrue, or NotReady, with the step that failed. SageMaker is the simulated one."""

    def say(text: str) -> None:
        out.print(f"[dim]{text} …[/]")

    async with (
        runner.up(state=state, port_base=port_base, simulator=True, say=say) as local,
        http_client.create() as http,
    ):
        try:
            await Story(out, local, http).tell()
        except Refused as refused:
            raise NotTrue(f"the catalogue answers {refused}") from refused


class Story:
    """The steps, in order, each standing on the one before."""

    def __init__(self, out: Console, local: runner.Local, http: httpx.AsyncClient) -> None:
        self._out = out
        self._local = local
        self._http = http
        self._tokens: dict[tuple[str, str], str] = {}

    async def tell(self) -> None:
        await self._company_is_found()
        arn = await self._version_is_registered()
        version = await self._record_appears(arn)
        key = await self._use_case_is_described()
        await self._gate_says(False, arn, key)
        candidacy = await self._put_forward(arn, key)
        await self._approve(candidacy, arn, key)
        await self._gate_says(True, arn, key)
        await self._sagemaker_says_approved(arn)
        await self._catalogue_says_accepted(version["id"])
        await self._audit_trail(candidacy)
        await self._events(arn, candidacy)
        self._out.print("\n[bold green]Every step was checked, and is true.[/]")

    async def _company_is_found(self) -> None:
        self._title("Assent reads the model registry")

        async def found() -> dict[str, Any] | None:
            page = await self._catalog().list_model_versions(limit=1, facets="source,status,type,framework")
            with_counts = page.body["facets"] or {}
            count = sum(with_counts["source"].values())
            expected = await self._sagemaker_holds()
            self._out.print(f"  {count} of {expected} model versions", end="\r")
            return with_counts if count == expected else None

        facets = await self._until("every model version is in the catalogue", found)
        self._out.print(f"  {sum(facets['source'].values())} model versions found, none missing        ")
        for name in ("type", "framework", "status"):
            counted = ", ".join(f"{value} {count}" for value, count in facets[name].items())
            self._out.print(f"  by {name:<10} {escape(counted)}")

    async def _sagemaker_holds(self) -> int:
        async with self._aws("sagemaker") as sagemaker:
            pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageType="Both")
            return sum([len(page["ModelPackageSummaryList"]) async for page in pages])

    async def _version_is_registered(self) -> str:
        self._title("Grace registers a new version in SageMaker")
        async with self._aws("s3") as s3:
            body = gzip.compress(json.dumps(REPORT).encode())
            await s3.put_object(Bucket="company-models", Key="churn/evaluation.json.gz", Body=body)
        async with self._aws("sagemaker") as sagemaker:
            answer = await sagemaker.create_model_package(
                ModelPackageGroupName=GROUP,
                ModelPackageDescription="Gradient boosting on 24 months of usage; retrained on the October campaign",
                Domain="MACHINE_LEARNING",
                Task="CLASSIFICATION",
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={
                    "Containers": [
                        {
                            "Image": "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                            "ModelDataUrl": "s3://company-models/churn/churn-xgb-20261120/output/model.tar.gz",
                            "Framework": "XGBOOST",
                            "FrameworkVersion": "1.7",
                        }
                    ],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
                ModelMetrics={
                    "ModelQuality": {
                        "Statistics": {
                            "ContentType": "application/json",
                            "S3Uri": "s3://company-models/churn/evaluation.json.gz",
                        }
                    }
                },
            )
        arn = str(answer["ModelPackageArn"])
        self._out.print(f"  {arn}")
        return arn

    async def _record_appears(self, arn: str) -> dict[str, Any]:
        self._title("The catalogue has it, with what the evaluation measured")

        async def known() -> str | None:
            page = await self._catalog().list_model_versions(urn=arn)
            return page.body["items"][0]["id"] if page.body["items"] else None

        id_ = await self._until("the new version is in the catalogue", known)
        version: dict[str, Any] = {**(await self._catalog().get_model_version(id_)).body}
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name in ("model", "version", "type", "framework", "description", "status", "source_approval_status"):
            table.add_row(name, escape(str(version[name])))
        for name in ("accuracy", "precision", "recall", "f1", "auc"):
            metric = version["metrics"][name]
            table.add_row(name, f"{metric['value']} ± {metric['standard_deviation']}")
        self._out.print(table)
        self._check(version["metrics"]["accuracy"]["value"] == 0.934, "accuracy is what the report says")
        self._check(version["metrics"]["precision"]["value"] == 0.881, "precision is what the report says")
        self._check(version["type"] == "binary_classification", "the type is told from the report")
        self._check(version["description"].startswith("Gradient boosting"), "the description is SageMaker's")
        self._check(version["status"] == "registered", "nobody has put it forward yet")
        return version

    async def _use_case_is_described(self) -> str:
        self._title("Bea describes what it is for")
        bea = self._catalog("business_owner", "bea")
        key = "customer-retention"
        try:
            await bea.get_use_case(key)
        except NotFound:
            created = await bea.create_use_case({"key": key, "name": "Customer retention calls"})
            self._check(created.status == 201, "a key and a name are enough to begin")
            changed = await bea.patch_use_case(key, {"facets": USE_CASE}, if_match=created.etag)
            self._check(changed.status == 200, "the facets are filled in")
        completeness = (await bea.get_use_case_completeness(key)).body
        for name, facet in completeness["facets"].items():
            missing = f"missing {', '.join(facet['missing'])}" if facet["missing"] else "complete"
            self._out.print(f"  {name:<18} {missing}")
        return key

    async def _put_forward(self, arn: str, key: str) -> dict[str, Any]:
        self._title("Ada puts it forward and submits it")
        ada = self._token("data_scientist", "ada")

        async def described() -> bool:
            # The workflow hears of use cases and versions by event: it may need a moment, and says so.
            answer = await self._request(
                *("POST", "workflow", "/v1/policies/default/simulate", ada),
                json={"use_case": key, "model_version": arn},
            )
            return answer.status_code == 200 and bool(answer.json()["passed"])

        await self._until("the workflow knows the version, and the use case as Bea described it", described)
        created = await self._request(
            "POST", "workflow", "/v1/candidacies", ada, json={"use_case": key, "model_version": arn}
        )
        self._check(created.status_code == 201, "it is a candidate", created)
        submitted = await self._request("POST", "workflow", f"/v1/candidacies/{created.json()['id']}/submit", ada)
        self._check(submitted.status_code == 200, "it is submitted", submitted)
        candidacy: dict[str, Any] = submitted.json()
        self._check(candidacy["status"] == "under_review", "it is under review")
        self._out.print(f"  under review by policy {candidacy['policy']}")
        return candidacy

    async def _approve(self, candidacy: dict[str, Any], arn: str, key: str) -> None:
        self._title("Five departments are asked")
        page = await self._get("workflow", "/v1/tasks", candidacy=candidacy["id"], status="open")
        tasks = {task["role"]: task for task in page["items"]}
        self._check(set(tasks) == set(APPROVERS), "one task for each of the five roles")
        for role, task in tasks.items():
            self._out.print(f"  {role:<16} due {task['due_at']}")
        own = await self._decide(tasks["data_scientist"], "data_scientist", "ada")
        self._check(own.status_code == 403, "who put it forward approves nothing", own)
        self._out.print(f"  [yellow]ada, who put it forward, is refused[/]: {escape(own.json()['detail'])}")
        for number, (role, person) in enumerate(APPROVERS.items(), 1):
            answer = await self._decide(tasks[role], role, person)
            self._check(answer.status_code == 200, f"{person} approves for {role}", answer)
            self._out.print(f"  {person} approves for {role}")
            now = await self._get("workflow", f"/v1/candidacies/{candidacy['id']}")
            if number == 4:
                self._check(now["status"] == "under_review", "four of five are not enough")
                await self._gate_says(False, arn, key)
        self._check(now["status"] == "accepted", "all five approved: it is accepted")
        self._out.print(f"  [green]accepted[/], until {now['expires_at']}")

    async def _decide(self, task: dict[str, Any], role: str, person: str) -> httpx.Response:
        return await self._request(
            "POST",
            "workflow",
            f"/v1/tasks/{task['id']}/decision",
            self._token(role, person),
            json={"verdict": "approve", "comment": f"fine with {role.replace('_', ' ')}"},
        )

    async def _gate_says(self, allow: bool, arn: str, key: str) -> None:
        answer = await self._request(
            "POST",
            "workflow",
            "/v1/gate",
            self._token("service", "ci"),
            json={"model_version": arn, "use_case": key, "environment": "production"},
        )
        self._check(answer.status_code == 200, "the gate answers", answer)
        verdict = answer.json()
        word = "[green]allow[/]" if verdict["allow"] else "[red]deny[/]"
        self._out.print(f"  gate: may it be deployed? {word} {escape('; '.join(verdict['reasons']))}")
        self._check(verdict["allow"] is allow, f"the gate says {'allow' if allow else 'deny'}", answer)

    async def _sagemaker_says_approved(self, arn: str) -> None:
        self._title("SageMaker is told")

        async def approved() -> dict[str, Any] | None:
            async with self._aws("sagemaker") as sagemaker:
                package = await sagemaker.describe_model_package(ModelPackageName=arn)
            return package if package["ModelApprovalStatus"] == "Approved" else None

        package = await self._until("SageMaker says Approved", approved)
        self._out.print(f"  ModelApprovalStatus  {package['ModelApprovalStatus']}")
        self._out.print(f"  ApprovalDescription  {escape(package['ApprovalDescription'])}")

    async def _catalogue_says_accepted(self, id_: str) -> None:
        async def accepted() -> bool:
            version = (await self._catalog().get_model_version(id_)).body
            return bool(version["status"] == "accepted" and version["source_approval_status"] == "Approved")

        await self._until("the catalogue says accepted, and Approved at the source", accepted)
        self._out.print("  the catalogue says accepted, and Approved at the source")

    async def _audit_trail(self, candidacy: dict[str, Any]) -> None:
        self._title("Who did what")
        page = await self._get("workflow", "/v1/audit", subject=candidacy["id"], limit=200)
        for record in page["items"]:
            self._out.print(f"  {record['at'][:19]}  {record['actor']:<8} {escape(record['action'])}")
        actions = Counter(record["action"] for record in page["items"])
        self._check(len(page["items"]) >= 7, "putting forward, submitting and five decisions are on record", None)
        self._check(sum(actions.values()) == len(page["items"]), "each once")

    async def _events(self, arn: str, candidacy: dict[str, Any]) -> None:
        self._title("What everybody was told, on Kafka")
        settings = Settings(database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=self._local.kafka)
        names = [topic.full_name(settings.kafka_topic_prefix) for topic in topics.ALL]
        reader = AIOKafkaConsumer(*names, **options(settings, "assent-demo"), auto_offset_reset="earliest")
        await reader.start()
        told: list[envelope.CloudEvent] = []

        async def accepted_was_told() -> bool:
            for records in (await reader.getmany(timeout_ms=500)).values():
                for event in (envelope.from_bytes(record.value) for record in records):
                    if arn in (event.subject, event.data.get("model_version")):
                        told.append(event)
            return {"accepted"} <= {e.data.get("status") for e in told if e.subject == candidacy["id"]} and any(
                e.data.get("source_approval_status") == "Approved" for e in told
            )

        try:
            await self._until("acceptance and approval are on Kafka", accepted_was_told)
        finally:
            await reader.stop()
        for event in sorted(told, key=lambda e: e.time):
            state = event.data.get("status") or event.data.get("source_approval_status") or ""
            role = event.data.get("role", "")
            self._out.print(f"  {event.time:%H:%M:%S.%f}"[:-3] + f"  {event.type:<46} {role:<15} {state}")

    async def _until(self, what: str, happens: Callable[[], Awaitable[Any]], within_s: float = 60) -> Any:
        try:
            async with asyncio.timeout(within_s):
                while not (result := await happens()):
                    await asyncio.sleep(0.2)
                return result
        except TimeoutError:
            raise NotTrue(f"not within {within_s:.0f} s: {what}") from None

    async def _get(self, service: str, path: str, **query: Any) -> Any:
        answer = await self._request("GET", service, path, self._token("viewer", "victor"), params=query)
        self._check(answer.status_code == 200, f"{path} answers", answer)
        return answer.json()

    async def _request(self, method: str, service: str, path: str, token: str, **options_: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", **options_.pop("headers", {})}
        return await self._http.request(method, self._local.urls[service] + path, headers=headers, **options_)

    def _catalog(self, role: str = "viewer", person: str = "victor") -> Catalog:
        return Catalog(Connection(self._http, self._local.urls["catalog-api"], token=self._token(role, person)))

    def _token(self, role: str, person: str) -> str:
        if (role, person) not in self._tokens:
            self._tokens[role, person] = self._local.token(role, person)
        return self._tokens[role, person]

    def _aws(self, service: str) -> Any:
        return get_session().create_client(
            service,
            region_name="eu-central-1",
            endpoint_url=self._local.urls["sagemaker"],
            aws_access_key_id="grace",
            aws_secret_access_key="local",  # noqa: S106 - the simulator looks at no signature
        )

    def _title(self, text: str) -> None:
        self._out.print(f"\n[bold]{text}[/]")

    def _check(self, condition: bool, claim: str, answer: httpx.Response | None = None) -> None:
        if not condition:
            said = f"; it answered {answer.status_code} {answer.text[:1000]}" if answer is not None else ""
            raise NotTrue(f"not true: {claim}{said}")
