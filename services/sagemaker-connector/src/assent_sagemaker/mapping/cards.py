"""The model card that a package carries, parsed: its JSON comes as a string within the document."""

import json
from collections.abc import Mapping

from assent_common.events.model import Json
from assent_common.events.registry import ModelCard

from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.safe import TooDeep, json_safe


def model_card(package: ModelPackage) -> ModelCard | None:
    """None where there is none. One without content says why: that is not the same as no card."""
    card = package.model_card
    if card is None:
        return None
    content, unreadable = _content(card.model_card_content)
    return ModelCard(
        status=card.model_card_status, risk_rating=_risk_rating(content), content=content, unreadable=unreadable
    )


def overview(package: ModelPackage) -> dict[str, str]:
    """The card's `model_overview`, its strings; empty where there is no card or it is no JSON."""
    content, _ = _content(package.model_card.model_card_content if package.model_card else None)
    told = content.get("model_overview") if isinstance(content, Mapping) else None
    return {key: value for key, value in told.items() if isinstance(value, str)} if isinstance(told, Mapping) else {}


def _content(text: str | None) -> tuple[Json, str | None]:
    # As SageMaker answers where the key is denied, and with `IncludedData: MetadataOnly`.
    if text is None or text == "{}":
        return None, "it is empty, or the source's role may not decrypt it"
    try:
        return json_safe(json.loads(text)), None
    except (ValueError, RecursionError, TooDeep) as error:
        return None, f"its content is no JSON: {error}"


def _risk_rating(content: Json) -> str | None:
    uses = content.get("intended_uses") if isinstance(content, Mapping) else None
    rating = uses.get("risk_rating") if isinstance(uses, Mapping) else None
    return rating if isinstance(rating, str) else None
