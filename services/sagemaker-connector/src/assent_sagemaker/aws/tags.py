"""ListTags. A versioned package takes no tags: those of its group apply."""

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.pages import pages


async def list_tags(account: Account, arn: str) -> dict[str, str]:
    """All tags of a resource. Raises AwsError; Denied for what another account shares, which comes without tags."""
    listing = pages(
        account,
        "list_tags",
        Family.TAGS,
        records=lambda response: response.get("Tags", []),
        identity=lambda tag: tag["Key"],
        ResourceArn=arn,
        MaxResults=50,
    )
    return {tag["Key"]: tag.get("Value", "") async for page in listing for tag in page.records}
