// The shared worker of a person's pages: one event stream for all of them, because a browser opens only six connections to
// a server. Its name is the person's id.

import { EventStream } from "./event_stream.js";

const stream = new EventStream(self.name);
let pages = 0;

addEventListener("connect", ({ ports: [port] }) => {
  const page = ++pages;
  const keys = new Set();
  const leave = (key) => {
    keys.delete(key);
    stream.leave(`${page} ${key}`);
  };
  port.onmessage = ({ data: { key, url, lock, hurry } }) => {
    if (hurry) stream.hurry();
    else if (lock) navigator.locks.request(lock, () => [...keys].forEach(leave)); // free when the page is gone, even by a crash
    else if (url) {
      keys.add(key);
      stream.follow(`${page} ${key}`, url, (told) => port.postMessage({ key, told }));
    } else leave(key);
  };
});
