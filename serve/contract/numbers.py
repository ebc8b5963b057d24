"""How a number is written for a reader."""

READABLE = 4  # significant digits that a reader needs
EXACT = 15  # significant digits that every float64 keeps


def write_number(number: float, digits: int = READABLE) -> str:
    """Return a whole number in full, any other in so many significant digits; thousands separated, "nan" for none."""
    whole = number == number and abs(number) < 10**EXACT and number == int(number)
    return f"{number:,.0f}" if whole or 10**digits <= abs(number) < 10**EXACT else f"{number:,.{digits}g}"
