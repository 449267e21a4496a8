"""The settings that only the workflow has."""

import ipaddress
import re

from assent_common import settings
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from assent_workflow.notifications.mail import Server
from assent_workflow.notifications.reach import Reach
from assent_workflow.notifications.rules import MAIL
from assent_workflow.outgoing.addresses import Refused, parsed
from assent_workflow.outgoing.hosts import Hosts


class Settings(settings.Settings):
    webhook_key: SecretStr | None = Field(
        default=None,
        description="32 random bytes in hex (`openssl rand -hex 32`) that the secrets of webhooks are kept with; "
        "without it there are no webhooks",
    )
    webhook_key_beside: SecretStr | None = Field(
        default=None,
        description="Another such key, while one takes the other's place: what it sealed is sealed anew by the first, "
        "and external checks are signed by both",
    )
    webhook_networks: str = Field(
        default="",
        description="Networks that are not public and that webhooks may reach all the same, CIDR,…; there http "
        "and every port are allowed, too",
    )
    outgoing_hosts: str = Field(
        default="",
        description="The only hosts that webhooks, external checks, chats and mail may be sent to, host,*.suffix,…, or "
        "`none`; unless set any, as far as their addresses are public",
    )
    public_url: str | None = Field(
        default=None,
        description="Where people reach the workflow, e.g. https://assent.example.com/workflow, for links in what they "
        "are told; without it there are none",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Where mail is handed in: smtp://user:password@host:587, which goes over to TLS or sends nothing "
        "(unless `?starttls=off`), or smtps://…:465; without it nobody gets mail",
    )
    mail_from: str | None = Field(
        default=None,
        description="Whom mail is from; unless set the user of the URL, where that is an address, or else assent@ its "
        "host",
    )
    mail_domains: str = Field(
        default="",
        description="Domains of the company, …,…: a person whose subject is an address there needs no contact",
    )
    slack_channels: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Channels of a chat: name → URL of an incoming webhook as Slack has them; without any, nothing is "
        "told there",
    )

    @property
    def mail_server(self) -> Server | None:
        return Server.of(self.smtp_url.get_secret_value(), self.mail_from) if self.smtp_url else None

    @property
    def reach(self) -> Reach:
        """How people can be told of what happens."""
        mail = [MAIL] if self.smtp_url else []
        return Reach(
            channels=frozenset([*mail, *(f"slack:{name}" for name in self.slack_channels)]),
            public_url=self.public_url,
            domains=frozenset(domain.strip().lower() for domain in self.mail_domains.split(",") if domain.strip()),
        )

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, url: SecretStr | None, told: ValidationInfo) -> SecretStr | None:
        if url is not None:
            server = Server.of(url.get_secret_value(), None)
            if not Hosts.of(told.data.get("outgoing_hosts", "")).allow(server.host):
                raise ValueError(f"{server.host} is none of ASSENT_OUTGOING_HOSTS")
        return url

    @field_validator("public_url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s<>\"']+", url):
            raise ValueError("must be an http(s):// URL")
        return url

    @field_validator("slack_channels")
    @classmethod
    def _channels(cls, channels: dict[str, SecretStr], told: ValidationInfo) -> dict[str, SecretStr]:
        hosts = Hosts.of(told.data.get("outgoing_hosts", ""))
        for name, url in channels.items():
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
                raise ValueError("a channel's name is of small letters, digits, - and _")
            try:
                parsed(url.get_secret_value(), hosts)
            except Refused as error:
                raise ValueError(f"the URL of {name}: {error}") from error
        return channels

    @property
    def hosts(self) -> Hosts:
        return Hosts.of(self.outgoing_hosts)

    @field_validator("outgoing_hosts")
    @classmethod
    def _hosts(cls, listed: str) -> str:
        Hosts.of(listed)
        return listed

    @property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(network.strip()) for network in self.webhook_networks.split(",") if network]

    @field_validator("webhook_key", "webhook_key_beside")
    @classmethod
    def _key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", key.get_secret_value()):
            raise ValueError("must be 32 bytes in hex")
        return key

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for network in filter(None, networks.split(",")):
            ipaddress.ip_network(network.strip())
        return networks
