"""Sorts the labels of a target: which stand for an approval, which for its opposite, and which rows have none."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loan_approval.data.draft_feature import parse_number
from loan_approval.data.notation import MARKERS
from loan_approval.data.protected import split_words
from loan_approval.data.wishes import Ask, Wishes
from loan_approval.errors import DataError
from serve.contract.numbers import count

Key = float | str  # what the spellings of a label share
Codes = dict[Key, int | None]  # 1 for an approval, 0 for its opposite, None where the rows are left out
KINDS: dict[str, int | None] = {"positive": 1, "negative": 0, "missing": None}
_YES = ("y", "yes", "t", "true", "s", "sim", "j", "ja", "si", "sí", "sì", "oui", "evet", "tak", "да", "是", "نعم")
_NO = ("n", "no", "f", "false", "não", "nao", "nein", "non", "hayır", "hayir", "nie", "нет", "否", "لا")
MOST_LABELS, MOST_SHOWN = 20, 5  # different labels that are sorted, as a column with more is no target; and shown
_GOOD = re.compile(
    "|".join(_YES) + r"|approv.*|accept.*|grant.*|(.*\W)?(re)?paid( off)?|paid in full|p\W?i\W?f|good|"
    r"apro[vb]ad.*|bom|boa|pag[oa]|(quit|liquid|pag)ad[oa]s?|adimplentes?|deferid[oa]s?|conce(did|ss)[oa]s?|gut|"
    r"bewilligt|genehmigt|buen[oa]s?|approuvé.*|accordé.*|approvat[oa]|goedgekeurd|performing|ok|repay(ment)?|"
    r"originated|funded|positive|completed?|current|autorizad[oa]s?|onaylandı|kabul|ödendi|przyznan[yoa]|spłacon[yoa]|批准|"
    r"通过|已还清|正常"
)
_BAD = re.compile(
    "|".join(_NO)
    + r"|(not|un|non).*|den(y|ied)|reject.*|declin.*|refus.*|bad|(.*\W)?default(ed)?|(.*\W)?ch(ar)?ge?d?.?off|c/o|"
    r"late\b.*|past.?due.*|delinquent.*|overdue.*|writ.*off|foreclos.*|repossess.*|bankrupt.*|n[ãa]o.*|negad.*|"
    r"reprovad.*|re(cus|chaz)ad.*|mau|má|inadimplentes?|indeferid.*|atrasad.*|schlecht|abgelehnt|ausgefallen|"
    r"überfällig|mal[oa]s?|denegad[oa]s?|moros[oa]s?|vencid[oa]s?|rejeté.*|rifiutat[oa]|respint[oa]|afgewezen|negative|red(dedildi)?|"
    r"odrzucon[yoa]|niespłacon[yoa]|拒绝|违约|逾期"
)
# A word, or a syllable, that turns what follows round: not paid, unpaid, never late.
_NOT = re.compile(r"(?:(?:not|no|non|never|n[ãa]o|nunca|nicht|niet)\W+|un|non?(?=default))(.+)")
_OPEN = re.compile(
    r"current|issued|active|ativ[oa]|open|ongoing|pending.*|in (process|progress|review|funding|grace period)|"
    r"final ?payment ?in ?progress|withdrawn|cancel.*|expired|incomplete|em (aberto|dia|análise|andamento)|pendente|"
    r"vigente|laufend|offen|en curso|pendiente"
)
# Words within a longer label, such as "Application denied by financial institution".
_WITHIN: tuple[tuple[re.Pattern[str], int | None], ...] = (
    (re.compile(r"\b(denied|declined|rejected|refused|not approved)\b"), 0),
    (re.compile(r"\b(withdrawn|incomplete(ness)?|cancell?ed|pending)\b"), None),
    (re.compile(r"\b(originated|approved|granted|funded)\b"), 1),
)
_VAGUE = frozenset({"status", "class", "target", "label", "outcome", "y", "response", "result", "flag", "column"})
_LOSS = re.compile(
    r"default.*|bad|loss|charge.*|chg.?off|delinq.*|risk|fraud.*|bankrupt.*|inad[ie]mp.*|mora|calote|perda|verzug|"
    r".*(ausfall|ausgefallen|notleidend|insolven|säumig).*|impaga?do?|incumpl.*|défaut|impayé|fail(ed|ure)|"
    r"dlq.*|seriousdlqin.*|writeoff|npl|late|unpaid|not|non|over(drawn|due)|arrears?|past ?due|"
    r"mahnung|atras.*|moros.*|temerrüt|gecikme|zaległ.*|niespłac.*|дефолт|просроч.*|.*(违约|逾期).*"
)
_DENIAL = re.compile(
    r"reject.*|den(y|ies|ied|ials?)|declin.*|refus.*|negad.*|recusad.*|abgelehnt|ablehnung|rechaz.*|denegad.*"
)


@dataclass(frozen=True)
class Labels:
    """The labels of a target column, each in its most frequent spelling.

    of_cell: the label of each different cell, None where its rows are left out.   positive, negative: the labels of an
    approval, or a repaid loan, and of its opposite, the most frequent first.   left_out: by a guess, or as a person
    said.   is_guess: whether nobody has said so.   is_loss, is_denial: what the name of the target speaks of.
    """

    of_cell: Mapping[str, str | None]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    left_out: tuple[str, ...]
    is_guess: bool
    is_loss: bool
    is_denial: bool


def sort_labels(where: str, name: str, cells: Sequence[str], wishes: Wishes) -> Labels:
    """Return the sorted labels of a target. Raises DataError where they can't be guessed, or a class has none."""
    counts, sizes, spelled = Counter(cells), Counter[Key](), dict[Key, str]()
    without = _find_missing(counts, wishes.missing.get(name, ()))
    for cell, rows in counts.most_common():
        if cell not in without:
            sizes[label_key(cell)] += rows
            spelled.setdefault(label_key(cell), cell)
    if not spelled:
        raise DataError(f"no row has a {name}, expected one of two labels in each")
    parts = split_words(name)
    words = [word.casefold() for word in (name, " ".join(parts), *parts)]
    is_denial = any(map(_DENIAL.fullmatch, words))
    is_loss = is_denial or any(map(_LOSS.fullmatch, words))
    codes, is_guess = _read_options(spelled, wishes), False
    if len(spelled) == 2:
        # A rare 1 of a name such as TARGET is a default more often than an approval.
        is_rare = not codes and is_vague(name) and sizes.keys() == {0.0, 1.0} and 3 * sizes[1.0] < sizes.total()
        is_guess = _sort_two(name, spelled, codes, is_loss or is_rare, wishes)
        is_loss |= is_rare and codes[1.0] == 0
    elif 2 < len(spelled) <= MOST_LABELS:
        is_guess = _sort_many(name, spelled, codes, wishes)
    if len(codes) < len(spelled) or not {0, 1} <= {*codes.values()}:
        raise DataError(f"{where}: {_describe_problem(name, spelled, sizes, codes)}")
    ranked = [(spelled[key], codes[key]) for key, _ in sizes.most_common()]
    positive, negative, left_out = (tuple(label for label, code in ranked if code == kind) for kind in KINDS.values())
    kept = {cell: spelled[label_key(cell)] for cell in counts.keys() - without if codes[label_key(cell)] is not None}
    of_cell = {cell: kept.get(cell) for cell in counts}
    return Labels(of_cell, positive, negative, left_out, is_guess, is_loss, is_denial)


