"""Drafts what decides a row's split: a group key, the row's number, or its values; and a salt with even splits."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from loan_approval.data.csv_files import encode_features
from loan_approval.data.draft_feature import MOST_VALUES, parse_number
from loan_approval.data.notation import MARKERS
from loan_approval.data.protected import split_words
from loan_approval.data.salts import EVEN, SALTS, find_salt
from loan_approval.data.shape import IS_BY_ROW, have_few_combinations
from loan_approval.data.splits import identify_rows
from loan_approval.data.wishes import Wishes
from serve.contract.contract import BY_ROW, BY_VALUES, Contract

MOST_ROWS_OF_A_KEY = 20  # on average; a column with more rows for each of its values groups no customers
IDENTIFIER = "an identifier that stands on several rows"
GROUPS = "it says which rows belong together; to use it otherwise: --answer split=values"
_IS_GROUP = (
    "A guess: rows with the same {0} belong together, so that they stand in one split and one fold. {0} is no feature: "
    "no model sees it, and the server does not take it. To change it, init again with --answer split=row or "
    "split=values."
)
_IS_FEW = (
    "A guess: most rows equal another, as few combinations of values can occur, so that each row is split by its "
    "number in the file. " + IS_BY_ROW + ". To change it, init again with --answer split=values."
)
_IS_SALT = (
    f"Chosen of {SALTS} so that each split has its share of both labels. Only labels were counted; a row keeps its "
    "split as long as this salt stays."
)
_WHO = (
    "(customer|client|cliente|cust|kunden?|borrower|applicant|member|person|user|household|debtor|obligor|devedor|"
    "mutuario|company|empresa|account|acct|conta|konto|cuenta)"
)
_ID = "(ids?|uuid|guid|cpf|cnpj|ssn|nif|dni|sin)"
_NUMBER = "(no|nr|num|number|nummer|numero|número|key|code|codigo|código|ref|reference|hash)"
_KEY = re.compile(
    rf"(\w+_)?{_WHO}?{_ID}(_\w+)?|(\w+_)?{_WHO}_?{_NUMBER}|(code|codigo|código|key)_((of|do|da|de)_)?{_WHO}|"
    "(user|customer|client)_?(name|login)|customer|client|cliente|kunde|borrower|applicant"
)
# A name such as DAYS_ID_PUBLISH or id_issue_year tells when a document was issued, not whose it is;
# beside a word for someone, as in client_data_id, it is taken for a key: a lost one costs more.
_IS_TIME = re.compile(
    r"(days?|months?|years?|dates?|age|since|dt|dias?|mes|mês|meses|anos?|años?|data|fecha|tage?|monate?|jahre?|datum)"
)


def find_keys(columns: Mapping[str, list[str]]) -> list[str]:
    """Return the columns that look like identifiers of someone with several rows, the coarsest first."""
    named = {name: cells for name, cells in columns.items() if _is_named_as_key(name)}
    present = {name: [cell for cell in cells if cell.casefold() not in MARKERS | {""}] for name, cells in named.items()}
    values = {name: set(cells) for name, cells in present.items()}
    found = [name for name, cells in present.items() if _is_key(values[name], len(cells))]
    return sorted(found, key=lambda name: len(values[name]))


def _is_named_as_key(name: str) -> bool:
    words = [word.casefold() for word in split_words(name)]
    is_time = any(map(_IS_TIME.fullmatch, words)) and not any(re.fullmatch(f"{_WHO}{_ID}?", word) for word in words)
    return bool(_KEY.fullmatch("_".join(words))) and not is_time


def _is_key(values: set[str], rows: int) -> bool:
    if not MOST_VALUES < len(values) < rows <= MOST_ROWS_OF_A_KEY * len(values):
        return False
    numbers = [number for number in map(parse_number, values) if number is not None]
    return all(number.is_integer() for number in numbers) and not any(" " in value for value in values)


def choose_key(columns: Mapping[str, list[str]], keys: list[str], wishes: Wishes) -> dict[str, str]:
    """Return the table `[split]`, with a comment while it is a guess; empty where only the features can tell.

    keys: what `find_keys` found. Raises DataError for an answer that is no column.
    """
    if not keys and "split" not in wishes.answers:
        return {}
    others = list(columns) if "split" in wishes.answers else keys
    choices = tuple(dict.fromkeys([*keys[:1], BY_ROW, BY_VALUES, *others]))
    text = f"Which rows belong together, in one split: those with the same {' or '.join(keys)}?" if keys else ""
    answer = wishes.answer("split", text, choices)
    return {"by": answer} if answer else {"by": keys[0], "comment": _IS_GROUP.format(keys[0])}


def draft_split(
    tables: Mapping[str, Any],
    columns: Mapping[str, list[str]],
    y: np.ndarray,
    split: Mapping[str, str],
    wishes: Wishes,
    notes: list[str],
) -> dict[str, dict[str, Any]]:
    """Return the contract's tables `top`, with a salt that splits evenly, and `split`, empty for the default.

    tables: the contract's, with all but `split`.   columns: the cells of dataset.csv.   y: (n,) codes.
    split: as `choose_key` returns it.
    """
    contract = Contract.from_dict(_without_words(tables))
    X = encode_features(columns, contract)[0][:, [feature.scored for feature in contract.features]]
    if not split and have_few_combinations(X, y):
        text = "Most rows equal another: are equal rows different applications (row) or copies of one (values)?"
        answer = wishes.answer("split", text, (BY_ROW, BY_VALUES))
        split = {"by": answer} if answer else {"by": BY_ROW, "comment": _IS_FEW}
    by, top = split.get("by", BY_VALUES), dict(tables["top"])
    salt = find_salt(identify_rows(X, by, columns.get(by, ())), y, contract.split_salt, enough=EVEN)
    if salt != contract.split_salt:
        top |= {"split_salt": salt, "comment": _IS_SALT}
        notes.append(f"split_salt = {salt}: {_IS_SALT[0].lower()}{_IS_SALT[1:]}")
    if split:
        notes.append(f"[split] by = {by}" + (f": {split['comment']}" if "comment" in split else ", as its owner says"))
    return {"top": top, "split": dict(split)}


def _without_words(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contract document without questions and comments."""

    def plain(table: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key not in ("question", "comment")}

    features = [plain(table) for table in tables["feature"]]
    return {**plain(tables["top"]), "target": plain(tables["target"]), "feature": features}
