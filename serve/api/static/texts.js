// The page's texts in the reader's language: that of ?lang=, else the browser's first known one, else English.

const LOCALES = { en: "en", pt: "pt-BR" };
let texts = {};
export let language = "en";

export async function loadTexts() {
  const response = await fetch("app/texts.json");
  texts = await response.json();
  const asked = [new URLSearchParams(location.search).get("lang") ?? "", ...navigator.languages];
  setLanguage(asked.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => Object.hasOwn(texts, tag)) ?? "en");
}

export function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = LOCALES[language];
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = text(element.dataset.label);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.ariaPressed = String(button.dataset.language === language);
  }
}

// Returns the contract's words for one of its texts in the reader's language, else in English, else the text itself.
export function say(words, given) {
  const known = [language, "en"].map((each) => words?.[each]).find((each) => each && Object.hasOwn(each, given));
  return known ? known[given] : given;
}

export function hasText(key) {
  return Object.hasOwn(texts[language], key);
}

// Returns a text with its {names} filled in.
export function text(key, values = {}) {
  return texts[language][key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// Returns shares as percentages with enough digits to tell different ones apart: 54.996 % is not 55 %.
export function percentages(shares) {
  const different = new Set([...shares, 0, 1]).size;
  for (let digits = 1; ; digits++) {
    const format = new Intl.NumberFormat(LOCALES[language], { style: "percent", maximumFractionDigits: digits });
    const shown = shares.map((share) => format.format(share));
    const all = new Set([...shown, format.format(0), format.format(1)]);
    if (all.size === different || digits === 15) return shown;
  }
}
