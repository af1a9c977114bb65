"""Numbers of requests and price books: exact, bounded, and refused with their value and their limit."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_PLACES = 12
_EXACT_DIGITS = 15
"""A JSON number with at most so many digits comes through a double unchanged."""
_LONGEST = 60


def plain(value: Decimal) -> str:
    """The number as plain digits: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


@dataclass(frozen=True, slots=True)
class Between:
    """Metadata of a `Decimal`: from `low` to `high`, at most 12 decimal places.

    Text is taken exactly; a JSON number is, up to 15 digits, and beyond that refused rather than changed.
    """

    low: str
    high: str
    above_low: bool = False

    @property
    def limit(self) -> str:
        """The limit as a refusal tells it."""
        start = f"above {self.low} and at most" if self.above_low else f"{self.low} to"
        return f"{start} {self.high}"

    def check(self, value: object) -> Decimal:
        """The number. Raises `ValueError` telling the value and its limit."""
        number = self._number(value)
        if not number.is_finite():
            raise ValueError(f"must be a number, {self.limit}; it is {_shown(value)}")
        low = Decimal(self.low)
        if number < low or number > Decimal(self.high) or (self.above_low and number == low):
            raise ValueError(f"must be {self.limit}; it is {_shown(value)}")
        exponent = number.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_PLACES:
            raise ValueError(f"must have at most {_PLACES} decimal places; it is {_shown(value)}")
        return number

    def _number(self, value: object) -> Decimal:
        if isinstance(value, float):
            number = Decimal(repr(value))
            if len(number.as_tuple().digits) > _EXACT_DIGITS:
                raise ValueError(f'has more than {_EXACT_DIGITS} digits: send it as text, such as "0.006"')
            return number
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or len(str(value)) > _LONGEST:
            raise ValueError(f"must be a number, {self.limit}, as text or as a JSON number; it is {_shown(value)}")
        if isinstance(value, str) and not (value.isascii() and value.strip() == value and "_" not in value):
            raise ValueError(f"must be a number, {self.limit}, in plain digits; it is {_shown(value)}")
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ValueError(f"must be a number, {self.limit}; it is {_shown(value)}") from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates with `check`, writes plain text."""
        as_text = core_schema.plain_serializer_function_ser_schema(plain, return_schema=core_schema.str_schema())
        return core_schema.no_info_plain_validator_function(self.check, serialization=as_text)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text or number; the limit in words, for JSON schema has no bounds for text."""
        return {"anyOf": [{"type": "string"}, {"type": "number"}], "description": f"A decimal number, {self.limit}."}


@dataclass(frozen=True, slots=True)
class WholeBetween:
    """Metadata of an `int`: a whole number from `low` to `high`."""

    low: int
    high: int

    def check(self, value: object) -> int:
        """The number. Raises `ValueError` telling the value and its limit."""
        limit = f"a whole number, {self.low} to {self.high}"
        number = Between(str(self.low), str(self.high))
        try:
            found = number.check(value)
        except ValueError:
            raise ValueError(f"must be {limit}; it is {_shown(value)}") from None
        if found != found.to_integral_value():
            raise ValueError(f"must be {limit}; it is {_shown(value)}")
        return int(found)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates with `check`."""
        as_number = core_schema.plain_serializer_function_ser_schema(int, return_schema=core_schema.int_schema())
        return core_schema.no_info_plain_validator_function(self.check, serialization=as_number)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


Price = Annotated[Decimal, Between("0", "1000000")]
"""Money for one unit, or one month of something."""
Money = Annotated[Decimal, Between("0", "1000000000000")]
Quantity = Annotated[Decimal, Between("0", "1000000000000000")]
Share = Annotated[Decimal, Between("0", "1")]
