// The page: from the report's object to headings, tables and figures, from top to bottom.

const report = JSON.parse(document.getElementById("report").textContent);
const shownContext = 16384;
const candidates = report.candidates.map((candidate, i) => ({...candidate, look: look(i)}));
const judged = candidates.filter(c => c.bits_per_byte !== undefined);
const best = judged.length ? least(judged, c => c.bits_per_byte) : null;

// Lines across the charts of frozen models: of each family of frozen baselines (its first word) the best.
const references = Object.values(report.baselines.filter(b => !b.learns).reduce((kept, b) => {
  const family = b.name.split(" ")[0];
  if (!Object.hasOwn(kept, family) || b.bits_per_byte < kept[family].y) kept[family] = {name: b.name, y: b.bits_per_byte};
  return kept;
}, Object.create(null)));

const contextOf = c => (c.contexts ?? []).find(row => row.context === shownContext);
const errorOf = c => c.difference && Math.hypot(c.difference.standard_error, c.difference.seed_error ?? 0);
const positive = points => points.filter(p => p.x > 0 && p.y > 0);
const seriesOf = (list, points) => candidates.filter(c => c[list] && c[list].length)
  .map(c => ({name: c.name, look: c.look, points: points(c[list]), heldOut: c.bits_per_byte})).filter(s => s.points.length);

function header() {
  const {data, recommendation} = report, winner = recommendation.winner;
  const [first, ...rest] = recommendation.sentences;
  const verdict = element("p", {class: "verdict"});
  const cut = winner && first ? first.indexOf(winner) : -1;
  if (cut < 0) verdict.append(...prose(first ?? "There is no recommendation yet."));
  else verdict.append(...prose(first.slice(0, cut)), element("strong", {}, winner), ...prose(first.slice(cut + winner.length)));
  const documents = data.documents > 1 ? ` in ${whole(data.documents)} documents` : "";
  return element("header", {},
    element("p", {class: "kind"}, "Statera: which model fits these data"), element("h1", {}, data.name),
    element("p", {class: "about"}, `${bytes(data.bytes)}${documents}: ${bytes(data.train_bytes)} to train on, ${bytes(data.validation_bytes)} to validate, ` +
      `${bytes(data.held_out_bytes)} held out`),
    report.complete ? null : element("p", {class: "banner", role: "alert"}, element("strong", {}, "Not complete. "),
      "The comparison was stopped before all candidates were done; what follows is what there is. The same command goes on."),
    element("section", {class: "recommendation", "aria-label": "recommendation"}, verdict, ...rest.map(s => element("p", {}, ...prose(s)))));
}

function candidateRow(c) {
  const context = contextOf(c), dash = "–", rate = key => c.speed?.[key] === undefined ? dash : count(c.speed[key]);
  const name = element("span", {class: "name"}, swatch(c.look), c.name);
  if (c.name === report.recommendation.winner) name.append(element("span", {class: "tag"}, "recommended"));
  const error = errorOf(c);
  const behind = c.bits_per_byte === undefined ? dash : c.difference ? plusMinus(c.difference.bits_per_byte, error) : "best";
  const learning = c.learning_bits_per_byte === undefined ? dash : bits(c.learning_bits_per_byte);
  return [name, c.bits_per_byte === undefined ? c.status : bits(c.bits_per_byte), behind, learning, count(c.parameters), rate("train_bytes_per_second"),
    rate("prefill_bytes_per_second"), context ? micros(context.step_seconds) : dash, context ? bytes(context.state_bytes) : dash,
    c.memory?.train_bytes === undefined ? dash : bytes(c.memory.train_bytes)];
}

