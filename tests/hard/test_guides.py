"""The commands of the tutorials and how-to guides, run in a clone as a reader runs them, one page after the other.

`tests/test_guides.py` sees to it that each command of these pages stands here, or in a test that it names.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from loan_approval.data.simulate import write_simulation
from loan_approval.registry.tracking_server import free_port
from tests.pages import ROOT, commands, read
from tests.server_process import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.hard  # a dozen trainings and reports
LIMIT = 1800  # seconds of a command
OWN = ("MLFLOW_", "SERVE_", "AWS_", "GIT_")  # variables of whoever runs the tests
SEED_LOG = "import sys; sys.path.insert(0, 'docs'); import examples; from pathlib import Path; \
from loan_approval.registry.stores import model_and_store as m; \
examples.write_log('loans', m('loans')[1], Path('predictions/loan_approval_model'))"


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, and the port on which its server answers."""

    root: Path
    port: int

    def environment(self, **given: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        bin_folder = ROOT / ".venv/bin"
        own |= {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "VENV": str(bin_folder.parent)}
        own |= {"PYTHONPATH": f"{self.root / 'src'}{os.pathsep}{self.root}", "PORT": str(self.port)}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
        own |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
        return own | {"DVC_SITE_CACHE_DIR": str(self.root.parent / "site")} | given

    def do(self, command: str, says: str = "", status: int = 0, answer: str = "", **given: str) -> str:
        """Run a command of a page; return what it printed. status: of the shell; make's is 2 where a command failed."""
        shell = ["bash", "-c", command.replace("localhost:8000", f"localhost:{self.port}")]
        run = subprocess.run(
            shell, cwd=self.root, env=self.environment(**given), input=answer, capture_output=True, text=True,
            timeout=LIMIT, check=False,
        )  # fmt: skip
        said = run.stdout + run.stderr
        assert run.returncode == status, f"{command}: {said[-3000:]}"
        assert says in said, f"{command}: {said[-3000:]}"
        return run.stdout

    @contextmanager
    def serving(self, command: str, **given: str) -> Iterator[Server]:
        """Start a server by a command of a page; end it as Ctrl-C does."""
        log = self.root / "server.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.root, env=self.environment(**given), stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        server = Server(self.port, process, log)
        try:
            wait_until(lambda: self.is_ready(process, log), log=log)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)

    def is_ready(self, process: subprocess.Popen, log: Path) -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return Server(self.port, process, log).request("GET", "/health/ready").status == 200
        except OSError:
            return False

    def logged(self) -> list[dict]:
        """Return the decisions in the log of loans."""
        files = sorted((self.root / "predictions/loan_approval_model").glob("decisions/*/*.jsonl"))
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    root = tmp_path_factory.mktemp("guides") / "loan-approval"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
    for name in ("locks/dev.txt", "locks/uv.txt", "pyproject.toml"):
        os.utime(root / name, (0, 0))  # the environment is this checkout's, and no older than they are
    return Clone(root, free_port())


def test_your_first_decision(clone: Clone) -> None:
    clone.do("make run", says='-> {"prediction":"Approved","prediction_code":1}')
    with clone.serving("make serve"):
        for page in ("tutorials/first-decision", "how-to/letter"):
            for command in commands(read(f"docs/{page}.md")):
                if command.startswith("curl"):
                    assert '"Age":17' in command or '"prediction"' in clone.do(command)
        wait_until(lambda: len(clone.logged()) >= 3)


def test_promote_and_roll_back(clone: Clone) -> None:
    clone.do("make explore", says="report: ")
    clone.do("make train MODEL=random_forest PREPROCESSOR=median_imputer", says="02_train took")
    clone.do("make validate", says="version 2 failed", status=2)
    clone.do("make promote", says="has the verdict 'failed'", status=2)
    clone.do('make promote FORCE="why"')
    clone.do("make rollback")
    assert "why" in clone.do("make history")
    clone.do("make train")
    clone.do("python -m loan_approval train -p NAME=VALUE", says="no parameter 'NAME'", status=1)
    clone.do("make validate")


def test_let_a_challenger_score_in_the_shadow(clone: Clone) -> None:
    clone.do("make shadow")
    with clone.serving("make serve", SERVE_SHADOW_ALIAS="challenger"):
        clone.do("make history")
    clone.do("make shadow STOP=1")


def test_sign_model_files(clone: Clone) -> None:
    clone.do("openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem")
    clone.do("LOAN_APPROVAL_SIGNING_KEY=key.pem make promote")
    with clone.serving("SERVE_PUBLIC_KEY_FILE=key.pub.pem make serve") as server:
        assert server.request("GET", "/").json["model_loaded"]


def test_run_the_notebooks_by_hand(clone: Clone) -> None:
    clone.do("papermill notebooks/02_train.ipynb out.ipynb -k python3 -p model_name random_forest")
    clone.do("loan-approval report out.ipynb", says="report: ")


def test_require_keys(clone: Clone) -> None:
    shown = "python -m serve.keys new NAME >> keys.txt"
    clone.do(shown)
    with clone.serving("SERVE_API_KEYS_FILE=keys.txt make serve") as server:
        assert server.request("GET", "/api/v2/model").status == 401


