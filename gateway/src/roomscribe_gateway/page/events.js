// Server-sent events over fetch: EventSource cannot send the Authorization header. Resumes by the last id.

export class Refused extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "refused");
    this.status = problem.status;
  }
}

export async function call(key, path) {
  const response = await fetch(path, { headers: { Authorization: `Bearer ${key}` } });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Refused({ status: response.status, ...problem });
}

/** Calls `on.event(name, data)` for each event until `end`; `on.state(text)` tells how it stands. */
export async function follow(key, path, on) {
  let lastId = null;
  for (let tries = 0; ; tries += 1) {
    try {
      const url = lastId ? `${path}?last_event_id=${encodeURIComponent(lastId)}` : path;
      const response = await call(key, url);
      on.state("Connected");
      for await (const event of frames(response.body)) {
        tries = 0;
        if (event.id) lastId = event.id;
        if (event.name === "end") {
          on.state("");
          return;
        }
        if (event.name) on.event(event.name, JSON.parse(event.data));
      }
    } catch (error) {
      // What the server refuses, it will refuse again; all else passes.
      if (error instanceof Refused && error.status < 500) throw error;
    }
    on.state("Reconnecting…");
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 10000)));
  }
}

// A connection that is silent for longer than two keep-alives is dead, whatever TCP believes.
const SILENCE_MS = 25000;

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), SILENCE_MS);
      if (done) return;
      rest += value;
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) yield parsed(block);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function within(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("silent")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function parsed(block) {
  const event = { id: null, name: "", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    const field = line.slice(0, at);
    const value = line.slice(at + 2);
    if (field === "id") event.id = value;
    if (field === "event") event.name = value;
    if (field === "data") event.data = value;
  }
  return event;
}
