"""Only this issuer's access tokens, for us, now: each of these tries to be taken for one."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from assent_common import metrics
from assent_common.http.problems import SignInAgain, Unauthenticated
from assent_common.identity.roles import Role
from assent_common.identity.sign_in import Demands
from assent_common.identity.tokens import Verifier
from joserfc.jwk import ECKey, OKPKey, RSAKey

from libs.common.tests.identity.issuer import URL, Issuer, b64
from tests.support.wait import until

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

Forge = Callable[[Issuer], str]


def unsigned(issuer: Issuer, algorithm: str = "none") -> str:
    header = json.dumps({"alg": algorithm, "kid": "es"}).encode()
    return f"{b64(header)}.{b64(json.dumps(issuer.claims()).encode())}."


def hs256_with(secret: Callable[[Issuer], bytes]) -> Forge:
    def forge(issuer: Issuer) -> str:
        signed = (
            f"{b64(json.dumps({'alg': 'HS256', 'kid': 'rs'}).encode())}.{b64(json.dumps(issuer.claims()).encode())}"
        )
        return f"{signed}.{b64(hmac.digest(secret(issuer), signed.encode(), 'sha256'))}"

    return forge


def by_a_stranger(**header: object) -> Forge:
    def forge(issuer: Issuer) -> str:
        stranger = ECKey.generate_key("P-256")
        its_key = stranger.as_dict(private=False)
        embedded = {name: its_key if value == "its key" else value for name, value in header.items()}
        return issuer.token(key=stranger, header={"kid": "es"} | embedded)

    return forge


def with_signature(change: Callable[[str], str]) -> Forge:
    def forge(issuer: Issuer) -> str:
        head, body, signature = issuer.token().split(".")
        return f"{head}.{body}.{change(signature)}"

    return forge


def other_body(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{b64(json.dumps(issuer.claims(sub='eve')).encode())}.{signature}"


HOSTILE: dict[str, tuple[str, Forge]] = {
    "nothing": ("form", lambda i: ""),
    "words": ("form", lambda i: "let me in"),
    "two parts": ("form", lambda i: "e30.e30"),
    "four parts": ("form", lambda i: i.token() + ".e30"),
    "dots": ("form", lambda i: ".."),
    "a header that is no JSON": ("form", lambda i: b64(b"{") + ".e30.AAAA"),
    "a header that is a list": ("form", lambda i: b64(b"[]") + ".e30.AAAA"),
    "a deep header": ("form", lambda i: b64(b"[" * 3000) + ".e30.AAAA"),
    "not ASCII": ("signature", lambda i: i.token() + "é"),
    "lone surrogates": ("form", lambda i: "\ud800.\ud800.\ud800"),
    "nine kilobytes": ("size", lambda i: i.token(padding="x" * 9000)),
    "alg none": ("signature", unsigned),
    "alg None": ("signature", lambda i: unsigned(i, "None")),
    "alg empty": ("signature", lambda i: unsigned(i, "")),
    "HS256 with the public PEM": ("signature", hs256_with(lambda i: i.rs.as_pem(private=False))),
    "HS256 with the public JWK": ("signature", hs256_with(lambda i: json.dumps(i.rs.as_dict(private=False)).encode())),
    "HS256 with nothing": ("signature", hs256_with(lambda i: b"")),
    "PS256, which is not allowed": ("signature", lambda i: i.token(key=i.rs, header={"alg": "PS256"})),
    "another's key under our kid": ("signature", by_a_stranger()),
    "another's key embedded": ("signature", by_a_stranger(jwk="its key")),
    "another's key by jku": ("signature", by_a_stranger(jku="https://evil.example/keys")),
    "another's key by x5u": ("signature", by_a_stranger(x5u="https://evil.example/cert")),
    "our key, with a crit of the future": ("signature", lambda i: i.token(header={"crit": ["mood"], "mood": "fine"})),
    "our key, b64 false": ("signature", lambda i: i.token(header={"crit": ["b64"], "b64": False}, body=b"{}")),
    "a kid nobody has": ("signature", lambda i: i.token(header={"kid": "nobody"})),
    "a kid of SQL": ("signature", lambda i: i.token(header={"kid": "es' or '1'='1"})),
    "a kid of a path": ("signature", lambda i: i.token(header={"kid": "../../../dev/null"})),
    "a kid of a URL": ("signature", lambda i: i.token(header={"kid": "https://evil.example/keys"})),
    "a kid that is a list": ("signature", lambda i: i.token(header={"kid": ["es"]})),
    "no kid, of four keys": ("signature", lambda i: i.token(header={"kid": ...})),
    "a key for encryption": ("signature", lambda i: i.token(key=i.for_encryption)),
    "the key of another algorithm": ("signature", lambda i: i.token(key=i.es, header={"kid": "rs"})),
    "a signature cut short": ("signature", with_signature(lambda s: s[:-4])),
    "no signature": ("signature", with_signature(lambda s: "")),
    "a signature of zeros": ("signature", with_signature(lambda s: b64(bytes(64)))),
    "another body": ("signature", other_body),
    "another's EdDSA": ("signature", lambda i: i.token(key=OKPKey.generate_key("Ed25519"), header={"kid": "ed"})),
    "another's RS256": ("signature", lambda i: i.token(key=RSAKey.generate_key(2048), header={"kid": "rs"})),
    "a body that is no JSON": ("signature", lambda i: i.token(body=b"{")),
    "a body that is a list": ("signature", lambda i: i.token(body=b"[]")),
    "a deep body": ("signature", lambda i: i.token(body=b"[" * 5000)),
    "another issuer": ("claims", lambda i: i.token(iss="https://evil.example")),
    "the issuer with a slash": ("claims", lambda i: i.token(iss=f"{URL}/")),
    "the issuer in a list": ("claims", lambda i: i.token(iss=[URL])),
    "no issuer": ("claims", lambda i: i.token(iss=...)),
    "another audience": ("claims", lambda i: i.token(aud="payroll")),
    "other audiences": ("claims", lambda i: i.token(aud=["payroll", "assent2"])),
    "no audience": ("claims", lambda i: i.token(aud=...)),
    "an audience that is an object": ("claims", lambda i: i.token(aud={"assent": True})),
    "expired": ("claims", lambda i: i.token(exp=i.at(seconds=-31))),
    "no expiry": ("claims", lambda i: i.token(exp=...)),
    "an expiry in words": ("claims", lambda i: i.token(exp="tomorrow")),
    "an expiry of null": ("claims", lambda i: i.token(exp=None)),
    "not yet valid": ("claims", lambda i: i.token(nbf=i.at(seconds=31))),
    "issued in the future": ("claims", lambda i: i.token(iat=i.at(seconds=31))),
    "no subject": ("claims", lambda i: i.token(sub=...)),
    "an empty subject": ("claims", lambda i: i.token(sub="")),
    "a subject that is a number": ("claims", lambda i: i.token(sub=7)),
    "a subject with U+0000": ("claims", lambda i: i.token(sub="ada\0")),
    "a subject of 300 characters": ("claims", lambda i: i.token(sub="a" * 300)),
    "an ID token": ("type", lambda i: i.token(header={"typ": "JWT"}, nonce="n-0S6_WzA2Mj")),
    "an ID token with at_hash": ("type", lambda i: i.token(header={"typ": "JWT"}, at_hash="MTIzNDU2Nzg5MDEyMzQ1Ng")),
    "Keycloak's refresh token": ("type", lambda i: i.token(header={"typ": "JWT"}, typ="Refresh")),
    "a logout token": ("type", lambda i: i.token(header={"typ": "logout+jwt"})),
    "a security event": ("type", lambda i: i.token(header={"typ": "secevent+jwt"})),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_it_is_refused(issuer: Issuer, what: str) -> None:
    reason, forge = HOSTILE[what]
    before = metrics.TOKENS_REFUSED.labels(reason)._value.get()
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(forge(issuer))
    assert metrics.TOKENS_REFUSED.labels(reason)._value.get() == before + 1
    assert not any("evil" in url for url in issuer.asked)


WEAK: dict[str, Forge] = {
    "no acr": lambda i: i.token(auth_time=i.at(minutes=-1)),
    "another acr": lambda i: i.token(acr="password", auth_time=i.at(minutes=-1)),
    "another acr's case": lambda i: i.token(acr="MFA", auth_time=i.at(minutes=-1)),
    "several acr in one": lambda i: i.token(acr="mfa phr", auth_time=i.at(minutes=-1)),
    "a list of acr": lambda i: i.token(acr=["mfa"], auth_time=i.at(minutes=-1)),
    "an acr of null": lambda i: i.token(acr=None, auth_time=i.at(minutes=-1)),
    "an acr in the header": lambda i: i.token(header={"acr": "mfa"}, auth_time=i.at(minutes=-1)),
    "amr in place of acr": lambda i: i.token(amr=["mfa"], auth_time=i.at(minutes=-1)),
    "no auth_time": lambda i: i.token(acr="mfa"),
    "iat in place of auth_time": lambda i: i.token(acr="mfa", iat=i.at(minutes=-1)),
    "signed in too long ago": lambda i: i.token(acr="mfa", auth_time=i.at(seconds=-631)),
    "signed in tomorrow": lambda i: i.token(acr="mfa", auth_time=i.at(hours=24)),
    "signed in at the beginning": lambda i: i.token(acr="mfa", auth_time=0),
    "an auth_time in words": lambda i: i.token(acr="mfa", auth_time=str(i.at(minutes=-1))),
    "an auth_time that is true": lambda i: i.token(acr="mfa", auth_time=True),
    "an auth_time of null": lambda i: i.token(acr="mfa", auth_time=None),
    "an auth_time without end": lambda i: i.token(
        body=json.dumps(i.claims(acr="mfa", auth_time=0))[:-2].encode() + b"1e999}"
    ),
    "a service that is a viewer, too": lambda i: i.token(realm={"roles": ["service", "viewer"]}),
    "no role at all but another's": lambda i: i.token(realm={"roles": ["legal"]}),
}


@pytest.mark.parametrize("what", WEAK)
async def test_who_signed_in_otherwise_than_is_demanded_is_asked_to_do_it_again(issuer: Issuer, what: str) -> None:
    demands = Demands(issuer.clock, ("mfa", "phr"), 600, of_readers=True)
    who = await issuer.verifier.authenticate(WEAK[what](issuer))
    with pytest.raises(SignInAgain) as refused:
        demands.check(who, changes=False)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication", acr_values="mfa phr", max_age="600"' in challenge
    # Where nothing is demanded nobody is asked, and of readers not unless that is said.
    Demands(issuer.clock).check(who, changes=True)
    Demands(issuer.clock, ("mfa", "phr"), 600).check(who, changes=False)


@pytest.mark.parametrize("changes", [True, False])
async def test_who_signed_in_as_is_demanded_may_go_on_until_that_is_too_long_ago(issuer: Issuer, changes: bool) -> None:
    demands = Demands(issuer.clock, ("mfa", "phr"), 600, of_readers=not changes)
    token = issuer.token(acr="phr", auth_time=issuer.at(seconds=-500), exp=issuer.at(hours=1))
    demands.check(await issuer.verifier.authenticate(token), changes=changes)
    issuer.clock.advance(timedelta(seconds=131))
    # The token is good, and remembered; he who signed in is not.
    who = await issuer.verifier.authenticate(token)
    with pytest.raises(SignInAgain):
        demands.check(who, changes=changes)


async def test_a_machine_is_not_asked_to_sign_in(issuer: Issuer) -> None:
    demands = Demands(issuer.clock, ("mfa",), 600, of_readers=True)
    demands.check(await issuer.verifier.authenticate("swordfish"), changes=True)
    machine = issuer.token(realm={"roles": ["service"]})
    demands.check(await issuer.verifier.authenticate(machine), changes=True)


@pytest.mark.parametrize(
    "forge",
    {
        "ES256": lambda i: i.token(),
        "RS256": lambda i: i.token(key=i.rs),
        "EdDSA": lambda i: i.token(key=i.ed),
        "a list of audiences": lambda i: i.token(aud=["payroll", "assent"]),
        "typ JWT": lambda i: i.token(header={"typ": "JWT"}),
        "no typ": lambda i: i.token(header={"typ": ...}),
        "the long typ": lambda i: i.token(header={"typ": "application/at+jwt"}),
        "just expired": lambda i: i.token(exp=i.at(seconds=-29)),
        "a clock a little ahead": lambda i: i.token(iat=i.at(seconds=29), nbf=i.at(seconds=29)),
        "headers that we do not know": lambda i: i.token(header={"x5t": "abc", "mood": "fine"}),
        "a chain of certificates": lambda i: i.token(header={"x5c": ["M" * 1500]}),
    }.items(),
    ids=lambda item: item[0],
)
async def test_a_good_one_is_taken(issuer: Issuer, forge: tuple[str, Forge]) -> None:
    who = await issuer.verifier.authenticate(forge[1](issuer))
    assert (who.issuer, who.subject, who.name) == (URL, "ada", "Ada")
    assert who.roles == {Role.LEGAL, Role.VIEWER}


@pytest.mark.parametrize("roles", ["legal", {"legal": True}, None, 7, [["legal"]], [7, None], ["LEGAL", "root"], []])
async def test_roles_that_are_no_list_of_known_ones_grant_nothing(issuer: Issuer, roles: object) -> None:
    who = await issuer.verifier.authenticate(issuer.token(realm={"roles": roles}))
    assert who.roles == frozenset()


@pytest.mark.parametrize("realm", [None, "legal", ["roles"], {}, {"roles": {"roles": ["legal"]}}])
async def test_a_roles_claim_of_another_shape_grants_nothing(issuer: Issuer, realm: object) -> None:
    assert (await issuer.verifier.authenticate(issuer.token(realm=realm))).roles == frozenset()


async def test_groups_are_those_that_the_token_lists_and_nothing_of_another_shape(issuer: Issuer) -> None:
    assert (await issuer.verifier.authenticate(issuer.token())).groups == frozenset()
    for groups in ("board", {"board": True}, None, 7):
        assert (await issuer.verifier.authenticate(issuer.token(groups=groups))).groups == frozenset()
    who = await issuer.verifier.authenticate(issuer.token(groups=["board", 7, ["risk"], "", "a\x00b", "x" * 256]))
    assert who.groups == {"board"}


async def test_a_key_given_twice_counts_as_the_verified_text_says(issuer: Issuer) -> None:
    """The last one, in the header as in the body: whoever signed it signed both."""
    body = json.dumps(issuer.claims())[:-1] + ', "sub": "bob"}'
    assert (await issuer.verifier.authenticate(issuer.token(body=body.encode()))).subject == "bob"


async def test_a_service_token_is_a_service_and_nothing_else(issuer: Issuer) -> None:
    who = await issuer.verifier.authenticate("swordfish")
    assert who.subject == "ci"
    assert who.roles == {Role.SERVICE}
    assert issuer.asked == []
    for wrong in ("swordfish ", "Swordfish", hashlib.sha256(b"swordfish").hexdigest()):
        with pytest.raises(Unauthenticated):
            await issuer.verifier.authenticate(wrong)


async def test_where_the_fixed_one_was_taken_away_its_empty_digest_lets_nobody_in(issuer: Issuer) -> None:
    """As Compose has it where services have clients of their own."""
    verifier = Verifier(
        issuer=URL,
        audience="assent",
        roles_claim="realm.roles",
        keys=issuer.keys,
        service_tokens={"assent": ""},
        clock=issuer.clock,
    )
    for token in ("", " ", hashlib.sha256(b"").hexdigest()):
        with pytest.raises(Unauthenticated):
            await verifier.authenticate(token)


async def test_a_token_is_verified_once_for_the_keys_as_they_are(issuer: Issuer) -> None:
    token = issuer.token(exp=issuer.at(hours=2))
    first = await issuer.verifier.authenticate(token)
    assert await issuer.verifier.authenticate(token) is first
    assert await issuer.verifier.authenticate(issuer.token(exp=issuer.at(hours=2))) is not first
    issuer.clock.advance(timedelta(minutes=11))
    await issuer.verifier.authenticate(token)
    await until(lambda: issuer.key_fetches == 2, within_s=5)
    again = await issuer.verifier.authenticate(token)
    assert again == first
    assert again is not first


@pytest.mark.parametrize("key", ["es", "rs", "ed"])
async def test_one_that_was_taken_ends_when_it_expires(issuer: Issuer, key: str) -> None:
    token = issuer.token(key=getattr(issuer, key), exp=issuer.at(seconds=60))
    await issuer.verifier.authenticate(token)
    issuer.clock.advance(timedelta(seconds=89))
    await issuer.verifier.authenticate(token)
    issuer.clock.advance(timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(token)


async def test_one_that_was_taken_is_not_taken_before_its_time_where_the_clock_goes_back(issuer: Issuer) -> None:
    token = issuer.token(nbf=issuer.at(seconds=0))
    await issuer.verifier.authenticate(token)
    issuer.clock.advance(timedelta(seconds=-31))
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(token)


async def test_what_was_taken_says_nothing_of_one_that_differs_by_a_letter(issuer: Issuer) -> None:
    token = issuer.token()
    await issuer.verifier.authenticate(token)
    head, body, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"
    with pytest.raises(Unauthenticated):
        await issuer.verifier.authenticate(f"{head}.{body}.{other}{signature[1:]}")
