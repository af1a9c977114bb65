"""Invoices in FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

A row is a line of an invoice or credit note. `BilledCost` is the line's amount, so the rows of an invoice add up to it;
`ListCost` and `ContractedCost` are price times quantity, which is told to 12 places, before the rounding to cents. What
an allowance covers is consumed and not priced.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_common.contracts.pricing.price_book import MODEL_METERS

from roomscribe_usage_metering.exports.tables import Kind, Table, Value
from roomscribe_usage_metering.pricing.exact import text

VERSION = "1.2"
COLUMNS: dict[str, Kind] = {
    "BilledCost": "decimal",
    "BillingAccountId": "text",
    "BillingAccountName": "text",
    "BillingCurrency": "text",
    "BillingPeriodEnd": "time",
    "BillingPeriodStart": "time",
    "ChargeCategory": "text",
    "ChargeClass": "text",
    "ChargeDescription": "text",
    "ChargeFrequency": "text",
    "ChargePeriodEnd": "time",
    "ChargePeriodStart": "time",
    "ConsumedQuantity": "decimal",
    "ConsumedUnit": "text",
    "ContractedCost": "decimal",
    "ContractedUnitPrice": "decimal",
    "EffectiveCost": "decimal",
    "InvoiceId": "text",
    "InvoiceIssuerName": "text",
    "ListCost": "decimal",
    "ListUnitPrice": "decimal",
    "PricingCategory": "text",
    "PricingQuantity": "decimal",
    "PricingUnit": "text",
    "ProviderName": "text",
    "PublisherName": "text",
    "ServiceCategory": "text",
    "ServiceName": "text",
    "ServiceSubcategory": "text",
    "SkuId": "text",
    "SkuMeter": "text",
    "SkuPriceId": "text",
    "x_LineId": "text",
    "x_PriceVersion": "text",
    "x_Quality": "text",
}
"""Every mandatory column, and the others that we have something to say in."""
_CATEGORIES = {"base": "Purchase", "usage": "Usage", "credit": "Credit", "correction": "Usage"}
_FREQUENCIES = {"base": "Recurring", "usage": "Usage-Based", "credit": "One-Time", "correction": "Usage-Based"}
_UNITS = {
    "min": "Minutes",
    "GB": "GB",
    "tokens": "Tokens",
    "characters": "Characters",
    "events": "Events",
    "h": "Hours",
    "month": "Months",
}
_NAME = "Roomscribe"
Bounds = Callable[[str], tuple[datetime, datetime]]
"""When a period began and ended."""


def focus_table(tenant: str, documents: Iterable[InvoiceData], bounds: Bounds, issuer: str = _NAME) -> Table:
    """The documents' lines. `issuer` is who writes the invoice."""
    rows = [_row(tenant, document, line, bounds, issuer) for document in documents for line in document.lines]
    return Table(COLUMNS, rows)


def _row(tenant: str, document: InvoiceData, line: InvoiceLine, bounds: Bounds, issuer: str) -> dict[str, Value]:
    start, end = bounds(line.of_period)
    return {
        **_identity(tenant, document, issuer),
        **_charge(line),
        **_service(line),
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "ChargeDescription": line.description or None,
        "x_LineId": line.line_id,
        "x_PriceVersion": line.price,
        "x_Quality": line.quality,
    }


def _identity(tenant: str, document: InvoiceData, issuer: str) -> dict[str, Value]:
    return {
        "BillingAccountId": tenant,
        "BillingAccountName": None,
        "BillingCurrency": document.currency,
        "BillingPeriodStart": document.starts_at,
        "BillingPeriodEnd": document.ends_at,
        "InvoiceId": document.number,
        "InvoiceIssuerName": issuer,
        "ProviderName": _NAME,
        "PublisherName": _NAME,
    }


def _charge(line: InvoiceLine) -> dict[str, Value]:
    """Credits have no unit price, so their costs are what is billed; corrections may differ from price × quantity."""
    category, billed = _CATEGORIES[line.kind], Decimal(line.amount)
    priced = category in ("Usage", "Purchase")
    quantity = Fraction(line.overage) / line.per
    price = Decimal(line.unit_price) if priced else None
    unit = _UNITS.get(line.unit, line.unit.capitalize())
    exact = _decimal(quantity * Fraction(line.unit_price))
    cost = exact if priced and line.kind != "correction" else billed
    return {
        "BilledCost": billed,
        "EffectiveCost": billed,
        "ListCost": cost,
        "ContractedCost": cost,
        "ListUnitPrice": price,
        "ContractedUnitPrice": price,
        "ChargeCategory": category,
        "ChargeClass": "Correction" if line.kind == "correction" else None,
        "ChargeFrequency": _FREQUENCIES[line.kind],
        "ConsumedQuantity": Decimal(line.quantity) if category == "Usage" else None,
        "ConsumedUnit": unit if category == "Usage" else None,
        "PricingCategory": "Standard" if priced else None,
        "PricingQuantity": _decimal(quantity) if priced else None,
        "PricingUnit": (unit if line.per == 1 else f"{line.per} {unit}") if priced else None,
    }


def _service(line: InvoiceLine) -> dict[str, Value]:
    """A price's id is the same in every version of its book."""
    model = line.meter in MODEL_METERS or line.kind == "credit"
    return {
        "ServiceCategory": "AI and Machine Learning" if model else "Media",
        "ServiceSubcategory": "Natural Language Processing" if model else "Media Streaming",
        "ServiceName": "Speech and language models" if model else "Meetings",
        "SkuId": line.meter,
        "SkuMeter": line.description or line.meter,
        "SkuPriceId": f"{line.price.partition('@')[0]}:{line.meter}",
    }


def _decimal(value: Fraction) -> Decimal:
    return Decimal(text(value, 18))