function results() {
  const heads = ["", "bits per byte", "behind the best", "if it learns on", "parameters", "training, B/s", "prefill, B/s", "step at 16,384", "state at 16,384",
    "training memory"];
  const rows = candidates.map(candidateRow);
  const base = report.baselines.map(b => [element("span", {class: "name"}, b.learned ? `${b.name} (${b.learned})` : b.name),
    ...(b.learns ? ["", "", bits(b.bits_per_byte)] : [bits(b.bits_per_byte), best ? bits(b.bits_per_byte - best.bits_per_byte) : "–"])]);
  const made = table(heads, [...rows, ...base], {class: "results"});
  made.querySelectorAll("tbody tr").forEach((row, i) => row.classList.add(i < rows.length ? "candidate" : "baseline"));
  candidates.forEach((c, i) => made.querySelectorAll("tbody tr")[i].classList.toggle("winner", c.name === report.recommendation.winner));
  const failed = candidates.filter(c => c.error).map(c => element("p", {class: "failed"}, `${c.name} failed: ${c.error}`));
  return element("section", {}, element("h2", {}, "Result"), element("div", {class: "scroll"}, made),
    element("p", {class: "small"}, "Bits per byte on held-out data: less is better. ± is one standard error of the difference. " +
      "If it learns on: what the same bytes cost a model or a compressor that learns from each as soon as it has read it. " +
      "Step and state are those at 16,384 bytes of context. A dash: not measured."), ...failed,
    element("dl", {class: "terms"}, element("dt", {}, "Held equal"), element("dd", {}, report.terms.equal),
      element("dt", {}, "Not held equal"), element("dd", {}, report.terms.not_equal)),
    report.notes?.length ? element("div", {class: "notes"}, element("h3", {}, "To be careful about"),
      element("ul", {}, ...report.notes.map(n => element("li", {}, ...prose(n))))) : null);
}

// The references that stand near enough to the figures not to squeeze them; the others are named below the chart.
function near(values, all) {
  const low = Math.min(...values), high = Math.max(...values), room = 5 * Math.max(high - low, 0.05);
  const shown = all.filter(r => r.y <= high + room && r.y >= low - room);
  return {shown, left: all.filter(r => !shown.includes(r))};
}
const leftOut = left => left.length ? [`Outside of the chart: ${listed(left.map(r => `${r.name} at ${bits(r.y)}`))}`] : [];

const short = value => String(Number(value.toFixed(3))).replace("-", "−");
const distinct = (series, key) => [...new Set(series.flatMap(s => s.points.map(p => p[key])))].sort((a, b) => a - b);

const reach = series => series.flatMap(s => s.points.flatMap(p => [p.y - (p.error ?? 0), p.y + (p.error ?? 0)]));

function computePanel(series, y, shown) {
  const most = Math.max(...distinct(series, "x"), 1), power = Math.min(5, Math.floor(Math.log10(most) / 3)), unit = 1000 ** power;
  const scaledDown = series.map(s => ({...s, points: s.points.map(p => ({...p, x: p.x / unit}))}));
  const x = {title: `training compute, ${["", "K", "M", "G", "T", "P"][power]}FLOPs`, format: three, ...nice([0, ...distinct(scaledDown, "x")], 0)};
  return {series: scaledDown, x, y, references: shown};
}

function qualityAgainstTime() {
  const by = key => seriesOf("curve", rows => rows.map(r => ({x: r[key], y: r.bits_per_byte})).filter(p => p.x > 0));
  const series = by("seconds"), ends = series.flatMap(s => [at(s.points, last(s.points).x * 0.15), last(s.points).y]);
  if (!series.length) return {series};
  const {shown, left} = near(ends, references.map(r => ({...r, name: `${r.name}, held out`})));
  const y = {title: "bits per byte, validation data", format: short, ...nice([...ends, ...shown.map(r => r.y)])};
  const clipped = series.some(s => s.points.some(p => p.y > y.max)) ? ["The first points lie above the chart"] : [];
  return {
    series, said: [...seeTime(series, references), ...clipped, ...leftOut(left)],
    panels: [{series, x: {title: "calibrated training time, seconds", format: three, ...nice([0, ...distinct(series, "x")], 0)}, y, references: shown},
      computePanel(by("flops"), y, shown)],
    heads: ["", "seconds", "bits per byte"], row: p => [three(p.x), bits(p.y)],
  };
}

