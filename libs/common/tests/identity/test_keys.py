"""The issuer's keys: they rotate, they go away, they are not always what they should be."""

import asyncio
import json
import secrets
from datetime import timedelta

import httpx
import pytest
from assent_common.http.problems import Unauthenticated, Unavailable
from assent_common.identity.documents import MAX_BYTES
from assent_common.identity.keys import Keys, KeysUnavailable
from joserfc.jwk import ECKey, RSAKey

from libs.common.tests.identity.issuer import URL, Issuer, public
from tests.support.wait import until


async def test_a_thousand_unknown_kids_lead_to_one_fetch(issuer: Issuer) -> None:
    await issuer.verifier.authenticate(issuer.token())
    issuer.clock.advance(timedelta(seconds=31))

    async def try_one() -> None:
        with pytest.raises(Unauthenticated):
            await issuer.verifier.authenticate(issuer.token(header={"kid": secrets.token_hex(8)}))

    await asyncio.gather(*(try_one() for _ in range(1000)))
    assert issuer.key_fetches == 2


async def test_keys_rotate_without_a_restart(issuer: Issuer) -> None:
    await issuer.verifier.authenticate(issuer.token())
    new = ECKey.generate_key("P-256", {"kid": "new", "use": "sig"})
    issuer.document = public(new)
    issuer.clock.advance(timedelta(seconds=31))
    assert (await issuer.verifier.authenticate(issuer.token(key=new))).subject == "ada"
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(issuer.token())


async def test_a_key_that_was_withdrawn_is_forgotten_by_the_refresh(issuer: Issuer) -> None:
    old = issuer.token(exp=issuer.at(hours=2))
    await issuer.verifier.authenticate(old)
    issuer.document = public(issuer.rs)
    issuer.clock.advance(timedelta(minutes=11))
    await issuer.verifier.authenticate(old)  # used once more, while they are read again
    await until(lambda: issuer.key_fetches == 2, within_s=5)
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(old)


async def test_an_issuer_that_is_down_for_an_hour_is_not_missed(issuer: Issuer) -> None:
    token = issuer.token(exp=issuer.at(days=3))
    await issuer.verifier.authenticate(token)
    issuer.fault = lambda _: httpx.Response(503)
    for _ in range(60):
        issuer.clock.advance(timedelta(minutes=1))
        await issuer.verifier.authenticate(token)
    issuer.clock.advance(timedelta(days=1))
    with pytest.raises(Unavailable):
        await issuer.verifier.authenticate(token)
    issuer.fault = None
    issuer.clock.advance(timedelta(seconds=31))
    await issuer.verifier.authenticate(token)


async def test_without_any_keys_it_is_unavailable_and_not_unauthenticated(issuer: Issuer) -> None:
    issuer.fault = lambda _: httpx.Response(500)
    with pytest.raises(Unavailable):
        await issuer.verifier.authenticate(issuer.token())


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    "fault",
    {
        "down": broken,
        "a redirect": lambda _: httpx.Response(302, headers={"location": "https://evil.example/"}),
        "more than 64 kB": lambda _: httpx.Response(200, content=b" " * (MAX_BYTES + 1)),
        "no JSON": lambda _: httpx.Response(200, content=b"<html>"),
        "a list": lambda _: httpx.Response(200, content=b"[]"),
        "another issuer's document": lambda _: httpx.Response(
            200, json={"issuer": "https://evil.example", "jwks_uri": f"{URL}/keys"}
        ),
        "keys over http": lambda _: httpx.Response(200, json={"issuer": URL, "jwks_uri": "http://issuer.example/keys"}),
        "keys in a file": lambda _: httpx.Response(200, json={"issuer": URL, "jwks_uri": "file:///etc/passwd"}),
        "no keys": lambda _: httpx.Response(200, json={"issuer": URL, "jwks_uri": f"{URL}/keys", "keys": []}),
        "only symmetric keys": lambda _: httpx.Response(
            200, json={"issuer": URL, "jwks_uri": f"{URL}/keys", "keys": [{"kty": "oct", "k": "AAAA", "kid": "es"}]}
        ),
    }.items(),
    ids=lambda item: item[0],
)
async def test_what_is_no_key_document_is_not_taken_for_one(issuer: Issuer, fault: tuple[str, object]) -> None:
    issuer.fault = fault[1]  # type: ignore[assignment]
    with pytest.raises(KeysUnavailable):
        await issuer.keys.find("es")
    assert not any("evil" in url or url.startswith(("http://", "file:")) for url in issuer.asked)