def test_keep_replay_and_erase_decisions(clone: Clone) -> None:
    (first, *_) = clone.logged()
    given = f"ID={first['decision_id']}"
    clone.do("make replay ID=…".replace("ID=…", given))
    clone.do('make review ID=… OUTCOME=approve REASON="…"'.replace("ID=…", given))
    clone.do("make retain DAYS=365")
    clone.do("make erase", answer="somebody\n", SERVE_APPLICANT_KEY_SECRET="x" * 32)


def test_your_first_month_of_monitoring(clone: Clone) -> None:
    clone.do("make demo-drift", says="as expected")
    shutil.rmtree(clone.root / "predictions/loan_approval_model")
    clone.do(f'python -c "{SEED_LOG}"')
    # The months of the page may not have come yet, or have no decision in them: those of the log take their place.
    dates = {"2026-11-01": "2026-09-01", "2025-11-01": "2026-05-01", "2025-12-01": "2026-06-01"}
    for command in ("make monitor BEGIN=2026-11-01", "make monitor BEGIN=2026-11-01 AGAINST=2025-11-01/2025-12-01"):
        for shown, there in dates.items():
            command = command.replace(shown, there)
        clone.do(f"{command} || test $? = 2", says="04_monitor took")  # severe: the amounts are larger
    clone.do("make monitor || test $? = 2", says="04_monitor took")


def test_score_a_million_rows(clone: Clone) -> None:
    rows = pd.read_csv(clone.root / "data/loans/dataset.csv").head(2000)
    rows.insert(0, "id", range(len(rows)))
    rows.to_parquet(clone.root / "applications.parquet")
    clone.do('make score INPUT=applications.parquet OUTPUT=scored SCORE_OPTIONS="--keep id"')
    summary = json.loads((clone.root / "scored/_summary.json").read_text())
    assert summary["rows"] == len(rows)


def test_your_own_csv(clone: Clone) -> None:
    write_simulation(clone.root / "my.csv", rows=1500, seed=5)
    rows = pd.read_csv(clone.root / "my.csv")
    status = ["Charged Off", "Default", "Current"] * 500
    repaid = rows.pop("Loan_Approval")
    rows.assign(loan_status=repaid.map({1: "Fully Paid"}).fillna(pd.Series(status))).to_csv(clone.root / "my.csv")
    clone.do(
        'python -m loan_approval init data/mine my.csv --target loan_status --positive "Fully Paid" '
        '--negative "Charged Off" --negative Default --missing loan_status=Current --no-ask'
    )
    shutil.rmtree(clone.root / "data/mine")
    codes = {"branch_code": [101, 102, 103] * 500, "NAICS": [441110, 522110, 722511] * 500}
    rows.assign(Granted=repaid, **codes).to_csv(clone.root / "my.csv", index=False, sep=";")
    clone.do("python -m loan_approval init data/mine my.csv --target Granted --no-ask")
    clone.do(
        "python -m loan_approval init data/mine my.csv --target Granted --replace "
        "--category branch_code --category NAICS --no-ask"
    )
    contract = clone.root / "data/mine/contract.toml"
    lines = contract.read_text().splitlines(keepends=True)
    clone.do("make explore DATASET=mine")
    contract.write_text("".join(line for line in lines if not line.startswith("question")))
    clone.do("make run DATASET=mine", says="done in")


def test_keep_versions_of_the_data(clone: Clone) -> None:
    csv = clone.root / "data/mine/dataset.csv"
    january = csv.read_bytes()
    clone.do("dvc add data/mine/dataset.csv")
    clone.do('git add data/mine && git commit -m "Data of January"')
    clone.do("dvc push")
    with csv.open("ab") as file:
        file.write(january.splitlines(keepends=True)[1])
    clone.do("dvc add data/mine/dataset.csv")
    clone.do('git commit -am "Data of February"')
    clone.do("dvc push")
    clone.do("git checkout HEAD~1 -- data/mine/dataset.csv.dvc")
    clone.do("make data DATASET=mine")
    assert csv.read_bytes() == january
    simulate = clone.root / "src/loan_approval/data/simulate.py"
    simulate.write_text(simulate.read_text().replace("SEED = ", "SEED = 1 + "))
    clone.do("dvc repro loans")
    clone.do('git commit -am "More applicants"')
    clone.do("git revert --no-edit HEAD")
    clone.do("make data", says="loans")
    shutil.copy(clone.root / "data/loans/dataset.csv", clone.root / "new.csv")
    clone.do("make check-data DATASET=loans CSV=new.csv", says="loans: sound")


def test_rebuild_an_old_version(clone: Clone) -> None:
    clone.do("make data VERSION=3", says="the same, to the byte")
    clone.do("make reproduce VERSION=3")


def test_add_a_model(clone: Clone) -> None:
    (code,) = [block for block in read("docs/how-to/factory.md").split("```python\n") if "(ModelFactory)" in block]
    path = clone.root / "src/loan_approval/training/factories/gradient_boosting.py"
    path.write_text(code.partition("```")[0])
    clone.do("make train MODEL=gradient_boosting", says="02_train took")