function qualityAgainstCost() {
  const by = (key, factor) => judged.filter(c => contextOf(c)?.[key] > 0)
    .map(c => ({name: c.name, look: c.look, points: [{x: contextOf(c)[key] * factor, y: c.bits_per_byte, error: errorOf(c)}]}));
  const series = by("step_seconds", 1e6), states = by("state_bytes", 1), points = series.map(s => ({name: s.name, ...s.points[0]}));
  if (!series.length) return {series};
  const spread = reach(series), {shown, left} = near(spread, references);
  const y = {title: "bits per byte, held-out data", format: short, ...nice([...spread, ...shown.map(r => r.y)], 0.08)};
  const step = {title: "time of a step at 16,384 bytes, µs (log)", format: three, log: true, ...around(distinct(series, "x"), 1.5)};
  const state = {title: "state at 16,384 bytes of context (log)", format: bytes, log: true, ...around(distinct(states, "x"), 3)};
  return {
    series, said: [...seeCost(points), "Lower and further left is better", ...leftOut(left)],
    panels: [{type: "scatter", series, x: step, y, references: shown}, {type: "scatter", series: states, x: state, y, references: shown}],
    heads: ["", "time of a step", "bits per byte"], row: p => [three(p.x) + " µs", bits(p.y)],
  };
}

function costOfContext() {
  const by = (key, factor) => seriesOf("contexts", rows => positive(rows.map(r => ({x: r.context, y: r[key] * factor}))));
  const steps = by("step_seconds", 1e6), states = by("state_bytes", 1), contexts = distinct(steps, "x");
  const x = {title: "context, bytes (log)", format: whole, log: true, ticks: contexts, ...around(contexts, 1.3)};
  return {
    series: steps, said: seeContext(steps, states),
    panels: [{series: steps, x, y: {title: "time of a step, µs (log)", format: three, log: true, ...around(distinct(steps, "y"), 1.25)}},
      {series: states, x, y: {title: "state, bytes (log)", format: bytes, log: true, ...around(distinct(states, "y"), 1.6)}}],
    heads: ["", "context", "time of a step"], row: p => [whole(p.x), three(p.y) + " µs"],
  };
}

function bitsByPosition() {
  const middle = r => Math.sqrt((r.from + 1) * r.to);  // on a logarithmic axis
  const series = seriesOf("by_position", rows => rows.filter(r => r.to > 0).map(r => ({...r, x: middle(r), y: r.bits_per_byte})));
  if (!series.length) return {series};
  const lengths = new Set(candidates.map(c => c.length ?? report.settings.length)), length = lengths.size === 1 && [...lengths][0] > 0 ? [...lengths][0] : 0;
  const end = Math.max(...distinct(series, "to")), settled = series.flatMap(s => s.points.filter(p => p.x >= 8 || p === last(s.points)).map(p => p.y));
  const y = {title: "bits per byte, held-out data", format: short, ...nice(settled)};
  const clipped = series.some(s => s.points.some(p => p.y > y.max));
  const x = {title: "place in the window, bytes from its start (log)", format: whole, log: true, ticks: [1, 4, 8, 16, 64, 256, 1024, 4096, 16384, 65536, 262144],
    min: clipped ? 8 : 1, max: end};
  return {
    series, said: [...seePosition(series, length), ...clipped ? ["The first bytes cost more and are left out of the chart"] : []],
    panels: [{series, x, y, verticals: length && length < end ? [{x: length, name: `trained on ${whole(length)} bytes`}] : []}],
    heads: ["", "bytes", "bits per byte"], row: p => [`${whole(p.from + 1)} to ${whole(p.to)}`, bits(p.y)],
  };
}

function recallByDistance() {
  const series = seriesOf("recall", rows => rows.map(r => ({x: r.distance, y: r.gain, error: r.standard_error})).filter(p => p.x > 0));
  if (!series.length) return {series};
  const distances = distinct(series, "x");
  return {
    series, said: seeRecall(series),
    panels: [{series, x: {title: "distance of the second copy, bytes (log)", format: whole, log: true, ticks: distances, ...around(distances, 1.15)},
      y: {title: "gain on the second copy, bits per byte", format: short, ...nice([0, ...reach(series)])}}],
    heads: ["", "distance", "gain"], row: p => [whole(p.x), plusMinus(p.y, p.error)],
  };
}

