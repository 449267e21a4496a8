"""Every setting of the catalogue beside those that all services share."""

from pathlib import Path

from assent_common.settings import Settings as CommonSettings
from pydantic import Field


class Settings(CommonSettings):
    use_case_schema: Path | None = Field(
        default=None, description="A JSON Schema of the company's own fields of a use case: the facet `custom`"
    )