def is_vague(name: str) -> bool:
    """Return whether the name of a target leaves open what its 1 stands for."""
    words = {word.casefold() for word in split_words(name)}
    # A single letter is no answer in a name: y is what a model predicts.
    return not _VAGUE.isdisjoint(words) and not any(len(word) > 1 and _speak_well(word) > 0 for word in words)


def label_key(cell: str) -> Key:
    """Return what cells of the same label share: 1, 1.0 and 01 are one, so are Yes and yes."""
    number = parse_number(cell)
    return " ".join(cell.casefold().split()) if number is None else number


def _find_missing(cells: Iterable[str], missing: Sequence[str]) -> set[str]:
    """Return the cells that are no label: empty, a marker beside two other labels, or one of `missing`."""
    key_of = {cell: label_key(cell) for cell in cells}
    labels = set(key_of.values()) - {""}
    markers = {label for label in labels if isinstance(label, str) and label in MARKERS} if len(labels) > 2 else set()
    markers |= {"", *map(label_key, missing)}
    return {cell for cell, key in key_of.items() if key in markers}


def _read_options(spelled: Mapping[Key, str], wishes: Wishes) -> Codes:
    """Return the codes of the labels that the owner named. Raises DataError for one that no row has, or named twice."""
    wishes.used.add("positive")
    named = [("--answer positive=", label, 1) for label in (wishes.answers.get("positive"),) if label is not None]
    named += [("--positive ", label, 1) for label in wishes.positive]
    named += [("--negative ", label, 0) for label in wishes.negative]
    codes: Codes = {}
    for option, label, code in named:
        if (key := label_key(label.strip())) not in spelled:
            raise DataError(f"{option}{label}: expected {' or '.join(spelled.values())}")
        if codes.setdefault(key, code) != code:
            raise DataError(f"{option}{label}: positive and negative, expected one of the two")
    return codes


