"""The model registry: model package groups and model packages, as SageMaker treats them."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.errors import conflict, invalid
from assent_local.simulator.pages import Pages
from assent_local.simulator.shares import Shares
from assent_local.simulator.store import Document, Kind, Record, Store

Request = Mapping[str, Any]
#: Told of a package that was registered (no fields) or changed (the fields that changed).
PackageListener = Callable[[Place, Document, list[str]], None]

_TOKENS_REMEMBERED = 10_000
_PROPERTIES_MAX = 50
_ADDITIONAL_SPECIFICATIONS_MAX = 15

#: What a package keeps as it was given.
_GIVEN = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "ValidationSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
_REPLACED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
_GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
#: No LastModifiedTime: a changed version can't be told from its summary.
_PACKAGE_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_BATCH_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)


class Registry:
    def __init__(self, store: Store, shares: Shares, pages: Pages, clock: Clock, changed: PackageListener) -> None:
        self._store = store
        self._shares = shares
        self._pages = pages
        self._clock = clock
        self._changed = changed
        self._tokens: OrderedDict[tuple[Place, str, str], tuple[str, str]] = OrderedDict()
        self.operations = {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": self.describe_group,
            "ListModelPackageGroups": self.list_groups,
            "DeleteModelPackageGroup": self.delete_group,
            "CreateModelPackage": self.create_package,
            "DescribeModelPackage": self.describe_package,
            "BatchDescribeModelPackage": self.batch_describe_packages,
            "ListModelPackages": self.list_packages,
            "UpdateModelPackage": self.update_package,
            "DeleteModelPackage": self.delete_package,
        }

    # Groups

    def create_group(self, caller: Caller, request: Request) -> Document:
        name, place = request["ModelPackageGroupName"], caller.place
        arn = place.arn(Kind.GROUP, name)
        if self._store.get(Kind.GROUP, place, name.casefold()):
            raise invalid(f"Model Package Group already exists: {arn}")
        tags.write(self._store, place, arn, request.get("Tags", []))
        document = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": arn,
            **_given(request, "ModelPackageGroupDescription", "ManagedConfiguration"),
            "CreationTime": self._now(),
            "CreatedBy": _user_context(caller),
            "ModelPackageGroupStatus": "Completed",
        }
        self._store.put(Kind.GROUP, place, name.casefold(), document)
        return {"ModelPackageGroupArn": arn}

    def describe_group(self, caller: Caller, request: Request) -> Document:
        name = request["ModelPackageGroupName"]
        return self._group(self._shares.home(caller.place, name), name)[1]

    def list_groups(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            if request.get("CrossAccountFilterOption") == "CrossAccount":
                shared = (self._store.get(Kind.GROUP, *where) for where in self._shares.with_(caller.place))
                groups = [record.document for record in shared if record]
            else:
                groups = [record.document for record in self._store.all(Kind.GROUP, caller.place).values()]
            return listing.select(groups, request, name="ModelPackageGroupName")

        page, token, _ = self._pages.cut(caller.place, "ListModelPackageGroups", request, self._store.generation, rows)
        return listing.answer("ModelPackageGroupSummaryList", [_given(row, *_GROUP_SUMMARY) for row in page], token)

    def delete_group(self, caller: Caller, request: Request) -> Document:
        key, group = self._group(caller.place, request["ModelPackageGroupName"])
        if next(iter(self._versions(caller.place, key)), None):
            raise conflict("Model Package Group cannot be deleted because it still contains Model Packages.")
        with self._store.together():
            # A group that is made again under this name counts from 1 again: same ARNs, other things.
            self._store.remove(Kind.LAST_VERSION, caller.place, key)
            tags.forget(self._store, caller.place, group["ModelPackageGroupArn"])
            self._store.remove(Kind.SHARE, caller.place, key)
            self._store.remove(Kind.GROUP, caller.place, key)
        return {}

    # Packages

    def create_package(self, caller: Caller, request: Request) -> Document:
        token = request.get("ClientToken")
        if token and (known := self._replayed(caller.place, "CreateModelPackage", token, request)):
            return {"ModelPackageArn": known}
        if ("ModelPackageName" in request) == ("ModelPackageGroupName" in request):
            raise invalid("Exactly one of ModelPackageName and ModelPackageGroupName must be provided.")
        _check_card(request)
        identity = self._version_of(caller, request) if "ModelPackageGroupName" in request else _unversioned(request)
        path = identity.pop("path")
        arn = caller.place.arn(Kind.PACKAGE, path)
        if self._store.get(Kind.PACKAGE, caller.place, path):
            raise conflict(f"Model Package already exists: {arn}")
        now = self._now()
        document = {
            **identity,
            "ModelPackageArn": arn,
            **_given(request, *_GIVEN),
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": _user_context(caller),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        }
        if "InferenceSpecification" in document:
            document["InferenceSpecification"] = self._resolved(document["InferenceSpecification"])
        with self._store.together():
            if "ModelPackageVersion" in identity:
                group, version = path.split("/")
                self._store.put(Kind.LAST_VERSION, caller.place, group, {"last": int(version)})
            else:
                tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(Kind.PACKAGE, caller.place, path, document)
        if token:
            self._remember(caller.place, "CreateModelPackage", token, request, arn)
        self._changed(caller.place, document, [])
        return {"ModelPackageArn": arn}

    def describe_package(self, caller: Caller, request: Request) -> Document | Record:
        name = request["ModelPackageName"]
        record = self._package(self._shares.home(caller.place, name), name)[1]
        if request.get("IncludedData") != "MetadataOnly" or "ModelCard" not in record.document:
            return record
        # Without kms:Decrypt there is a card, and nothing in it.
        card = {**record.document["ModelCard"], "ModelCardContent": "{}"}
        return {**record.document, "ModelCard": card}

    def batch_describe_packages(self, caller: Caller, request: Request) -> Document:
        found, missing = {}, {}
        for arn in request["ModelPackageArnList"]:
            record = self._store.get(Kind.PACKAGE, caller.place, _path(caller.place, arn))
            if record is None or "InferenceSpecification" not in record.document:
                missing[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": f"{arn} does not exist."}
            else:
                found[arn] = _given(record.document, *_BATCH_SUMMARY)
        return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": missing}

    def list_packages(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            if "ModelPackageGroupName" in request:
                name = request["ModelPackageGroupName"]
                place = self._shares.home(caller.place, name)
                packages = self._versions(place, self._group(place, name)[0])
            else:
                # Unversioned only, unless told: boto3#3069.
                wanted = request.get("ModelPackageType", "Unversioned")
                packages = [
                    record.document
                    for record in self._store.all(Kind.PACKAGE, caller.place).values()
                    if wanted == "Both" or ("ModelPackageVersion" in record.document) == (wanted == "Versioned")
                ]
            approval = request.get("ModelApprovalStatus")
            if approval:
                packages = [package for package in packages if package.get("ModelApprovalStatus") == approval]
            return listing.select(packages, request, name="ModelPackageName", or_else="ModelPackageGroupName")

        page, token, _ = self._pages.cut(caller.place, "ListModelPackages", request, self._store.generation, rows)
        return listing.answer("ModelPackageSummaryList", [_given(row, *_PACKAGE_SUMMARY) for row in page], token)

    def update_package(self, caller: Caller, request: Request) -> Document:
        arn = request["ModelPackageArn"]
        token = request.get("ClientToken")
        if token and self._replayed(caller.place, "UpdateModelPackage", token, request):
            return {"ModelPackageArn": arn}
        path, record = self._package(caller.place, arn)
        if "ModelPackageVersion" not in record.document:
            raise invalid(f"{arn} is not versioned: only versioned model packages can be updated.")
        _check_card(request, before=record.document.get("ModelCard"))
        document = {**record.document, **_given(request, *_REPLACED)}
        changed = [name for name in _REPLACED if name in request]
        if "InferenceSpecification" in request:
            document["InferenceSpecification"] = self._resolved(request["InferenceSpecification"])
        if "CustomerMetadataProperties" in request or "CustomerMetadataPropertiesToRemove" in request:
            _set_or_drop(document, "CustomerMetadataProperties", _properties(record.document, request))
            changed.append("CustomerMetadataProperties")
        if "AdditionalInferenceSpecificationsToAdd" in request:
            document["AdditionalInferenceSpecifications"] = _additional(record.document, request)
            changed.append("AdditionalInferenceSpecifications")
        document["LastModifiedTime"] = self._now()
        document["LastModifiedBy"] = _user_context(caller)
        self._store.put(Kind.PACKAGE, caller.place, path, document)
        if token:
            self._remember(caller.place, "UpdateModelPackage", token, request, arn)
        self._changed(caller.place, document, changed)
        return {"ModelPackageArn": document["ModelPackageArn"]}

    def delete_package(self, caller: Caller, request: Request) -> Document:
        path, record = self._package(caller.place, request["ModelPackageName"])
        with self._store.together():
            tags.forget(self._store, caller.place, record.document["ModelPackageArn"])
            self._store.remove(Kind.PACKAGE, caller.place, path)
        return {}

    # What they are made of

    def _now(self) -> float:
        return round(self._clock.now().timestamp(), 3)

    def _group(self, place: Place, name_or_arn: str) -> tuple[str, Document]:
        key = _path(place, name_or_arn)
        record = self._store.get(Kind.GROUP, place, key)
        if record is None:
            raise invalid(f"Model Package Group {name_or_arn} does not exist.")
        return key, record.document

    def _package(self, place: Place, name_or_arn: str) -> tuple[str, Record]:
        path = _path(place, name_or_arn)
        record = self._store.get(Kind.PACKAGE, place, path)
        if record is None:
            raise invalid(f"Model Package {name_or_arn} does not exist.")
        return path, record

    def _versions(self, place: Place, group: str) -> list[Document]:
        packages = self._store.all(Kind.PACKAGE, place)
        numbers = range(1, self._last_version(place, group) + 1)
        return [packages[path].document for number in numbers if (path := f"{group}/{number}") in packages]

    def _last_version(self, place: Place, group: str) -> int:
        record = self._store.get(Kind.LAST_VERSION, place, group)
        return record.document["last"] if record else 0

    def _version_of(self, caller: Caller, request: Request) -> dict[str, Any]:
        if "Tags" in request:
            raise invalid("A versioned model package takes no tags: tag its model package group.")
        key, group = self._group(caller.place, request["ModelPackageGroupName"])
        version = self._last_version(caller.place, key) + 1
        return {
            # The group's name is lower-cased in its versions' ARNs, and they have no name of their own.
            "path": f"{key}/{version}",
            "ModelPackageGroupName": group["ModelPackageGroupName"],
            "ModelPackageVersion": version,
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
        }

    def _resolved(self, specification: Document) -> Document:
        """The specification with the digests that SageMaker finds out by itself at registration."""
        containers = []
        for given in specification["Containers"]:
            container = dict(given)
            if "Image" in given and "ImageDigest" not in given:
                container["ImageDigest"] = "sha256:" + hashlib.sha256(given["Image"].encode()).hexdigest()
            containers.append(container)
        return {**specification, "Containers": containers}

    def _replayed(self, place: Place, operation: str, token: str, request: Request) -> str | None:
        """The ARN that the first request with this token was answered with."""
        digest, arn = self._tokens.get((place, operation, token), (None, None))
        if digest and digest != _digest(request):
            raise conflict(f"ClientToken {token} was used with other parameters.")
        return arn

    def _remember(self, place: Place, operation: str, token: str, request: Request, arn: str) -> None:
        self._tokens[place, operation, token] = (_digest(request), arn)
        if len(self._tokens) > _TOKENS_REMEMBERED:
            self._tokens.popitem(last=False)


def _unversioned(request: Request) -> dict[str, Any]:
    if "ModelApprovalStatus" in request:
        raise invalid("ModelApprovalStatus applies to versioned model packages only.")
    name = request["ModelPackageName"]
    return {"path": name.casefold(), "ModelPackageName": name}


def _path(place: Place, name_or_arn: str) -> str:
    """`churn/3` for both `Churn/3` and its ARN; an ARN of another place is the path of nothing."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn.casefold()
    prefix, _, path = name_or_arn.casefold().partition("/")
    return path if prefix.split(":")[3:5] == [place.region, place.account] else name_or_arn


