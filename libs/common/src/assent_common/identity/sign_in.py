"""How surely and how lately a person must have signed in at the issuer, where the company demands that (RFC 9470).

Machines do not sign in: who has the role `service` and no other is not asked.
"""

from dataclasses import dataclass
from typing import Self

from assent_common.clock import Clock
from assent_common.http.problems import SignInAgain
from assent_common.identity.roles import Principal, Role
from assent_common.identity.tokens import LEEWAY_S
from assent_common.settings import Settings

_MACHINES = frozenset({Role.SERVICE})


@dataclass(frozen=True, slots=True)
class Demands:
    clock: Clock
    #: `acr` must be one of these; none: whatever it is.
    acr_values: tuple[str, ...] = ()
    #: `auth_time` must be no longer ago.
    max_age_s: int | None = None
    #: Else of who changes something alone.
    of_readers: bool = False

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self:
        values = tuple(value for value in settings.oidc_acr_values.split(",") if value)
        return cls(clock, values, settings.oidc_max_age_s, settings.oidc_demands_for == "everything")

    def check(self, who: Principal, *, changes: bool) -> None:
        """Raises SignInAgain."""
        if who.roles <= _MACHINES or not (changes or self.of_readers):
            return
        if self.acr_values and who.acr not in self.acr_values:
            raise SignInAgain("not signed in as surely as this needs", self.acr_values, self.max_age_s)
        if self.max_age_s is None:
            return
        if who.signed_in_at is None or not self._is_recent(who.signed_in_at, self.max_age_s):
            raise SignInAgain("not signed in as lately as this needs", self.acr_values, self.max_age_s)

    def _is_recent(self, signed_in_at: float, max_age_s: int) -> bool:
        return -LEEWAY_S <= self.clock.now().timestamp() - signed_in_at <= max_age_s + LEEWAY_S
