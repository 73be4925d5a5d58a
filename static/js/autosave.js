// Drafts: what is typed into a form with a draft's fields (the macro `draft`) is kept on the server shortly after, and shown
// there again after a reload, a restart or signing in. Leaving asks only if it could not be kept. What the server may not have
// when the form is shown again, from the last moment before it went away, or in a page that was fetched before, is in the
// tab's session storage until then.

import { doubt } from "./connection.js";
import { _ } from "./languages.js";

const WAIT = 600; // ms without a change
const AGAIN = 10_000; // ms until the next try after a failure
const LONG = 1_000_000; // bytes from which a form is sent unescaped: a Japanese letter has three bytes then, not nine
const LARGEST = 60_000; // bytes that a browser sends after its page has gone
const SENDING = "draft sending"; // what is on its way to the server
const TAB = "draft tab"; // this tab's own name, so that it does not conflict with itself
const forms = new Map(); // what is known of each form: its content when last saved, and its timer

const person = document.querySelector("meta[name=person]")?.content; // a browser may have several people
const isOurs = (name) => name.startsWith("draft");
const isSecret = (field) => field?.type === "password" || /one-time-code|password/.test(field?.autocomplete ?? "");
const note = (form) => form.querySelector("[data-typed]");
const key = (form) => form.querySelector("input[name=draft]"); // the button that discards has the same name

function content(form) {
  const pairs = [...new FormData(form)].filter(
    ([name, value]) => typeof value === "string" && !isOurs(name) && !isSecret(form.elements[name]),
  );
  return new URLSearchParams(pairs).toString();
}

// What was typed while this script was still on its way was never saved. Going back, the browser fills in what was in the
// form when it was left: choices before `load`, texts after it, all before `pageshow`.
const WORDS = "textarea, input:is([type=text], [type=search], [type=url], :not([type]))";
const navigation = performance.getEntriesByType("navigation")[0];
const entered = navigation?.type;
const isBack = entered === "back_forward";
const isTyped = (field) => field.matches(WORDS) && !field.readOnly && field.value !== field.defaultValue;
const typedBefore = (form) => !isBack && [...form.elements].some((field) => !isOurs(field.name) && isTyped(field));

function known(form) {
  if (!form?.elements?.["draft-place"]) return null;
  const place = form.elements["draft-place"].value;
  const was = forms.get(form);
  if (was?.place === place) return was;
  if (!form.isConnected) return null; // replaced, with nothing left to save
  // New, or the form of another picture by now: what was typed for the last one was kept before that (`keepTyped`).
  clearTimeout(was?.timer);
  const now = !was && typedBefore(form) ? null : content(form);
  forms.set(form, { place, begun: now, saved: now, timer: 0, saving: null, failed: false, sent: false, sending: "" });
  return forms.get(form);
}

// What is typed after sending, as into a page that stays, is not on its way.
function isDirty(form, { sent, sending, saved }) {
  const now = content(form);
  return now !== saved && !(sent && now === sending);
}

function tab() {
  if (!sessionStorage.getItem(TAB)) sessionStorage.setItem(TAB, crypto.getRandomValues(new Uint32Array(3)).join("-"));
  return sessionStorage.getItem(TAB);
}

// A duplicated tab begins with a copy of the name: the one that had it keeps it.
const tabs = new BroadcastChannel("tabs");
tabs.onmessage = ({ data: { name, isTaken } }) => {
  if (name !== tab()) return;
  if (isTaken) sessionStorage.removeItem(TAB);
  else tabs.postMessage({ name, isTaken: true });
};
tabs.postMessage({ name: tab() });

function body(form) {
  const ours = ["draft-place", "draft-revision"].map((name) => [name, form.elements[name].value]);
  ours.push(["draft", key(form).value], ["draft-tab", tab()]);
  return `${new URLSearchParams(ours)}&${content(form)}`;
}

function unescaped(text) {
  const form = new FormData();
  for (const [name, value] of new URLSearchParams(text)) form.append(name, value);
  return form;
}

