"""Commands on data: init, simulate, boston, data."""

import argparse
import shlex
import sys
from pathlib import Path

from loan_approval import project
from loan_approval.commands.parsing import Adder, name_value, require_file
from loan_approval.errors import DataError
from serve.contract.numbers import count


def add_commands(add: Adder) -> None:
    """Add init, simulate, boston and data."""
    _add_init(add)
    simulate = add("simulate", _simulate, "write simulated applications", dataset=False)
    simulate.add_argument("csv", type=Path)
    simulate.add_argument("--rows", type=int, help="(default: as many as the built-in data set has)")
    simulate.add_argument("--seed", type=int, help="(default: the built-in data set's)")
    boston = add("boston", _boston, "write the Boston mortgage applications", dataset=False)
    boston.add_argument("csv", type=Path)
    purpose = "bring data sets to what dvc.lock and *.dvc say, or get a model version's data"
    data = add("data", _data, purpose, dataset=False)
    data.add_argument("--dataset", help="a folder below data/, or a path (default: all; with --version: loans)")
    data.add_argument("--version", help="number or alias of a model version: get exactly the data it was trained on")
    data.add_argument("--to", type=Path, help="with --version: the file to write (default: the data set's, or beside)")


def _add_init(add: Adder) -> None:
    init = add("init", _init, "draft a contract for your own CSV, Excel or Parquet file", dataset=False)
    init.add_argument("folder", type=Path, help="the new data set's folder, such as data/mine")
    init.add_argument("file", type=Path, help="CSV in any form, .xlsx, .xls or .parquet")
    init.add_argument("--target", required=True, help="the column that holds the decision")
    labels = "a label of {}; may be given several times"
    for option, kind in (("--positive", "an approval, or a repaid loan"), ("--negative", "a denial, or a default")):
        init.add_argument(option, action="append", default=[], metavar="LABEL", help=labels.format(kind))
    uses = "score, monitor, refuse or leave_out"
    names = "positive, labels, meaning, codes, dates, since, split or leaks"
    answer = f"answer to a question: {names}; or a column's use: {uses}"
    init.add_argument("--answer", action="append", default=[], metavar="NAME=VALUE", type=name_value, help=answer)
    missing = "a cell that means a missing value in this column"
    init.add_argument("--missing", action="append", default=[], metavar="COLUMN=CELL", type=name_value, help=missing)
    code = "a column whose numbers are codes: categories, not amounts; may be given several times"
    init.add_argument("--category", action="append", default=[], metavar="COLUMN", help=code)
    dates = "how a column's dates are written, such as MM/DD/YYYY, or 'DD-Mon-YY from 1930' for 1930 to 2029"
    init.add_argument("--dates", action="append", default=[], metavar="COLUMN=NOTATION", type=name_value, help=dates)
    init.add_argument("--no-ask", action="store_true", help="leave the questions in the contract")
    init.add_argument("--replace", action="store_true", help="write over the folder's contract.toml and dataset.csv")
    init.add_argument("--encoding", default="", help="such as latin-1 (default: found out)")
    separator = "comma, semicolon, tab, bar or space, or the character (default: found out)"
    init.add_argument("--separator", default="", help=separator)
    init.add_argument("--decimal", default="", choices=(".", ","), help="decimal mark (default: found out by column)")
    init.add_argument("--no-header", action="store_true", help="the first line is a row; columns get numbers for names")
    init.add_argument("--names", default="", metavar="NAME,NAME", help="the columns' names, where the file has none")


