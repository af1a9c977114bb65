"""A cluster of one's own: the default figures with where they come from, and how many nodes a peak needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict
from roomscribe_common.contracts.usage import DecimalText

from roomscribe_usage_metering.pricing.exact import ceil

GROUPS = ("demand", "capacity", "compute", "managed_monthly", "network", "commercial")


class Figure(BaseModel):
    """A default and what it rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: DecimalText
    unit: str
    provenance: Literal["recovered", "chosen", "placeholder"]
    note: str = ""


class Defaults(BaseModel):
    """The file of defaults. Clouds and profiles hold what differs from `inputs`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["cluster-defaults/1"]
    disclaimer: str
    source: str
    provenance: dict[str, str]
    currency: Literal["USD"]
    inputs: dict[str, dict[str, Figure]]
    clouds: dict[str, dict[str, dict[str, DecimalText]]]
    profiles: dict[str, dict[str, dict[str, DecimalText]]]


@cache
def defaults() -> Defaults:
    """The defaults that come with the package."""
    path = files("roomscribe_usage_metering.pricing") / "data" / "cluster.json"
    return Defaults.model_validate_json(path.read_text("utf-8").replace('"schema"', '"schema_"', 1))


Inputs = Mapping[str, Fraction]
"""Every input of the model by its name; names are unique over the groups."""


@cache
def default_inputs() -> Inputs:
    """The default of every input."""
    return {name: Fraction(one.value) for group in GROUPS for name, one in defaults().inputs[group].items()}


@dataclass(frozen=True, slots=True)
class Nodes:
    """How many nodes of each pool there are."""

    livekit: int
    agent: int
    system: int


def nodes(inputs: Inputs, sessions: int, participants: Fraction) -> Nodes:
    """What that many sessions and participants at once need, and never less than the floors."""
    return Nodes(
        livekit=max(ceil(inputs["ha_floor_livekit"]), ceil(participants / inputs["participants_per_livekit_node"])),
        agent=max(ceil(inputs["ha_floor_agent"]), ceil(sessions / inputs["sessions_per_agent_node"])),
        system=ceil(inputs["system_nodes"]),
    )


def gigabytes(mbps: Fraction, hours: Fraction) -> Fraction:
    """What so many Mbit/s for so many hours are, in 10^9 bytes."""
    return mbps * 3600 / 8 / 1000 * hours
