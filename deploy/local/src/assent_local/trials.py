"""`assent policy simulate`: a policy on what was judged before, asked of the workflow page by page."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import httpx
from assent_common import http_client
from rich.console import Console

from assent_local.exits import Exit

AT_ONCE = 200


async def simulate(
    out: Console,
    err: Console,
    url: str,
    token: str,
    text: str,
    *,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> Exit:
    """What came out, and would come out otherwise, and how many of what."""
    trial = {"text": text, **{name: at.isoformat() for name, at in (("since", since), ("until", until)) if at}}
    tally: Counter[tuple[str, str]] = Counter()
    left_out: Counter[str] = Counter()
    cursor: dict[str, str] = {}
    async with http_client.create() as client:
        while True:
            try:
                answer = await client.post(
                    f"{url.rstrip('/')}/v1/policies/simulate",
                    json=trial,
                    params={"limit": AT_ONCE, **cursor},
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=60,
                )
            except httpx.HTTPError as error:
                err.print(f"the workflow does not answer ({error!r})", markup=False, style="red")
                return Exit.UNAVAILABLE
            if answer.status_code != 200:
                err.print(f"the workflow answers {answer.status_code}: {answer.text[:1000]}", markup=False, style="red")
                return Exit.FAILED if answer.status_code < 500 else Exit.UNAVAILABLE
            page = answer.json()
            for each in page["items"]:
                tally[each["decided"], each["would"]] += 1
                left_out.update(each["not_known"])
                if as_json:
                    print(json.dumps(each))  # noqa: T201 - for programs
                elif each["differs"]:
                    out.print(_line(each), markup=False, soft_wrap=True)
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    if not as_json:
        for (decided, would), number in sorted(tally.items()):
            out.print(f"{number} {decided.replace('_', ' ')}: it says {would.replace('_', ' ')}", markup=False)
        out.print(f"{tally.total()} rounds of judging", markup=False)
        for what, number in sorted(left_out.items()):
            out.print(f"not known, in {number}: {what}", markup=False, soft_wrap=True)
    return Exit.OK


def _line(each: dict[str, Any]) -> str:
    why = f": {'; '.join(each['reasons'])}" if each["reasons"] else ""
    said = f"was {each['decided']}, would be {each['would']}{why}".replace("_", " ")
    return f"{each['requested_at'][:10]} {each['use_case']} {each['model_version'] or each['step']} {said}"
