"""Who writes use cases."""

from typing import Annotated

from assent_common.identity.roles import Principal, Role, allow

Writer = Annotated[Principal, allow(Role.BUSINESS_OWNER, Role.DATA_STEWARD)]
