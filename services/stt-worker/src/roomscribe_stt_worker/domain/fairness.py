"""Who is next, so that nobody's many keep another's few waiting: turns by work done, and slots by what is held."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom something is done."""

    tenant: str
    meeting: str


class Turns:
    """Start-time fair queueing: whoever was served least is next. Who was away, or is new, begins where the others are.

    Goyal, Vin and Cheng, 1996: while two have work waiting, what they are served differs by one piece of it at most.
    """

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        self._now = 0.0

    def arrive(self, who: str) -> None:
        """Something of theirs waits again."""
        self._served[who] = max(self._now, self._served.get(who, 0.0))

    def first(self, waiting: Iterable[str]) -> str:
        """Whose turn it is."""
        return min(waiting, key=self._served.__getitem__)

    def serve(self, who: str, cost: float) -> None:
        """They got this much. Those who wait for nothing, and owe nothing, are forgotten."""
        self._now = self._served[who]
        self._served[who] += cost
        self._served = {each: served for each, served in self._served.items() if served >= self._now}


@dataclass
class _Tenant(Generic[Item]):
    turns: Turns = field(default_factory=Turns)
    meetings: "dict[str, list[Item]]" = field(default_factory=dict[str, "list[Item]"])


class FairQueue(Generic[Item]):
    """Items by tenant, then meeting, each with its turn; within a meeting the least item (`<`) first."""

    def __init__(self, owner: Callable[[Item], Owner], order: Callable[[Item], tuple[int, int]]) -> None:
        self._owner = owner
        self._order = order
        self._turns = Turns()
        self._tenants: dict[str, _Tenant[Item]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, item: Item) -> None:
        """One more waits."""
        owner = self._owner(item)
        if owner.tenant not in self._tenants:
            self._tenants[owner.tenant] = _Tenant()
            self._turns.arrive(owner.tenant)
        tenant = self._tenants[owner.tenant]
        if owner.meeting not in tenant.meetings:
            tenant.meetings[owner.meeting] = []
            tenant.turns.arrive(owner.meeting)
        tenant.meetings[owner.meeting].append(item)
        self._count += 1

    def pop(self, cost: Callable[[Item], float]) -> Item:
        """The next item; what it costs is its owner's. Raises `ValueError` if nothing waits."""
        name = self._turns.first(self._tenants)
        tenant = self._tenants[name]
        meeting = tenant.turns.first(tenant.meetings)
        items = tenant.meetings[meeting]
        item = min(items, key=self._order)
        items.remove(item)
        self._count -= 1
        self._turns.serve(name, cost(item))
        tenant.turns.serve(meeting, cost(item))
        if not items:
            del tenant.meetings[meeting]
        if not tenant.meetings:
            del self._tenants[name]
        return item
