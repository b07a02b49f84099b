// The page: from the report's object to headings, tables and figures, from top to bottom.

const dash = "–";
const tag = (text, kind = "") => element("span", {class: `tag ${kind}`.trim()}, text);
const named = c => element("span", {class: "name"}, swatch(c.look), c.name);

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
      "The comparison was stopped before all candidates were done; what follows is what there is. Run the same command again to continue."),
    element("section", {class: "recommendation", "aria-label": "recommendation"}, verdict, ...rest.map(s => element("p", {}, ...prose(s)))));
}

// How far a candidate is behind the best. A difference inside the doubt is no lead, and one of an unfinished training is no figure.
function behind(c) {
  if (c.unfinished) return tag("unfinished", "open");
  if (c.bits_per_byte === undefined) return dash;
  if (!c.difference) return "best";
  const {bits_per_byte: difference, doubt} = c.difference, figure = plusMinus(difference, errorOf(c));
  if (doubt === undefined) return figure;
  const inside = difference <= doubt;
  return element("span", {class: inside ? "doubted" : "told"}, element("span", {class: "figures"}, figure),
    element("span", {class: "doubt"}, inside ? "not told apart, " : "", element("span", {class: "flag"}, `doubt ${bits(doubt)}`)));
}

// The columns of the result: a head, and the cell of a candidate. Baselines have bits alone.
const learners = candidates.some(c => c.learning_bits_per_byte !== undefined) || report.baselines.some(b => b.learns);
const readsTokens = c => (c.units ?? "bytes") !== "bytes", tokens = candidates.some(readsTokens);
const measure = (value, format) => value === undefined ? dash : format(value);
const columns = [
  {head: "bits per byte", cell: c => c.bits_per_byte === undefined ? c.status : bits(c.bits_per_byte), baseline: b => b.learns ? "" : bits(b.bits_per_byte)},
  {head: "behind the best", cell: behind, baseline: b => b.learns ? "" : best ? bits(b.bits_per_byte - best.bits_per_byte) : dash},
  ...learners ? [{head: "if it goes on learning", cell: c => measure(c.learning_bits_per_byte, bits), baseline: b => b.learns ? bits(b.bits_per_byte) : ""}] : [],
  ...candidates.some(c => c.mixed_bits_per_byte !== undefined)
    ? [{head: "and with counts", cell: c => measure(c.mixed_bits_per_byte, bits)}] : [],
  {head: "parameters", cell: c => count(c.parameters)},
  ...tokens ? [{head: "embedding", cell: c => measure(c.embedding_parameters, e => `${Math.round(100 * e / c.parameters)} %`)},
    {head: "bytes per token", cell: c => readsTokens(c) ? measure(c.bytes_per_id, b => b.toFixed(2)) : ""}] : [],
  {head: "training, B/s", cell: c => measure(c.speed?.train_bytes_per_second, count)},
  {head: "prefill, B/s", cell: c => measure(c.speed?.prefill_bytes_per_second, count)},
  {head: "time of a step", cell: c => measure(c.judged_at?.step_seconds, micros)},
  {head: "state", cell: c => measure(c.judged_at?.state_bytes, bytes)},
  ...tokens ? [] : [{head: "training memory", cell: c => measure(c.memory?.train_bytes, bytes)}],
];

function resultLegend() {
  const said = ["Bits per byte on held-out data: less is better"];
  if (learners) said.push("The first column is for frozen models and counts, which learn nothing from the held-out bytes; “if it goes on learning” is for those that learn from " +
    "each byte after they have predicted it, as compressors do");
  if (candidates.some(c => c.mixed_bits_per_byte !== undefined)) said.push("“And with counts”: the model that goes on learning, mixed bit by bit with counts of contexts, which are the baseline “context mixing”");
  said.push("± is one standard error of the difference");
  if (candidates.some(c => c.difference?.doubt !== undefined))
    said.push("The doubt is half the width of its 95 % interval, with the seeds and the search for a learning rate included: a smaller difference does not tell two candidates apart");
  if (candidates.some(c => c.unfinished)) said.push("Unfinished: the training ended on a plateau or in a steep fall, so it counts neither as the best nor as beaten");
  const contexts = [...new Set(candidates.filter(c => c.judged_at).map(c => c.judged_at.context))].sort((a, b) => a - b);
  const read = candidates.filter(c => c.judged_at && c.speed?.prefill_bytes_per_second !== undefined), there = read.every(c => c.speed.prefill_bytes === c.judged_at.context);
  if (contexts.length) said.push(`${there && read.length ? "Prefill, step" : "Step"} and state are those with the ${listed(contexts.map(whole), "or")} bytes of context that the quality was judged with`);
  if (!there) said.push("Prefill was measured with other contexts, of 2,048 bytes in reports of earlier versions");
  if (tokens) said.push("The embedding is its share of the parameters; the time of a step of a token is shared by its bytes");
  return sentences([...said, tokens ? "A dash: not measured; counts predict bytes, so models over tokens are not mixed with them" : "A dash: not measured"]);
}

