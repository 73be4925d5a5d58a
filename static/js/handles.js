// How prompts name subjects, @mug or @マグカップ; app/prompts/handles.py states the rule and says it to the server.

const LETTER = "[a-z0-9々-〇ぁ-ゖゝゞァ-ヺー-ヾ\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}]";
const RUN = new RegExp(`(?<![A-Za-z0-9_@])@(${LETTER}(?:(?:${LETTER}|-)*${LETTER})?)`, "gu");
const UNIT = /[a-z0-9-]+|[ァ-ヺ][ァ-ヺー-ヾ]*|.[々ゝゞー-ヾ]*/gu; // what is never cut

// Of `known` handles, those that a text names: at each @, the longest.
export function named(text, known) {
  const found = new Set();
  for (const [, run] of text.normalize("NFKC").toLowerCase().matchAll(RUN)) {
    const ends = [...run.matchAll(UNIT)].map((unit) => unit.index + unit[0].length);
    const handle = ends.map((end) => run.slice(0, end)).findLast((start) => known.has(start));
    if (handle) found.add(handle);
  }
  return found;
}
