import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from serve.store.store import Store
from tests.browser import running_browser, watched_page
from tests.model_files import DATED, DATED_SCALING, good_files, make_file
from tests.server_process import Server, promote, running_server
from tests.waiting import wait_until

HTML = "<img src=x onerror=alert(1)>"
QUOTES = """it's "quoted" `date` $HOME \\ %s !x"""
# What a contract may hold and a page, a shell or a JavaScript object may stumble over.
AWKWARD = {
    **{"format": 1, "model_name": "awkward", "experiment": "awkward", "split_salt": "awkward-1"},
    "target": {
        **{"name": "granted", "meaning": "repaid", "positive": "yes"},
        "labels": {"no": "Denied", "yes": f"Granted & <b>{QUOTES}</b>"},
    },
    "feature": [
        {"name": "ratio_of_debts", "type": "number", "min": -0.5, "max": 2, "example": 1.125},
        {"name": "home", "type": "category", "values": [HTML, QUOTES, "ação – 家"], "missing": True, "example": HTML},
        {
            **{"name": "__proto__", "type": "category", "values": [QUOTES, "</script>" + "W" * 90], "example": QUOTES},
            "reason": {"en": f"Label {HTML}", "pt": f"Rótulo {HTML}"},
        },
        {
            **{"name": "past_default", "type": "integer", "min": 0, "max": 1, "unit": "0 = no, 1 = yes", "example": 1},
            "use": "monitor",
        },
    ],
}
SCALING = {"center": [0, 0, 0], "scale": [1, 1, 1], "weight": [0.1, 0.1, 0.1]}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return good_files() | {"awkward": make_file(AWKWARD, SCALING), "dated": make_file(DATED, DATED_SCALING)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, store) -> Iterator[Server]:
    """A server for all the tests; each promotes what it needs."""
    with running_server(tmp_path_factory.mktemp("server"), store.path) as server:
        yield server


@pytest.fixture
def visit(browser, server, store, files) -> Iterator[Callable[..., Page]]:
    """Promote a model, wait until it answers, open the page, and return it with its form."""
    with ExitStack() as pages:

        def visit(model: str, query: str = "", **options: Any) -> Page:
            promote_and_wait(server, store, files[model])
            page = pages.enter_context(watched_page(browser, **({"locale": "en-US"} | options)))
            page.goto(f"http://127.0.0.1:{server.port}/app{query}")
            page.locator("#application").wait_for()
            return page

        yield visit


def promote_and_wait(server: Server, store: Store, data: bytes, version: str = "7") -> None:
    sha256 = promote(store, data, version).sha256
    wait_until(lambda: server.request("GET", "/api/v2/model").json.get("sha256") == sha256, log=server.log)


def decide(page: Page) -> None:
    page.locator("#decide").click()
    expect(page.locator("#outcome")).to_be_focused()


