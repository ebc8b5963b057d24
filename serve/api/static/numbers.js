// Reads and writes numbers as people type them, in either language. If a number is ambiguous, the page asks.

const NUMBER = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i;
const GROUPED = /^[+-]?\d{1,3}(\s\d{3})+([.,]\d*)?$/;
const TWO_WAYS = /^([+-]?[1-9]\d{0,2})[.,](\d{3})$/; // 85.000 is 85 to some and eighty-five thousand to others

// Returns {value}: null for an empty text, a number, or the text itself if it is no number (the server refuses it);
// or {whole, part}: both spellings of a number that can be read in two ways.
export function parseNumber(typed, language) {
  let text = typed.trim().replace("−", "-");
  if (text === "") return { value: null };
  const twoWays = TWO_WAYS.exec(text);
  if (twoWays) return { whole: twoWays[1] + twoWays[2], part: writeNumber(Number(text.replace(",", ".")), language) };
  if (GROUPED.test(text)) text = text.replace(/\s/g, "");
  const number = NUMBER.test(text) ? Number(text.replace(",", ".")) : NaN;
  // JSON would turn an infinity into null, a missing value.
  return { value: Number.isFinite(number) ? number : typed };
}

// Returns a number as text that parseNumber reads back.
export function writeNumber(number, language) {
  const text = withComma(String(number), language);
  return TWO_WAYS.test(text) ? `${text}0` : text;
}

// Returns a number with thin spaces between thousands, which are the same in every language.
export function showNumber(number, language) {
  const [whole, part] = String(number).split(".");
  const grouped = /^-?\d{5,}$/.test(whole) ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return withComma(part === undefined ? grouped : `${grouped}.${part}`, language);
}

function withComma(text, language) {
  return language === "pt" ? text.replace(".", ",") : text;
}
