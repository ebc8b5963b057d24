// Shows the decision in words, and as a bar with a legend.

import { language, percentages, text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// Fills the answer's section; returns the text for screen readers.
export function showAnswer(answer, meaning, command) {
  const shares = [answer.probability, answer.threshold, ...answer.review_band];
  const [probability, threshold, low, high] = percentages(shares);
  const prediction = answer.prediction_text[language];
  const shown = { probability, threshold, low, high, prediction };
  const hasBand = answer.review_band[0] < answer.review_band[1];
  const outcome = answer.band === "refer" ? text("outcome_refer") : prediction;
  const key = answer.band === "decline" && hasBand ? "sentence_decline_band" : `sentence_${answer.band}`;
  const sentence = text(key, { ...shown, estimate: text(`estimate_${meaning}`), limit: high });
  byId("answer").dataset.band = answer.band;
  byId("outcome").textContent = outcome;
  byId("sentence").textContent = sentence;
  byId("bar").ariaLabel = text(hasBand ? "bar_band" : "bar", shown);
  drawBar(answer);
  showList("legend", ["probability", "threshold", ...(hasBand ? ["review_band"] : [])].map((key) => text(key, shown)));
  showReasons(answer);
  byId("decision-id").textContent = answer.decision_id;
  byId("model").textContent = text("model_named", answer.model);
  byId("file").textContent = answer.model.sha256;
  byId("curl").textContent = command;
  byId("copied").textContent = "";
  return `${outcome}. ${sentence}`;
}

// Each text comes in every language, so that changing the language needs no new request.
function showReasons({ reasons, counterfactuals }) {
  const translate = ({ text: texts }) => texts[language];
  byId("reasons-title").textContent = text(reasons[0]?.effect === "for" ? "reasons_for" : "reasons_against");
  showList("reasons", reasons.map(translate));
  byId("reasons-section").hidden = reasons.length === 0;
  showList("changes", counterfactuals.map(translate));
  byId("changes-section").hidden = counterfactuals.length === 0;
}

function showList(id, lines) {
  byId(id).replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
}

function drawBar({ probability, threshold, review_band: [low, high] }) {
  const track = { y: 22, height: 12 };
  byId("bar").replaceChildren(
    shape("rect", "declined", { x: "0%", width: percent(low), ...track }),
    shape("rect", "referred", { x: percent(low), width: percent(high - low), ...track }),
    shape("rect", "approved", { x: percent(high), width: percent(1 - high), ...track }),
    shape("line", "threshold", { x1: percent(threshold), x2: percent(threshold), y1: 12, y2: 44 }),
    shape("circle", "probability", { cx: percent(probability), cy: 28, r: 9 }),
  );
}

function percent(share) {
  return `${100 * share}%`;
}

function shape(name, className, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries({ class: className, ...attributes })) element.setAttribute(key, value);
  return element;
}
