"""How many agents may be in meetings at once, of one tenant and of all. The counting is Redis' (`scripts/caps.lua`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from roomscribe_common.errors import ProblemError

PRESETS: Final = {"build": 5, "ship": 20, "scale": 600}
_AGAIN_S: Final = 10
"""Nobody knows when a meeting ends; asking every ten seconds costs little."""

Scope = Literal["tenant", "overall"]


def _number(given: object) -> object:
    if not isinstance(given, str) or given.strip().isdecimal():
        return given
    if given not in PRESETS:
        raise ValueError(f"a number, or one of {', '.join(PRESETS)}")
    return PRESETS[given]


Cap = Annotated[int, BeforeValidator(_number), Field(ge=0, le=1_000_000)]
"""A number of agents, or the name of a preset."""


@dataclass(frozen=True, slots=True)
class Caps:
    """`tenants`: those with a cap of their own instead of `tenant`."""

    overall: int = PRESETS["scale"]
    tenant: int = PRESETS["scale"]
    tenants: Mapping[str, int] = field(default_factory=dict[str, int])

    def of(self, tenant: str) -> int:
        """The tenant's cap."""
        return self.tenants.get(tenant, self.tenant)


@dataclass(frozen=True, slots=True)
class Full:
    """A cap that was reached, and how many agents count against it."""

    scope: Scope
    limit: int
    used: int

    def refusal(self) -> ProblemError:
        """What the caller is told: the cap, the use, and when to try again."""
        whose = "your" if self.scope == "tenant" else "this installation's"
        detail = (
            f"{self.used} of {whose} {self.limit} concurrent agents are in meetings; "
            f"end one, or try again in {_AGAIN_S} seconds."
        )
        refused = ProblemError.of("concurrency-limit", 429, "Too many meetings at once", detail)
        told = {"limit": self.limit, "used": self.used, "scope": self.scope, "retry_after_s": _AGAIN_S}
        return ProblemError(refused.problem.model_copy(update=told))