function results() {
  const rows = candidates.map(c => {
    const name = named(c);
    if (c.name === report.recommendation.winner) name.append(tag("recommended"));
    return [name, ...columns.map(column => column.cell(c))];
  });
  const base = report.baselines.map(b => [element("span", {class: "name"}, b.learned ? `${b.name} (${b.learned})` : b.name),
    ...columns.filter(column => column.baseline).map(column => column.baseline(b))]);
  const made = table(["", ...columns.map(column => column.head)], [...rows, ...base], {class: "results"});
  const body = [...made.querySelectorAll("tbody tr")];
  candidates.forEach((c, i) => body[i].classList.add("candidate", ...c.name === report.recommendation.winner ? ["winner"] : []));
  report.baselines.forEach((b, i) => body[candidates.length + i].classList.add("baseline", b.learns ? "learns" : "frozen"));
  const failed = candidates.filter(c => c.error).map(c => element("p", {class: "failed"}, `${c.name} failed: ${c.error}`));
  return element("section", {}, element("h2", {}, "Result"), element("div", {class: "scroll"}, made),
    element("p", {class: "small"}, resultLegend()), ...failed,
    element("dl", {class: "terms"}, element("dt", {}, "Held equal"), element("dd", {}, report.terms.equal),
      element("dt", {}, "Not held equal"), element("dd", {}, report.terms.not_equal)),
    report.notes?.length ? element("div", {class: "notes"}, element("h3", {}, "To be careful about"),
      element("ul", {}, ...report.notes.map(n => element("li", {}, ...prose(n))))) : null);
}

// One chart, or one for each of several lengths: groups are {length?, list: candidates}.
function figure(title, make, groups = byLength) {
  const parts = groups.map(group => ({...group, ...make(group.list, group.length)}));
  const shown = parts.filter(part => part.series.length), series = shown.flatMap(part => part.series);
  const made = element("section", {class: "figure"}, element("h2", {}, title));
  if (!series.length) {
    const why = report.complete ? parts[0]?.why ?? "Not measured." : "Not measured: the comparison was stopped before it came to this.";
    made.append(element("p", {class: "missing"}, why));
    return made;
  }
  const keys = new Map(series.map(s => [s.name, s.look]));
  const legend = element("p", {class: "legend", "aria-hidden": "true"}, ...[...keys].map(([name, look]) => element("span", {}, swatch(look), name)));
  const inParts = groups.length > 1, narrow = shown.every(part => part.panels.length === 1 && !part.beside);
  const holder = element("div", {class: inParts && narrow ? "parts" : ""});
  if (inParts) made.append(legend);
  for (const part of shown) {
    const beside = element("div", {class: "panels"}), head = inParts ? `Trained on ${whole(part.length)} bytes` : title;
    for (const panel of part.panels.filter(p => p.series.length)) {
      const canvas = element("canvas", {role: "img", "aria-label": `${head}: ${panel.y.title} against ${panel.x.title}. ${sentences(part.said)}`});
      beside.append(element("div", {}, element("p", {class: "axis", "aria-hidden": "true"}, `↑ ${panel.y.title}`), element("div", {class: "panel"}, canvas)));
      drawn.push({canvas, panel});
    }
    if (part.beside) beside.append(part.beside);
    holder.append(element("div", {class: "part"}, inParts ? element("h3", {}, head) : null, element("p", {class: "see"}, sentences(part.said)),
      inParts ? null : legend, beside));
  }
  made.append(holder);
  const there = new Set(series.flatMap(s => s.points.map(p => p.of ?? s.of))), missing = groups.flatMap(group => group.list).filter(c => !there.has(c.name));
  if (missing.length) made.append(element("p", {class: "missing"}, `Not measured: ${listed(missing.map(c => c.name))}.`));
  const {heads, row} = shown[0];
  made.append(element("details", {}, element("summary", {}, "The numbers"),
    element("div", {class: "scroll"}, table(heads, series.flatMap(s => s.points.map(p => [p.of ?? s.of, ...row(p)]))))));
  return made;
}

// Which kind wins at which length.
function winners() {
  const rows = report.by_length.map(row => {
    const here = candidates.filter(c => c.length === row.length), find = name => here.find(c => c.name === name);
    const shown = list => list.length ? element("span", {class: "names"}, ...list.map(c => element("span", {class: "name"}, swatch(c.look), c.kind))) : dash;
    const best = find(row.best);
    return [`${whole(row.length)} bytes`, best ? shown([best]) : row.best, bits(row.bits_per_byte), shown(row.within_doubt.map(find).filter(Boolean)),
      shown(here.filter(c => c.unfinished && c !== best))];
  });
  return table(["trained on", "best", "bits per byte", "not told apart from it", "unfinished, so not beaten"], rows, {class: "winners"});
}

function lengthSection() {
  const made = figure("Length", qualityAgainstLength, together);
  made.querySelector("h2").after(element("div", {class: "scroll"}, winners()));
  return made;
}

function pairs(object) {
  return element("dl", {class: "pairs"}, ...Object.entries(object).filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, String(value))]));
}

function trained() {
  const rows = candidates.map(c => [c.name, c.layers ?? dash, c.config ?? dash, c.batch && c.length ? `${whole(c.batch)} × ${whole(c.length)}` : dash,
    measure(c.lr, three), measure(c.steps, whole), measure(c.train_bytes, bytes), measure(c.train_seconds, duration),
    measure(c.train_flops, flops), (c.seeds ?? []).map(s => bits(s.bits_per_byte)).join(", ") || dash]);
  const heads = ["", "layers", "config", "batch × length", "learning rate", "steps", "read", "time", "compute", "bits per byte by seed"];
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

document.getElementById("page").append(...[header(), results(), report.by_length?.length ? lengthSection() : null,
  figure("Quality against training time", qualityAgainstTime), figure("Quality against cost", qualityAgainstCost, together),
  figure("Context against cost and memory", costOfContext, oneOfEachKind), figure("Bits by position in the context", bitsByPosition),
  figure("Recall by distance", recallByDistance), figure("Noise", noise), figure("Search for learning rates", searchForRates), footer()].filter(Boolean));
drawAll();
