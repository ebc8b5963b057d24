// The page: loads the model's contract, sends the form, shows the answer. Values reach the page as text, never as HTML.

import { showAnswer } from "./answer.js";
import { carryOver, describeFault, makeFields, readFields, showFaults } from "./form.js";
import { ask, curlCommand, useKey } from "./server.js";
import { language, loadTexts, setLanguage, text } from "./texts.js";

const byId = (id) => document.getElementById(id);
const page = {
  model: null, // of /api/v2/model
  fields: [],
  answer: null, // of /api/v2/decision
  sent: null, // the application that was decided
  faults: new Map(), // by feature name: a function that returns the text in the reader's language
  message: null, // likewise, shown above the form
  pending: false,
  edited: false, // whether the form was changed since then
};

async function loadModel() {
  const reply = await ask("api/v2/model");
  if (reply.status !== 200) return showFailure(reply);
  page.model = reply.body;
  buildForm();
  showMessage(null);
}

function buildForm({ fresh = false } = {}) {
  const fields = makeFields(page.model.contract);
  if (!fresh) carryOver(page.fields, fields);
  page.fields = fields;
  for (const [id, monitored] of [["scored", false], ["monitored", true]]) {
    byId(id).replaceChildren(...fields.filter((field) => field.monitored === monitored).map(({ element }) => element));
  }
  byId("monitored-section").hidden = !fields.some((field) => field.monitored);
  byId("application").hidden = false;
  byId("kept").textContent = text(page.model.decisions_logged ? "kept" : "not_kept");
  byId("meaning").textContent = text(`meaning_${page.model.contract.target.meaning}`);
}

async function decide() {
  if (page.pending) return;
  const { application, faults } = readFields(page.fields);
  if (faults) return refuse(faults);
  Object.assign(page, { pending: true, edited: false });
  showMessage(null);
  byId("announcement").textContent = text("deciding");
  byId("application").ariaBusy = "true";
  const reply = await ask("api/v2/decision?texts=all", application);
  page.pending = false;
  byId("application").ariaBusy = "false";
  byId("announcement").textContent = "";
  if (reply.status === 200) return accept(reply.body, application);
  page.answer = null;
  render();
  if (reply.status === 422 && reply.body.fields) return explain(reply.body.fields);
  showFailure(reply);
}

async function accept(answer, application) {
  if (answer.model.sha256 !== page.model.sha256) await loadModel(); // another model was promoted: show its form next
  Object.assign(page, { answer, sent: application, faults: new Map(), message: null });
  render();
  byId("stale").hidden = !page.edited;
  byId("outcome").focus();
}

// Shows the server's faults beside their fields; if the model has changed, shows the new model's form instead.
async function explain(messages) {
  const reply = await ask("api/v2/model");
  if (reply.status === 200 && reply.body.sha256 !== page.model.sha256) {
    page.model = reply.body;
    page.faults = new Map();
    buildForm();
    return showMessage(() => text("changed"));
  }
  refuse(new Map(Object.entries(messages).map(([name, message]) => [name, () => translate(name, message)])));
}

function translate(name, message) {
  const field = page.fields.find(({ feature }) => feature.name === name);
  return field ? describeFault(field.feature, field.optional, message) : message;
}

function refuse(faults) {
  Object.assign(page, { faults, answer: null });
  showMessage(() => text("look", { count: faults.size }));
  render();
  const first = page.fields.find(({ feature }) => faults.has(feature.name));
  if (first?.monitored) byId("monitored-section").open = true;
  first?.control.focus();
}

function showFailure({ status, body, busy }) {
  if (status === 401) {
    byId("key-form").hidden = false;
    byId("key").focus();
    return showMessage(() => text("key_wrong"));
  }
  const retry = page.model ? () => byId("application").requestSubmit() : loadModel;
  if (status === 0) return showMessage(() => text("unreachable"), retry);
  if (status === 429 || (status === 503 && busy)) return showMessage(() => text("busy"), retry);
  if (status === 503) return showMessage(() => text("no_model"), retry);
  showMessage(() => text("failed", { status, error: body.error ?? "" }), retry);
}

function showMessage(message, retry = null) {
  page.message = message;
  byId("again").hidden = retry === null;
  byId("again").onclick = retry;
  renderMessage();
}

function renderMessage() {
  byId("message").hidden = page.message === null;
  byId("message-text").textContent = page.message?.() ?? "";
}

function render() {
  showFaults(page.fields, page.faults);
  renderMessage();
  byId("answer").hidden = page.answer === null;
  if (!page.answer) return;
  const meaning = page.model.contract.target.meaning;
  byId("announcement").textContent = showAnswer(page.answer, meaning, curlCommand(page.sent));
}

function changeLanguage(chosen) {
  setLanguage(chosen);
  history.replaceState(null, "", `?lang=${language}`);
  if (page.model) buildForm();
  render();
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(byId("curl").textContent);
    byId("copied").textContent = text("copied");
  } catch {
    getSelection().selectAllChildren(byId("curl")); // without https a browser may refuse the clipboard
    byId("copied").textContent = text("selected");
  }
}

function reset() {
  Object.assign(page, { answer: null, faults: new Map(), message: null });
  buildForm({ fresh: true });
  render();
}

function listen() {
  byId("languages").addEventListener("click", ({ target }) => {
    if (target.dataset.language) changeLanguage(target.dataset.language);
  });
  byId("application").addEventListener("submit", (event) => {
    event.preventDefault();
    decide();
  });
  byId("application").addEventListener("input", () => {
    page.edited = true;
    byId("stale").hidden = false;
  });
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(byId("key").value);
    if (page.model) decide();
    else loadModel();
  });
  byId("reset").addEventListener("click", reset);
  byId("copy").addEventListener("click", copyCommand);
}

listen();
try {
  await loadTexts();
  await loadModel();
} catch {
  byId("intro").textContent = "This page could not be loaded. Não foi possível carregar esta página.";
}
