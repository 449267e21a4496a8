"""Every setting of the connector beside those that all services share."""

from datetime import timedelta
from pathlib import Path

from assent_common.settings import Settings as CommonSettings
from pydantic import Field

from assent_sagemaker.sources import Duration


class Settings(CommonSettings):
    sources: Path | None = Field(
        default=None, description="A YAML file of sources; without one there is `default`, from AWS's own settings"
    )
    mapping: Path | None = Field(
        default=None,
        description="A YAML file of the company's own rules, laid over Assent's: what metrics are called, and how "
        "types, frameworks and images are told. Read at the start; where it has changed, sources are read anew",
    )
    write_back: bool = Field(
        default=False, description="Whether decisions are written to the source `default`; a file says it for each"
    )
    syncs_at_once: int = Field(
        default=32, ge=1, description="How many sources one process reads at the same time; others wait for their turn"
    )
    keep_dropped_sources: Duration = Field(
        default=timedelta(days=7),
        description="How long the records of a source that is not in the file any more are kept, before they are told "
        "as removed: 60s, 6h, 7d",
    )
    review_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s{}]*\{review\}[^\s{}]*$",
        description="Where people read a review, with `{review}` for its id: what is written to SageMaker links to it",
    )