function tell(form, words) {
  const place = note(form);
  if (!place) return;
  place.hidden = place.querySelector("button").hidden = false;
  place.querySelector("[data-typed-words]").textContent = words;
}

async function save(form) {
  const state = known(form);
  clearTimeout(state?.timer);
  if (!state || state.saving || !isDirty(form, state)) return;
  const now = content(form);
  const sending = body(form);
  const isShown = () => known(form) === state; // not that of another picture by now
  let end;
  state.saving = new Promise((resolve) => {
    end = resolve;
  });
  try {
    const response = await fetch("/drafts", {
      method: "POST",
      body: sending.length < LONG ? new URLSearchParams(sending) : unescaped(sending),
      headers: { accept: "application/json" },
      keepalive: sending.length < LARGEST,
      signal: AbortSignal.timeout(5000),
    });
    if (response.status === 401) {
      // The server has kept this, if the session has only expired.
      state.saved = now;
      if (isShown()) tell(form, _("You were signed out. Sign in again in another tab, then send this."));
      return;
    }
    if (!response.ok) throw new Error(await response.text());
    const { key: given, revision, saved } = await response.json();
    if (!isShown()) return;
    key(form).value = given;
    form.elements["draft-revision"].value = revision;
    const place = note(form)?.querySelector("button");
    if (place) place.value = `${given} ${form.elements["draft-place"].value}`;
    state.saved = now;
    state.failed = false;
    tell(form, _("Draft saved %(time)s", { time: saved }));
  } catch {
    doubt();
    state.failed = true;
    if (isShown()) tell(form, _("This draft is not saved yet; trying again."));
  } finally {
    state.saving = null;
    end();
    if (isShown() && isDirty(form, state)) later(form, state, state.failed ? AGAIN : WAIT);
  }
}

function later(form, state, wait = WAIT) {
  clearTimeout(state.timer);
  state.timer = setTimeout(save, wait, form);
}

function forget(form, state) {
  clearTimeout(state.timer);
  forms.delete(form);
}

document.addEventListener("soroe:back", () => {
  for (const [form, { failed }] of forms) if (failed) save(form);
});

// Scripts fill in fields too, after a press or a drag.
function touched({ target }) {
  const form = target.form ?? target.closest?.("form");
  const state = known(form);
  if (state) later(form, state);
}
for (const name of ["input", "change", "click", "pointerup", "keyup"]) addEventListener(name, touched);
setInterval(() => {
  for (const [form, state] of forms) {
    if (!form.isConnected && !state.sent && !isDirty(form, state)) forget(form, state);
    else if (!state.saving && !state.failed && isDirty(form, state)) later(form, state);
  }
}, 3000);

// Discarding a draft is another form's button.
const sentBy = ({ target, submitter }) => (target.id === "discard-draft" ? submitter.closest("form") : target);

// A form is sent, or its draft discarded, after what is being saved of it, or that would come later and stay.
addEventListener("submit", (event) => {
  const { target, submitter } = event;
  const saving = known(sentBy(event))?.saving;
  if (!saving) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  saving.then(() => target.requestSubmit(submitter));
}, { capture: true });

// Sending it: the server removes the draft.
addEventListener("submit", (event) => {
  const form = sentBy(event);
  const state = known(form);
  if (!state || (event.defaultPrevented && !event.target.matches("[hx-post]"))) return;
  clearTimeout(state.timer);
  state.sent = true;
  state.sending = content(form);
  if (!form.matches("[hx-post]")) keep(SENDING, JSON.stringify([accepted(form), slot(form), state.sending]));
});

// The server may have got what this tab saved a moment before, with the form or after it: both are the same draft.
addEventListener("formdata", ({ target, formData }) => {
  if (target.elements["draft-place"]) formData.set("draft-tab", tab());
});

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const form = ctx.sourceElement.closest?.("form");
  const state = known(form);
  if (!state?.sent) return; // a request of its own, such as for an example
  state.sent = false;
  const { status } = ctx.response; // the server keeps what it refuses, and shows it in a new form
  if (status < 400 || status === 422) state.saved = state.sending;
  if (status < 400) keep(accepted(form), state.sending);
  if (status !== 422 || !isDirty(form, state)) return;
  remember(form); // what was typed since goes into that form
  state.saved = content(form);
});
// A form that was sent stays, emptied for the next text: by the answer, not by the person.
document.addEventListener("soroe:renewed", ({ target }) => {
  const state = known(target);
  if (state) state.saved = content(target);
});
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  const state = known(ctx?.sourceElement?.closest?.("form"));
  if (state) state.sent = false;
});