function noise() {
  const by = (key, factor) => seriesOf("noise", rows => rows.filter(r => r[key] !== undefined && r.growth > 0).map(r => ({x: r.growth, y: r[key] * factor})));
  const series = by("bits_per_byte", 1), timed = by("step_seconds_per_byte", 1e6), costs = timed.length ? timed : by("flops_per_byte", 1);
  if (!series.length) return {series};
  const growths = distinct(series, "x");
  const x = {title: "growth of the stream by fillers (log)", format: v => `${three(v)}×`, log: true, ticks: growths, ...around(growths, 1.08)};
  const cost = timed.length ? {title: "time of the steps for a real byte, µs", format: three} : {title: "FLOPs for a real byte", format: flops};
  return {
    series, said: seeNoise(series, costs, timed.length ? "time" : "compute"),
    panels: [{series, x, y: {title: "bits per real byte", format: short, ...nice(distinct(series, "y"))}},
      {series: costs, x, y: {...cost, ...nice([0, ...distinct(costs, "y")])}}],
    heads: ["", "growth", "bits per real byte"], row: p => [`${three(p.x)}×`, bits(p.y)],
  };
}

function figure(title, make) {
  const {series, said, panels, heads, row} = make();
  const made = element("section", {class: "figure"}, element("h2", {}, title));
  if (!series.length) {
    const why = report.complete ? "Not measured." : "Not measured: the comparison was stopped before it came to this.";
    made.append(element("p", {class: "missing"}, why));
    return made;
  }
  made.append(element("p", {class: "see"}, sentences(said)), element("p", {class: "legend", "aria-hidden": "true"},
    ...series.map(s => element("span", {}, swatch(s.look), s.name))));
  const beside = element("div", {class: "panels"});
  for (const panel of panels.filter(p => p.series.length)) {
    const canvas = element("canvas", {role: "img", "aria-label": `${title}: ${panel.y.title} against ${panel.x.title}. ${sentences(said)}`});
    const up = element("p", {class: "axis", "aria-hidden": "true"}, `↑ ${panel.y.title}`);
    beside.append(element("div", {}, up, element("div", {class: "panel"}, canvas)));
    drawn.push({canvas, panel});
  }
  const missing = candidates.filter(c => !series.some(s => s.name === c.name)).map(c => c.name);
  made.append(beside);
  if (missing.length) made.append(element("p", {class: "missing"}, `Not measured: ${listed(missing)}.`));
  made.append(element("details", {}, element("summary", {}, "The numbers"),
    element("div", {class: "scroll"}, table(heads, series.flatMap(s => s.points.map(p => [s.name, ...row(p)]))))));
  return made;
}

function pairs(object) {
  return element("dl", {class: "pairs"}, ...Object.entries(object).filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, String(value))]));
}

function trained() {
  const dash = "–", or = (value, format) => value === undefined ? dash : format(value);
  const rows = candidates.map(c => [c.name, c.layers ?? dash, c.config ?? dash, or(c.lr, three),
    (c.learning_rates ?? []).map(r => three(r.lr)).join(", ") || dash, or(c.steps, whole), or(c.train_bytes, bytes), or(c.train_seconds, duration),
    or(c.train_flops, flops), (c.seeds ?? []).map(s => bits(s.bits_per_byte)).join(", ") || dash]);
  const heads = ["", "layers", "config", "learning rate", "of those tried", "steps", "read", "time", "compute", "bits per byte by seed"];
  return element("div", {class: "scroll"}, table(heads, rows));
}

function footer() {
  const {machine} = report;
  return element("section", {class: "made"}, element("h2", {}, "How it was made"), element("pre", {}, ...unbroken(report.command)),
    element("h3", {}, "Trainings"), trained(),
    element("div", {class: "columns"},
      element("div", {}, element("h3", {}, "Settings"), pairs(report.settings)),
      element("div", {}, element("h3", {}, "Machine"), pairs({cpu: machine.cpu, cores: machine.cores, threads: machine.threads,
        "instruction set": machine.instruction_set, memory: bytes(machine.memory_bytes), load: machine.load}),
      element("h3", {}, "Program"), pairs({statera: report.statera, commit: report.commit, date: report.date}))),
    element("p", {class: "small"}, "Charts: Chart.js, © its contributors, MIT License; the notice stands in this file."));
}

document.getElementById("page").append(header(), results(),
  figure("Quality against training time", qualityAgainstTime), figure("Quality against cost", qualityAgainstCost),
  figure("Context against cost and memory", costOfContext), figure("Bits by position in the context", bitsByPosition),
  figure("Recall by distance", recallByDistance), figure("Noise", noise), footer());
drawAll();
