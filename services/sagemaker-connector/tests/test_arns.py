import pytest
from assent_sagemaker import arns
from assent_sagemaker.arns import Arn, NotAnArn

PARTITIONS = {
    "eu-central-1": "aws",
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eusc-de-east-1": "aws-eusc",
}


@pytest.mark.parametrize(("region", "partition"), PARTITIONS.items())
def test_an_arn_of_any_partition_is_taken_apart_and_put_together(region: str, partition: str) -> None:
    text = f"arn:{partition}:sagemaker:{region}:111122223333:model-package/churn/7"
    arn = Arn.parse(text)
    assert (arn.partition, arn.region, arn.account, arn.kind) == (partition, region, "111122223333", "model-package")
    assert str(arn) == text
    assert str(arns.sagemaker(region, "111122223333", "model-package", "churn/7")) == text
    assert str(arns.group_of(arn)) == f"arn:{partition}:sagemaker:{region}:111122223333:model-package-group/churn"


def test_an_unversioned_package_has_no_group() -> None:
    assert arns.group_of(Arn.parse("arn:aws:sagemaker:eu-west-1:1:model-package/scorer")) is None


def test_names_are_compared_without_case() -> None:
    assert arns.key("arn:aws:sagemaker:r:1:model-package/Churn/7") == arns.key(
        "arn:aws:sagemaker:r:1:model-package/churn/7"
    )


@pytest.mark.parametrize(
    "text", ["", "churn", "arn:aws:s3:::bucket", "arn:x:sagemaker:r:1:endpoint/e", "arn:aws:a:b:c:d/"]
)
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(NotAnArn):
        Arn.parse(text)
