// What to see in each chart, said from its figures. A series is {name, points: [{x, y, error?}], heldOut?, doubt?, learning?, learningDoubt?, first?, level?}.

const last = list => list[list.length - 1];
const least = (list, key) => list.reduce((a, b) => key(b) < key(a) ? b : a);
const descending = (list, key) => [...list].sort((a, b) => key(b) - key(a));

function at(points, x) {  // between the points: a straight line
  const next = points.findIndex(p => p.x >= x);
  if (next < 0) return last(points).y;
  if (next === 0) return points[0].y;
  const [a, b] = [points[next - 1], points[next]];
  return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
}

// The references are of held-out data. Frozen models are weighed against frozen counts, those that go on learning against what learns.
// Figures are {y, doubt?}; of one inside its doubt nothing is said.
function beside(figures, references, where) {
  const known = figures.filter(f => f.y !== undefined), names = of => references.filter(r => known.length && known.every(f => of(f.y - r.y, f.doubt ?? 0))).map(r => r.name);
  const beaten = names((more, doubt) => more < -doubt), not = names((more, doubt) => more >= doubt), said = [];
  if (beaten.length) said.push(`${where} ${known.length > 1 ? "all are" : "it is"} below ${listed(beaten)}`);
  if (not.length) said.push(`${where} ${known.length > 1 ? "none is" : "it is not"} below ${listed(not, "or")}`);
  return said;
}

function seeTime(series, references) {
  const best = least(series, s => last(s.points).y), end = last(best.points);
  const said = [`${best.name} ends lowest, with ${bits(end.y)} bits per byte on validation data after ${duration(end.x)}`];
  const others = series.filter(s => s !== best);
  const behind = best.points.filter(p => others.some(s => s.points[0].x <= p.x && at(s.points, p.x) < p.y));
  if (behind.length) {
    const when = last(behind), leader = least(others, s => at(s.points, when.x));
    said[0] += `; until about ${duration(when.x)} ${leader.name} was ahead`;
  } else if (others.length) said[0] += ", and was never behind";
  const level = series.filter(s => s.level), first = series.filter(s => s.first);  // with more seeds, the first may have a larger mean
  if (level.length && first.length) said.push(`On held-out data ${listed([...first, ...level].map(s => s.name))} cannot be told apart`);
  said.push(...beside(series.map(s => ({y: s.heldOut, doubt: s.doubt})), references.filter(r => !r.learns), "On held-out data"),
    ...beside(series.map(s => ({y: s.learning, doubt: s.learningDoubt})), references.filter(r => r.learns), "With continued learning"));
  const missed = (best.heldOut ?? end.y) - end.y;  // validation pieces lie between pieces that are trained on
  if (missed > 0.05) said.push(`On held-out data ${best.name} costs ${bits(best.heldOut)}, ${bits(missed)} more: validation data lie among the training data, which makes a model look better`);
  const lowest = least(best.points, p => p.y), late = at(best.points, end.x * 0.75) - end.y;
  if (lowest.x < end.x * 0.8) said.push(`It was lower, with ${bits(lowest.y)}, after ${duration(lowest.x)}: more time alone would not bring more`);
  else if (best.points.length > 3)
    said.push(late > 0.01 ? `The last quarter of the time still brought it ${bits(late)} bits per byte, so a larger budget ${missed > 0.05 ? "may" : "should"} bring more`
      : `The last quarter of the time changed it by no more than ${bits(Math.abs(late))}: it has levelled off`);
  return said;
}

// Points are {name, x, y, doubt?, behind?: {from, by}}. A distance is known from the best alone: `by` is that of the seeds that both have, where y are means
// over all of their own. One inside the doubt puts none behind.
function seeCost(points) {
  if (points.length < 2) return [`${points[0].name}: ${bits(points[0].y)} bits per byte, ${three(points[0].x)} µs per step`];
  const first = points.filter(p => !p.behind), best = least(first.length ? first : points, p => p.y), fast = least(points, p => p.x);
  const gap = p => p.behind ? p.behind.from === best.name ? p.behind.by : undefined : p.y - best.y;
  const others = points.filter(p => p !== best && gap(p) !== undefined), level = others.filter(p => gap(p) <= (p.doubt ?? 0));
  const faster = best.x > 1.05 * fast.x, close = level.filter(p => !faster || p !== fast).map(p => p.name);
  const told = close.length ? [`In bits per byte ${best.name} cannot be told apart from ${listed(close, "or")}`] : [];
  const fewest = "the fewest bits per byte" + (points.some(p => p.y < best.y) ? " with the same seeds" : "");
  if (best === fast) return [`${best.name} has both ${fewest} and the fastest step`, ...told];
  const more = others.includes(fast) ? `${bits(gap(fast))} bits per byte` : "";
  const price = level.includes(fast) ? `, and the ${more} between them are inside the doubt` : more && `, for ${more} more`;
  const said = [`${best.name} has ${fewest}` + (faster ? `; the step of ${fast.name} is ${times(best.x / fast.x)} faster${price}`
    : ", and no step is more than 5 % faster"), ...told];
  const behind = others.filter(p => p.x > 1.05 * best.x && !level.includes(p)).map(p => p.name);
  if (behind.length) said.push(`${listed(behind)} ${behind.length > 1 ? "are" : "is"} behind ${best.name} in both`);
  return said;
}

