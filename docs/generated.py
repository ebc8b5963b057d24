"""What the documentation says by the code: commands, settings, routes, metrics, notebooks, modules.

A page asks for a part with a line `<!-- generated: NAME -->`; the site puts the part there when it is built. The line
is invisible where a page is read without the site.
"""

import argparse
import ast
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from modules import SIDES, api_pages, escape, write_api_pages

ROOT = Path(__file__).parents[1]
ASKED = re.compile(r"^<!-- generated: ([a-z_]+) -->$", re.MULTILINE)


def connect(app: Any) -> None:
    """Connect to a Sphinx application."""
    write_api_pages()
    app.connect("source-read", lambda _app, _name, source: source.__setitem__(0, fill(source[0])))
    app.connect("autodoc-process-docstring", lambda _app, _kind, _name, _object, _options, lines: escape(lines))
    from pygments.lexers.special import TextLexer

    app.add_lexer("mermaid", TextLexer)  # the text form of a diagram; drawing it would take a script from elsewhere


def fill(page: str) -> str:
    """Return a page with each part that it asks for."""
    return ASKED.sub(lambda asked: PARTS[asked[1]](page), page)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    cells = [[" ".join(str(cell).replace("|", "\\|").split()) for cell in row] for row in rows]
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells))


def commands(_page: str = "") -> str:
    """Return a section for each command of `loan-approval`."""
    from loan_approval.cli import make_parser

    (subparsers,) = [a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return "\n\n".join(_command(name, parser) for name, parser in subparsers.choices.items())


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    formatter = parser._get_formatter()
    rows = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or "--help" in action.option_strings:
            continue
        shown = formatter._format_action_invocation(action)
        said = formatter._expand_help(action) if action.help else ""
        rows.append((f"`{shown}`" + (", required" if action.option_strings and action.required else ""), said))
    text = f"### {name}\n\n{parser.description[:1].upper()}{parser.description[1:]}.\n"
    return text + (f"\n{table(('argument', 'meaning'), rows)}\n" if rows else "")


def make_targets(_page: str = "") -> str:
    """Return the targets of the Makefile by their group."""
    groups: dict[str, list[tuple[str, str]]] = {}
    group = ""
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if line.startswith("##@ "):
            group = line[4:]
        elif found := re.match(r"([a-z][a-z-]*):.*?## \*? ?(.*)", line):
            groups.setdefault(group, []).append((f"`make {found[1]}`", found[2]))
    return "\n\n".join(
        f"### {name.capitalize()}\n\n{table(('command', 'what it does'), rows)}" for name, rows in groups.items()
    )


def settings(_page: str = "") -> str:
    """Return the table of the server's settings."""
    from serve.command_line import _show
    from serve.settings import Settings

    rows = []
    for setting in fields(Settings):
        if meaning := setting.metadata.get("meaning"):
            variables = setting.metadata["variables"] or [f"SERVE_{setting.name.upper()}"]
            rows.append((", ".join(f"`{each}`" for each in variables), _show(setting.default), meaning))
    return table(("variable", "default", "meaning"), rows)


def routes(_page: str = "") -> str:
    """Return the operations of the OpenAPI document by tag, for the contract of `data/loans`."""
    by_tag: dict[str, list[tuple[str, str, str]]] = {}
    for path, operations in _document()["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(operation["responses"])
            row = (f"`{method.upper()} {path}`", operation["summary"], answers)
            by_tag.setdefault(operation["tags"][0], []).append(row)
    head = ("request", "what it does", "answers")
    return "\n\n".join(f"### {tag.capitalize()}\n\n{table(head, rows)}" for tag, rows in by_tag.items())


def schemas(_page: str = "") -> str:
    """Return the fields of each object of the OpenAPI document."""
    sections = []
    for name, schema in _document()["components"]["schemas"].items():
        if properties := schema.get("properties"):
            required = schema.get("required", ())
            rows = [
                (f"`{key}`", _kind(value), "yes" if key in required else "no", value.get("description", ""))
                for key, value in properties.items()
            ]
            sections.append(f"### {name}\n\n{table(('field', 'type', 'always there', 'meaning'), rows)}")
    return "\n\n".join(sections)


def _document() -> dict[str, Any]:
    from serve.contract.contract import Contract
    from serve.openapi.document import make_document

    return make_document(Contract.load(ROOT / "data/loans/contract.toml"))


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(map(_kind, schema[key]))
    kind = schema.get("type", "any value")
    text = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array" and "items" in schema:
        text = f"list of {_kind(schema['items'])}"
    if "minimum" in schema or "maximum" in schema:
        low, high = schema.get("minimum"), schema.get("maximum")
        text += f" from {low}" * (low is not None) + f" to {high}" * (high is not None)
    return text


def contract_fields(_page: str = "") -> str:
    """Return the fields of a feature and their defaults."""
    from serve.contract.feature import KEYS, Feature

    rows = []
    for each in fields(Feature):
        default = "required" if each.default is MISSING and each.default_factory is MISSING else each.default
        if default in (None, "", MISSING, ()):
            default = "none"
        shown = "false" if default is False else default
        rows.append((f"`{KEYS.get(each.name, each.name)}`", str(each.type), shown))
    return table(("field", "type", "default"), rows)


def operators(_page: str = "") -> str:
    """Return the ONNX operators that a model file may have."""
    from serve.model.graph import OPERATORS

    return ", ".join(f"`{each}`" for each in sorted(map(str, OPERATORS)))


def metrics(_page: str = "") -> str:
    """Return the table of the metrics. Prometheus adds `_total` to counters."""
    from serve.metrics.exposition import METRICS, _Count

    rows = []
    for metric in METRICS:
        kind = metric.kind.__name__.removesuffix("MetricFamily").lower()
        name = f"{metric.name}_total" if metric.kind is _Count else metric.name
        rows.append((f"`{name}`", kind, ", ".join(f"`{each}`" for each in metric.labels), metric.text))
    return table(("metric", "kind", "labels", "meaning"), rows)


def notebooks(_page: str = "") -> str:
    """Return the parameters of each notebook, with their defaults and comments."""
    sections = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        (source,) = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", ())]
        rows = []
        for node in ast.parse(source).body:
            line = source.splitlines()[node.end_lineno - 1][node.end_col_offset :]
            name = (getattr(node, "target", None) or node.targets[0]).id
            rows.append((f"`{name}`", f"`{ast.unparse(node.value)}`", line.strip().lstrip("# ")))
        title = re.search(r"^# (.+)$", "".join(cells[0]["source"]), re.MULTILINE)[1]
        sections.append(f"### {path.stem}\n\n{title}\n\n{table(('parameter', 'default', 'meaning'), rows)}")
    return "\n\n".join(sections)


def errors(_page: str = "") -> str:
    """Return the errors of both sides as their modules draw them."""
    texts = [ast.get_docstring(ast.parse((side / "errors.py").read_text(encoding="utf-8"))) for side in SIDES.values()]
    return "\n\n".join(f"```text\n{text}\n```" for text in texts)


def dependencies(_page: str = "") -> str:
    """Return what each extra and dependency group of pyproject.toml asks for."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["project"]["optional-dependencies"] | project["dependency-groups"]
    named = {name: [each if isinstance(each, str) else f"all of {each['include-group']}" for each in group]
             for name, group in groups.items()}  # fmt: skip
    return table(("group", "asks for"), [(f"`{name}`", ", ".join(group)) for name, group in named.items()])


def contents(page: str) -> str:
    """Return hidden tables of contents: one for each section of a page, of the pages that its list links."""
    trees = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        links = re.findall(r"^- \[[^]]+\]\(([\w./-]+)\.md\)", section, re.MULTILINE)
        caption = section.splitlines()[0]
        trees.append("\n".join([f"```{{toctree}}\n:hidden:\n:caption: {caption}\n", *links, "```"]))
    return "\n\n".join(trees)


PARTS: dict[str, Callable[[str], str]] = {
    part.__name__: part
    for part in (commands, make_targets, settings, routes, schemas, contract_fields, operators, metrics, notebooks,
                 errors, dependencies, contents, api_pages)
}  # fmt: skip
