// The report, and what several parts of the page need to know of its candidates.

// With the keys of src/lab/report/keys.hpp alone. To read another one is an error and not undefined.
function withKeys(value, keys, place) {
  if (Array.isArray(value)) return value.map((v, i) => withKeys(v, keys, `${place}[${i}]`));
  if (keys === null || value === null || typeof value !== "object") return value;
  const known = {};
  for (const key of Object.keys(keys)) if (Object.hasOwn(value, key)) known[key] = withKeys(value[key], keys[key], `${place}.${key}`);
  return new Proxy(known, {get(object, key) {
    if (typeof key === "string" && !(key in object) && !Object.hasOwn(keys, key)) throw new Error(`${place}.${key}: no key of report.json`);
    return object[key];
  }});
}
const jsonOf = id => JSON.parse(document.getElementById(id).textContent);
const report = withKeys(jsonOf("report"), jsonOf("keys"), "report");

// With several lengths a candidate is called KIND@LENGTH: lines are of kinds, and a chart shows one length.
const lengthOf = c => c.length ?? (typeof report.settings.length === "number" ? report.settings.length : undefined);
const lengths = [...new Set(report.candidates.map(lengthOf).filter(length => length > 0))].sort((a, b) => a - b);
const several = lengths.length > 1;
const kindOf = c => several && c.name.endsWith(`@${c.length}`) ? c.name.slice(0, -`@${c.length}`.length) : c.name;
const kinds = [...new Set(report.candidates.map(kindOf))];

// The best, overall or of its length; it has no distance to another one.
function isFirst(c) {
  if (several) return (report.by_length ?? []).some(row => row.length === c.length && row.best === c.name);
  return c.bits_per_byte !== undefined && !c.difference && !c.unfinished;
}

// Finished, and not to be told from the best, overall or of its length.
function withinDoubt(c) {
  if (c.unfinished) return false;
  if (several) return (report.by_length ?? []).some(row => row.length === c.length && row.within_doubt.includes(c.name));
  return c.difference?.doubt !== undefined && c.difference.bits_per_byte <= c.difference.doubt;
}

const candidates = report.candidates.map(c =>
  Object.assign(Object.create(c), {length: lengthOf(c), kind: kindOf(c), look: look(kinds.indexOf(kindOf(c))),
    first: isFirst(c), level: withinDoubt(c)}));
const judged = candidates.filter(c => c.bits_per_byte !== undefined);
// With more seeds than others, the best may have a larger mean than one of them; it has no distance to another.
const ahead = judged.filter(c => !c.difference);
const best = judged.length ? least(ahead.length ? ahead : judged, c => c.bits_per_byte) : null;
const ofKinds = kinds.map(kind => candidates.filter(c => c.kind === kind));  // each by length

// The candidates that one chart shows.
const together = [{list: candidates}];
const byLength = several ? lengths.map(length => ({length, list: candidates.filter(c => c.length === length)})) : [{length: lengths[0], list: candidates}];

// Lines across the charts: of each family of baselines (its first word), frozen or learning, the best.
const references = Object.values(report.baselines.reduce((kept, b) => {
  const learns = b.learns === true, family = b.name.split(" ")[0] + (learns ? ", learning" : "");
  if (!Object.hasOwn(kept, family) || b.bits_per_byte < kept[family].y) kept[family] = {name: b.name.replace(/, learning$/, ""), y: b.bits_per_byte, learns};
  return kept;
}, Object.create(null)));
const labelled = (reference, more = "") => ({...reference, label: reference.name + (reference.learns ? ", learning" : "") + more});

const errorOf = c => c.difference && Math.hypot(c.difference.standard_error, c.difference.seed_error ?? 0);