// Where two lines over logarithmic axes cross, if they do once: the first is below before.
function crossing(a, b) {
  const both = a.points.filter(p => b.points.some(q => q.x === p.x)).map(p => ({x: p.x, y: Math.log(p.y / b.points.find(q => q.x === p.x).y)}));
  const turns = both.slice(1).map((p, i) => [both[i], p]).filter(([p, q]) => p.y * q.y < 0);
  if (turns.length !== 1) return null;
  const [[p, q]] = turns, x = p.x * (q.x / p.x) ** (p.y / (p.y - q.y));
  return {x: Number(x.toPrecision(2)), before: p.y > 0 ? a : b, beyond: p.y > 0 ? b : a};
}

// rows: by_length of the report; speeds: a series for each kind, training speed by length.
function seeLengths(rows, candidates, speeds) {
  const kind = name => candidates.find(c => c.name === name)?.kind ?? name;
  const runs = [];  // of lengths at which the same kind is best
  for (const row of rows) {
    if (runs.length && last(runs).best === kind(row.best)) last(runs).rows.push(row);
    else runs.push({best: kind(row.best), rows: [row]});
  }
  const where = list => `${listed(list.map(r => whole(r.length)))} bytes`;
  const said = [`${listed(runs.map((run, i) => `${run.best} ${i ? "" : "has the fewest bits per byte "}at ${where(run.rows)}`))}`];
  const close = new Map();
  for (const row of rows.filter(r => r.within_doubt.length)) {
    const names = listed([row.best, ...row.within_doubt].map(kind));
    close.set(names, [...(close.get(names) ?? []), row]);
  }
  for (const [names, list] of close) said.push(`At ${where(list)} ${names} cannot be told apart`);
  const open = candidates.filter(c => c.unfinished);
  if (open.length) said.push(`${listed(open.map(c => c.name))} ${open.length > 1 ? "are" : "is"} unfinished, and not beaten`);
  const lines = speeds.filter(s => s.points.length > 1);
  if (lines.length) {
    const kept = s => last(s.points).y / s.points[0].y, told = descending(lines, kept).map(s => `${Math.round(100 * kept(s))} % with ${s.name}`);
    const xs = lines.flatMap(s => s.points.map(p => p.x));
    said.push(`Of the training speed at ${whole(Math.min(...xs))} bytes, this is left at ${whole(Math.max(...xs))}: ${listed(told)}`);
  }
  lines.forEach((a, i) => lines.slice(i + 1).forEach(b => {
    const cut = crossing(a, b);
    if (cut) said.push(`Below about ${whole(cut.x)} bytes ${cut.before.name} trains faster than ${cut.beyond.name}, above slower`);
  }));
  return said;
}

const growth = points => last(points).y / points[0].y;

function seeContext(steps, states) {
  const told = series => {
    const usable = descending(series.filter(s => s.points.length > 1), s => growth(s.points));
    return listed(usable.map(s => `${growth(s.points) < 9.95 ? growth(s.points).toFixed(1) : whole(growth(s.points))} with ${s.name}`));
  };
  const [step, state] = [told(steps), told(states)], xs = steps.flatMap(s => s.points.map(p => p.x));
  if (!step && !state) return ["There is only one context, so nothing grows"];
  const said = [step && `the time of a step grows by a factor of ${step}`, state && `the state grows by a factor of ${state}`].filter(Boolean);
  return [`From ${whole(Math.min(...xs))} to ${whole(Math.max(...xs))} bytes of context ${said.join("; ")}`];
}

