"""The ledger's entries as a table: what a period is paid for, entry by entry. No names of people."""

from collections.abc import Iterable
from decimal import Decimal

from roomscribe_usage_metering.domain.entry import Entry
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.quantise import RULES, in_billed_units
from roomscribe_usage_metering.exports.tables import Kind, Table, Value

_COLUMNS: dict[str, Kind] = {
    "key": "text",
    "tenant": "text",
    "period": "text",
    "of_period": "text",
    "meeting_id": "text",
    "line_id": "text",
    "meter": "text",
    "price": "text",
    "version": "whole",
    "corrects": "text",
    "steps": "whole",
    "step_size": "whole",
    "billed": "decimal",
    "billed_unit": "text",
    "quantity": "whole",
    "unit": "text",
    "quality": "text",
    "basis": "text",
}


def entries_table(entries: Iterable[Entry]) -> Table:
    """One row for each. `steps` are whole and add up exactly; `billed` of speech is cut to 12 places."""
    return Table(_COLUMNS, [_row(one) for one in entries])


def _row(one: Entry) -> dict[str, Value]:
    slot, rule = one.slot, RULES[POLICY][one.slot.meter]
    billed: Decimal = in_billed_units(slot.meter, POLICY, one.steps)
    return {
        "key": one.key,
        "tenant": slot.tenant,
        "period": one.period,
        "of_period": slot.of_period,
        "meeting_id": slot.meeting_id,
        "line_id": slot.line_id,
        "meter": slot.meter,
        "price": slot.price,
        "version": one.version,
        "corrects": one.corrects,
        "steps": one.steps,
        "step_size": rule.step,
        "billed": billed,
        "billed_unit": rule.billed_unit,
        "quantity": one.quantity,
        "unit": rule.unit,
        "quality": one.quality,
        "basis": one.basis,
    }
