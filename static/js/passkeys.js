// Passkeys. A button with data-passkey requests options from the server (data-options), lets the device sign, and sends its
// form with the answer in the hidden field data-answer; if the last confirmation is too old, data-again asks for one and has
// the form's name filled in afterwards. Forms with data-passkeys are shown if the browser supports it.

import { _ } from "./languages.js";
import { showMissing } from "./refused.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// What PublicKeyCredential.parseCreationOptionsFromJSON and toJSON do, which browsers only have since 2025.
function parsed(options) {
  const credentials = (list) => list?.map((each) => ({ ...each, id: bytes(each.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: credentials(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: credentials(options.allowCredentials) }),
  };
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

async function run(button) {
  const form = button.form;
  const answer = await fetch(button.dataset.options, { method: "POST", headers: { accept: "application/json" } });
  if (answer.status === 403 && button.dataset.again) {
    location.replace(`${button.dataset.again}?${new URLSearchParams({ name: form.elements.name.value })}`);
    return;
  }
  if (!answer.ok) throw new Error(await answer.text());
  const publicKey = parsed(await answer.json());
  const credential = await navigator.credentials[button.dataset.passkey]({ publicKey });
  form.elements[button.dataset.answer].value = written(credential);
  form.dataset.answered = "yes";
  form.requestSubmit(button);
}

function problem(error) {
  if (error.name === "NotAllowedError") return _("Nothing was signed. It was cancelled or timed out, or this device has no passkey.");
  if (error.name === "InvalidStateError") return _("This device already has a passkey for your account.");
  return error.message || _("The passkey did not work. Try again.");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-passkey]");
  if (!button || button.form.dataset.answered) return;
  event.preventDefault();
  if (button.dataset.passkey === "create" && showMissing(button.form)) return;
  const place = button.form.querySelector("[data-passkey-problem]");
  place.hidden = true;
  button.disabled = true;
  try {
    await run(button);
  } catch (error) {
    place.textContent = problem(error);
    place.hidden = false;
  } finally {
    button.disabled = false;
  }
});

if (window.PublicKeyCredential && window.isSecureContext) {
  for (const each of document.querySelectorAll("[data-passkeys]")) each.hidden = false;
  for (const each of document.querySelectorAll("[data-passkeys-missing]")) each.hidden = true;
}
