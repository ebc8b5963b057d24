"""Renders a page in the frame: the shared style, the page's own, and a policy that admits nothing else."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

_NONE: Mapping[str, Any] = MappingProxyType({})


def render_page(
    template: str,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    inline_styles: bool = False,
    filters: Mapping[str, Callable] = _NONE,
    tests: Mapping[str, Callable] = _NONE,
    **values: object,
) -> str:
    """Return the page of a template, such as "registry/card.html.j2", that extends "pages/frame.html.j2".

    styles, scripts: files of its own, which the policy admits by their hash.   inline_styles: whether to admit those
    too, as the outputs of cells hold them; they can load nothing.   filters, tests: of the template.
    """
    style = "".join([read_part("pages/page.css"), *styles])
    environment = _environment()
    environment.filters |= filters
    environment.tests |= tests
    page = environment.get_template(template).render(
        **values,
        style=Markup(style),  # noqa: S704 (our own files; whole, as the policy holds their hash)
        scripts=[Markup(script) for script in scripts],  # noqa: S704 (likewise)
        style_source=Markup("'unsafe-inline'" if inline_styles else hash_source(style)),  # noqa: S704 (base64 in quotes)
        script_sources=Markup(" ".join(map(hash_source, scripts)) or "'none'"),  # noqa: S704 (likewise)
    )
    return page.strip() + "\n"


@cache
def _environment() -> Any:
    """Return what templates are rendered with; it holds those that were compiled, which takes longer than to render."""
    from jinja2 import ChainableUndefined, Environment, PackageLoader  # slow to import

    environment = Environment(
        loader=PackageLoader("loan_approval", ""),
        autoescape=True,
        undefined=ChainableUndefined,  # what earlier code recorded may lack anything
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bind_percent"] = _bind_percent
    return environment


def _bind_percent(html: str) -> Markup:
    """Return a page on which "95 %" stays on one line."""
    return Markup(re.sub(r"(?<=\d) (?=%)", "\u00a0", html))  # noqa: S704 (escaped by the template)


def read_part(path: str) -> str:
    """Return a style or script of this side's packages."""
    return files("loan_approval").joinpath(path).read_text(encoding="utf-8")


def hash_source(text: str) -> str:
    """Return the source expression by which a Content-Security-Policy admits one inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