def _init(options: argparse.Namespace) -> None:
    require_file(options.file)
    from loan_approval.data.datasets import load_dataset
    from loan_approval.data.drafting import draft_data_set
    from loan_approval.data.reading import Form
    from loan_approval.data.shape import describe_shape, too_few
    from loan_approval.data.wishes import Wishes

    names = tuple(name.strip() for name in options.names.split(",")) if options.names else ()
    form = Form(options.encoding, options.separator, options.decimal, not (options.no_header or names), names)
    missing: dict[str, list[str]] = {}
    for name, cell in options.missing:
        missing.setdefault(name, []).append(cell)
    ask = _ask if sys.stdin.isatty() and sys.stdout.isatty() and not options.no_ask else None
    said = {"positive": tuple(options.positive), "negative": tuple(options.negative), "ask": ask}
    said |= {"categories": tuple(options.category), "dates": dict(options.dates)}
    wishes = Wishes(form, dict(options.answer), missing, replace=options.replace, **said)
    draft = draft_data_set(options.folder, options.file, options.target, wishes)
    data = load_dataset(str(options.folder.resolve()), draft=True)
    print(f"{draft.dataset}: {count(draft.rows, 'row')}", *draft.notes, *describe_shape(data), sep="\n- ")
    if draft.questions:
        words = "drafted; answer each question in it, then delete its line:"
        print(f"{draft.contract}: {words}", *draft.questions, sep="\n- ")
    else:
        print(f"{draft.contract}: drafted, no question is open")
    dataset = shlex.quote(str(draft.dataset))
    print(f"Keep this version of the data: dvc add {dataset}, and commit {dataset}.dvc")
    folder = options.folder.name if options.folder.parent == Path("data") else options.folder
    if refusal := too_few(data):
        print(f"First mend what training refuses: {refusal}")
    print(f"Then: make run DATASET={shlex.quote(str(folder))}")


def _ask(text: str, choices: tuple[str, ...]) -> str:
    """Ask on the terminal; an empty line takes the guess."""
    print(text)
    while True:
        given = input(f"  {' / '.join(choices)} [{choices[0]}]: ").strip() or choices[0]
        if given.casefold() in (choice.casefold() for choice in choices):
            return given


def _simulate(options: argparse.Namespace) -> None:
    from loan_approval.data.simulate import ROWS, SEED, write_simulation

    # The stage in dvc.yaml names neither, so that both follow from the code that it depends on.
    rows = ROWS if options.rows is None else options.rows
    write_simulation(options.csv, rows, SEED if options.seed is None else options.seed)
    print(f"{options.csv}: {rows:,} simulated applications")


def _boston(options: argparse.Namespace) -> None:
    from loan_approval.data.boston import ROWS, write_boston

    write_boston(options.csv)
    print(f"{options.csv}: {ROWS:,} applications of 1990")


def _data(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder, restore_dataset
    from loan_approval.data.versions import keep

    if options.version:
        _write_version_data(options)
        return
    if options.to:
        raise DataError("--to is given without --version; expected both, or neither")
    contracts = sorted(project.ROOT.glob("data/*/contract.toml"))
    problems = []
    for name in [options.dataset] if options.dataset else [path.parent.name for path in contracts]:
        try:
            print(restore_dataset(name), flush=True)
            keep(dataset_folder(name) / "dataset.csv")
        except DataError as err:  # go on with the other data sets
            problems.append(str(err))
    if problems:
        raise DataError("\n".join(problems))


def _write_version_data(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.registry.stores import model_and_store
    from loan_approval.registry.tracking import find_version
    from loan_approval.reproduction.version_data import find_data, place_for, recorded_data, write_data

    dataset = options.dataset or "loans"
    name, _ = model_and_store(dataset)
    version, folder = find_version(name, options.version), dataset_folder(dataset)
    recorded = recorded_data(version)
    print(f"{name} version {version.number} was trained on {recorded.dataset} at commit {recorded.commit}:")
    print(f"  sha256 {recorded.sha256}, md5 {recorded.md5 or 'not recorded'}", flush=True)
    data, source = find_data(recorded, folder)
    path = options.to or place_for(recorded, folder, version.number)
    written = "written" if write_data(data, path) else "there already"
    print(f"{path}: the same, to the byte ({written}; source: {source})")