// Sending was stopped, or something else opened, or its answer leaves the page as it is: what is in the form is unsent.
window.navigation?.addEventListener("navigateerror", () => {
  sessionStorage.removeItem(SENDING);
  for (const [form, state] of forms) if (!form.matches("[hx-post]")) state.sent = false;
});

// Leaving

const dirty = () => [...forms].filter(([form, state]) => form.isConnected && isDirty(form, state));
const slot = (form) => `typed ${person} ${form.elements["draft-place"].value}`;
const accepted = (form) => `accepted ${person} ${form.elements["draft-place"].value}`; // what was sent from it last

function remember(form) {
  const revision = Number(form.elements["draft-revision"].value);
  keep(slot(form), JSON.stringify({ key: key(form).value, revision, content: content(form) }));
}

function keep(name, text) {
  try {
    sessionStorage.setItem(name, text);
  } catch {
    // full: the server has all but the last moment, and what was sent may become a draft
  }
}

function flush() {
  for (const [form] of dirty()) {
    remember(form);
    save(form);
  }
}

// Before a script shows something else in place of forms: what was typed into them stays, unless it was sent.
export function keepTyped() {
  for (const [form, state] of forms) if (form.isConnected && !state.sent && content(form) !== state.begun) remember(form);
  flush();
}

// What was typed into a form is sent with another one, after what is being saved of it. It stays in this tab until the
// server has accepted it.
export async function sendTyped(form) {
  const state = known(form);
  clearTimeout(state.timer);
  remember(form);
  state.sent = true;
  state.sending = content(form);
  await state.saving;
}

export const forgetTyped = (form) => sessionStorage.removeItem(slot(form));

export function keepUnsent(form) {
  known(form).sent = false;
}

addEventListener("visibilitychange", () => {
  if (document.hidden) flush();
});
addEventListener("pagehide", () => {
  flush();
  // What was sent stays here until the next page says that it was accepted.
  const [, sending] = JSON.parse(sessionStorage.getItem(SENDING) ?? "[]");
  for (const [form, { sent }] of forms) if (form.isConnected && sent && slot(form) === sending) remember(form);
});
addEventListener("beforeunload", (event) => {
  if (isUnkept() || dirty().some(([form, { failed }]) => failed || body(form).length >= LARGEST)) event.preventDefault();
});

// Text areas of forms without a draft that somebody typed into: an edited comment, say, is nowhere else until it is sent.
const PLAIN = "form[method=post] textarea";
const hasNoDraft = ({ form }) => !form.elements["draft-place"];
const typed = new Set(
  isBack ? [] : [...document.querySelectorAll(PLAIN)].filter((field) => hasNoDraft(field) && isTyped(field)),
);
const isUnkept = () => [...typed].some((field) => field.isConnected && field.value !== field.defaultValue);

addEventListener("input", ({ isTrusted, target }) => {
  if (isTrusted && target.matches(PLAIN) && hasNoDraft(target)) typed.add(target);
});
addEventListener("submit", ({ target }) => {
  for (const field of typed) if (field.form === target || !field.isConnected) typed.delete(field);
});

// Hidden fields belong to scripts, except the point of a comment.
const KEPT_IN = "textarea, select, [data-x], [data-y], input:not([type=hidden], [type=radio], [type=checkbox], [type=file])";

