// Numbers as people type them, in either language. Where two readers could differ, the page asks.

const NUMBER = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i;
const GROUPED = /^[+-]?\d{1,3}(\s\d{3})+([.,]\d*)?$/;
const TWO_WAYS = /^([+-]?[1-9]\d{0,2})[.,](\d{3})$/; // 85.000 is 85 to some and eighty-five thousand to others

// Returns {value}: null for nothing, a number, or the text itself when it is none (the server says so);
// or {whole, part}: the two ways to write what can be read in two ways.
export function parseNumber(typed, language) {
  let text = typed.trim().replace("−", "-");
  if (text === "") return { value: null };
  const twoWays = TWO_WAYS.exec(text);
  if (twoWays) return { whole: twoWays[1] + twoWays[2], part: writeNumber(Number(text.replace(",", ".")), language) };
  if (GROUPED.test(text)) text = text.replace(/\s/g, "");
  const number = NUMBER.test(text) ? Number(text.replace(",", ".")) : NaN;
  // An infinity would become null in JSON, and so a value that is missing.
  return { value: Number.isFinite(number) ? number : typed };
}

// Returns a number as text that parseNumber reads back.
export function writeNumber(number, language) {
  const text = withComma(String(number), language);
  return TWO_WAYS.test(text) ? `${text}0` : text;
}

// Returns a number for reading, thousands apart by thin spaces: those are the same in every language.
export function showNumber(number, language) {
  const [whole, part] = String(number).split(".");
  const grouped = /^-?\d{5,}$/.test(whole) ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return withComma(part === undefined ? grouped : `${grouped}.${part}`, language);
}

function withComma(text, language) {
  return language === "pt" ? text.replace(".", ",") : text;
}
