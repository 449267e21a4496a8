"""SageMaker's Describe operations. Each raises Gone for what is not there, and AwsError otherwise."""

from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.limiter import Family


async def describe_model_package(account: Account, arn: str) -> Document:
    return await _describe(account, "describe_model_package", ModelPackageName=arn)


async def describe_model_package_group(account: Account, name: str) -> Document:
    """By name; a group shared by another account by its ARN."""
    return await _describe(account, "describe_model_package_group", ModelPackageGroupName=name)


async def describe_endpoint(account: Account, name: str) -> Document:
    return await _describe(account, "describe_endpoint", EndpointName=name)


async def describe_endpoint_config(account: Account, name: str) -> Document:
    return await _describe(account, "describe_endpoint_config", EndpointConfigName=name)


async def describe_model(account: Account, name: str) -> Document:
    return await _describe(account, "describe_model", ModelName=name)


async def describe_inference_component(account: Account, name: str) -> Document:
    return await _describe(account, "describe_inference_component", InferenceComponentName=name)


async def describe_transform_job(account: Account, name: str) -> Document:
    return await _describe(account, "describe_transform_job", Family.JOBS, TransformJobName=name)


async def describe_training_job(account: Account, name: str) -> Document:
    return await _describe(account, "describe_training_job", Family.JOBS, TrainingJobName=name)


async def _describe(
    account: Account, operation: str, family: Family = Family.DESCRIBE, /, **parameters: str
) -> Document:
    return await account.call("sagemaker", operation, family, **parameters)