function seePosition(series, length) {
  return series.map(s => {
    const end = last(s.points), enough = s.points.filter(p => p === end || p.x >= 8 && (p.bytes ?? 256) >= 256);  // fewer say nothing
    const best = least(enough, p => p.y);
    const place = p => p.from + 1 === p.to ? `byte ${whole(p.to)}` : `bytes ${whole(p.from + 1)} to ${whole(p.to)}`;
    if (end.y - best.y < 0.01) return `${s.name} holds its level to the end of the window: ${bits(end.y)} bits per byte at ${place(end)}`;
    const beyond = length && end.from >= length ? `, beyond the ${whole(length)} bytes of its training` : "";
    return `${s.name} is best at ${place(best)} (${bits(best.y)}) and ${bits(end.y - best.y)} worse at ${place(end)}${beyond}`;
  });
}

function seeRecall(series, length) {
  const sure = p => p.y > Math.max(2 * (p.error ?? 0), 0.01), nearest = Math.min(...series.map(s => s.points[0].x));
  const ranked = descending(series.filter(s => s.points[0].x === nearest), s => s.points[0].y);
  const said = [`A second copy ${whole(nearest)} bytes after the first gains, in bits per byte: ${listed(ranked.map(s => `${s.name} ${bits(s.points[0].y)}`))}`];
  const lost = new Map();  // from a distance on, by whom; 0: at none
  for (const s of descending(series, s => last(s.points).y)) {
    const first = s.points.find((p, i) => s.points.slice(i).every(q => !sure(q)));
    if (!first) said.push(`${s.name} still gains ${bits(last(s.points).y)} at ${whole(last(s.points).x)} bytes`);
    else {
      const from = first === s.points[0] ? 0 : first.x;
      lost.set(from, [...(lost.get(from) ?? []), s.name]);
    }
  }
  for (const [from, names] of lost)
    said.push((from ? `From ${whole(from)} bytes on` : "At all distances") + `, the gain of ${listed(names)} is at most 0.01 or two standard errors, and counts as none`);
  if (length && series.some(s => last(s.points).x > length)) said.push(`Distances beyond ${whole(length)} bytes are longer than the sequences of the training`);
  return said;
}

function seeNoise(series, costs, what) {
  const usable = descending(series.filter(s => s.points.length > 1), s => s.points[0].y - last(s.points).y);
  const grown = costs.filter(s => s.points.length > 1);
  if (!usable.length) return ["Only the stream without fillers was measured"];
  const told = usable.map(s => `${s.name} ${bits(last(s.points).y - s.points[0].y)}`), most = Math.max(...usable.map(s => last(s.points).x));
  const said = [`Fillers that make the stream ${three(most)} times as long cost, in bits per real byte: ${listed(told)}`];
  const low = Math.min(...grown.map(s => growth(s.points))), high = Math.max(...grown.map(s => growth(s.points)));
  const factor = low.toFixed(1) === high.toFixed(1) ? times(low) : `${low.toFixed(1)} to ${times(high)}`;
  // an earlier version counted steps with one context for all
  const context = report.candidates.some(c => c.speed?.prefill_bytes) ? ", with a context that is as many times as long," : "";
  if (grown.length) said.push(`The ${what} for a real byte${context} is then ${factor} as much`);
  return said;
}

// What the search for learning rates told, of candidates with rates that were tried.
function seeRates(list) {
  const names = of => list.filter(of).map(c => c.kind), taken = list.filter(c => c.lr > 0), said = [];
  if (taken.length) said.push(`Taken for the trainings: ${listed(taken.map(c => `${three(c.lr)} with ${c.kind}`))}`);
  const told = names(c => c.rate?.told_apart), not = list.filter(c => c.rate && !c.rate.told_apart);
  if (told.length) said.push(`The short trainings told the rates of ${listed(told)} apart`);
  if (not.length) {
    const most = descending(not, c => c.rate.doubt)[0], gain = most.rate.doubt, less = most.rate.loss_95_percent;
    said.push(`${told.length ? "They could not tell those" : "The short trainings could not tell the rates"} of ${listed(not.map(c => c.kind))} apart, ` +
      `so the rate is the usual one, moved by the little that they say; the best rate is expected to gain about ${bits(gain)} bits per byte` +
      `${not.length > 1 ? ` with ${most.kind}, where it would gain most` : ""}${less === undefined ? "" : `, and in 95 % of cases less than ${bits(less)}`}`);
  }
  for (const c of list) {
    const lost = c.learning_rates.filter(r => r.bits_per_byte === undefined).map(r => three(r.lr));
    if (lost.length) said.push(`${c.kind} diverged at ${listed(lost)}`);
  }
  return said;
}

const sentences = said => said.map(s => s + ".").join(" ");
