"""The frame of reports and their index: style, scripts, and a policy that admits nothing else."""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup


def render_page(template: str, scripts: Sequence[str] = (), **values: object) -> str:
    """Return the page of a template of this package; its policy admits exactly these scripts and the page's own.

    Inline styles are admitted, as the outputs of cells hold them; they can load nothing.
    """
    from jinja2 import Environment, PackageLoader  # slow to import

    loader = PackageLoader("loan_approval.notebooks", "")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    # "95 %" stays on one line.
    environment.filters["bind_percent"] = lambda html: Markup(re.sub(r"(?<=\d) (?=%)", "\u00a0", html))  # noqa: S704
    scripts = [*scripts, _read("page.js")]
    style = _read("page.css") + _read("parts.css")
    page = environment.get_template(template).render(
        **values,
        style=Markup(style),  # noqa: S704 (our own files)
        scripts=[Markup(script) for script in scripts],  # noqa: S704 (whole, as the policy holds their hashes)
        script_hashes=Markup(" ".join(map(_source_of, scripts))),  # noqa: S704 (base64 in quotes)
    )
    return page.strip() + "\n"


def _read(name: str) -> str:
    return files("loan_approval.notebooks").joinpath(name).read_text(encoding="utf-8")


def _source_of(script: str) -> str:
    """Return the source expression by which a Content-Security-Policy admits one inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
