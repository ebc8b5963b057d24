"""The settings of the documentation site: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src"), str(HERE.parent)]

import generated  # noqa: E402 (it stands beside this file)

from serve import __version__  # noqa: E402

project = "Loan approval"
release = version = __version__
author = "the authors of Loan approval"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_extra_path = [path.name for path in HERE.glob("examples/")]  # what `make examples` made, copied as it is
html_theme = "furo"
html_title = f"Loan approval {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# Furo's page offers a link to an icon of its project's host unless this is set: the site loads nothing from elsewhere.
html_theme_options = {"footer_icons": []}
myst_heading_anchors = 4
myst_links_external_new_tab = False
pygments_style = "default"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
# Docstrings name types of libraries whose documentation is elsewhere; links of pages are checked all the same.
nitpick_ignore_regex = [("py:.*", ".*")]
linkcheck_ignore = [r"https?://"]


def setup(app: object) -> None:
    """Connect what is made from the code while the site is built."""
    generated.connect(app)
