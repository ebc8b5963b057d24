"""What the server answers and logs is English, but for one published sentence and what contract and texts say."""

import ast
import re
from pathlib import Path

import pytest

from serve.api.recording import NO_MODEL

SERVE = Path(__file__).parents[2] / "serve"
# Texts for applicants, which come in both languages; `texts["pt"]` of these modules.
TRANSLATED = ("model/reasons.py", "model/counterfactual.py")
PORTUGUESE = re.compile(r"[À-ÿ]|\b(modelo|erro|valor|aprovado|verifique|esperado|dados|campo|chave|arquivo)\b", re.I)


def foreign_texts(source: str) -> list[str]:
    """Return the text constants of a module that are not English."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and PORTUGUESE.search(text) and text != NO_MODEL]


MODULES = [path for path in SERVE.rglob("*.py") if path.relative_to(SERVE).as_posix() not in TRANSLATED]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SERVE).as_posix())
def test_every_text_of_the_server_is_english(path):
    assert foreign_texts(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["Requisição inválida", "erro interno", "o campo {name} deve ser um inteiro"])
def test_a_text_in_another_language_is_found(text):
    assert foreign_texts(f"raise RequestError({text!r})") == [text]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v2/predict", {"Age": -1}),
        ("POST", "/api/v2/decision", {"Nome": "x"}),
        ("POST", "/api/v2/predict/batch", [{"Age": "x"}]),
        ("POST", "/v1/models/loan_approval_model:predict", {"instances": 1}),
        ("POST", "/v2/models/loan_approval_model/infer", {"inputs": 1}),
        ("POST", "/invocations", {"inputs": [1]}),
        ("GET", "/nowhere", None),
        ("PUT", "/", None),
    ],
)
def test_an_error_is_told_in_english_whatever_language_the_caller_speaks(client, method, path, body):
    answers = [
        client.open(path, method=method, json=body, headers=[("Accept-Language", tag)]) for tag in ("pt-BR", "en")
    ]
    assert {answer.status_code // 100 for answer in answers} == {4}
    assert answers[0].data == answers[1].data
    assert not PORTUGUESE.search(answers[0].text)
