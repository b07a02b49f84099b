// The figures, each made from the candidates that it is to show: {series, said, panels, heads, row, beside?}, without series {series: [], why?}.
// A series: {name, of, look, points}; `of` is the candidate, of the series or of a point where a line goes through several.

const positive = points => points.filter(p => p.x > 0 && p.y > 0);
const seriesOf = (list, key, points) => list.filter(c => c[key] && c[key].length).map(c => ({name: c.kind, of: c.name, look: c.look, points: points(c[key]),
  heldOut: c.bits_per_byte, doubt: c.doubt, learning: c.learning_bits_per_byte, learningDoubt: c.learning_doubt,
  first: c.first, level: c.level})).filter(s => s.points.length);
// A line for each kind, through what `point` makes of its candidates.
const acrossLengths = point => ofKinds.map(list => ({name: list[0].kind, of: list[0].name, look: list[0].look,
  points: list.map(c => ({...point(c), of: c.name, label: several ? whole(c.length) : undefined, unfinished: c.unfinished}))
    .filter(p => p.x > 0 && p.y > 0)})).filter(s => s.points.length);

// The references that stand near enough to the figures not to squeeze them; the others are named below the chart.
function near(values, all) {
  const low = Math.min(...values), high = Math.max(...values), room = 5 * Math.max(high - low, 0.05);
  const shown = all.filter(r => r.y <= high + room && r.y >= low - room);
  return {shown, left: all.filter(r => !shown.includes(r))};
}
const leftOut = left => left.length ? [`Outside of the chart: ${listed(left.map(r => `${r.name}${r.learns ? " (learning)" : ""} at ${bits(r.y)}`))}`] : [];

// What is unfinished has no say in the bounds of a chart, and is named below it where it lies beyond them.
const finished = series => {
  const kept = series.map(s => ({...s, points: s.points.filter(p => !p.unfinished)})).filter(s => s.points.length);
  return kept.length ? kept : series;
};
function within(series, y) {
  const beyond = p => p.y > y.max || p.y < y.min;
  const left = series.flatMap(s => s.points.filter(beyond)).map(p => ({name: p.unfinished ? `${p.of}, unfinished,` : p.of, y: p.y}));
  return {inside: series.map(s => ({...s, points: s.points.filter(p => !beyond(p))})).filter(s => s.points.length), left};
}

const short = value => String(Number(value.toFixed(3))).replace("-", "−");
const distinct = (series, key) => [...new Set(series.flatMap(s => s.points.map(p => p[key])))].sort((a, b) => a - b);
const reach = series => series.flatMap(s => s.points.flatMap(p => [p.y - (p.error ?? 0), p.y + (p.error ?? 0)]));
const trainedOn = (length, x) => length > x.min && length < x.max ? [{x: length, name: `trained on ${whole(length)} bytes`}] : [];

function computePanel(series, y, shown) {
  const most = Math.max(...distinct(series, "x"), 1), power = Math.min(5, Math.floor(Math.log10(most) / 3)), unit = 1000 ** power;
  const scaledDown = series.map(s => ({...s, points: s.points.map(p => ({...p, x: p.x / unit}))}));
  const x = {title: `training compute, ${["", "K", "M", "G", "T", "P"][power]}FLOPs`, format: three, ...nice([0, ...distinct(scaledDown, "x")], 0)};
  return {series: scaledDown, x, y, references: shown};
}

function qualityAgainstTime(list) {
  const by = key => seriesOf(list, "curve", rows => rows.map(r => ({x: r[key], y: r.bits_per_byte})).filter(p => p.x > 0));
  const series = by("seconds"), ends = series.flatMap(s => [at(s.points, last(s.points).x * 0.15), last(s.points).y]);
  if (!series.length) return {series};
  const {shown, left} = near(ends, references.map(r => labelled(r, ", held out")));
  const y = {title: "bits per byte, validation data", format: short, ...nice([...ends, ...shown.map(r => r.y)])};
  const clipped = series.some(s => s.points.some(p => p.y > y.max)) ? ["The first points lie above the chart"] : [];
  return {
    series, said: [...seeTime(series, references), ...clipped, ...leftOut(left)],
    panels: [{series, x: {title: "calibrated training time, seconds", format: three, ...nice([0, ...distinct(series, "x")], 0)}, y, references: shown},
      computePanel(by("flops"), y, shown)],
    heads: ["", "seconds", "bits per byte"], row: p => [three(p.x), bits(p.y)],
  };
}

