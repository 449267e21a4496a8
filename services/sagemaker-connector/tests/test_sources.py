import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assent_common.clock import SystemClock
from assent_common.events.governance import CandidacyStatus
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.sources import Source, SourcesInvalid, Stage, load, own_region, parse

WHOLE = """
sources:
  - name: prod-eu
    region: eu-central-1
    role_arn: arn:aws:iam::111122223333:role/assent-reader
    external_id: 7f3c
    include: ["credit-*", Churn]
    exclude: ["*-sandbox"]
    poll_interval: 90s
    reconcile_interval: 12h
    events_queue_url: https://sqs.eu-central-1.amazonaws.com/111122223333/assent
    write_back: true
  - {name: gov, region: us-gov-west-1}
"""


def test_a_file_says_everything_of_its_sources(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(WHOLE)
    prod, gov = load(file, own_region=None)
    assert (prod.name, prod.region, prod.external_id, prod.write_back) == ("prod-eu", "eu-central-1", "7f3c", True)
    assert (prod.poll_interval, prod.reconcile_interval) == (timedelta(seconds=90), timedelta(hours=12))
    assert (gov.poll_interval, gov.reconcile_interval) == (timedelta(seconds=60), timedelta(hours=6))
    assert (gov.include, gov.exclude, gov.write_back) == (("*",), (), False)


def test_globs_choose_groups_without_regard_to_case() -> None:
    source = Source(name="a", region="eu-west-1", include=("credit-*", "Churn"), exclude=("*-sandbox",))
    names = ["credit-risk", "Credit-Risk", "churn", "credit-sandbox", "fraud"]
    assert [name for name in names if source.wants(name)] == ["credit-risk", "Credit-Risk", "churn"]


def test_without_a_file_there_is_one_source_of_awss_own_settings() -> None:
    (source,) = load(None, own_region="eu-west-1")
    assert (source.name, source.region, source.role_arn, source.write_back) == ("default", "eu-west-1", None, False)
    with pytest.raises(SourcesInvalid, match="AWS_REGION"):
        load(None, own_region=None)


def test_awss_own_region_is_looked_for_where_awss_tools_look() -> None:
    assert own_region({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "c") == "a"
    assert own_region({"AWS_DEFAULT_REGION": "b"}, "c") == "b"
    assert own_region({}, "c") == "c"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
async def test_roles_of_every_partition_are_assumed_at_their_own_regions_sts(region: str, partition: str) -> None:
    role = f"arn:{partition}:iam::111122223333:role/assent/reader"
    source = Source(name="a", region=region, role_arn=role)
    async with Clients(SystemClock()) as clients:
        account = Account.of(source, clients, Limiter())
        assert account.name == "111122223333"
        sts = await clients.of("sts", region)
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        assert sts.meta.endpoint_url == f"https://sts.{region}.{suffix}"


def test_thousands_of_sources_are_read_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n" + "".join(f"  - {{name: s-{n}, region: eu-west-1}}\n" for n in range(15_000)))
    began = time.process_time()
    assert len(load(file, own_region=None)) == 15_000
    assert time.process_time() - began < 10


A = {"name": "a", "region": "eu-west-1"}
STAGE = {"stage": "Production", "status": "Approved"}


def test_what_is_written_to_a_source_is_as_its_file_says() -> None:
    (source,) = parse(
        {"sources": [{**A, "write_back": True, "on_drift": "restore", "life_cycle": {"accepted": STAGE}}]}, name=""
    )
    assert source.life_cycle == {CandidacyStatus.ACCEPTED: Stage(stage="Production", status="Approved")}
    assert source.writing != source.model_copy(update={"role_arn": "arn:aws:iam::123456789012:role/assent"}).writing
    assert source.writing == source.model_copy(update={"include": ("churn",)}).writing
    assert source.scope != source.model_copy(update={"include": ("churn",)}).scope


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"sources": [{**A, "poll_interval": "60"}]}, r"sources\[0\].poll_interval: .*60s, 15m"),
        ({"sources": [{**A, "poll_interval": "0s"}]}, r"sources\[0\].poll_interval"),
        ({"sources": [{**A, "regoin": "x"}]}, r"sources\[0\].regoin: Extra"),
        ({"sources": [A, A]}, "two sources have one name: a"),
        ({"sources": [{"name": "a"}]}, r"sources\[0\].region: Field required"),
        ({"sources": [{**A, "name": "Prod EU"}]}, r"sources\[0\].name"),
        ({"sources": [{**A, "external_id": "7f3c"}]}, "give role_arn"),
        ({"sources": [{**A, "role_arn": "assent"}]}, r"sources\[0\].role_arn"),
        ({"sources": [{**A, "on_drift": "restore"}]}, "they need write_back"),
        ({"sources": [{**A, "life_cycle": {"accepted": STAGE}}]}, "they need write_back"),
        ({"sources": [{**A, "write_back": True, "life_cycle": {"approved": STAGE}}]}, r"life_cycle.approved"),
        ({"sources": [{**A, "write_back": True, "life_cycle": {"accepted": {"stage": "in use"}}}]}, r"accepted.stage"),
        ({"sources": [{**A, "write_back": True, "on_drift": "revert"}]}, r"sources\[0\].on_drift"),
        (
            {"sources": [{**A, "region": "cn-north-1", "role_arn": "arn:aws:iam::111122223333:role/reader"}]},
            r"sources\[0\]: .*aws-cn",
        ),
        ({"sources": []}, "sources"),
        ({}, "sources: Field required"),
        (None, "sources.yaml: "),
        (["a"], "sources.yaml: "),
    ],
)
def test_a_fault_is_named_with_its_place(document: Any, complaint: str) -> None:
    with pytest.raises(SourcesInvalid, match=complaint):
        parse(document, name="sources.yaml")


def test_a_file_that_is_missing_or_no_yaml_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourcesInvalid, match="No such file"):
        load(tmp_path / "absent.yaml", own_region=None)
    file = tmp_path / "sources.yaml"
    file.write_text("sources: [")
    with pytest.raises(SourcesInvalid, match="not YAML"):
        load(file, own_region=None)
