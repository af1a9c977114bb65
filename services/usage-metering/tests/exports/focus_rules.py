"""What FOCUS 1.2 asks of a row of cost and usage (FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, tag v1.2)."""

import re
from collections.abc import Mapping
from decimal import Decimal

MANDATORY: dict[str, bool] = {
    "BilledCost": False,
    "BillingAccountId": False,
    "BillingAccountName": True,
    "BillingCurrency": False,
    "BillingPeriodEnd": False,
    "BillingPeriodStart": False,
    "ChargeCategory": False,
    "ChargeClass": True,
    "ChargeDescription": True,
    "ChargePeriodEnd": False,
    "ChargePeriodStart": False,
    "ContractedCost": False,
    "EffectiveCost": False,
    "InvoiceIssuerName": False,
    "ListCost": False,
    "PricingQuantity": True,
    "PricingUnit": True,
    "ProviderName": False,
    "PublisherName": False,
    "ServiceCategory": False,
    "ServiceName": False,
}
"""Columns that must be there, and whether they may be null."""
OTHERS = {
    *("ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId", "ListUnitPrice"),
    *("PricingCategory", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId"),
}
"""Further columns of the specification; any other name must begin with `x_`."""
VALUES = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning", "Media"},
    "ServiceSubcategory": {"Natural Language Processing", "Media Streaming"},
}
PARENTS = {"Natural Language Processing": "AI and Machine Learning", "Media Streaming": "Media"}
NUMBER = re.compile(r"-?\d+(\.\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UNIT = re.compile(r"(\d+ )?(Minutes|GB|Tokens|Characters|Hours|Months|Events)")


def wrong(row: Mapping[str, str]) -> list[str]:
    """What is wrong with a row as it stands in a CSV file; nothing at all is null."""
    found = [f"no column {name}" for name in MANDATORY if name not in row]
    found += [f"unknown column {name}" for name in row if name not in {*MANDATORY, *OTHERS} and name[:2] != "x_"]
    found += [f"{name} is null" for name, nullable in MANDATORY.items() if not nullable and not row[name]]
    found += [f"{name}: {row[name]}" for name, values in VALUES.items() if row[name] not in values]
    for name, value in row.items():
        if value and name.endswith(("Cost", "Price", "Quantity")) and not NUMBER.fullmatch(value):
            found.append(f"{name} is no number: {value}")
        if name.endswith(("PeriodStart", "PeriodEnd")) and not TIME.fullmatch(value):
            found.append(f"{name} is no UTC time: {value}")
        if value and name.endswith("Unit") and not UNIT.fullmatch(value):
            found.append(f"{name} is no unit: {value}")
        if value.strip() != value:
            found.append(f"{name} has blanks")
    return found or [*_rules(row)]


def _rules(row: Mapping[str, str]) -> list[str]:
    category, correction = row["ChargeCategory"], row["ChargeClass"] == "Correction"
    needed = ("PricingQuantity", "ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "SkuId", "SkuPriceId")
    rules = {
        "a usage or purchase that is no correction is priced": correction
        or category not in ("Usage", "Purchase")
        or all(row[name] for name in needed),
        "a unit goes with its quantity": bool(row["PricingUnit"]) == bool(row["PricingQuantity"])
        and bool(row["ConsumedUnit"]) == bool(row["ConsumedQuantity"]),
        "only usage is consumed": category == "Usage" or not row["ConsumedQuantity"],
        "usage is consumed": category != "Usage" or correction or bool(row["ConsumedQuantity"]),
        "a purchase is not usage-based": category != "Purchase" or row["ChargeFrequency"] != "Usage-Based",
        "list cost is price times quantity": correction or _product(row, "ListUnitPrice", "ListCost"),
        "contracted cost is price times quantity": correction or _product(row, "ContractedUnitPrice", "ContractedCost"),
        "without a unit price the cost is what is billed": bool(row["ListUnitPrice"])
        or row["ListCost"] == row["BilledCost"],
        "unit prices are not negative": not row["ListUnitPrice"].startswith("-"),
        "a subcategory has one parent": PARENTS[row["ServiceSubcategory"]] == row["ServiceCategory"],
    }
    return [rule for rule, holds in rules.items() if not holds]


def _product(row: Mapping[str, str], price: str, cost: str) -> bool:
    if not row[price] or not row["PricingQuantity"]:
        return True
    return Decimal(row[price]) * Decimal(row["PricingQuantity"]) == Decimal(row[cost])
