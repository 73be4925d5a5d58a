// Following what happens on the server: one event stream for all visible pages of a browser, in a shared worker. Without
// shared workers, each page has its own stream while it is visible. A hidden page follows only what it was told to `keep`,
// because its title shows it or someone wants to be notified, and catches up with the rest when it is shown.

import { doubt } from "./connection.js";
import { EventStream } from "./event_stream.js";

const person = document.querySelector("meta[name=person]")?.content ?? "";
const followed = new Map(); // by key: {url, hear, keep, on}
let keys = 0;

function hear(key, told) {
  const mine = followed.get(key);
  if (!mine) return;
  if (told.type === "lost") doubt();
  if (told.id) mine.url.searchParams.set("after", told.id);
  mine.hear(told);
}

class SharedStream {
  #port;

  constructor() {
    const worker = new SharedWorker(new URL("./stream_worker.js", import.meta.url), { type: "module", name: person });
    worker.onerror = fallBack;
    this.#port = worker.port;
    this.#port.onmessage = ({ data: { key, told } }) => hear(key, told);
    this.#tellWhenGone();
  }

  follow(key, url) {
    this.#port.postMessage({ key, url });
  }

  leave(key) {
    this.#port.postMessage({ key });
  }

  hurry() {
    this.#port.postMessage({ hurry: true });
  }

  // The worker waits for a lock of this page. (Browsers have locks over https and on the same computer only.)
  #tellWhenGone() {
    const lock = `page ${performance.timeOrigin} ${Math.random()}`;
    navigator.locks?.request(lock, () => {
      this.#port.postMessage({ lock });
      return new Promise(() => {}); // kept as long as the page lives
    });
  }
}

class OwnStream extends EventStream {
  follow(key, url) {
    super.follow(key, url, (told) => hear(key, told));
  }
}

let stream = "SharedWorker" in window ? new SharedStream() : new OwnStream(person);

// The browser has shared workers, but could not start this one.
function fallBack() {
  stream = new OwnStream(person);
  for (const each of followed.values()) each.on = false;
  settle();
}

// Without a shared worker, each hidden page would keep one of the few connections.
const kept = ({ keep }) => !document.hidden || (stream instanceof SharedStream && keep());

function start(key, each) {
  each.on = true;
  stream.follow(key, each.url.href);
}

function stop(key, each) {
  if (each.on) stream.leave(key);
  each.on = false;
}

// Follow what this page needs now, and nothing else.
export function settle() {
  for (const [key, each] of followed) {
    if (!kept(each)) stop(key, each);
    else if (!each.on) start(key, each);
  }
}

function rest() {
  for (const [key, each] of followed) stop(key, each);
}

document.addEventListener("visibilitychange", settle);
document.addEventListener("soroe:back", () => stream.hurry());
addEventListener("pagehide", rest);
addEventListener("pageshow", ({ persisted }) => persisted && settle());

// Hear the messages of an address of a single stream. `heard` gets {type: "message", event, data}, {type: "open"},
// {type: "lost"} or {type: "out"}. While `keep()` is true, a hidden page hears them too; call `settle` when that changes.
// Returns what ends it.
export function follow(address, heard, keep = () => false) {
  const key = ++keys;
  const url = new URL(address, location.href);
  url.searchParams.set("lang", document.documentElement.lang);
  const each = { url, hear: heard, keep, on: false };
  followed.set(key, each);
  if (kept(each)) start(key, each);
  return () => {
    stop(key, each);
    followed.delete(key);
  };
}
