"""Many versions at once, for load: registered through the API, their reports made up when they are read."""

import asyncio
import random
import re

import orjson
from pydantic import BaseModel, ConfigDict, Field

from assent_local.simulator.caller import DEFAULT_ACCOUNT, DEFAULT_REGION, Caller, Place
from assent_local.simulator.errors import invalid
from assent_local.simulator.s3 import EVERYWHERE
from assent_local.simulator.sagemaker import SageMaker
from assent_local.simulator.store import Kind, Store

BUCKET = "seeded-reports"

_KEY = re.compile(r"(?P<prefix>.+)-(?P<group>\d{5})/(?P<version>\d+)/evaluation\.json")
_AT_A_TIME = 100


class Seed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: int = Field(ge=1, le=10_000)
    #: Of each group.
    versions: int = Field(ge=1, le=100_000)
    prefix: str = Field(pattern=r"[a-z][a-z0-9-]{0,50}")
    account: str = Field(default=DEFAULT_ACCOUNT, pattern=r"\d{12}")
    region: str = DEFAULT_REGION


class Seeds:
    def __init__(self, store: Store, sagemaker: SageMaker) -> None:
        self._store = store
        self._sagemaker = sagemaker

    async def sow(self, seed: Seed) -> int:
        """How many versions there are more. Others are served in between."""
        caller = Caller(Place(seed.account, seed.region), "sagemaker", "seed")
        if self._store.get(Kind.SEED, EVERYWHERE, seed.prefix):
            raise invalid(f"{seed.prefix} is sown already.")
        self._store.put(Kind.BUCKET, EVERYWHERE, BUCKET, {})
        self._store.put(Kind.SEED, EVERYWHERE, seed.prefix, seed.model_dump())
        for group in range(seed.groups):
            name = f"{seed.prefix}-{group:05}"
            self._sagemaker.call("CreateModelPackageGroup", caller, {"ModelPackageGroupName": name})
            for first in range(1, seed.versions + 1, _AT_A_TIME):
                with self._store.together():
                    for version in range(first, min(first + _AT_A_TIME, seed.versions + 1)):
                        self._sagemaker.call("CreateModelPackage", caller, _version(name, version))
                await asyncio.sleep(0)
        return seed.groups * seed.versions

    def report(self, bucket: str, key: str) -> bytes | None:
        """The report of a seeded version, the same each time."""
        matched = _KEY.fullmatch(key) if bucket == BUCKET else None
        seed = self._store.get(Kind.SEED, EVERYWHERE, matched["prefix"]) if matched else None
        if matched is None or seed is None:
            return None
        known = int(matched["group"]) < seed.document["groups"]
        if not known or not 1 <= int(matched["version"]) <= seed.document["versions"]:
            return None
        return _report(key)


def _version(group: str, version: int) -> dict[str, object]:
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Candidate {version} of {group}",
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                    "ModelDataUrl": f"s3://{BUCKET}/{group}/{version}/model.tar.gz",
                    "Framework": "XGBOOST",
                    "FrameworkVersion": "1.7-1",
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"s3://{BUCKET}/{group}/{version}/evaluation.json",
                }
            }
        },
    }


def _report(key: str) -> bytes:
    dice = random.Random(key)  # noqa: S311 - numbers for a report
    metrics = {
        name: {"value": round(dice.uniform(0.7, 0.99), 4), "standard_deviation": round(dice.uniform(0, 0.02), 4)}
        for name in ("accuracy", "precision", "recall", "f1", "auc")
    }
    return orjson.dumps({"binary_classification_metrics": metrics})
