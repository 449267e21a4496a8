"""Every setting of every service: one reader, one default, one sentence. All come from the environment."""

import re
import ssl
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from assent_common import signing
from assent_common.certificate import Certificate
from assent_common.identity import documents
from assent_common.identity.client_files import secret_in, signing_key

_PROOFS = ("service_client_secret", "service_client_secret_file", "service_client_keyfile")


class Settings(BaseSettings):
    """What all services share. Names are upper-cased behind `ASSENT_`: `database_url` is `ASSENT_DATABASE_URL`."""

    # Compose and charts hand on what is not set as empty.
    model_config = SettingsConfigDict(env_prefix="ASSENT_", env_ignore_empty=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(
        description="Postgres, e.g. postgresql://user:password@host:5432/catalog?sslmode=verify-full&sslrootcert=/ca.pem"
        "; with &sslcert=/own.pem&sslkey=/own.key rather than a password where Postgres asks for a certificate"
    )
    database_owner_url: SecretStr | None = Field(
        default=None,
        description="The same database as the role that owns its tables, where ASSENT_DATABASE_URL is of one that only "
        "works with them: brings the schema up to date at the start, and lets the other do what it must and no more",
    )
    database_pool_size: int = Field(default=10, ge=2, description="Connections that one process keeps at the most")

    database_statement_timeout_s: int = Field(
        default=300,
        ge=0,
        description="After how many seconds Postgres ends a statement, but for migrations and replays; 0: never, and "
        "nothing is said of it to a pooler in between",
    )
    database_idle_timeout_s: int = Field(
        default=300,
        ge=0,
        description="After how many seconds Postgres ends a transaction in which nothing happens, as of a download "
        "that nobody reads; 0 as above",
    )

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Brokers to ask first, host:port,…")
    kafka_topic_prefix: str = Field(
        default="", description="Put before every topic and group, where a cluster is shared"
    )
    kafka_partitions: int = Field(default=24, ge=1, description="Partitions of a topic that Assent creates")
    kafka_replication_factor: int | None = Field(
        default=None,
        ge=1,
        description="Replicas of such a topic; unless set three, or one a broker where there are fewer",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; with SSL brokers show certificates of their names",
    )
    kafka_ssl_cafile: str | None = Field(
        default=None, description="CA certificates (PEM) that the brokers' are held against, instead of the system's"
    )
    kafka_ssl_keyfile: str | None = Field(
        default=None, description="The key (PEM) of ASSENT_KAFKA_SSL_CERTFILE, where that file has it not"
    )
    kafka_ssl_certfile: str | None = Field(
        default=None,
        description="The certificate (PEM) that is shown to brokers that ask for one, as who this service is",
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_sasl_username: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="User for SASL, which must be set with SASL_PLAINTEXT and SASL_SSL",
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, validate_default=True, description="Password for SASL, which must be set with them, too"
    )

    outbox_max_ahead_bytes: int | None = Field(
        default=None,
        description="How far the relay may run ahead of the slowest consumer of a partition; only a broker that "
        "keeps little needs it",
    )

    oidc_issuer: str | None = Field(default=None, description="The company's OIDC issuer, exactly as in `iss`")
    oidc_audience: str = Field(default="assent", description="What `aud` must contain")
    oidc_jwks_url: str | None = Field(
        default=None, description="Where the keys are, if not where the issuer's discovery says"
    )
    oidc_least_rsa_bits: int = Field(
        default=2048,
        ge=2048,
        description="How long an RSA key of the issuer must be to be believed; 3072 has the strength of the other keys",
    )
    oidc_roles_claim: str = Field(default="roles", description="The claim that lists roles; dots descend into objects")
    oidc_groups_claim: str = Field(
        default="groups", description="The claim that lists the company's groups, of which policies may ask approvals"
    )
    oidc_acr_values: str = Field(
        default="",
        pattern=r"^[!#-\[\]-~]*$",
        description="One of these, …,…, must be the `acr` of a person's token, as of one who showed a second factor; "
        "unless set it is not looked at",
    )
    oidc_max_age_s: int | None = Field(
        default=None,
        ge=1,
        description="How long ago a person may have signed in at most, by `auth_time`; unless set it is not looked at",
    )
    oidc_demands_for: Literal["changes", "everything"] = Field(
        default="changes",
        description="What the two before are demanded for: what changes something and is not for every role, or "
        "everything; never of who has the role `service` alone",
    )
    service_tokens: dict[str, str] = Field(
        default_factory=dict,
        description="For machines without OIDC: name → SHA-256 (hex) of the token; the role is `service`",
    )

    connector_url: str = Field(
        default="http://127.0.0.1:8083",
        description="The sagemaker-connector, to ask it for a replay of what is lacking",
    )
    service_token: SecretStr | None = Field(
        default=None,
        description="The token by which this service asks others, where there is no ASSENT_SERVICE_CLIENT_ID",
    )
    service_token_url: str | None = Field(
        default=None, description="Where the issuer gives tokens, if not where its discovery says"
    )
    service_token_scope: str = Field(default="", description="`scope` that a token is asked for with, as issuers want")
    service_token_audience: str = Field(default="", description="`audience` that a token is asked for with, likewise")
    service_client_secret: SecretStr | None = Field(
        default=None, description="The secret by which ASSENT_SERVICE_CLIENT_ID proves itself"
    )
    service_client_secret_file: str | None = Field(
        default=None, description="A file with that secret instead, read anew for each token"
    )
    service_client_keyfile: str | None = Field(
        default=None,
        description="A private key of P-256 or Ed25519 (PEM or JWK) by which it proves itself instead, as RFC 7523 has "
        "it; read anew for each token",
    )
    service_client_id: str | None = Field(
        default=None,
        validate_default=True,
        pattern=r"^[\x20-\x7e]+$",
        description="The client of the issuer as which this service fetches the token by which it asks others, and "
        "another before that ends (RFC 6749, 4.4)",
    )

    signing_key: SecretStr | None = Field(
        default=None,
        description="32 random bytes in hex (`openssl rand -hex 32`): the Ed25519 key that signs audit checkpoints and "
        "the gate's answers; without it there are none",
    )

    published_keys: str | None = Field(
        default=None,
        description="Other public keys that are published beside that of `ASSENT_SIGNING_KEY`, as a JWKS: those that "
        "signed before it, and the one that will after it",
    )

    requests_a_minute: int = Field(
        default=30_000,
        ge=1,
        description="How many requests one principal may make in a minute, of each process; what goes through whole "
        "tables, as an export, counts as 300",
    )
    requests_at_once: int = Field(
        default=200,
        ge=1,
        description="How many requests a process answers at once, at most; fewer once more is asked than can be done. "
        "More are told 503 to come again",
    )
    request_within_s: float = Field(
        default=30.0, gt=0, description="How long a request may take to its answer's first byte before it is given up"
    )
    tls_keyfile: str | None = Field(
        default=None, description="The key (PEM) of ASSENT_TLS_CERTFILE, where that file has it not; without passphrase"
    )
    tls_certfile: str | None = Field(
        default=None,
        description="The certificate (PEM), and those between it and its authority, by which the service serves TLS "
        "itself; unless set it serves plain HTTP, for a proxy to end TLS before it. Read anew when it changes",
    )
    outgoing_cafile: str | None = Field(
        default=None,
        description="CA certificates (PEM) that what is asked and sent to is held against, besides the public ones: "
        "the issuer, services of ours; of the workflow receivers of webhooks, external checks and the mail server, too",
    )
    services_cafile: str | None = Field(
        default=None,
        description="CA certificates (PEM) that services of ours are held against where one asks another, and no "
        "others; unless set the public ones and ASSENT_OUTGOING_CAFILE",
    )

    docs: Literal["everybody", "signed-in", "nobody"] | None = Field(
        default=None,
        description="Whom `/docs` and `/openapi.json` are for: everybody, who sends a token of a role, or nobody; "
        "unless set everybody where the service listens to its own machine alone, else who is signed in",
    )
    monitoring: Literal["everybody", "signed-in"] | None = Field(
        default=None,
        description="Whom `/metrics` is for, and of `/health/ready` what the service depends on; unless set as above, "
        "and who is signed in where there is an ASSENT_METRICS_TOKEN_SHA256",
    )
    metrics_token_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="SHA-256 (hex) of a token that opens the monitoring and nothing else, for your Prometheus to send",
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 takes the service's own")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    @field_validator("signing_key")
    @classmethod
    def _seed(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", key.get_secret_value()):
            raise ValueError("must be 32 bytes in hex")
        return key

    @field_validator("published_keys")
    @classmethod
    def _published(cls, document: str | None) -> str | None:
        if document is not None:
            signing.public_keys(document)
        return document

    @field_validator("tls_certfile", "kafka_ssl_certfile")
    @classmethod
    def _shown(cls, file: str | None, told: ValidationInfo) -> str | None:
        if file is not None:
            try:
                Certificate(file, told.data.get((told.field_name or "").replace("certfile", "keyfile")))
            except OSError as error:
                raise ValueError(f"cannot be shown with its key: {error!r}") from error
        return file

    @field_validator("service_token_url")
    @classmethod
    def _by_https(cls, url: str | None) -> str | None:
        if url is not None and "@" in url:
            raise ValueError("must hold no credentials")
        if url is not None:
            documents.must_be_private(url)
        return url

    @field_validator("service_client_secret_file", "service_client_keyfile")
    @classmethod
    def _proves(cls, file: str | None, told: ValidationInfo) -> str | None:
        if file is not None:
            try:
                (signing_key if told.field_name == "service_client_keyfile" else secret_in)(file)
            except OSError as error:
                raise ValueError(f"cannot be read: {error!r}") from error
        return file

    @field_validator("service_client_id")
    @classmethod
    def _client(cls, client: str | None, told: ValidationInfo) -> str | None:
        proofs = [name for name in _PROOFS if told.data.get(name) is not None]
        if client is None and proofs:
            raise ValueError(f"must be set with {_told(*proofs)}")
        if client is not None and len(proofs) != 1:
            raise ValueError(f"needs one of {_told(*_PROOFS)}, and no other of them")
        if client is not None and told.data.get("oidc_issuer") is None and told.data.get("service_token_url") is None:
            raise ValueError("needs ASSENT_OIDC_ISSUER or ASSENT_SERVICE_TOKEN_URL")
        return client

    @field_validator("kafka_ssl_cafile", "outgoing_cafile", "services_cafile")
    @classmethod
    def _authorities(cls, file: str | None) -> str | None:
        if file is not None:
            try:
                ssl.create_default_context(cafile=file)
            except OSError as error:
                raise ValueError(f"holds no certificates that can be read: {error!r}") from error
        return file

    @field_validator("kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _logs_in(cls, given: SecretStr | None, told: ValidationInfo) -> SecretStr | None:
        if given is None and told.data.get("kafka_security_protocol", "").startswith("SASL"):
            raise ValueError(
                f"must be set where ASSENT_KAFKA_SECURITY_PROTOCOL is {told.data['kafka_security_protocol']}"
            )
        return given

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        scheme, separator, rest = url.get_secret_value().partition("://")
        if scheme not in {"postgres", "postgresql", "postgresql+asyncpg"} or not separator:
            raise ValueError("must be a postgresql:// URL")
        return SecretStr(f"postgresql+asyncpg://{rest}")


def _told(*names: str) -> str:
    return ", ".join(f"ASSENT_{name.upper()}" for name in names)
