"""A service comes by its own token at the issuer: before it is needed, and without telling anybody by what."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from assent_common import http_client
from assent_common.clock import FrozenClock
from assent_common.health import Health, State
from assent_common.identity import service_token
from assent_common.identity.service_token import COMPONENT, Fetched, NoToken
from assent_common.settings import Settings
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from joserfc.jwk import ECKey, Key, OKPKey
from pydantic import ValidationError

from libs.common.tests.identity.token_endpoint import TokenEndpoint, claims_of, header_of
from libs.common.tests.lines import Lines

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
#: With what a form and a header would have to be careful of.
CLIENT, SECRET = "assent:catalog api", "s3cr+t/%&=ü"


class House(NamedTuple):
    issuer: TokenEndpoint
    clock: FrozenClock
    health: Health
    http: httpx.AsyncClient

    def token(self, **told: Any) -> Fetched:
        given = {"oidc_issuer": self.issuer.url, "service_client_id": CLIENT} | told
        if not any(name.startswith("service_client_") and name != "service_client_id" for name in told):
            given["service_client_secret"] = SECRET
        made = service_token.of(settings(**given), self.http, health=self.health, clock=self.clock)
        assert isinstance(made, Fetched)
        return made

    def later(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    @property
    def said(self) -> str:
        return self.health.components[COMPONENT].detail or ""

    def stands(self, how: State) -> bool:
        return self.health.components[COMPONENT].state is how


@pytest.fixture
async def house() -> AsyncIterator[House]:
    clock = FrozenClock(NOON)
    async with TokenEndpoint(CLIENT, SECRET, clock=clock).listening() as issuer, http_client.create() as http:
        yield House(issuer, clock, Health(clock), http)


async def test_fifty_who_need_it_at_once_lead_to_one_fetch(house: House) -> None:
    token = house.token()
    shown = await asyncio.gather(*(token.shown() for _ in range(50)))
    assert len(house.issuer.asked) == 1
    assert len(set(shown)) == 1
    assert claims_of(shown[0])["sub"] == f"service-account-{CLIENT}"
    assert house.stands(State.WORKING)


async def test_it_is_asked_for_as_the_rfc_has_it(house: House) -> None:
    await house.token(service_token_scope="a b", service_token_audience="https://assent.example").shown()
    [asked] = house.issuer.asked
    assert asked.pair == [CLIENT, SECRET]
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    wanted = {"grant_type": "client_credentials", "scope": "a b", "audience": "https://assent.example"}
    assert asked.form == wanted


async def test_another_is_there_before_it_ends(house: House) -> None:
    token = house.token()
    first = await token.shown()
    house.later(seconds=300 * 0.69)
    await token.look()
    assert (await token.shown(), len(house.issuer.asked)) == (first, 1)
    house.later(seconds=300 * 0.17)
    assert await token.shown() == first, "whoever asks waits for nobody"
    await token.look()
    assert len(house.issuer.asked) == 2
    assert await token.shown() != first


async def test_the_duty_renews_it_by_itself(house: House) -> None:
    token, stopping = house.token(), asyncio.Event()
    # Of no time worth speaking of: each second another is due, by whatever clock.
    house.issuer.lasts_s = 0.001
    running = asyncio.create_task(token.run(stopping))
    try:
        async with asyncio.timeout(60):
            while len(house.issuer.asked) < 3:
                house.later(seconds=1)
                await asyncio.sleep(0.01)
    finally:
        stopping.set()
        await running


async def test_while_the_issuer_is_away_the_one_before_is_shown_until_it_ends(house: House) -> None:
    token = house.token()
    first = await token.shown()
    house.issuer.fault = lambda: JSONResponse({"error": "temporarily_unavailable"}, 503)
    house.later(seconds=260)
    await token.look()
    assert await token.shown() == first
    assert house.stands(State.FAILING)
    assert house.said == (
        "the issuer answered 503 (temporarily_unavailable); the one before is good until 2026-06-01T12:04:50+00:00"
    )
    house.later(seconds=40)
    with pytest.raises(NoToken, match=r"no token to ask with: the issuer answered 503"):
        await token.shown()
    assert house.said.endswith("; there is none")
    house.issuer.fault = None
    house.later(seconds=60)
    assert await token.shown() != first
    assert house.stands(State.WORKING)


async def test_who_fails_is_asked_ever_more_seldom(house: House) -> None:
    token = house.token()
    house.issuer.fault = lambda: Response(status_code=500)
    for _ in range(3600):
        with pytest.raises(NoToken):
            await token.shown()
        house.later(seconds=1)
    # After 1, 2, 4 … seconds, then once a minute, or a fifth sooner.
    assert 60 <= len(house.issuer.asked) <= 6 + 3600 / 48


async def test_one_that_is_not_taken_is_replaced_and_that_not_often(house: House) -> None:
    token = house.token()
    first = await token.shown()
    for _ in range(20):
        token.refused(first)
        await token.look()
    assert len(house.issuer.asked) == 1
    house.later(seconds=30)
    await token.look()
    second = await token.shown()
    assert (second != first, len(house.issuer.asked)) == (True, 2)
    house.later(seconds=31)
    token.refused(first)
    await token.look()
    assert len(house.issuer.asked) == 2, "it was the one before"


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


P256, ED25519 = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
NAMED = ECKey.generate_key("P-256", {"kid": "assent-1"})
KEYS: dict[str, tuple[bytes, Key, str]] = {
    "P-256": (_pem(P256), ECKey.import_key(_pem(P256)), "ES256"),
    "Ed25519": (_pem(ED25519), OKPKey.import_key(_pem(ED25519)), "EdDSA"),
    "a JWK": (json.dumps(NAMED.as_dict(private=True)).encode(), NAMED, "ES256"),
}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # of the test's issuer
@pytest.mark.parametrize("kind", KEYS)
async def test_it_signs_rather_than_tell_a_secret(house: House, tmp_path: Path, kind: str) -> None:
    text, key, algorithm = KEYS[kind]
    file = tmp_path / "client.key"
    file.write_bytes(text)
    house.issuer.client_key = key
    token = house.token(service_client_keyfile=str(file))
    await token.shown()
    house.later(minutes=10)
    await token.shown()
    first, second = house.issuer.asked
    assert "authorization" not in first.headers
    assert first.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    said, again = (claims_of(asked.form["client_assertion"]) for asked in (first, second))
    noon = int(NOON.timestamp())
    told = {"iss": CLIENT, "sub": CLIENT, "aud": f"{house.issuer.url}/token", "iat": noon, "exp": noon + 60}
    assert said == told | {"jti": said["jti"]}
    assert said["jti"] != again["jti"]
    assert header_of(first.form["client_assertion"]) == {
        "alg": algorithm,
        "typ": "JWT",
        "kid": key.kid or key.thumbprint(),
    }


async def test_a_secret_in_a_file_is_read_anew_each_time(house: House, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of before\n")
    house.issuer.secret = "of before"
    token = house.token(service_client_secret_file=str(file))
    await token.shown()
    file.write_text("of after\n")
    house.issuer.secret = "of after"
    house.later(minutes=10)
    await token.shown()
    file.unlink()
    house.later(minutes=10)
    with pytest.raises(NoToken, match="ASSENT_SERVICE_CLIENT_ID cannot be read: FileNotFoundError"):
        await token.shown()
    assert len(house.issuer.asked) == 2


def _bearer(**other: object) -> Response:
    return JSONResponse({"access_token": "abc", "token_type": "Bearer", "expires_in": 60} | other)


ANSWERS: dict[str, tuple[Response, str]] = {
    "a page": (PlainTextResponse("<html>"), "no issuer's answer"),
    "a list": (JSONResponse([]), "no issuer's answer"),
    "without end": (PlainTextResponse(" " * 70_000), "more than 65536 bytes"),
    "elsewhere": (RedirectResponse("https://evil.example/token"), "answered 307"),
    "no token": (_bearer(access_token=None), "no token in it"),
    "an empty one": (_bearer(access_token=""), "no token in it"),
    "one of two lines": (_bearer(access_token="abc\r\nx-evil: 1"), "no token in it"),
    "too long a one": (_bearer(access_token="a" * 8_193), "no token in it"),
    "of another kind": (_bearer(token_type="mac"), "of a kind"),
    "a refusal": (JSONResponse({"error": "invalid_client", "error_description": SECRET}, 401), r"401 \(invalid_client"),
    "a refusal in its own words": (JSONResponse({"error": f"{SECRET}!"}, 400), "answered 400$"),
    "accepted": (JSONResponse({"access_token": "abc", "token_type": "Bearer"}, 202), "answered 202"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_is_no_token_is_not_taken_for_one(house: House, lines: Lines, answer: str) -> None:
    response, why = ANSWERS[answer]
    house.issuer.fault = lambda: response
    with pytest.raises(NoToken, match=why):
        await house.token().shown()
    assert len(house.issuer.asked) == 1
    told = lines()
    assert [line["level"] for line in told if line["event"] == "service_token_not_fetched"] == ["warning"]
    assert SECRET not in f"{told} {house.said}"


@pytest.mark.parametrize(
    ("lasts", "good_for_s"),
    [(600, 590), ("600", 590), (None, 290), ("soon", 290), (-1, 290), ("NaN", 290), (20, 18), ({"s": 1}, 290)],
)
async def test_how_long_it_lasts_is_the_issuers_to_say(house: House, lasts: object, good_for_s: int) -> None:
    house.issuer.fault = lambda: _bearer(expires_in=lasts)
    token = house.token()
    assert await token.shown() == "abc"
    house.issuer.fault = lambda: Response(status_code=500)
    house.later(seconds=good_for_s - 1)
    assert await token.shown() == "abc"
    house.later(seconds=1)
    with pytest.raises(NoToken):
        await token.shown()


async def test_nobody_is_asked_whom_others_could_listen_to(house: House) -> None:
    document = {"issuer": "http://10.0.0.1", "token_endpoint": "http://10.0.0.1/token"}
    for there in ("http://10.0.0.1", "https://issuer.example"):
        asked: list[str] = []

        def answer(request: httpx.Request, asked: list[str] = asked, there: str = there) -> httpx.Response:
            asked.append(str(request.url))
            body = json.dumps(document | {"issuer": there}).encode()
            return httpx.Response(200, stream=httpx.ByteStream(body))

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            with pytest.raises(NoToken, match="is not https"):
                await house._replace(http=http).token(oidc_issuer=there).shown()
        assert not any(url.startswith("http:") for url in asked)


async def test_neither_secret_nor_token_is_in_a_line_of_the_log(house: House, lines: Lines) -> None:
    token = house.token()
    shown = await token.shown()
    house.issuer.secret = "another"
    house.later(minutes=10)
    with pytest.raises(NoToken):
        await token.shown()
    told = lines()
    assert {line["event"] for line in told} == {"service_token_fetched", "service_token_not_fetched", "component"}
    written = f"{told} {house.health.components} {token._given!r}"
    assert not any(secret in written for secret in (SECRET, shown, "another"))


def test_one_for_good_stays_possible_and_gives_way() -> None:
    http, health, clock = httpx.AsyncClient(), Health(FrozenClock(NOON)), FrozenClock(NOON)
    assert service_token.of(settings(), http, health=health, clock=clock) is None
    fixed = service_token.of(settings(service_token="for good"), http, health=health, clock=clock)
    assert isinstance(fixed, service_token.Fixed)
    assert asyncio.run(fixed.shown()) == "for good"
    assert health.components == {}
    both = {"service_token": "for good", "service_client_id": CLIENT, "service_client_secret": SECRET}
    made = service_token.of(settings(**both, oidc_issuer="https://issuer.example"), http, health=health, clock=clock)
    assert isinstance(made, Fetched)


@pytest.mark.parametrize(
    ("told", "named", "why"),
    [
        ({"service_client_id": "a"}, "service_client_id", "needs one of"),
        ({"service_client_id": "a", "service_client_secret": "swordfish"}, "service_client_id", "ASSENT_OIDC_ISSUER"),
        ({"service_client_secret": "swordfish"}, "service_client_id", "must be set with ASSENT_SERVICE_CLIENT_SECRET"),
        ({"service_client_secret_file": "/nowhere"}, "service_client_secret_file", "cannot be read"),
        ({"service_client_keyfile": "/nowhere"}, "service_client_keyfile", "cannot be read"),
        ({"service_client_keyfile": __file__}, "service_client_keyfile", "no key that can be read"),
        ({"service_token_url": "http://10.0.0.1/token"}, "service_token_url", "is not https"),
        ({"service_token_url": "https://a:swordfish@b.example/"}, "service_token_url", "must hold no credentials"),
    ],
)
def test_settings_that_cannot_work_do_not_start(told: dict[str, str], named: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        settings(**told)
    assert named in {str(each["loc"][0]) for each in refused.value.errors()}
    assert "swordfish" not in str(refused.value)


def test_of_two_proofs_neither_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("swordfish")
    both = {"service_client_secret": "swordfish", "service_client_secret_file": str(file)}
    with pytest.raises(ValidationError, match="needs one of"):
        settings(oidc_issuer="https://issuer.example", service_client_id="a", **both)


@pytest.mark.parametrize("kind", ["RSA", "P-384", "public", "symmetric"])
def test_a_key_of_another_kind_is_named_when_it_starts(tmp_path: Path, kind: str) -> None:
    public = json.dumps(ECKey.generate_key("P-256").as_dict(private=False)).encode()
    texts = {
        "RSA": _pem(rsa.generate_private_key(65537, 2048)),
        "P-384": _pem(ec.generate_private_key(ec.SECP384R1())),
        "public": public,
        "symmetric": b'{"kty": "oct", "k": "c3dvcmRmaXNoc3dvcmRmaXNo"}',
    }
    file = tmp_path / "client.key"
    file.write_bytes(texts[kind])
    with pytest.raises(ValidationError, match="must hold a private key of P-256 or Ed25519"):
        settings(service_client_keyfile=str(file))


def settings(**told: Any) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://unused", **told})
