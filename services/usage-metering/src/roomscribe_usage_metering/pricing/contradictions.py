"""Requests whose fields do not go together: refused, for an answer would use one of them and forget the other."""

from fractions import Fraction

from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.exact import shown
from roomscribe_usage_metering.pricing.refusals import refused
from roomscribe_usage_metering.pricing.workload import at_once


def refuse_contradictions(request: EstimateRequest) -> None:
    """Raises `ProblemError` (422) naming both fields."""
    peak = request.peak
    if peak.meetings is None:
        return
    if "factor" in peak.model_fields_set:
        raise refused("peak.factor", "must not stand beside peak.meetings, which is the peak itself; give one of them")
    mean = at_once(request).mean
    if peak.meetings < mean:
        limit = (
            f"must be at least the mean at once, {shown(mean)} (meetings × minutes / 60 / peak.hours_per_month, "
            f"{Fraction(peak.hours_per_month)}); it is {peak.meetings}"
        )
        raise refused("peak.meetings", limit)
