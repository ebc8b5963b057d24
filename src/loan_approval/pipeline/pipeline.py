"""Runs each step of the flow: notebooks with their reports, promotion, the server, one application."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from loan_approval.data.datasets import dataset_folder, load_contract, load_dataset, load_kept_rows, restore_dataset
from loan_approval.data.shape import check_labels
from loan_approval.data_check.reference import find_reference
from loan_approval.data_check.table import read_tables
from loan_approval.errors import LoanApprovalError, PromotionError
from loan_approval.monitor.report import describe_outcomes
from loan_approval.monitor.window import compare_with, load_window, log_folder
from loan_approval.notebooks.by_hand import report_by_hand
from loan_approval.notebooks.index import write_index
from loan_approval.notebooks.parameters import parse_parameters
from loan_approval.notebooks.run import NotebookRun, run_notebook
from loan_approval.pipeline.card_page import write_card, write_card_of
from loan_approval.project import ROOT
from loan_approval.records.day_files import prediction_log_folder
from loan_approval.registry import tracking
from loan_approval.registry.promotion import ALIAS, promote
from loan_approval.registry.stores import model_and_store
from loan_approval.registry.tracking_server import free_port, wait_until_ready
from loan_approval.training.factory import ModelFactory, PreprocessorFactory, find_factory
from serve.store.store import Store

START_LIMIT = 60  # seconds a server may take until it is ready


def run_step(notebook: str, texts: Mapping[str, str], folder: Path, time_limit: float) -> dict[str, Any]:
    """Run one notebook with parameters given as texts, report it below `folder` and in MLflow; return its result."""
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    parameters = parse_parameters(path, texts)
    dataset = str(parameters.get("dataset", "loans"))
    name = dataset_folder(dataset).name
    if notebook == "05_check_data":
        parameters |= find_reference(dataset, parameters.get("reference_csv", ""))
    _check_before_kernel(notebook, dataset, parameters)
    if notebook in ("01_explore", "04_monitor", "05_check_data"):
        parameters["reports"] = str(folder)
    _say(f"{notebook} on {name}" + "".join(f", {k} {v}" for k, v in texts.items() if k != "dataset"))
    try:
        run = run_notebook(path, parameters, folder / name, time_limit, parameters.get("report"))
        write_card_of(run)
    finally:
        index = write_index(folder)
    _log_report(run)
    _say(f"{notebook} took {run.seconds:.0f} s; report: {run.html}, all reports: {index}")
    return run.result


def log_by_hand(notebook: Path, folder: Path) -> NotebookRun:
    """Report a notebook that was run by hand below `folder` and in MLflow, as `run_step` does; return its result."""
    tracking.connect()  # fails before anything is written
    run = report_by_hand(notebook, folder)
    write_card_of(run)
    index = write_index(folder)
    _log_report(run)
    _say(f"report: {run.html}, all reports: {index}")
    return run


def _check_before_kernel(notebook: str, dataset: str, parameters: Mapping[str, Any]) -> None:
    # An error may show data values on the terminal, but not in a notebook's report.
    if notebook == "05_check_data":  # it reports what breaks the contract, without values
        names = ("csv", "reference_csv", "reference_notes")
        read_tables(dataset, **{name: parameters[name] for name in names if name in parameters})
        return
    if notebook == "01_explore":  # so does this, as long as most rows keep it
        _, refused = load_kept_rows(dataset)
        _say(refused.describe()) if refused.broken else None
        tracking.connect()
        return
    data = load_dataset(dataset)
    if notebook == "04_monitor":
        # Before anything is written, so that an earlier report stays when there is nothing to report on.
        texts = [str(parameters.get(name, "")) for name in ("begin", "end", "version")]
        folder = log_folder(data, str(parameters.get("log", "")))
        window = load_window(data, folder, model_and_store(dataset)[1], *texts)
        compare_with(window, str(parameters.get("against", "")))
        describe_outcomes(str(parameters.get("outcomes", "")), window)
    for kind, name in ((ModelFactory, "model_name"), (PreprocessorFactory, "preprocessor_name")):
        if name in parameters:
            find_factory(kind, parameters[name])
    tracking.connect()
    if notebook == "02_train":
        check_labels(data)
    if notebook == "03_validate":
        tracking.find_version(data.contract.model_name, str(parameters.get("version", "challenger")))


def _log_report(run: NotebookRun) -> None:
    client = tracking.connect()
    if "run_id" in run.result:
        client.log_artifact(run.result["run_id"], str(run.html), "notebooks")
        return
    with tracking.start_run(run.result["experiment"], run.html.stem) as run_id:
        for page in (run.html, *run.result["pages"]):
            client.log_artifact(run_id, str(page), "notebooks")


def run_everything(dataset: str, texts: Mapping[str, str], folder: Path, port: int) -> None:
    """Explore, train, validate, promote, serve, send one application, stop the server; print what to do next."""
    began = time.monotonic()
    if reason := why_taken(port):
        raise LoanApprovalError(f"port {port} can't be used ({reason}), expected a free one: PORT=…")
    contract = load_contract(dataset_folder(dataset))  # an open question stops here, and not after the exploration
    _say(restore_dataset(dataset))
    check_labels(load_kept_rows(dataset)[0])
    chosen = {"dataset": dataset}
    run_step("01_explore", chosen, folder, 1800)
    trained = run_step("02_train", chosen | texts, folder, 1800)
    judged = run_step("03_validate", chosen | {"version": trained["version"]}, folder, 1800)
    if judged["verdict"] != "passed":
        reasons = "; ".join(gate["words"] for gate in judged["gates"] if not gate["passed"])
        raise PromotionError(f"{judged['name']} version {judged['version']} failed: {reasons}")
    name, store = model_and_store(dataset)
    version = promote(name, trained["version"], store)
    _say(f"promoted {name} version {version.number}")
    write_card(version, dataset, folder)
    with served(name, store, free_port() if why_taken(port) else port) as address:
        ask(address, contract.example())
    _say(f"done in {time.monotonic() - began:.0f} s")
    print(*next_steps(dataset, folder, port), sep="\n", flush=True)


def next_steps(dataset: str, folder: Path, port: int) -> list[str]:
    """Return what a run ends with: where its reports are, and how to go on."""
    port_setting = "" if port == 8000 else f" PORT={port}"
    address = f"http://127.0.0.1:{port}"
    return [
        f"Reports:            {folder / 'index.html'}",
        "MLflow's UI:        make mlflow",
        f"To keep serving:    make serve DATASET={shlex.quote(dataset)}{port_setting}",
        f"In a browser then:  {address}/app (interface: {address}/docs/)",
    ]


@contextmanager
def served(name: str, store: Store, port: int, **settings: str) -> Iterator[str]:
    """Start the server on a free port, with more environment variables; yield its address; stop it with SIGTERM."""
    environment = {"SERVE_MODEL_NAME": name, "SERVE_STORE": str(store.path), "PORT": str(port)}
    environment |= {"SERVE_HOST": "127.0.0.1", "SERVE_MODEL_ALIAS": ALIAS}
    environment |= {"SERVE_PREDICTION_LOG": str(prediction_log_folder(name)), **settings}
    _say(f"starting the server on port {port}")
    process = subprocess.Popen([sys.executable, "-m", "serve"], env=os.environ | environment, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        if not wait_until_ready(f"{address}/health/ready", process, START_LIMIT):
            if process.returncode is not None:
                raise LoanApprovalError(f"the server ended with status {process.returncode}: is {address} in use?")
            raise LoanApprovalError(f"the server at {address} is not ready after {START_LIMIT} s")
        yield address
    finally:
        process.terminate()
        process.wait(START_LIMIT)
        _say("server stopped")


def why_taken(port: int) -> str:
    """Return why no server can listen on a port, "" if one can: another's answers would be taken for our server's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as err:
            return err.strerror or str(err)
    return ""


def ask(address: str, application: Mapping[str, Any]) -> None:
    """Send one application, and print the request as curl and its answer."""
    body = json.dumps(application, separators=(",", ":"), ensure_ascii=False)
    place = address.removeprefix("http://127.0.0.1:")
    print(f"curl -X POST localhost:{place}/api/v2/predict -H 'Content-Type: application/json' -d {shlex.quote(body)}")
    request = Request(f"{address}/api/v2/predict", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=10) as answer:  # noqa: S310 (http, our own address)
        print(f"-> {answer.read().decode()}", flush=True)


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)
