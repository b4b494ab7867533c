// Talks to the server: the credential, problems, streams. It keeps no state of licenses.

const KEPT = "license-credential";

/** An answer that is a problem of the API, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export const credential = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (text) => text ? sessionStorage.setItem(KEPT, text) : sessionStorage.removeItem(KEPT),
};

/** By how much the server's clock is ahead of this one, in milliseconds; ages are counted by the server's. */
let ahead = 0;
export const serverNow = () => Date.now() + ahead;

/** Path of one license. */
export const pathOf = (license) => `v1/licenses/${encodeURIComponent(license)}`;

/** One JSON value. */
export async function get(path, signal) {
  return (await request(path, { signal })).json();
}

/** Ends one retention, whoever holds it; `secret` stands in for the credential that is kept. */
export async function revoke(license, token, note, secret) {
  const query = note ? `?note=${encodeURIComponent(note)}` : "";
  const answer = await request(`${pathOf(license)}/retentions/${token}${query}`, { method: "DELETE", secret });
  return answer.json();
}

/** The values of a stream of lines, as they come. */
export async function* lines(path, signal) {
  const answer = await request(path, { signal, accept: "application/x-ndjson" });
  for await (const line of split(answer)) if (line) yield JSON.parse(line);
}

/** The events of a stream after this sequence, or from now on: `{kind, data}`. It ends when nothing was heard for `silence`. */
export async function* events(path, after, signal, silence = 45_000) {
  const quiet = new AbortController();
  const stop = () => quiet.abort();
  signal.addEventListener("abort", stop, { once: true });
  let timer = setTimeout(stop, silence);
  try {
    const headers = after === undefined ? {} : { "Last-Event-ID": String(after) };
    const answer = await request(path, { signal: quiet.signal, accept: "text/event-stream", headers });
    yield { kind: "open" };
    let kind = "";
    let data = [];
    for await (const line of split(answer)) {
      clearTimeout(timer);
      timer = setTimeout(stop, silence);
      if (line.startsWith("event:")) kind = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      else if (line === "") {
        if (data.length || kind) yield { kind: kind || "message", data: data.join("\n") };
        kind = "";
        data = [];
      }
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    quiet.abort();
  }
}

async function request(path, { method = "GET", accept = "application/json", headers = {}, signal, secret } = {}) {
  const key = secret || credential.get();
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(path, { method, signal, cache: "no-store", redirect: "error", headers: { Accept: accept, ...headers } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "The server does not answer.");
  }
  const date = Date.parse(answer.headers.get("Date") ?? "");
  // The header has whole seconds: only a difference that it can show counts.
  if (date) ahead = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, problem.code ?? "", problem.detail ?? `The server answered ${answer.status}.`);
}

/** The lines of an answer, without their ends; the last one only if it is ended. */
async function* split(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split(/\r?\n/);
      rest = parts.pop();
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
