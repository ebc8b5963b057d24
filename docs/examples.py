"""`python docs/examples.py [REPORTS]`: makes docs/examples, the five reports of both data sets, for readers.

REPORTS: where an earlier such run has left its reports. Without it, everything is run: both data sets from end to end,
in a temporary folder with an MLflow, a store and a prediction log of its own. That takes a quarter of an hour.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from loan_approval.data.datasets import dataset_folder, find_csv, load_dataset, restore_dataset
from loan_approval.notebooks.reports import write_html
from loan_approval.notebooks.summary import digest_code
from loan_approval.pipeline.pipeline import run_step
from loan_approval.project import ROOT
from loan_approval.registry.promotion import promote
from loan_approval.registry.stores import model_and_store
from serve.files import write_atomically
from serve.records.decided import Decided, make_decision_id
from serve.records.lines import LineWriter
from serve.records.log_file import LogFile
from serve.store.live import Loaded
from serve.store.store import Store

EXAMPLES = Path(__file__).with_name("examples") / "reports"
DATASETS = ("loans", "boston")
NOTEBOOKS = ("01_explore", "02_train", "03_validate", "04_monitor", "05_check_data")
TIME_LIMIT = 3600  # seconds a notebook may take
MONTHS = [datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in range(5, 11)]
MONTH = 28 * 86_400  # seconds, of each month, in which decisions are made
MOVED_MONTHS, MOVED = 2, 1.3  # in the last two months amounts are larger by this factor
BROKEN_ROWS = 12  # of the new data that are checked


def run_everything(folder: Path) -> Path:
    """Run both data sets from the exploration to the monitor; return the folder of their reports."""
    reports = folder / "reports"
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    for dataset in DATASETS:
        os.environ["SERVE_STORE"] = str(folder / "store" / dataset)
        log = folder / "log" / dataset
        restore_dataset(dataset)
        run_step("01_explore", {"dataset": dataset}, reports, TIME_LIMIT)
        trained = run_step("02_train", {"dataset": dataset}, reports, TIME_LIMIT)
        run_step("03_validate", {"dataset": dataset, "version": trained["version"]}, reports, TIME_LIMIT)
        name, store = model_and_store(dataset)
        promote(name, trained["version"], store)
        csv = write_new_data(dataset, folder / f"{dataset}.csv")
        run_step("05_check_data", {"dataset": dataset, "csv": str(csv)}, reports, TIME_LIMIT)
        write_log(dataset, store, log)
        run_step("04_monitor", {"dataset": dataset, "log": str(log)}, reports, TIME_LIMIT)
    return reports


def write_new_data(dataset: str, path: Path) -> Path:
    """Write the rows of a data set again, some of which break the contract: what a check has something to say about."""
    contract = load_dataset(dataset).contract
    header, *rows = (line.split(",") for line in find_csv(dataset_folder(dataset)).read_text("utf-8").splitlines())
    number = next(feature for feature in contract.scored if feature.type == "number")
    other = next(feature for feature in contract.scored[::-1] if feature.type != "number")
    for row in rows[:BROKEN_ROWS]:
        row[header.index(number.name)] = f"{10 * number.max:g}"
    for row in rows[BROKEN_ROWS // 2 : BROKEN_ROWS + 1]:
        row[header.index(other.name)] = "unclear"
    path.write_text("\n".join(map(",".join, [header, *rows])) + "\n", encoding="utf-8")
    return path


def write_log(dataset: str, store: Store, folder: Path) -> None:
    """Write what the promoted model decides about the data set's test rows, spread over six months, as the server does.

    In the last two months the first number that an applicant can change is larger.
    """
    pointer = store.pointer()
    scorer, metadata = store.load(pointer, may_verify=True)
    X, _ = load_dataset(dataset).rows("test")
    moved, rng = next(i for i, each in enumerate(scorer.contract.scored) if each.actionable), np.random.default_rng(7)
    writer, file = LineWriter(Loaded(scorer, pointer, metadata), hash_key=str), LogFile(folder, "decisions", 2**26)
    for number, rows in enumerate(np.array_split(X[rng.permutation(len(X))], len(MONTHS))):
        if number >= len(MONTHS) - MOVED_MONTHS:
            rows[:, moved] = np.minimum(rows[:, moved] * MOVED, scorer.contract.scored[moved].max)
        p = scorer.score(rows)
        times = np.sort(rng.uniform(0, MONTH, len(rows))) + MONTHS[number]
        for at, row, each, code in zip(times.tolist(), rows, p.tolist(), scorer.decide(p).tolist(), strict=True):
            made = Decided(at, make_decision_id(), "/api/v2/predict", writer.loaded, row[None], [each], [code], 0.001)
            file.append(writer.write(made), at)
    file.close()


def render(reports: Path) -> None:
    """Write the pages of all notebooks that ran, without what only a run needs. Ends with what is missing or old."""
    import nbformat

    wanted = {(dataset, name): reports / dataset / f"{name}.ipynb" for dataset in DATASETS for name in NOTEBOOKS}
    if missing := [str(path) for path in wanted.values() if not path.is_file()]:
        sys.exit(f"{', '.join(missing)}: not there")
    for (_, name), path in wanted.items():
        ran, now = (digest_code(nbformat.read(each, 4)) for each in (path, ROOT / "notebooks" / f"{name}.ipynb"))
        if ran != now:
            sys.exit(f"{path}: it ran another version of {name}, run it again")
    for (dataset, name), path in wanted.items():
        page = EXAMPLES / dataset / f"{name}.html"
        write_html(path, page, still=True)
        text = page.read_text(encoding="utf-8")
        for folder in (reports.parent, ROOT):  # whoever reads the page has neither
            text = text.replace(f"{folder}/", "")
        write_atomically(page, text.encode())
        page.with_suffix(".summary.json").unlink()


def main(given: list[str]) -> None:
    """Make the pages."""
    with tempfile.TemporaryDirectory() as folder:
        render(Path(given[0]) if given else run_everything(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
