"""The model card: everything that is recorded stands in it, and what is not is said to be missing."""

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from loan_approval.pages.frame import hash_source
from loan_approval.registry.card import (
    MOST_EVENTS,
    TOPICS,
    add_card,
    cost_curve_points,
    documents_of,
    render_card,
    shown,
    standing,
)
from serve.model.scorer import Scorer
from tests.model_files import good_files

INTERVAL = {"value": 0.8125, "low": 0.7811, "high": 0.8412}
EVIDENCE = {
    "statement": {
        **{"purpose": "First opinions.", "owner": "Credit risk", "contact": "risk@example.org", "source": "A study."},
        **{"not_for": ["Prices of insurance"], "limits": ["One city only"]},
    },
    "data": {"rows": 1000, "roles": [{"role": "train", "rows": 611, "share_Approved": 0.5}]},
    "intervals": {"roc_auc": INTERVAL},
    "signal": {
        "learning_curve": [{"rows": 100, "auc": {"value": 0.7, "low": 0.6, "high": 0.8}}],
        "repeats": [0.81, 0.8],
    },
    "calibration": {
        "ece": {"value": 0.0213, "low": 0.01, "high": 0.03},
        "bins": [{"predicted": 0.1, "observed": 0.12, "rows": 131}, {"predicted": 0.8, "observed": 0.77, "rows": 317}],
    },
    "slices": [{"feature": "Age", "band": "18 to 21", "rows": 43, "error_rate": 0.3256}],
    "baseline": {"cost": {"model": 0.1357, "baseline": 0.1468}, "words": "Against the constant baseline: so."},
    "costs": {"threshold": 0.55, "band": [0.5, 0.6], "curve": [{"threshold": 0.4, "cost": 0.2345}]},
    "champion": {"auc": {"value": 0.0123, "low": -0.01, "high": 0.02}, "flips": {"approved now": 37}},
    "monotone": [{"feature": "Credit_Score", "direction": 1, "rows": 100, "steps": 12345, "violations": 0}],
    "age": {"attribute": "Age", "boundary": 62, "rows": 200, "violations": 0, "smallest_margin": 1.5e-9},
    "fairness": [
        {
            "attribute": "Sex",
            "reference": "men",
            "groups": [{"group": "women", "rows": 77, "approval_rate": 0.6543}, {"group": "men", "rows": 78}],
            "ratio": {"value": 0.9123, "low": 0.8, "high": 1.0},
            "gaps": {"true_positive_rate": {"value": 0.0456, "low": 0.0, "high": 0.1}, "false_positive_rate": None},
        }
    ],
    "reasons": {"method": "exact Shapley values", "background_rows": 53, "features": 7, "error": 1e-12},
}
GATES = [
    {"name": "parity", "passed": True, "words": "0 of 1,000 decisions differ", "numbers": {}},
    {"name": "not_worse", "passed": False, "words": "may be worse than production", "numbers": {}},
]
PROMOTED = {"event": "promote", "version": "2", "by": "ana", "at": "2026-02-01T09:00:00+00:00", "verdict": "passed"}
FIRST = {"event": "promote", "version": "1", "by": "rui", "at": "2026-01-01T09:00:00+00:00", "verdict": "passed"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(good_files()["loans"])


@pytest.fixture
def metadata() -> dict[str, Any]:
    return json.loads(
        json.dumps(
            {
                **{"name": "loan_approval_model", "version": "2", "run": "run-1", "sha256": "c" * 64},
                **{"metrics": {"roc_auc": 0.8125, "brier": 0.1789}, "gates": GATES, "evidence": EVIDENCE},
                **{"verdict": {"verdict": "passed", "margin": 0.01}, "validated": "2026-01-31T10:00:00+00:00"},
            }
        )
    )


def text_of(page: str) -> str:
    """Return what a reader sees, white space as single spaces."""
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append
    parser.feed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
    return " ".join(" ".join(seen).split())


def test_all_that_is_recorded_stands_in_the_card(scorer: Scorer, metadata: dict[str, Any]) -> None:
    text = text_of(render_card(documents_of(scorer), metadata, [FIRST, PROMOTED]))
    for expected in (
        *("First opinions.", "Credit risk", "risk@example.org", "A study.", "Prices of insurance", "One city only"),
        *("611", "0.8125 (0.7811 to 0.8412)", "0.1789", "0.7 (0.6 to 0.8)", "0.81, 0.8", "0.0213", "131", "18 to 21"),
        *("32.6 %", "0.2345", "0.0123 (-0.01 to 0.02)", "37", "12,345", "1.5e-09", "women", "0.6543", "0.9123"),
        *("exact Shapley values", "53", "1e-12", "0 of 1,000 decisions differ", "may be worse than production"),
        *("1" * 64, "2" * 64, "0" * 40, "c" * 64, "run-1", "2026-01-31T10:00:00", "Credit score", "300 to 850"),
    ):
        assert expected in text, expected
    assert "Not examined" not in text
    assert "Every topic of this card has evidence." in text


AGE_WARNING = "Age is scored, and the labels are past"


def test_age_is_said_to_be_scored_only_where_it_is(scorer: Scorer, metadata: dict[str, Any]) -> None:
    documents = copy.deepcopy(documents_of(scorer))
    assert AGE_WARNING in text_of(render_card(documents, metadata, []))
    for feature in documents["contract"]["feature"]:
        feature.pop("elderly_from", None)
    assert AGE_WARNING not in text_of(render_card(documents, metadata, []))


def test_what_a_feature_may_be_is_said_in_the_contracts_words(scorer: Scorer, metadata: dict[str, Any]) -> None:
    documents = copy.deepcopy(documents_of(scorer))
    documents["contract"]["feature"] += [
        {"name": "late", "type": "integer", "min": 0, "max": 1, "unit": "0 = no, 1 = yes"},
        {"name": "year", "type": "integer", "min": 1990, "max": 2030},
        {"name": "day", "type": "date", "range": ["2020-01-01", "2020-12-31"]},
        {"name": "home", "type": "category", "values": ["for_free"], "words": {"en": {"for_free": "free of charge"}}},
    ]
    text = text_of(render_card(documents, metadata, []))
    for expected in ("no to yes", "1990 to 2030", "2020-01-01 to 2020-12-31", "free of charge"):
        assert expected in text, expected


def test_the_summary_compares_with_the_same_answer_to_everybody(scorer: Scorer, metadata: dict[str, Any]) -> None:
    summary, _, rest = render_card(documents_of(scorer), metadata, []).partition("</section>")
    assert "Against the constant baseline: so." in summary
    assert "0.1468" in rest


def test_gaps_in_error_rates_stand_beside_the_ratio(scorer: Scorer, metadata: dict[str, Any]) -> None:
    assert (
        "Lowest approval rate over that of the largest group (men): 0.9123 (0.8 to 1) ; "
        "largest difference among rows with the favourable label: 0.0456 (0 to 0.1) ; "
        "largest difference among rows with the other label: not known, too few rows."
    ) in text_of(render_card(documents_of(scorer), metadata, []))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_without_evidence_is_said_to_be_not_examined(
    scorer: Scorer, metadata: dict[str, Any], topic: str
) -> None:
    del metadata["evidence"][topic]
    text = text_of(render_card(documents_of(scorer), metadata, []))
    assert f"Not examined: {TOPICS[topic]} ." in text or f"Not examined: {TOPICS[topic]}." in text
    assert text.count("Not examined") >= 3  # in the summary, in its own section, among the limits


@pytest.mark.parametrize("topic", ["monotone", "fairness", "age"])
def test_nothing_to_examine_is_told_apart_from_not_examined(
    scorer: Scorer, metadata: dict[str, Any], topic: str
) -> None:
    metadata["evidence"][topic] = None if topic == "age" else []
    text = text_of(render_card(documents_of(scorer), metadata, []))
    assert "Nothing to examine" in text
    assert "Not examined" not in text


def test_a_version_forced_without_validation_has_a_card_that_says_so(scorer: Scorer) -> None:
    forced = {"verdict": "forced", "by": "ana", "at": "2026-02-01T09:00:00+00:00", "was": "none", "reason": "an outage"}
    text = text_of(render_card(documents_of(scorer), {"metrics": {}, "gates": [], "verdict": forced}, []))
    for expected in (
        "Forced by ana",
        "an outage",
        "No gate was run",
        "No metrics are recorded",
        "has stated no purpose",
    ):
        assert expected in text
    for title in TOPICS.values():
        assert f"Not examined: {title}." in text


def test_a_model_of_past_decisions_is_said_to_imitate_and_one_of_repayment_is_not(
    scorer: Scorer, metadata: dict[str, Any]
) -> None:
    documents = documents_of(scorer)
    assert "imitates past underwriters" in text_of(render_card(documents, metadata, []))
    repaid = {
        **documents,
        "contract": documents["contract"] | {"target": documents["contract"]["target"] | {"meaning": "repaid"}},
    }
    text = text_of(render_card(repaid, metadata, []))
    assert "imitates" not in text
    assert "known only for loans that were granted" in text


def test_it_is_no_legal_advice_and_names_the_guidance_its_headings_follow(scorer: Scorer) -> None:
    text = text_of(render_card(documents_of(scorer), {}, []))
    assert "No legal advice." in text
    assert "SR 26-2" in text


def test_a_refused_field_is_listed_as_such_and_counts_as_no_input(scorer: Scorer, metadata: dict[str, Any]) -> None:
    documents = documents_of(scorer)
    gender = {"name": "Gender", "type": "category", "values": ["f", "m"], "use": "refuse", "protected": True}
    contract = documents["contract"] | {"feature": [*documents["contract"]["feature"], gender]}
    page = render_card({**documents, "contract": contract}, metadata, [])
    text = text_of(page)
    assert "7 scored" in text
    assert "It knows 7 features" in text
    assert "Refused by name, with any application that has one: Gender." in text
    assert "Protected and scored: Age." in text
    assert '<th scope="row">Gender</th>' not in page


@pytest.mark.parametrize(("asked", "told"), [("auto", True), ("none", False)])
def test_calibration_gained_nothing_only_where_it_was_tried(scorer: Scorer, asked: str, told: bool) -> None:
    provenance = {"recipe": {"calibration": "none"}, "parameters": {"calibration": asked}}
    text = text_of(render_card({**documents_of(scorer), "provenance": provenance}, {}, []))
    assert ("calibrating them gained nothing" in text) == told


def test_without_a_comparison_the_gate_says_why(scorer: Scorer, metadata: dict[str, Any]) -> None:
    metadata["evidence"]["champion"] = {}
    metadata["gates"][1]["words"] = "production's file is refused here"
    text = text_of(render_card(documents_of(scorer), metadata, []))
    assert "production's file is refused here No comparison: the gate above says why." in text
    assert "Nothing was in production" not in text


def test_missing_values_are_said_to_lie_outside_both_proofs(scorer: Scorer) -> None:
    assert "A missing value has no place in the order and lies outside both proofs." in text_of(
        render_card(documents_of(scorer), {}, [])
    )


def test_hostile_texts_are_shown_never_run(scorer: Scorer, metadata: dict[str, Any]) -> None:
    metadata["name"] = metadata["evidence"]["slices"][0]["band"] = metadata["evidence"]["statement"]["purpose"] = (
        HOSTILE
    )
    metadata["evidence"]["fairness"][0]["attribute"] = metadata["gates"][0]["words"] = HOSTILE
    metadata["evidence"][HOSTILE] = {HOSTILE: HOSTILE}
    metadata["verdict"] = {
        "verdict": "forced",
        "reason": HOSTILE,
        "by": '"><img src=x onerror=alert(1)>',
        "at": "",
        "was": "",
    }
    documents = documents_of(scorer)
    contract = json.loads(json.dumps(documents["contract"]))
    contract["feature"][0]["reason"]["en"] = contract["feature"][0]["unit"] = HOSTILE
    page = render_card({**documents, "contract": contract}, metadata, [PROMOTED | {"reason": HOSTILE, "by": HOSTILE}])
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10


def test_the_card_names_no_address_and_holds_nothing_that_could_load_one(
    scorer: Scorer, metadata: dict[str, Any]
) -> None:
    page = render_card(documents_of(scorer), metadata, [FIRST, PROMOTED])
    page = re.sub(r"'sha256-[^']+'", "", page)  # may hold two slashes
    assert not re.search(r"https?:|//|url\(|@import|<script|<img|<iframe|<object|\sstyle=|\son\w+=", page)
    assert {href[0] for href in re.findall(r'href="([^"]*)"', page)} == {"#", "d"}  # d: the empty icon


def test_each_entry_of_the_contents_leads_to_a_heading(scorer: Scorer, metadata: dict[str, Any]) -> None:
    page = render_card(documents_of(scorer), metadata, [])
    targets = re.findall(r'href="#([^"]*)"', page)
    assert len(targets) == 12
    assert set(targets) <= set(re.findall(r'<h2 id="([^"]*)"', page))


def test_its_policy_admits_its_own_style(scorer: Scorer) -> None:
    page = render_card(documents_of(scorer), {}, [])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert f"style-src {hash_source(style)};" in page


def test_the_same_input_gives_the_same_card(scorer: Scorer, metadata: dict[str, Any]) -> None:
    cards = {render_card(documents_of(scorer), json.loads(json.dumps(metadata)), [FIRST, PROMOTED]) for _ in range(3)}
    assert len(cards) == 1


def test_evidence_of_any_shape_is_shown(scorer: Scorer, metadata: dict[str, Any]) -> None:
    odd = [
        "text",
        7,
        None,
        True,
        [],
        {},
        [1, [2, {"deep": [{"deeper": "found"}]}]],
        {"values": 3, "items": 4, "a": None},
    ]
    for topic in (*TOPICS, "not known"):
        for shape in odd:
            metadata["evidence"] = EVIDENCE | {topic: shape}
            assert "No legal advice" in render_card(documents_of(scorer), metadata, [])
    metadata["evidence"] = {"signal": odd[6], "costs": odd[7], "not known": {"kept": "as well"}}
    text = text_of(render_card(documents_of(scorer), metadata, []))
    for expected in ("found", "items 4", "not known kept as well"):
        assert expected in text


def test_long_tables_are_cut_with_a_word(scorer: Scorer, metadata: dict[str, Any]) -> None:
    metadata["evidence"]["costs"] = [{"threshold": number} for number in range(1000)]
    page = render_card(documents_of(scorer), metadata, [FIRST] * (MOST_EVENTS + 3))
    assert "940 more rows are in the recorded metadata" in page
    assert "3 earlier events are in the registry" in page
    assert len(page) < 100_000


@pytest.mark.parametrize(
    ("history", "state", "words"),
    [
        ([], "never", "No promotion of this version is recorded"),
        ([PROMOTED], "current", "ana (promote), 2026-02-01T09:00:00+00:00"),
        ([FIRST], "never", "No promotion of this version is recorded"),
        ([PROMOTED, FIRST], "former", "Version 1 came after it"),
        ([FIRST, PROMOTED, {"event": "not carried out", "version": "2"}], "never", "No promotion of this version"),
        ([PROMOTED, FIRST, PROMOTED | {"event": "rollback", "by": "eva"}], "current", "eva (rollback)"),
        ([PROMOTED | {"event": "moved by hand"}], "current", "moved to this version by hand"),
    ],
)
def test_who_put_it_into_production_is_read_from_the_record(
    scorer: Scorer, metadata: dict[str, Any], history: list[dict[str, str]], state: str, words: str
) -> None:
    assert standing("2", history)["state"] == state
    assert words in text_of(render_card(documents_of(scorer), metadata, history))


def test_a_card_replaces_the_one_before_and_does_not_grow(scorer: Scorer, metadata: dict[str, Any]) -> None:
    version = {"name": "m", "version": "2", "run": "r"}
    once = add_card(metadata, scorer, version, [PROMOTED])
    assert add_card(once, scorer, version, [PROMOTED]) == once
    assert once["card"].count("<html") == 1


STEPS = [
    {"threshold": 0.25, "cost": 0.4, "approval_rate": 0.9},
    {"threshold": 0.75, "cost": 0.2, "approval_rate": 0.3},
]


def test_the_cost_curve_is_drawn_with_the_threshold_that_is_served(scorer: Scorer, metadata: dict[str, Any]) -> None:
    metadata["evidence"]["costs"] = {"threshold": 0.5, "curve": STEPS}
    card = render_card(documents_of(scorer), metadata, [])
    assert 'points="80.0,10.0 180.0,110.0 "' in card  # cost: the dearest threshold at the top
    assert 'points="80.0,30.0 180.0,150.0 "' in card  # share approved
    assert '<line x1="130.0" y1="10"' in card


@pytest.mark.parametrize(
    "costs", [None, {}, {"curve": STEPS[:1]}, {"curve": [*STEPS[:1], {"threshold": 2, "cost": 1, "approval_rate": 1}]}]
)
def test_a_curve_that_can_not_be_drawn_is_left_to_the_table(costs: object) -> None:
    assert cost_curve_points(costs) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (12345, "12,345"),
        (0.123456, "0.1235"),
        (3.0, "3"),
        (123456.7, "123,457"),
        ("a", "a"),
    ],
)
def test_values_are_shown_as_a_person_reads_them(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ({}, "its scored values with the salt loans-1 , so equal rows share a split, and no model"),
        (
            {"by": "row"},
            "its number in the file with the salt loans-1 : equal rows are taken for different applications",
        ),
        (
            {"by": "customer"},
            "its customer with the salt loans-1 , so all rows with the same one share a split; no model",
        ),
    ],
)
def test_it_says_what_decides_a_rows_split(scorer: Scorer, split: dict[str, str], told: str) -> None:
    documents = documents_of(scorer)
    contract = documents["contract"] | ({"split": split} if split else {})
    assert told in " ".join(text_of(render_card({**documents, "contract": contract}, {}, [])).split())


def test_labels_units_and_values_are_in_english_words_where_the_contract_has_them(scorer: Scorer) -> None:
    documents = documents_of(scorer)
    contract = copy.deepcopy(documents["contract"])
    contract["feature"][0] |= {"unit": "anos", "words": {"en": {"anos": "years"}}}
    card = render_card(documents | {"contract": contract}, {}, [])
    assert "“Approved” or “Not approved”" in " ".join(card.split())
    assert "18 to 100; years" in card
    assert "anos" not in card
