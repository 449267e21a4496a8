"""Which registries are read: the YAML of `ASSENT_SOURCES`, or AWS's own settings."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from assent_common import canonical
from assent_common.events.governance import CandidacyStatus
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from assent_sagemaker import arns

# In C where it was built: thousands of sources are a second's work there, and a quarter of a minute's in Python.
_SafeLoader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>ms|s|m|h|d)")


class SourcesInvalid(ValueError):
    """The file of sources can't be used as it stands; says every fault with its place."""


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if match := _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None:
        return timedelta(seconds=float(match["number"]) * _UNITS[match["unit"]])
    raise ValueError("a duration is a number with its unit: 60s, 15m, 6h, 1d")


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]


EntityName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]


class Stage(BaseModel):
    """A place in SageMaker's `ModelLifeCycle`: names of the company's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: EntityName
    status: EntityName


class Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]+)+-\d$")]
    #: The role to assume; without it, AWS's own credentials are used as they are.
    role_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")] | None = None
    external_id: Annotated[str, Field(min_length=2, max_length=1224)] | None = None
    #: `auto` reads by Search as long as that can be trusted, and by List and Describe where not.
    plan: Literal["auto", "search", "describe"] = "auto"
    #: Globs over the names of model package groups, without regard to case.
    include: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    exclude: tuple[str, ...] = ()
    poll_interval: Duration = timedelta(seconds=60)
    reconcile_interval: Duration = timedelta(hours=6)
    #: Whether groups that other accounts share with this one are read, too.
    shared_groups: bool = True
    #: When more than this share of a source seems to be deleted at once, a person is to say so first.
    max_removal_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    events_queue_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    write_back: bool = False
    #: To which stage of its life cycle a version is moved when its status becomes this, so that pipelines can trigger
    #: on it. A pipeline that moves it on is not disturbed.
    life_cycle: Mapping[CandidacyStatus, Stage] = {}
    #: What is done when somebody changes an approval in SageMaker without a decision: it is told in any case;
    #: `restore` puts it back, too.
    on_drift: Literal["report", "restore"] = "report"

    @property
    def account(self) -> str | None:
        """The account of the role; without a role it is the process's own, which is not known here."""
        return self.role_arn.split(":")[4] if self.role_arn else None

    @property
    def reading(self) -> str:
        """Of what is read, by its settings: by all but those that say when, and what is written."""
        return canonical.digest(self.model_dump(mode="json", exclude=_NOT_READING))

    @property
    def scope(self) -> str:
        """Of which versions there are, by its settings."""
        return canonical.digest({"include": list(self.include), "exclude": list(self.exclude)})

    @property
    def writing(self) -> str:
        """Of how it is written to, by its settings."""
        return canonical.digest(
            self.model_dump(mode="json", include={"region", "role_arn", "external_id", "write_back", "on_drift"})
        )

    def wants(self, group: str) -> bool:
        """Whether the source reads this model package group."""
        name = group.casefold()
        included = any(fnmatchcase(name, glob.casefold()) for glob in self.include)
        return included and not any(fnmatchcase(name, glob.casefold()) for glob in self.exclude)

    @model_validator(mode="after")
    def _external_id_goes_with_a_role(self) -> "Source":
        if self.external_id and not self.role_arn:
            raise ValueError("external_id is for assuming a role: give role_arn, or leave it out")
        return self

    @model_validator(mode="after")
    def _a_role_is_of_its_regions_partition(self) -> "Source":
        partition = arns.partition_of(self.region)
        if self.role_arn and self.role_arn.split(":")[1] != partition:
            raise ValueError(f"{self.region} is in the partition {partition}: a role of another one is not known there")
        return self

    @model_validator(mode="after")
    def _only_what_is_written_to_is_changed(self) -> "Source":
        if not self.write_back and (self.life_cycle or self.on_drift == "restore"):
            raise ValueError("life_cycle and on_drift: restore are written to SageMaker: they need write_back: true")
        return self


_NOT_READING = {
    *("poll_interval", "reconcile_interval", "events_queue_url"),
    *("write_back", "life_cycle", "on_drift", "max_removal_share"),
}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "_File":
        names = [source.name for source in self.sources]
        if twice := sorted(name for name, times in Counter(names).items() if times > 1):
            raise ValueError(f"two sources have one name: {', '.join(twice)}")
        return self


def load(file: Path | None, *, own_region: str | None, write_back: bool = False) -> list[Source]:
    """The sources of the file; without one, `default`: AWS's own account in `own_region`. Raises SourcesInvalid.

    `write_back` is for `default` alone: a file says it for each of its sources.
    """
    if file is None:
        if not own_region:
            raise SourcesInvalid("no region: set AWS_REGION, or name a file of sources in ASSENT_SOURCES")
        return [Source(name="default", region=own_region, write_back=write_back)]
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_SafeLoader)  # noqa: S506 - either is safe
    except OSError as error:
        raise SourcesInvalid(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourcesInvalid(f"{file}: not YAML: {error}") from error
    return parse(document, name=str(file))


def parse(document: Any, *, name: str) -> list[Source]:
    try:
        return _File.model_validate(document).sources
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise SourcesInvalid("\n".join(f"{name}: {_place(fault)}{fault['msg']}" for fault in faults)) from error


def _place(fault: Mapping[str, Any]) -> str:
    way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"])
    return f"{way.removeprefix('.')}: " if way else ""


def own_region(environment: Mapping[str, str], profile_region: str | None) -> str | None:
    """AWS's own region. botocore reads `AWS_DEFAULT_REGION` and the profile, but not `AWS_REGION`."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile_region