function qualityAgainstLength() {
  const series = acrossLengths(c => ({x: c.length, y: c.bits_per_byte, error: errorOf(c)}));
  if (!series.length) return {series};
  const speeds = acrossLengths(c => ({x: c.length, y: c.speed?.train_bytes_per_second})), spread = reach(finished(series));
  const {shown, left} = near(spread, references.map(r => labelled(r)));
  const y = {title: "bits per byte, held-out data", format: short, ...nice([...spread, ...shown.map(r => r.y)], 0.08)}, {inside, left: beyond} = within(series, y);
  const x = {title: "trained on sequences of so many bytes (log)", format: whole, log: true, ticks: lengths, ...around(lengths, 1.3)};
  return {
    series, said: [...seeLengths(report.by_length, candidates, speeds), ...leftOut([...left, ...beyond])],
    panels: [{series: inside, x, y, references: shown},
      {series: speeds, x, y: {title: "training speed, bytes per second (log)", format: count, log: true, ...around(distinct(speeds, "y"), 1.25)}}],
    heads: ["", "length", "bits per byte"], row: p => [whole(p.x), plusMinus(p.y, p.error)],
  };
}

// Where the quality was judged, so that figures of one model stand together.
function qualityAgainstCost() {
  const by = (key, factor) => acrossLengths(c =>
    ({x: c.judged_at?.[key] * factor, y: c.bits_per_byte, error: errorOf(c), name: c.name, doubt: c.difference?.doubt,
      behind: c.difference && {from: c.difference.from, by: c.difference.bits_per_byte}}));
  const series = by("step_seconds", 1e6), states = by("state_bytes", 1);
  if (!series.length) return {series};
  const contexts = [...new Set(judged.filter(c => c.judged_at).map(c => c.judged_at.context))];
  const place = contexts.length === 1 ? `with ${whole(contexts[0])} bytes of context` : "with the context it was judged with";
  const spread = reach(finished(series)), {shown, left} = near(spread, references.map(r => labelled(r)));
  const y = {title: "bits per byte, held-out data", format: short, ...nice([...spread, ...shown.map(r => r.y)], 0.08)}, {inside, left: beyond} = within(series, y);
  const step = {title: `time of a step ${place}, µs (log)`, format: three, log: true, ...around(distinct(series, "x"), 1.5)};
  const state = {title: `state ${place} (log)`, format: bytes, log: true, ...around(distinct(states, "x"), 3)};
  const panel = {type: "scatter", joined: several, y, references: shown};
  return {
    series,
    said: [...seeCost(finished(series).flatMap(s => s.points)), "Lower and further left is better", ...several ? ["The numbers beside the points are the lengths"] : [],
      ...leftOut([...left, ...beyond])],
    panels: [{...panel, series: inside, x: step}, {...panel, series: within(states, y).inside, x: state}],
    heads: ["", "time of a step", "bits per byte"], row: p => [three(p.x) + " µs", bits(p.y)],
  };
}

// The length of the training changes nothing in what a context costs.
const oneOfEachKind = [{list: ofKinds.map(list => list.find(c => c.contexts?.length) ?? list[0])}];

function costOfContext(list) {
  const by = (key, factor) => seriesOf(list, "contexts", rows => positive(rows.map(r => ({x: r.context, y: r[key] * factor}))));
  const steps = by("step_seconds", 1e6), states = by("state_bytes", 1), contexts = distinct(steps, "x");
  const marks = contexts.filter((x, i) => contexts.length < 7 || Math.round(Math.log2(x / contexts[0])) % 2 === 0);
  const x = {title: "context, bytes (log)", format: whole, log: true, ticks: marks, ...around(contexts, 1.3)};
  return {
    series: steps, said: seeContext(steps, states),
    panels: [{series: steps, x, y: {title: "time of a step, µs (log)", format: three, log: true, ...around(distinct(steps, "y"), 1.25)}},
      {series: states, x, y: {title: "state, bytes (log)", format: bytes, log: true, ...around(distinct(states, "y"), 1.6)}}],
    heads: ["", "context", "time of a step"], row: p => [whole(p.x), three(p.y) + " µs"],
  };
}

