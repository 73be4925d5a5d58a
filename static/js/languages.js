// Say a message in the language of the page: _("Choose at most %(number)s pictures.", { number }). The server sends the
// catalogue as a script before this one (app/web/languages.py), for English none. A message has named parameters,
// %(name)s; a percent sign is written twice.

const { plural, messages } = globalThis.soroeMessages ?? { messages: {} };

const english = document.documentElement.lang === "en";
const fill = (text, named) => text.replace(/%%|%\((\w+)\)s/g, (_all, name) => (name ? named[name] : "%"));

// A number as the language writes it: "1 631", in Japanese "1,631".
export const thin = (number) =>
  english ? String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f") : number.toLocaleString(document.documentElement.lang);

export const _ = (message, named = {}) => fill(messages[message] ?? message, named);

// ngettext("%(number)s picture", "%(number)s pictures", count); `number` is the count as the language writes it.
export function ngettext(one, many, number, named = {}) {
  const forms = messages[one];
  const said = forms ? forms[plural(number)] : number === 1 ? one : many;
  return fill(said, { number: thin(number), ...named });
}
