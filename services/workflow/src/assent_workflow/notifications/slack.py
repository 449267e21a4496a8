"""A notification as Slack's incoming webhooks take it, and others that speak like it."""

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import SecretStr

from assent_workflow.outgoing.outcome import Outcome
from assent_workflow.outgoing.places import Row
from assent_workflow.outgoing.post import Poster
from assent_workflow.outgoing.queue import now_of

#: It will answer the same to the same: the payload or the channel is not what it takes.
FOR_GOOD = frozenset({400, 403, 404, 410})
LONGEST_TEXT = 2_900
LONGEST_HEADER = 150
MOST_ITEMS = 40


class Chat:
    def __init__(self, channels: Mapping[str, SecretStr], poster: Poster) -> None:
        self._channels = channels
        self._poster = poster

    async def send(self, row: Row) -> Outcome:
        """One whose answer did not reach us appears twice: these webhooks know no id."""
        url = self._channels.get(row["address"])
        if url is None:
            return Outcome(error=f"the settings name no channel {row['address']}")
        headers = {"content-type": "application/json"}
        body = orjson.dumps(payload(row))
        outcome = await self._poster.post(url.get_secret_value(), body, headers, at=now_of(row))
        if outcome.status in FOR_GOOD:
            return Outcome(outcome.status, outcome.error, final=True)
        return outcome


def payload(row: Row) -> dict[str, Any]:
    """What others wrote is `plain_text`, in which nothing means anything; only our own link is marked up."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(row["subject"], LONGEST_HEADER)}]
    if row["text"]:
        blocks.append({"type": "section", "text": _plain(row["text"], LONGEST_TEXT)})
    for section in row["sections"]:
        blocks.append({"type": "section", "text": _plain(section["title"], LONGEST_TEXT)})
        blocks += [_item(item) for item in section["items"]]
    if row["link"]:
        blocks.append(_item({"said": "Open it in Assent", "link": row["link"]}))
    # No message has more than fifty.
    blocks = blocks[: MOST_ITEMS + 5]
    blocks.append({"type": "context", "elements": [_plain(f"Assent · {row['id']}", LONGEST_TEXT)]})
    # What a phone shows before the message is opened.
    return {"text": escaped(row["subject"]), "mrkdwn": False, "blocks": blocks}


def _item(item: Mapping[str, str | None]) -> dict[str, Any]:
    said, link = item["said"] or "", item["link"]
    if link is None:
        return {"type": "section", "text": _plain(f"• {said}", LONGEST_TEXT)}
    text = {"type": "mrkdwn", "text": f"<{escaped(link)}|Open>", "verbatim": True}
    return {"type": "section", "fields": [_plain(said, 1_900), text]}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:most] or " ", "emoji": False}


def escaped(text: str) -> str:
    """The three that Slack says mean something (`<!channel>`, `<@U1>`, links)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
