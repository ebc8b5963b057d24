// Requests to the server that sent this page, and to no other.

const SECONDS = 30;
let key = ""; // here and nowhere else: it goes when the page does

export function useKey(typed) {
  key = typed.trim();
}

export function hasKey() {
  return key !== "";
}

// Returns {status, body, busy}; status 0 when no answer came. With an application it is a POST.
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

// Returns the command that sends the same application from a POSIX shell; the key is left to the shell's environment.
export function curlCommand(application) {
  const parts = [`curl -sS ${quote(new URL("api/v2/predict", document.baseURI).href)}`];
  parts.push("-H 'Content-Type: application/json'");
  if (hasKey()) parts.push('-H "Authorization: Bearer $API_KEY"');
  parts.push(`--data ${quote(JSON.stringify(application))}`);
  return parts.join(" \\\n  ");
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
