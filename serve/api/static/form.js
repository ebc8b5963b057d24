// Makes a form from a contract, one field a feature, and reads it back as the application the server expects.

import { parseNumber, showNumber, writeNumber } from "./numbers.js";
import { hasText, language, text } from "./texts.js";

// Returns the fields of a contract's features, filled with its examples; monitored ones start empty.
export function makeFields(contract) {
  return contract.feature.map((feature, number) => {
    const monitored = feature.use === "monitor";
    const optional = monitored || Boolean(feature.missing);
    const choices = listChoices(feature);
    const control = choices ? makeSelect(choices, optional) : makeInput(feature);
    const field = { feature, monitored, optional, choices, control, ...frame(feature, number, control, optional) };
    control.required = false; // the server alone judges
    control.ariaRequired = String(!optional);
    fill(field, monitored ? null : feature.example);
    return field;
  });
}

// Returns {application} or {faults}: a Map from feature name to a function that returns the text beside the field.
export function readFields(fields) {
  const entries = [];
  const faults = new Map();
  for (const field of fields) {
    const read = readField(field);
    if (read.whole) faults.set(field.feature.name, () => text("fault_ambiguous", read));
    else if (read.value !== null || !field.monitored) entries.push([field.feature.name, read.value]);
  }
  // fromEntries makes an own property of any name, __proto__ too.
  return faults.size ? { faults } : { application: Object.fromEntries(entries) };
}

function readField(field) {
  if (field.choices) return { value: chosen(field) };
  // A browser gives a date as YYYY-MM-DD in any language, and "" while it is not whole.
  if (field.feature.type === "date") return { value: field.control.value || null };
  return parseNumber(field.control.value, language);
}

function chosen(field) {
  return field.choices[field.control.selectedIndex].value;
}

// Returns the server's message on a field, in the reader's language if the kind of fault is known.
export function describeFault(feature, optional, message) {
  const kind = message.split(", expected ")[0];
  const key = `fault_${kind.replaceAll(" ", "_")}`;
  if (!hasText(key)) return message;
  const limits = feature.type === "category" ? {} : range(feature);
  const expected = text(`expected_${isCounted(feature) ? "counted" : feature.type}`, { ...limits, since: feature.since });
  return text("fault_expected", {
    fault: text(key),
    expected: optional ? text("expected_or_nothing", { expected }) : expected,
  });
}

// Shows each fault beside its field and clears the others.
export function showFaults(fields, faults) {
  for (const { feature, control, error } of fields) {
    const fault = faults.get(feature.name);
    error.textContent = fault?.() ?? "";
    error.hidden = fault === undefined;
    if (fault === undefined) control.removeAttribute("aria-invalid");
    else control.ariaInvalid = "true";
  }
}

// Copies the values of one form to the next form's fields of the same name and kind.
export function carryOver(before, after) {
  const typed = new Map(before.map((field) => [field.feature.name, field]));
  for (const field of after) {
    const old = typed.get(field.feature.name);
    if (!old || Boolean(old.choices) !== Boolean(field.choices)) continue;
    if (field.choices) fill(field, chosen(old));
    else field.control.value = old.control.value;
  }
}

function label(feature) {
  return feature.reason?.[language] ?? feature.name.replaceAll("_", " ");
}

function listChoices(feature) {
  if (feature.type === "category") return feature.values.map((value) => ({ value, shown: value }));
  if (feature.type !== "integer" || !feature.unit) return null;
  // A unit such as "0 = no, 1 = yes" that names every whole number allowed is a list of choices.
  const named = feature.unit.split(", ").map((shown) => ({ value: parseInt(shown, 10), shown }));
  if (named.length !== feature.max - feature.min + 1) return null;
  return named.every(({ value, shown }, at) => value === feature.min + at && shown.includes(" = ")) ? named : null;
}

function makeSelect(choices, optional) {
  if (optional) choices.unshift({ value: null, shown: text("not_given") });
  const select = document.createElement("select");
  select.append(...choices.map(({ shown }) => make("option", { textContent: shown })));
  return select;
}

function makeInput(feature) {
  if (isCounted(feature)) return make("input", { type: "date" });
  if (feature.type === "date") return make("input", { type: "date", min: feature.range[0], max: feature.range[1] });
  const inputMode = feature.min < 0 ? "text" : feature.type === "integer" ? "numeric" : "decimal"; // phones: no minus
  return make("input", { type: "text", inputMode, autocomplete: "off", spellcheck: false });
}

function fill(field, value) {
  const write = field.feature.type === "date" ? String : (number) => writeNumber(number, language);
  if (!field.choices) field.control.value = value === null ? "" : write(value);
  else field.control.selectedIndex = Math.max(0, field.choices.findIndex((choice) => choice.value === value));
}

function frame(feature, number, control, optional) {
  const id = `field-${number}`;
  const error = make("p", { id: `${id}-error`, className: "error", hidden: true });
  const hint = make("p", { id: `${id}-hint`, className: "hint", textContent: describe(feature, control, optional) });
  Object.assign(control, { id, name: id });
  control.setAttribute("aria-describedby", `${error.id} ${hint.id}`);
  const element = make("div", { className: "field" });
  element.append(make("label", { htmlFor: id, textContent: label(feature) }), control, hint, error);
  return { element, error };
}

function describe(feature, control, optional) {
  const parts = [];
  if (control.localName === "input" && !isCounted(feature)) parts.push(`${text("range", range(feature))} ${feature.unit ?? ""}`.trim());
  else if (feature.type === "category" && feature.unit) parts.push(feature.unit);
  if (optional) parts.push(text("optional"));
  return parts.join(" · ");
}

// Whether the days of a date are counted from another field's date, so that its limits are days and not dates.
function isCounted(feature) {
  return feature.type === "date" && !feature.range;
}

function range({ min, max, range: dates }) {
  if (dates) return { low: dates[0], high: dates[1] };
  return { low: showNumber(min, language), high: showNumber(max, language) };
}

function make(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
