"""The settings that only the workflow has."""

import ipaddress
import re

from assent_common import settings
from pydantic import Field, SecretStr, field_validator


class Settings(settings.Settings):
    webhook_key: SecretStr | None = Field(
        default=None,
        description="32 random bytes in hex (`openssl rand -hex 32`) that the secrets of webhooks are kept with; "
        "without it there are no webhooks",
    )
    webhook_networks: str = Field(
        default="",
        description="Networks that are not public and that webhooks may reach all the same, CIDR,…; there http "
        "and every port are allowed, too",
    )
    outgoing_cafile: str | None = Field(
        default=None, description="CA certificates (PEM) that what is sent to trusts in, besides the public ones"
    )

    @property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(network.strip()) for network in self.webhook_networks.split(",") if network]

    @field_validator("webhook_key")
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
