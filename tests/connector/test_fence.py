"""The fence as an organisation puts it up: only Assent's decisions come through."""

from typing import Any

import pytest
from assent_local.guardrail import Fence, Policy, policy
from assent_local.simulator import Simulator
from botocore.exceptions import ClientError

from tests.connector import test_write_back as decisions
from tests.connector.conftest import Connect
from tests.connector.world import register
from tests.support.wait import until

ROLE = "arn:aws:iam::123456789012:role/assent"


async def test_nobody_but_assent_approves(simulator: Simulator, sagemaker: Any, connect: Connect) -> None:
    simulator.dial(deny=policy(Fence(roles=(ROLE,), stages=("Production",)), Policy.ORGANISATION)["Statement"])
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        await register(sagemaker, "churn", ModelApprovalStatus="Approved")
    urn = await register(sagemaker, "churn", ModelApprovalStatus="PendingManualApproval")
    with pytest.raises(ClientError, match="explicit deny"):
        await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Approved")
    stage = {"Stage": "Production", "StageStatus": "Approved"}
    with pytest.raises(ClientError, match="explicit deny"):
        await sagemaker.update_model_package(ModelPackageArn=urn, ModelLifeCycle=stage)
    # What decides nothing is nobody's business.
    await sagemaker.update_model_package(ModelPackageArn=urn, CustomerMetadataProperties={"team": "risk"})

    connector = await connect(
        role_arn=ROLE,
        write_back=True,
        life_cycle={"accepted": {"stage": "Production", "status": "Approved"}},
    )
    await decisions.hear(connector, decisions.said(urn, decisions.ACCEPTED, 1))

    async def written() -> bool:
        package = await sagemaker.describe_model_package(ModelPackageName=urn)
        moved = package.get("ModelLifeCycle", {}).get("Stage")
        return (package["ModelApprovalStatus"], moved) == ("Approved", "Production")

    await until(written, within_s=20)