def _user_context(caller: Caller) -> Document:
    return {"IamIdentity": {"Arn": caller.arn, "PrincipalId": caller.principal}}


def _given(document: Request, *names: str) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _set_or_drop(document: dict[str, Any], name: str, value: Mapping[str, str]) -> None:
    if value:
        document[name] = value
    else:
        document.pop(name, None)


def _properties(before: Document, request: Request) -> dict[str, str]:
    removed = set(request.get("CustomerMetadataPropertiesToRemove", ()))
    kept = {key: value for key, value in before.get("CustomerMetadataProperties", {}).items() if key not in removed}
    properties: dict[str, str] = kept | request.get("CustomerMetadataProperties", {})
    if len(properties) > _PROPERTIES_MAX:
        raise invalid(f"A model package has at most {_PROPERTIES_MAX} customer metadata properties.")
    return properties


def _additional(before: Document, request: Request) -> list[Document]:
    specifications = [
        *before.get("AdditionalInferenceSpecifications", []),
        *request["AdditionalInferenceSpecificationsToAdd"],
    ]
    if len(specifications) > _ADDITIONAL_SPECIFICATIONS_MAX:
        raise invalid(f"A model package has at most {_ADDITIONAL_SPECIFICATIONS_MAX} additional specifications.")
    if len({specification["Name"] for specification in specifications}) < len(specifications):
        raise invalid("Additional inference specifications must have different names.")
    return specifications


def _check_card(request: Request, before: Document | None = None) -> None:
    content = request.get("ModelCard", {}).get("ModelCardContent")
    if content is None:
        return
    try:
        card = orjson.loads(content)
    except ValueError as error:
        raise invalid(f"ModelCardContent is not JSON: {error}") from error
    if not isinstance(card, dict):
        raise invalid("ModelCardContent is not a JSON object.")
    if before and before["ModelCardStatus"] == "Archived" and content != before["ModelCardContent"]:
        raise invalid("The content of an archived model card can't be changed.")


def _digest(request: Request) -> str:
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()
