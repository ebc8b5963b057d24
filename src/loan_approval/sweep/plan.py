"""The plan of a sweep: which runs of the training notebook to make, and the key that identifies each run."""

import hashlib
import json
import math
import random
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from loan_approval.errors import FactoryError, ParameterError
from loan_approval.notebooks.parameters import check_parameters, default_parameters
from loan_approval.project import LOCK, ROOT
from loan_approval.training.calibration import AUTO, check_calibration
from loan_approval.training.fit import Recipe
from serve.contract.contract import Contract

NOTEBOOK = ROOT / "notebooks" / "02_train.ipynb"
MOST_TRIALS = 100_000  # of a grid before a sample is drawn from it
SEED = "seed"
SET_BY_SWEEP = ("dataset", "register")  # parameters that a plan can't set


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Blocks of lists of values by parameter; all their combinations, or a sample of so many."""

    grid: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    sample: Annotated[int, Meta(ge=1)] | None = None
    sample_seed: int = 0


@dataclass(frozen=True)
class Trial:
    """One run of the notebook: its key, the key without its seed, and its parameters."""

    key: str
    recipe: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return describe_parameters(self.parameters)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters in one line."""
    return " ".join(f"{name}={canonical(value)}" for name, value in parameters.items()) or "the defaults"


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises ParameterError."""
    try:
        plan = msgspec.toml.decode(path.read_text(encoding="utf-8"), type=Plan)
    except (OSError, ValueError) as err:
        raise ParameterError(f"{path}: {err}; expected TOML: [[grid]] blocks, perhaps sample and sample_seed") from err
    problems = [words for number, block in enumerate(plan.grid, 1) for words in _block_problems(number, block)]
    if problems:
        raise ParameterError(f"{path}: {'; '.join(problems)}")
    grid = [{name: _values(value) for name, value in block.items()} for block in plan.grid]
    return msgspec.structs.replace(plan, grid=grid)


def _block_problems(number: int, block: Mapping[str, Any]) -> Iterable[str]:
    for name, value in block.items():
        lists = value.values() if isinstance(value, dict) else [value]
        if name in SET_BY_SWEEP:
            yield f"grid {number}: {name} is set by the sweep"
        elif not all(isinstance(values, list) and values for values in lists):
            yield f"grid {number}: {name}: expected a list of values, or a table of such lists"


def _values(value: list[Any] | Mapping[str, list[Any]]) -> list[Any]:
    """Return a list of values; of a table of lists, each combination as a table."""
    if isinstance(value, list):
        return value
    _check_size([value])
    return [dict(zip(value, chosen, strict=True)) for chosen in product(*value.values())]


def _check_size(blocks: Iterable[Mapping[str, list[Any]]]) -> None:
    size = sum(math.prod(map(len, block.values())) for block in blocks)
    if size > MOST_TRIALS:
        raise ParameterError(f"the plan has {size:,} combinations, expected at most {MOST_TRIALS:,}")


def make_trials(plan: Plan, surroundings: Mapping[str, str]) -> list[Trial]:
    """Return the plan's trials in its order, each once. Raises ParameterError for wrong names and values."""
    _check_size(plan.grid)
    defaults, by_key = default_parameters(NOTEBOOK), {}
    for block in plan.grid:
        for name, values in block.items():
            for value in values:
                check_parameters(NOTEBOOK, {name: value})
        for values in product(*block.values()):
            parameters = {SEED: defaults[SEED], **dict(zip(block, values, strict=True))}
            # A stated default makes the same trial as an omitted one.
            differing = {name: value for name, value in parameters.items() if value != defaults[name]}
            recipe = {name: value for name, value in differing.items() if name != SEED}
            trial = Trial(_make_key(surroundings, differing), _make_key(surroundings, recipe), parameters)
            by_key.setdefault(trial.key, trial)
    trials = list(by_key.values())
    if plan.sample is None or plan.sample >= len(trials):
        return trials
    drawn = random.Random(plan.sample_seed).sample(range(len(trials)), plan.sample)
    return [trials[number] for number in sorted(drawn)]


def check_trials(trials: Iterable[Trial], contract: Contract) -> None:
    """Raise ParameterError, with every problem, for unknown factories and parameters that a factory does not take."""
    problems, defaults = {}, default_parameters(NOTEBOOK)
    for trial in trials:
        parameters = defaults | trial.parameters
        names = ("model_name", "preprocessor_name", "seed", "factory_parameters")
        try:
            Recipe(*(parameters[name] for name in names)).make_pipeline(contract)
            if parameters["calibration"] != AUTO:
                check_calibration(parameters["calibration"])
        except FactoryError as err:
            problems.setdefault(str(err), str(trial))
    if problems:
        raise ParameterError("; ".join(f"{trial}: {words}" for words, trial in problems.items()))


def _make_key(surroundings: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything that determines a trial's result."""
    return _sha256(canonical({**surroundings, "parameters": parameters}).encode())


def sweep_id(trials: Iterable[Trial]) -> str:
    """Return the id of a sweep, which is the same for the same trials, data and code."""
    return _sha256("\n".join(sorted(trial.key for trial in trials)).encode())[:12]


def canonical(value: object) -> str:
    """Return a value's canonical JSON. Raises ParameterError for what JSON can't hold, such as a date or NaN."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as err:
        raise ParameterError(f"{value!r} can't be written as JSON: {err}") from err


def find_surroundings(data_sha256: str, contract: Path, notebook: Path = NOTEBOOK) -> dict[str, str]:
    """Return the SHA-256 of each input of a trial other than its parameters, as they are in this checkout.

    `notebook` without its outputs, `data`, `contract`, and `code` with its lock file.
    The code is that in the folders, not the commit: a commit that does not change the code repeats no trial.
    """
    cells = [(cell["cell_type"], cell["source"]) for cell in json.loads(notebook.read_bytes())["cells"]]
    files = [path.relative_to(ROOT) for folder in ("src", "serve") for path in (ROOT / folder).rglob("*")]
    visible = [file for file in files if not any(part == "__pycache__" or part[0] == "." for part in file.parts)]
    paths = sorted([*(ROOT / file for file in visible if (ROOT / file).is_file()), LOCK])
    code = [(str(path.relative_to(ROOT)), _sha256(path.read_bytes())) for path in paths]
    of_notebook, of_code = (_sha256(canonical(listed).encode()) for listed in (cells, code))
    of_contract = _sha256(contract.read_bytes())
    return {"notebook": of_notebook, "data": data_sha256, "contract": of_contract, "code": of_code}


def train_command(dataset: str, parameters: Mapping[str, Any]) -> str:
    """Return the shell command that trains these parameters as a version for 03_validate to judge."""
    texts = {name: value if isinstance(value, str) else canonical(value) for name, value in parameters.items()}
    options = [f" -p {shlex.quote(f'{name}={text}')}" for name, text in texts.items()]
    return f"python -m loan_approval train --dataset {shlex.quote(dataset)}{''.join(options)}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
