"""How a number is written for a reader."""

import math

READABLE = 4  # significant digits that a reader needs
EXACT = 15  # significant digits that every float64 keeps
_WHOLE = 2**53  # up to here a float64 holds every whole number


def count(number: int, noun: str) -> str:
    """Return a number of things in words: 1 row, 2 rows."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def write_number(number: float, digits: int = READABLE) -> str:
    """Return a whole number in full, any other in so many significant digits; thousands separated, "nan" for none."""
    if isinstance(number, int) or (math.isfinite(number) and abs(number) <= _WHOLE and number == int(number)):
        return f"{int(number):,}"
    rounded = f"{number:,.{digits}g}"
    return f"{number:,.0f}" if 10**digits <= abs(float(rounded.replace(",", ""))) <= _WHOLE else rounded