def _sort_two(name: str, spelled: Mapping[Key, str], codes: Codes, is_loss: bool, wishes: Wishes) -> bool:
    """Give each of two labels its code; return whether by a guess."""
    # Where words say nothing, the more frequent label is the guess: most loans are repaid.
    positive, negative = sorted(spelled, key=lambda key: _goodness(key, is_loss), reverse=True)
    if len(codes) == 1:
        ((known, code),) = codes.items()
        codes |= {key: 1 - int(code or 0) for key in spelled if key != known}
    if codes:
        return False
    text = f"Which {name} is an approved (or repaid) loan: {' or '.join(spelled.values())}?"
    choices = (spelled[positive], spelled[negative])
    chosen = wishes.answer("positive", f"{text} By a guess {spelled[positive]}.", choices)
    if chosen is not None and label_key(chosen) == negative:
        negative, positive = positive, negative
    codes |= {positive: 1, negative: 0}
    return chosen is None


def _sort_many(name: str, spelled: Mapping[Key, str], codes: Codes, wishes: Wishes) -> bool:
    """Give each label the code that its words suggest, or a person says; return whether by a guess.

    A label whose words say nothing, and one whose guess its owner denies, gets none.
    """
    unsorted = [key for key in spelled if key not in codes]
    if not unsorted:
        return False
    guesses = {key: code for key in unsorted for code in _guess_code(key)}
    is_whole = len(guesses) == len(unsorted) and {0, 1} <= {*codes.values(), *guesses.values()}
    text = f"{name}, by a guess: {_in_options(name, spelled, codes | guesses)}. Right?"
    answer = wishes.answer("labels", text, ("yes", "no")) if is_whole else "no"
    if answer == "no":
        ask = wishes.ask
        guesses = {key: _ask_code(f"{name} = {spelled[key]}", guesses.get(key, 0), ask) for key in unsorted if ask}
    codes |= guesses
    return answer is None


def _ask_code(label: str, guess: int | None, ask: Ask) -> int | None:
    text = f"What is {label}? positive is an approved or repaid loan, and missing leaves its rows out."
    return KINDS[ask(text, tuple(sorted(KINDS, key=lambda kind: KINDS[kind] != guess))).casefold()]


def _guess_code(key: Key) -> list[int | None]:
    """Return the code that a label's words suggest, as the one item of a list; no item where they suggest none."""
    if not isinstance(key, str):
        return []
    if _OPEN.fullmatch(key):
        return [None]
    good = _speak_well(key)
    return [int(good > 0)] if good else [code for words, code in _WITHIN if words.search(key)][:1]


def _speak_well(text: str) -> int:
    """Return 1 for words of an approval or repaid loan, -1 for words of the opposite, 0 for neither or both."""
    if (turned := _NOT.fullmatch(text)) and (good := _speak_well(turned[1])):
        return -good
    return bool(_GOOD.fullmatch(text)) - bool(_BAD.fullmatch(text))


def _describe_problem(name: str, spelled: Mapping[Key, str], sizes: Counter[Key], codes: Codes) -> str:
    """Return what is wrong with the labels, and the options that say what each of a few is."""
    shown = ", ".join(f"{spelled[key]} ({rows:,})" for key, rows in sizes.most_common(MOST_SHOWN))
    more = ", …" if len(spelled) > MOST_SHOWN else ""
    problem = f"{name} holds {count(len(spelled), 'different label')} ({shown}{more}), expected two"
    if not 2 < len(spelled) <= MOST_LABELS:
        return problem
    guesses = {key: code for key in spelled for code in _guess_code(key)} | codes
    unknown = ", ".join(spelled[key] for key in spelled if key not in guesses)
    return (
        f"{problem} kinds: --positive LABEL for each that is an approval or a repaid loan, --negative LABEL for each "
        f"opposite, --missing {shlex.quote(name + '=LABEL')} to leave out the rows of loans or decisions still open"
        + f"; by a guess: {_in_options(name, spelled, guesses)}" * bool(guesses)
        + f"; nothing is known of {unknown}" * bool(unknown)
        + "; a label of 1 row may come of a total or a note, which has to go from the file" * (1 in sizes.values())
    )


def _in_options(name: str, spelled: Mapping[Key, str], codes: Codes) -> str:
    starts = {kind: "" if kind != "missing" else f"{name}=" for kind in KINDS}
    given = [(kind, starts[kind] + spelled[key]) for kind in KINDS for key in codes if codes[key] == KINDS[kind]]
    return " ".join(f"--{kind} {shlex.quote(text)}" for kind, text in given)


def _goodness(key: Key, is_loss: bool) -> tuple[float, float]:
    """Return a number that is higher for the label that looks like an approval."""
    if isinstance(key, str):
        flag = key in _YES + _NO
        good = _speak_well(key)
        return (-good if flag and is_loss else good), 0
    # Of 1 and 2 the first is usually the good one, as in the German credit data; of 0 and 1 the second is.
    return (-key if is_loss and key in (0.0, 1.0) else float(key == 1.0)), -key
