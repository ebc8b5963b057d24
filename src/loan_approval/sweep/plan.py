"""The plan of a sweep: which runs of a notebook there are to be, and the key that says whether one was done already."""

import hashlib
import json
import math
import random
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from loan_approval.errors import FactoryError, ParameterError
from loan_approval.notebooks.parameters import check_parameters, default_parameters
from loan_approval.project import LOCK, ROOT
from loan_approval.training.calibration import AUTO, check_calibration
from loan_approval.training.fit import Recipe
from serve.contract.contract import Contract

NOTEBOOK = ROOT / "notebooks" / "02_train.ipynb"
MOST_TRIALS = 100_000  # of a grid before a sample is drawn from it
SEED = "seed"
OF_THE_SWEEP = ("dataset", "register")  # parameters that a plan can't set


@dataclass(frozen=True)
class Plan:
    """Blocks of lists of values by parameter; `sample` of their combinations, drawn by `sample_seed`, or all."""

    blocks: tuple[Mapping[str, list[Any]], ...]
    sample: int | None = None
    sample_seed: int = 0


@dataclass(frozen=True)
class Surroundings:
    """The SHA-256 of each thing a trial's result follows from beside its parameters."""

    notebook: str
    data: str
    contract: str
    code: str


@dataclass(frozen=True)
class Trial:
    """One run of the notebook: its key, the key of all that differ from it in their seed alone, and its parameters."""

    key: str
    recipe: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join(f"{name}={canonical(value)}" for name, value in self.parameters.items()) or "the defaults"


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises ParameterError with every problem of its form."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such plan, expected a file with [[grid]] blocks") from None
    except (OSError, ValueError) as err:
        raise ParameterError(f"{path}: can't be read as TOML: {err}") from err
    sample, seed, blocks = document.get("sample"), document.get("sample_seed", 0), document.get("grid")
    unknown = [name for name in document if name not in ("sample", "sample_seed", "grid")]
    problems = [f"no setting {name!r}, expected sample, sample_seed, [[grid]]" for name in unknown]
    if sample is not None and (type(sample) is not int or sample < 1):
        problems.append("sample: expected a whole number above 0")
    if type(seed) is not int:
        problems.append("sample_seed: expected a whole number")
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        problems.append("expected at least one [[grid]] block")
    else:
        problems += [words for number, block in enumerate(blocks, 1) for words in _block_problems(number, block)]
    if problems:
        raise ParameterError(f"{path}: {'; '.join(problems)}")
    return Plan(tuple({name: _values(value) for name, value in block.items()} for block in blocks), sample, seed)


def _block_problems(number: int, block: Mapping[str, Any]) -> Iterable[str]:
    for name, value in block.items():
        lists = value.values() if isinstance(value, dict) else [value]
        if name in OF_THE_SWEEP:
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


def make_trials(plan: Plan, surroundings: Surroundings, notebook: Path = NOTEBOOK) -> list[Trial]:
    """Return the plan's trials in its order, each once. Raises ParameterError for names and values that don't fit."""
    _check_size(plan.blocks)
    defaults, chosen = default_parameters(notebook), {}
    for block in plan.blocks:
        for name, value in ((name, value) for name, values in block.items() for value in values):
            check_parameters(notebook, {name: value})
        for values in product(*block.values()):
            given = {SEED: defaults[SEED], **dict(zip(block, values, strict=True))}
            # What says a default is the same trial as what leaves it out.
            differing = {name: value for name, value in given.items() if value != defaults[name]}
            recipe = {name: value for name, value in differing.items() if name != SEED}
            trial = Trial(make_key(surroundings, differing), make_key(surroundings, recipe), given)
            chosen.setdefault(trial.key, trial)
    trials = list(chosen.values())
    if plan.sample is None or plan.sample >= len(trials):
        return trials
    drawn = random.Random(plan.sample_seed).sample(range(len(trials)), plan.sample)
    return [trials[number] for number in sorted(drawn)]


def check_trials(trials: Iterable[Trial], contract: Contract, notebook: Path = NOTEBOOK) -> None:
    """Raise ParameterError, with every problem, for factories that there aren't and parameters they don't take."""
    problems, defaults = {}, default_parameters(notebook)
    for trial in trials:
        given = defaults | trial.parameters
        names = ("model_name", "preprocessor_name", "seed", "factory_parameters")
        try:
            Recipe(*(given[name] for name in names)).make_pipeline(contract)
            if given["calibration"] != AUTO:
                check_calibration(given["calibration"])
        except FactoryError as err:
            problems.setdefault(str(err), str(trial))
    if problems:
        raise ParameterError("; ".join(f"{trial}: {words}" for words, trial in problems.items()))


def make_key(surroundings: Surroundings, parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a trial's result follows from."""
    return _sha256(canonical({**asdict(surroundings), "parameters": dict(parameters)}).encode())


def sweep_id(trials: Iterable[Trial]) -> str:
    """Return what a sweep is called by: the same trials, data and code have the same."""
    return _sha256("\n".join(sorted(trial.key for trial in trials)).encode())[:12]


def canonical(value: object) -> str:
    """Return a value's one JSON form. Raises ParameterError for what JSON has not, such as a date or NaN."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as err:
        raise ParameterError(f"{value!r} can't be written as JSON: {err}") from err


def find_surroundings(data_sha256: str, contract: Path, notebook: Path = NOTEBOOK) -> Surroundings:
    """Return the hashes of this checkout: notebook without its outputs, contract, and code with its lock file.

    The code is what lies in the folders, not the commit: a commit that changes none of it repeats no trial.
    """
    cells = [(cell["cell_type"], cell["source"]) for cell in json.loads(notebook.read_bytes())["cells"]]
    files = [path for folder in ("src", "serve") for path in (ROOT / folder).rglob("*") if _is_code(path)]
    code = [(str(path.relative_to(ROOT)), _sha256(path.read_bytes())) for path in sorted([*files, LOCK])]
    of_notebook, of_code = (_sha256(canonical(listed).encode()) for listed in (cells, code))
    return Surroundings(of_notebook, data_sha256, _sha256(contract.read_bytes()), of_code)


def _is_code(path: Path) -> bool:
    hidden = any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(ROOT).parts)
    return path.is_file() and not hidden


def train_command(dataset: str, parameters: Mapping[str, Any]) -> str:
    """Return the shell command that trains these parameters for real: a version for 03_validate to judge."""
    named = [f"--{name.replace('_', '-')} {shlex.quote(parameters[name])}" for name in NAMED if name in parameters]
    rest = [f"-p {shlex.quote(f'{name}={_text(value)}')}" for name, value in parameters.items() if name not in NAMED]
    return " ".join(["python -m loan_approval train", f"--dataset {shlex.quote(dataset)}", *named, *rest])


NAMED = ("model_name", "preprocessor_name")  # the parameters that the command has options for


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
