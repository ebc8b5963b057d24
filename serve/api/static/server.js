// Sends requests to the server of this page only.

const SECONDS = 30;
let key = ""; // in memory only: it is gone when the page is

export function useKey(typed) {
  key = typed.trim();
}

// Returns {status, body, busy}; status is 0 without an answer. Sends a POST if there is an application.
export async function ask(path, application) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const options = { headers, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(SECONDS * 1000) };
  if (application !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(application) });
  }
  try {
    const response = await fetch(path, options);
    const body = await response.json();
    return { status: response.status, body, busy: response.headers.has("Retry-After") };
  } catch {
    return { status: 0, body: {}, busy: false };
  }
}

// Returns the shell command that sends the same application; the key comes from the shell's environment.
export function curlCommand(application) {
  const parts = [`curl -sS ${quote(new URL("api/v2/predict", document.baseURI).href)}`];
  parts.push("-H 'Content-Type: application/json'");
  if (key) parts.push('-H "Authorization: Bearer $API_KEY"');
  parts.push(`--data ${quote(JSON.stringify(application))}`);
  return parts.join(" \\\n  ");
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