def width(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


def test_an_application_is_decided_by_keyboard_alone_with_the_focus_always_seen(visit):
    page = visit("loans")
    seen = []
    for _ in range(4):  # both languages, then the first fields
        page.keyboard.press("Tab")
        seen.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    expect(page.get_by_label("Annual income")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_be_focused()
    expect(page.locator("#outcome")).to_have_text("Não Aprovado")  # as the contract names it
    expect(page.locator("#sentence")).to_contain_text("probability of approval is 33.2%: it stays below 55%")
    expect(page.locator("[aria-live]")).to_contain_text("Não Aprovado. The model's estimated probability")
    for _ in range(2):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    expect(page.locator("#copy")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#copied")).to_have_text(re.compile("Copied|Selected"))
    assert seen == ["solid"] * 6


def test_the_answer_is_the_servers_with_its_identity_and_a_bar_at_scale(visit, server, store):
    page = visit("loans_reviewed")
    with page.expect_response("**/api/v2/decision?texts=all") as told:
        decide(page)
    answer = told.value.json()
    expect(page.locator("#outcome")).to_have_text("To be reviewed by a person")
    expect(page.locator("#decision-id")).to_have_text(answer["decision_id"])
    expect(page.locator("#model")).to_have_text("loan_approval_model, version 7 (production)")
    expect(page.locator("#file")).to_have_text(store.pointer().sha256)
    expect(page.get_by_role("img")).to_have_attribute("aria-label", re.compile("73.1%, threshold 55%, review band"))
    expect(page.locator("#legend li")).to_have_text(["Probability 73.1%", "Threshold 55%", "Review band 50% to 75%"])
    for name, said in (("reasons", answer["reasons"]), ("changes", answer["counterfactuals"])):
        assert said
        expect(page.locator(f"#{name} li")).to_have_text([one["text"]["en"] for one in said])
    bar, marks = page.locator("#bar").bounding_box(), {}
    for name in ("circle", "line"):
        box = page.locator(f"#bar {name}").bounding_box()
        marks[name] = (box["x"] + box["width"] / 2 - bar["x"]) / bar["width"]
    assert marks == {"circle": pytest.approx(answer["probability"], abs=0.01), "line": pytest.approx(0.55, abs=0.01)}


def test_reasons_and_what_would_be_approved_are_told_and_told_again_in_another_language_without_asking(visit):
    page = visit("loans_strict")
    decide(page)
    page.on("request", lambda request: pytest.fail("asked again") if "/decision" in request.url else None)
    reasons, changes = page.locator("#reasons li"), page.locator("#changes li")
    expect(page.get_by_role("heading", name="Principal reasons against approval")).to_be_visible()
    expect(reasons).to_have_count(3)  # what weighs next to nothing beside the first is left out
    expect(reasons.first).to_have_text("Credit score: too low")
    expect(page.get_by_role("heading", name="What would be approved")).to_be_visible()
    expect(changes.last).to_have_text("Credit score: approved from 731 upwards, everything else equal")
    page.get_by_role("button", name="Português").click()
    expect(page.get_by_role("heading", name="Razões principais contra a aprovação")).to_be_visible()
    expect(reasons.first).to_have_text("Pontuação de crédito: abaixo do necessário")
    expect(changes.last).to_have_text("Pontuação de crédito: aprovado a partir de 731, mantido todo o resto")


def test_what_would_be_approved_is_approved_when_it_is_typed(visit):
    page = visit("loans_strict")
    decide(page)
    expect(page.locator("#changes li").last).to_contain_text("731")
    for score, band in (("730", "decline"), ("731", "approve")):
        page.get_by_label("Credit score").fill(score)
        decide(page)
        expect(page.locator("#answer")).to_have_attribute("data-band", band)
    expect(page.get_by_role("heading", name="Principal reasons for approval")).to_be_visible()
    expect(page.locator("#changes-section")).to_be_hidden()


def test_without_reasons_there_is_no_heading_for_them_and_a_text_is_no_markup(visit):
    page = visit("loans")

    def change_reasons(reasons: list[str]) -> Callable[[Route], None]:
        def change(route: Route) -> None:
            answer = route.fetch()
            said = [{"effect": "for", "text": {"en": text, "pt": text}} for text in reasons]
            route.fulfill(response=answer, json=answer.json() | {"reasons": said})

        return change

    for reasons in ([], [HTML]):
        page.route("**/api/v2/decision?texts=all", change_reasons(reasons), times=1)
        decide(page)
        expect(page.locator("#reasons li")).to_have_text(reasons)
        expect(page.locator("#reasons-section")).to_be_visible(visible=bool(reasons))


def test_a_probability_just_below_the_threshold_is_not_shown_as_the_threshold(visit):
    page = visit("loans")

    def move_near(route: Route) -> None:
        answer = route.fetch()
        near = {"probability": 0.54999996, "band": "decline", "prediction_code": 0}
        route.fulfill(response=answer, json=answer.json() | near)

    page.route("**/api/v2/decision?texts=all", move_near)
    decide(page)
    expect(page.locator("#sentence")).to_contain_text("is 54.999996%: it stays below 55%")


@pytest.mark.parametrize(
    ("locale", "query", "language"),
    [("en-US", "", "en"), ("pt-BR", "", "pt-BR"), ("fr-FR", "", "en"), ("en-GB", "?lang=pt", "pt-BR")],
)
def test_the_language_is_the_browsers_unless_told(visit, locale, query, language):
    page = visit("loans", query, locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Loan decision" if language == "en" else "Decisão de crédito"
    )
    expect(page.get_by_label("Renda anual" if language == "pt-BR" else "Annual income")).to_be_visible()


def test_the_language_can_be_changed_and_changes_all_there_is_but_not_what_was_typed(visit):
    page = visit("loans_reviewed")
    page.get_by_label("Age", exact=True).fill("46")
    decide(page)
    page.get_by_role("button", name="Português").click()
    expect(page.get_by_role("button", name="Português")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Idade", exact=True)).to_have_value("46")
    expect(page.locator("#outcome")).to_have_text("Para revisão por uma pessoa")
    expect(page.locator("#sentence")).to_contain_text("probabilidade de aprovação estimada pelo modelo é de 73,")
    page.get_by_label("Idade", exact=True).fill("17")
    page.locator("#decide").click()
    expect(page.locator(".error:visible")).to_have_text(
        "Fora do intervalo. Esperado: um número inteiro de 18 a 100, ou nada."
    )
    page.get_by_role("button", name="English").click()
    expect(page.locator(".error:visible")).to_have_text(
        "Out of range. Expected: a whole number from 18 to 100, or nothing."
    )
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_each_fault_stands_beside_its_field_and_the_first_has_the_focus(visit):
    page = visit("loans")
    page.get_by_label("Credit score").fill("851")
    page.get_by_label("Loan amount").fill("")
    page.get_by_label("Loan duration").fill("ten")
    page.locator("#decide").click()
    expect(page.get_by_label("Credit score")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Some fields need another look: 3.")
    faults = {
        "Credit score": "Out of range. Expected: a whole number from 300 to 850, or nothing.",
        "Loan amount": "Missing. Expected: a number from 500 to 1 000 000.",
        "Loan duration": "Not a number. Expected: a whole number from 1 to 30.",
    }
    for label, fault in faults.items():
        field = page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(fault)))
    expect(page.locator("#answer")).to_be_hidden()
    for label, value in {"Credit score": "850", "Loan amount": "1 000 000", "Loan duration": "10,0"}.items():
        page.get_by_label(label).fill(value)
    decide(page)
    expect(page.locator(".error:visible")).to_have_count(0)
    assert '"Loan_Amount":1000000,"Loan_Duration_Years":10,' in page.locator("#curl").inner_text()


@pytest.mark.parametrize(
    ("typed", "choice"), [("85.000", "85000 or 85."), ("85,000", "85000 or 85."), ("1.125", "1125 or 1.1250")]
)
def test_a_number_that_reads_two_ways_is_asked_about_and_not_sent(visit, typed, choice):
    page = visit("loans")
    page.on("request", lambda request: pytest.fail("sent") if "/decision" in request.url else None)
    page.get_by_label("Annual income").fill(typed)
    page.locator("#decide").click()
    expect(page.locator(".error:visible")).to_contain_text(f"This can be read in two ways: write {choice}")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        *[
            ("", None),
            (" 85000 ", 85000),
            ("85 000", 85000),
            ("5\u202f000\u202f000", 5_000_000),
            ("0,5", 0.5),
            (".5", 0.5),
        ],
        *[("1e3", 1000), ("1.1250", 1.125), ("0.125", 0.125), ("1e999", "1e999"), ("85.000,50", "85.000,50")],
        *[("8 5", "8 5"), ("0x10", "0x10"), ("NaN", "NaN"), ("Infinity", "Infinity"), ("−1", -1)],
    ],
)
def test_what_is_typed_is_sent_as_the_number_it_is_or_as_it_stands(visit, typed, sent):
    page = visit("loans")
    page.get_by_label("Annual income").fill(typed)
    with page.expect_request("**/api/v2/decision?texts=all") as request:
        page.locator("#decide").click()
    assert request.value.post_data_json["Annual_Income"] == sent


@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("model", ["loans_reviewed", "loans_strict", "awkward"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit, model, language):
    page = visit(model, f"?lang={language}", viewport={"width": 360, "height": 740})
    assert width(page) <= 360
    decide(page)
    assert width(page) <= 360
    field = page.locator(".field input").first
    field.fill("99999999")
    page.locator("#decide").click()
    page.locator(".error:visible").wait_for()
    assert width(page) <= 360
    assert field.bounding_box()["height"] >= 44  # wide enough for a thumb


def test_whatever_a_contract_holds_is_shown_and_sent_literally(visit, server):
    page = visit("awkward")
    expect(page.get_by_label("ratio of debts")).to_have_value("1.1250")
    home, proto = page.get_by_label("home"), page.get_by_label(f"Label {HTML}")
    expect(home.locator("option")).to_have_text(["not given", HTML, QUOTES, "ação – 家"])
    expect(page.locator("img, b")).to_have_count(0)
    for value in (HTML, QUOTES, "ação – 家", None):
        home.select_option("not given" if value is None else value)
        with page.expect_request("**/api/v2/decision?texts=all") as request:
            decide(page)
        sent = json.loads(request.value.post_data)
        assert sent == {"ratio_of_debts": 1.125, "home": value, "__proto__": QUOTES}
        expect(page.locator("#outcome")).to_have_text(AWKWARD["target"]["labels"]["yes"])
        answer = run(page.locator("#curl").inner_text())
        expected = server.request(
            "POST", "/api/v2/predict", {"ratio_of_debts": 1.125, "home": value, "__proto__": QUOTES}
        )
        assert answer == expected.json
        assert answer["prediction_code"] == 1
    expect(proto.locator("option")).to_have_count(2)
    expect(page.locator("#sentence")).to_contain_text("probability of repayment")
    expect(page.locator("#meaning")).to_contain_text("will be repaid")


def run(command: str) -> dict[str, Any]:
    """Return what a POSIX shell gets from a command."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("model", ["loans", "loans_strict"])
def test_the_command_gets_the_same_prediction(visit, model):
    page = visit(model)
    page.get_by_label("Age", exact=True).fill("")
    with page.expect_response("**/api/v2/decision?texts=all") as told:
        decide(page)
    assert run(page.locator("#curl").inner_text()).items() <= told.value.json().items()


def test_a_monitored_feature_is_offered_closed_and_sent_only_when_given(visit):
    page = visit("awkward")
    section, field = page.locator("#monitored-section"), page.get_by_label("past default")
    expect(field).to_be_hidden()
    section.locator("summary").click()
    expect(section).to_contain_text("Optional, never scored")
    expect(field.locator("option")).to_have_text(["not given", "0 = no", "1 = yes"])
    field.select_option("1 = yes")
    with page.expect_request("**/api/v2/decision?texts=all") as request:
        decide(page)
    assert request.value.post_data_json["past_default"] == 1


def test_an_answer_to_older_values_says_so(visit):
    page = visit("loans")
    decide(page)
    expect(page.locator("#stale")).to_be_hidden()
    page.get_by_label("Age", exact=True).fill("46")
    expect(page.locator("#stale")).to_be_visible()
    decide(page)
    expect(page.locator("#stale")).to_be_hidden()
    page.get_by_role("button", name="Back to the example").click()
    expect(page.get_by_label("Age", exact=True)).to_have_value("45")
    expect(page.locator("#answer")).to_be_hidden()


def test_without_a_model_the_page_says_so_and_tries_again_when_told(browser, tmp_path, files):
    store = Store(tmp_path / "store")
    with running_server(tmp_path, store.path) as server, watched_page(browser, locale="pt-BR") as page:
        page.goto(f"http://127.0.0.1:{server.port}/app")
        expect(page.get_by_role("alert")).to_contain_text("Nenhum modelo está carregado")
        expect(page.locator("#application")).to_be_hidden()
        promote_and_wait(server, store, files["loans"])
        page.get_by_role("button", name="Tentar de novo").click()
        decide(page)
        expect(page.get_by_role("alert")).to_be_hidden()


def test_a_form_of_an_older_contract_is_replaced_with_a_word_about_it(visit, server, store, files):
    page = visit("mixed")
    promote_and_wait(server, store, files["loans"], "8")
    page.locator("#decide").click()
    expect(page.get_by_role("alert")).to_contain_text("The model has changed")
    expect(page.get_by_label("Loan amount")).to_have_value("25000")
    decide(page)
    expect(page.locator("#model")).to_contain_text("version 8")


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (503, {"Retry-After": "1"}, "The server is busy"),
        (429, {"Retry-After": "1"}, "The server is busy"),
        (503, {}, "No model is loaded"),
        (500, {}, "The server answered with an error (500): internal <b>error</b>"),
    ],
)
def test_a_failure_is_told_and_can_be_tried_again(visit, status, headers, message):
    page = visit("loans")
    body = json.dumps({"error": "internal <b>error</b>"})
    page.route(
        "**/api/v2/decision?texts=all", lambda route: route.fulfill(status=status, headers=headers, body=body), times=1
    )
    page.locator("#decide").click()
    expect(page.get_by_role("alert")).to_contain_text(message)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#outcome")).to_have_text("Approved")


def test_a_demanded_key_is_asked_for_sent_and_kept_nowhere(visit):
    page = visit("loans")
    key = "s3cret-key"

    def demand(route: Route) -> None:
        if route.request.headers.get("authorization") == f"Bearer {key}":
            route.continue_()
        else:
            route.fulfill(status=401, body='{"error":"unauthorized"}')

    page.route("**/api/v2/*", demand)
    page.reload()
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("valid API key")
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    decide(page)
    assert '"Authorization: Bearer $API_KEY"' in page.locator("#curl").inner_text()
    assert key not in page.content() + page.url
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("")


def test_the_page_without_the_server_says_that_it_cannot_be_reached(visit):
    page = visit("loans")
    page.route("**/api/v2/decision?texts=all", lambda route: route.abort("connectionrefused"))
    page.locator("#decide").click()
    expect(page.get_by_role("alert")).to_contain_text("The server can't be reached")


def test_dates_are_picked_sent_as_the_contract_writes_them_and_explained_when_wrong(visit):
    page = visit("dated")
    opened, hired, asked = (page.get_by_label(name, exact=True) for name in ("opened", "hired", "asked"))
    expect(opened).to_have_value("2020-02-29")
    hired.fill("2020-01-31")
    page.locator("#decide").click()
    said = re.compile("^No date to count from. Expected: a date, from -15.000 to 0 days after asked, or nothing.$")
    expect(page.locator(".error:not([hidden])")).to_have_text(said)
    opened.fill("1999-12-31")
    page.locator("#decide").click()
    words = "Out of range. Expected: a date from 2000-01-01 to 2030-12-31."
    expect(page.locator(".error:not([hidden])")).to_have_text([re.compile(words), said])
    opened.fill("2030-12-31")
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    asked.fill("2020-02-29")
    with page.expect_response("**/api/v2/decision?texts=all") as told:
        decide(page)
    sent = {"opened": "2030-12-31", "due": "2020-02-29", "hired": "2020-01-31", "asked": "2020-02-29"}
    assert told.value.request.post_data_json == sent
    answer = told.value.json()
    assert answer["counterfactuals"][0]["text"]["en"].startswith("opened")
    assert answer["counterfactuals"][0]["value"] < "2030-12-31"