// The last moment, unless the server has it.
function putBack(form) {
  const kept = JSON.parse(sessionStorage.getItem(slot(form)) ?? "null");
  sessionStorage.removeItem(slot(form));
  const revision = Number(form.elements["draft-revision"].value);
  if (!kept) return;
  if (!revision) key(form).value = kept.key; // the page was faster than the draft: it is the same one
  if (key(form).value !== kept.key) return;
  if (kept.revision === revision) known(form).saved = null; // it did not get there; the browser fills in some of it itself
  let changed = false;
  for (const [name, value] of new URLSearchParams(kept.content)) {
    const field = form.elements[name];
    if (!field?.matches?.(KEPT_IN) || field.value === value) continue;
    field.value = value;
    for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    changed = true;
  }
  // Another tab has changed this draft: what was typed here becomes another one.
  if (changed && kept.revision < revision) key(form).value = form.elements["draft-revision"].value = "";
}

// After a form is shown.
export function enter() {
  for (const place of document.querySelectorAll("[data-typed]")) {
    const form = place.closest("form");
    const before = forms.get(form);
    if (!form || known(form) === before) continue;
    putBack(form);
  }
}

// The page of a refused form is the answer to a POST, which Back and Reload could only send again: from here on it has the
// address of the form, where the draft is.
function readdress() {
  const form = document.querySelector("form [data-summary]")?.closest("form");
  const place = form?.elements["draft-place"]?.value;
  if (place) history.replaceState(null, "", place);
}

// A reload shows this tab's draft, even if another tab saved one since.
function isOther(form) {
  const address = new URL(location);
  if (entered === "navigate" || address.searchParams.has("draft")) return false;
  const isMine = ({ dataset }) => dataset.tab === tab();
  const mine = [...note(form).querySelectorAll("a")].find(isMine);
  if (isMine(note(form)) || !mine) return false;
  address.searchParams.set("draft", new URL(mine.href).searchParams.get("draft"));
  location.replace(address);
  return true;
}

readdress(); // at once, so that a page left before it has loaded can be returned to as well
addEventListener("load", () => {
  for (const place of document.querySelectorAll("[data-typed]")) if (isOther(place.closest("form"))) return;
  enter();
});

// Scripts hear of what the browser has filled in as if it were typed, so that counts and choices follow it.
function isFilledIn(field) {
  if (field.matches("select")) return field.value !== ([...field.options].find((each) => each.defaultSelected) ?? field.options[0])?.value;
  if (/^(checkbox|radio)$/.test(field.type)) return field.checked !== field.defaultChecked;
  return /^(textarea|input)$/.test(field.localName) && field.type !== "file" && field.value !== field.defaultValue;
}

function announceFilledIn(form) {
  for (const field of form.elements) {
    if (isOurs(field.name) || !isFilledIn(field)) continue;
    for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
  }
}

addEventListener("pageshow", ({ persisted }) => {
  for (const [form, state] of forms) {
    if (persisted) state.sent = false; // the page itself came back
    if (!persisted && entered !== "navigate") announceFilledIn(form);
    if (!(persisted || isBack) || content(form) !== sessionStorage.getItem(accepted(form))) continue;
    clearTimeout(state.timer);
    state.begun = state.saved = content(form); // it was sent as it is
  }
});

// A form that was sent leads here: whether it was accepted is known now. Without scripts, as on the browser's own page for a
// lost connection, it is not. Shown again, a refused form has what the server made of it: what others changed since, too.
const [sentFrom, typedIn, sent] = JSON.parse(sessionStorage.getItem(SENDING) ?? "[]");
sessionStorage.removeItem(SENDING);
const isRefused =
  navigation?.responseStatus >= 400 ||
  Boolean(document.querySelector("[data-error-sentence], form [data-summary], #toasts .toast--bad"));
const isShownAgain = Boolean(document.querySelector("form:has([data-summary]) [data-typed]"));
if (sentFrom && entered === "navigate") {
  if (!isRefused) keep(sentFrom, sent);
  if (!isRefused || isShownAgain) sessionStorage.removeItem(typedIn);
}

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  enter();
  // The refused form itself stayed.
  const form = ctx.sourceElement?.closest?.("form");
  if (ctx.response?.status !== 422 || !form?.isConnected || !forms.has(form)) return;
  forgetTyped(form);
  later(form, Object.assign(known(form), { saved: null }));
});
