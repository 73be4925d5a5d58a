// A connection to /events, which follows several addresses of single streams at once. Runs in the worker that all pages of
// a browser share, and in a page where there is none.

const TOGETHER = 30; // ms: what a page starts and stops at once is one change
const FIRST = 500; // ms until a lost connection is tried again; doubled each time
const LONGEST = 8000;
const SILENT = 60000; // ms; the server sends something every 15 seconds

// The messages of a response: {event, id, data}.
async function* messages(response, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    heard();
    const blocks = (rest + part.value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const message = { event: "message", id: "", data: "" };
      const lines = [];
      for (const line of block.split("\n")) {
        const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
        if (name === "data") lines.push(value);
        else if (name in message) message[name] = value;
      }
      message.data = lines.join("\n");
      if (message.id || lines.length) yield message;
    }
  }
}

export class EventStream {
  #person;
  #followed = new Map(); // by key: {url, hear}
  #changing = 0;
  #stop = new AbortController();
  #hurry = () => {}; // ends the present pause

  // `person`: the id of the person signed in on these pages.
  constructor(person) {
    this.#person = person;
  }

  // `hear` gets {type: "message", event, id, data}, {type: "open"} or {type: "lost"}; and {type: "out"} when the person is
  // no longer signed in.
  follow(key, url, hear) {
    this.#followed.set(key, { url: new URL(url), hear });
    this.#change();
  }

  leave(key) {
    if (this.#followed.delete(key)) this.#change();
  }

  // Try a lost connection again at once.
  hurry() {
    this.#hurry();
  }

  #pause(ms) {
    return new Promise((resolve) => {
      this.#hurry = resolve;
      setTimeout(resolve, ms);
    });
  }

  #change() {
    clearTimeout(this.#changing);
    this.#changing = setTimeout(() => {
      this.#stop.abort();
      this.#stop = new AbortController();
      this.#run(this.#stop);
    }, TOGETHER);
  }

  #tell(type) {
    for (const { hear } of [...this.#followed.values()]) hear({ type });
  }

  async #run(stop) {
    for (let wait = FIRST; this.#followed.size && !stop.signal.aborted; wait = Math.min(2 * wait, LONGEST)) {
      try {
        if (await this.#connect(stop)) wait = FIRST;
        else return;
      } catch {
        if (!stop.signal.aborted) this.#tell("lost");
      }
      if (!stop.signal.aborted) await this.#pause(wait * (0.7 + 0.6 * Math.random()));
    }
  }

  // Until the connection ends; false if it must not be tried again.
  async #connect(stop) {
    const keys = [...this.#followed.keys()];
    const query = new URLSearchParams({ for: this.#person });
    for (const key of keys) {
      const { url } = this.#followed.get(key);
      query.append("of", url.pathname + url.search);
    }
    const connection = new AbortController();
    const end = () => connection.abort();
    stop.signal.addEventListener("abort", end);
    let silent = setTimeout(end, SILENT);
    const heard = () => {
      clearTimeout(silent);
      silent = setTimeout(end, SILENT);
    };
    try {
      const response = await fetch(`/events?${query}`, {
        headers: { Accept: "text/event-stream" },
        cache: "no-store",
        signal: connection.signal,
      });
      if (response.status === 401) {
        this.#tell("out");
        return false;
      }
      if (!response.ok) throw new Error(`${response.status}`);
      this.#tell("open");
      for await (const message of messages(response, heard)) this.#hear(keys, message);
      return true;
    } finally {
      clearTimeout(silent);
      stop.signal.removeEventListener("abort", end);
      end();
    }
  }

  #hear(keys, { event, id, data }) {
    const [, place, own] = id.match(/^(\d+):(.*)$/) ?? [];
    const followed = this.#followed.get(keys[place]);
    if (!followed) return;
    if (event === "gone") this.#followed.delete(keys[place]);
    if (own) followed.url.searchParams.set("after", own);
    followed.hear({ type: "message", event, id: own, data });
  }
}