async def test_a_key_of_an_unknown_kind_takes_none_of_the_others_away(issuer: Issuer) -> None:
    document = json.loads(issuer.document)
    document["keys"].insert(0, {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"})
    issuer.document = json.dumps(document).encode()
    assert (await issuer.verifier.authenticate(issuer.token())).subject == "ada"


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_an_rsa_key_that_is_too_short_is_not_used(issuer: Issuer) -> None:
    short = RSAKey.generate_key(1024, {"kid": "short", "use": "sig"})
    issuer.document = public(issuer.es, short)
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(issuer.token(key=short))
    assert (await issuer.verifier.authenticate(issuer.token())).subject == "ada"


async def test_how_long_an_rsa_key_must_be_is_the_companys_to_say(issuer: Issuer) -> None:
    """3072 bits are the strength of P-256: 128 bits."""
    long = RSAKey.generate_key(3072, {"kid": "long", "use": "sig"})
    issuer.document = public(issuer.es, issuer.rs, long)

    async def kids(**told: int) -> set[str | None]:
        http = httpx.AsyncClient(transport=httpx.MockTransport(issuer._answer))
        keys = Keys(URL, None, client=http, clock=issuer.clock, **told)
        return {key.kid for key in await keys.find(None)}

    assert await kids() == {"es", "rs", "long"}
    assert await kids(least_rsa_bits=3072) == {"es", "long"}


async def test_http_is_for_this_machine_only(issuer: Issuer) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, stream=httpx.ByteStream(issuer.document))

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    here = Keys("http://127.0.0.1:9", "http://127.0.0.1:9/keys", client=client, clock=issuer.clock)
    assert len((await here.find("es")).keys) == 3
    there = Keys("http://10.0.0.1", "http://10.0.0.1/keys", client=client, clock=issuer.clock)
    with pytest.raises(KeysUnavailable):
        await there.find("es")
    assert asked == ["http://127.0.0.1:9/keys"]


async def test_a_storm_of_unknown_kids_while_the_keys_rotate_is_no_amplifier_and_keeps_nobody_out(
    issuer: Issuer,
) -> None:
    """Ten minutes, a new key each two, twenty strangers each ten seconds: a fetch in thirty seconds at the most."""
    steps, step_s, rotates_s = 60, 10, 120
    later = issuer.at(hours=2)
    newest = issuer.es
    waited_s = longest_s = 0
    taken = 0
    for number in range(steps):
        if number % (rotates_s // step_s) == 0:
            newest = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig"})
            issuer.document = public(newest)
            waited_s = 0
        strangers = [issuer.token(exp=later, header={"kid": secrets.token_hex(8)}) for _ in range(20)]
        told = await asyncio.gather(*map(issuer.verifier.authenticate, strangers), return_exceptions=True)
        assert all(isinstance(each, Unauthenticated) for each in told)
        try:
            await issuer.verifier.authenticate(issuer.token(key=newest, exp=later))
            taken += 1
        except Unauthenticated:
            waited_s += step_s
            longest_s = max(longest_s, waited_s)
        issuer.clock.advance(timedelta(seconds=step_s))
    assert issuer.key_fetches <= steps * step_s / 30 + 1
    assert longest_s <= 30, "a new key is known within the time between two fetches"
    assert taken >= steps * 0.7
