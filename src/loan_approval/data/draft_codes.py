"""Tells which columns of numbers may hold codes, such as NAICS, and which texts are numbers with a unit behind them."""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from loan_approval.data.protected import split_words

FEWEST_CODES = 3  # different numbers: of two, one category tells as much as the number
MOST_UNITS = 4
# Words of names whose numbers may be codes, and words that make amounts of them.
_CODE = re.compile(
    r"codes?|cd|ids?|types?|class|category|kind|status|naics|sic|naf|cnae|zip(code)?|post(al|code)|pin(code)?|fips|"
    r"msa(md)?|county|city|tract|region|regi[aã]o|regi[oó]n|district|state|branch|agency|store|dealer|channel|product|purpose|use|"
    r"industry|sector|occupation|profession|job|franchise|c[oó]d(igos?)?|cep|tipo|clase|classe|categor[ií]a|ag[eê]ncia|"
    r"filial|finalidade|produ[ct]+o|canal|municipio|município|sucursal|provincia|kode|typ|art|filiale|plz|"
    r"kategorie|branche|kennzahl|zweck|beruf|agence|département|secteur|produit|codice|cap|comune|prodotto"
)
_AMOUNT = re.compile(
    r"am(oun)?t|counts?|cnt|num(ber)?|n|total|sum|avg|mean|rate|ratio|share|income|balance|price|score|size|value|days?|"
    r"months?|years?|time|duration|tenure|age|since|population|percent|pct|valor|qtd|quantidade|n[uú]mero|renda|saldo|"
    r"taxa|tempo|anzahl|betrag|summe|einkommen|dauer|monto|importe|cantidad|ingresos?|montant|nombre|dur[ée]e"
)
_WITH_UNITS = re.compile(r"(?:[+-]?\d[\d.,'’\s]*+(?:[^\W\d_]{1,10}\.?\s*+)?){1,2}")


def describe_codes(features: Sequence[Mapping[str, Any]], columns: Mapping[str, Collection[str]]) -> list[str]:
    """Return a remark on columns of numbers that may be codes by their names, with what takes them so; none of none."""
    found = [
        each["name"] for each in features if each["type"] in ("integer", "number") and _may_be_codes(each, columns)
    ]
    options = " ".join(f"--category {shlex.quote(name)}" for name in found)
    words = "numbers, taken as amounts (a guess); where they are codes, whose order means nothing, init again with"
    return [f"{', '.join(found)}: {words} --replace {options}"] if found else []


def _may_be_codes(feature: Mapping[str, Any], columns: Mapping[str, Collection[str]]) -> bool:
    words = [word.casefold() for word in split_words(feature["name"])]
    values = {cell for cell in columns[feature["name"]] if cell}
    is_named = any(map(_CODE.fullmatch, words)) and not any(map(_AMOUNT.fullmatch, words))
    return is_named and feature["min"] >= 0 and FEWEST_CODES <= len(values) <= len(columns[feature["name"]]) / 2


def find_units(cells: Collection[str]) -> list[str]:
    """Return the few words that stand behind the numbers of cells that hold one or two, such as k and M, else none."""
    found = {unit for cell in cells for unit in re.findall(r"[^\W\d_]+\.?", cell)}
    return sorted(found) if len(found) <= MOST_UNITS and all(map(_WITH_UNITS.fullmatch, cells)) else []


def find_mixed_signs(cells: Collection[str]) -> list[str]:
    """Return the currencies of numbers where there are several, and where only some have a percent sign; 0 is either.

    Such numbers are not of one scale: 5 % is no 0.05, and 5 € are no 5 $.
    """
    signs = {re.sub(r"[\d\s.,'’()+\-−/]|[eE](?=[+-]?\d)", "", cell) for cell in cells if cell.strip("0., ")}
    is_mixed = len(signs - {""}) > 1 or signs == {"", "%"}
    return [f"with {sign}" if sign else "without a sign" for sign in sorted(signs, reverse=True)] if is_mixed else []