function bitsByPosition(list, length) {
  const middle = r => Math.sqrt((r.from + 1) * r.to);  // on a logarithmic axis
  const series = seriesOf(list, "by_position", rows => rows.filter(r => r.to > 0).map(r => ({...r, x: middle(r), y: r.bits_per_byte})));
  if (!series.length) return {series};
  const end = Math.max(...distinct(series, "to")), settled = series.flatMap(s => s.points.filter(p => p.x >= 8 || p === last(s.points)).map(p => p.y));
  const y = {title: "bits per byte, held-out data", format: short, ...nice(settled)};
  const clipped = series.some(s => s.points.some(p => p.y > y.max));
  const x = {title: "place in the window, bytes from its start (log)", format: whole, log: true, ticks: [1, 4, 8, 16, 64, 256, 1024, 4096, 16384, 65536, 262144],
    min: clipped ? 8 : 1, max: end};
  return {
    series, said: [...seePosition(series, length), ...clipped ? ["The first bytes cost more and are left out of the chart"] : []],
    panels: [{series, x, y, verticals: trainedOn(length, x)}],
    heads: ["", "bytes", "bits per byte"], row: p => [`${whole(p.from + 1)} to ${whole(p.to)}`, bits(p.y)],
  };
}

function recallByDistance(list, length) {
  const series = seriesOf(list, "recall", rows => rows.map(r => ({x: r.distance, y: r.gain, error: r.standard_error})).filter(p => p.x > 0));
  if (!series.length) return {series};
  const distances = distinct(series, "x");
  const x = {title: "distance of the second copy, bytes (log)", format: whole, log: true, ticks: distances, ...around(distances, 1.15)};
  return {
    series, said: seeRecall(series, length),
    panels: [{series, x, y: {title: "gain on the second copy, bits per byte", format: short, ...nice([0, ...reach(series)])}, verticals: trainedOn(length, x)}],
    heads: ["", "distance", "gain"], row: p => [whole(p.x), plusMinus(p.y, p.error)],
  };
}

function noise(list) {
  const by = (key, factor) => seriesOf(list, "noise", rows => rows.filter(r => r[key] !== undefined && r.growth > 0).map(r => ({x: r.growth, y: r[key] * factor})));
  const series = by("bits_per_byte", 1), timed = by("step_seconds_per_byte", 1e6), costs = timed.length ? timed : by("flops_per_byte", 1);
  if (!series.length) return {series, why: several ? "Measured only in comparisons at one length." : undefined};
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

function searchForRates(list) {
  const series = seriesOf(list, "learning_rates", rows => rows.filter(r => r.bits_per_byte !== undefined && r.lr > 0).map(r => ({x: r.lr, y: r.bits_per_byte})));
  const searched = list.filter(c => c.learning_rates?.length), taken = searched.filter(c => c.lr > 0);
  if (!series.length) return {series, why: searched.length ? "Every learning rate that was tried diverged." : "No learning rate was searched for."};
  const rates = [...distinct(series, "x"), ...taken.map(c => c.lr)];
  const apart = c => c.rate ? c.rate.told_apart ? "yes" : tag("no", "open") : dash;
  const rows = searched.map(c => [element("span", {class: "name"}, swatch(c.look), c.kind), String(c.learning_rates.length), measure(c.lr, three), apart(c),
    measure(c.rate?.doubt, bits), measure(c.rate?.loss_95_percent, bits)]);
  return {
    series, said: seeRates(searched),
    panels: [{series, x: {title: "learning rate (log); triangles: the rates taken", format: three, log: true, ...around(rates, 1.3)},
      y: {title: "bits per byte on validation data, after a short training", format: short, ...nice(distinct(series, "y"), 0.08)},
      feet: taken.map(c => ({x: c.lr, colour: c.look.colour}))}],
    beside: element("div", {class: "scroll"}, table(["", "rates tried", "rate taken", "told apart", "expected loss", "in 95 % of cases below"], rows, {class: "rates"})),
    heads: ["", "learning rate", "bits per byte"], row: p => [three(p.x), bits(p.y)],
  };
}
