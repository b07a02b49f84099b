// What to see in each chart, said from its figures. A series is {name, points: [{x, y, error?}], heldOut?}.

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

function seeTime(series, references) {
  const best = least(series, s => last(s.points).y), end = last(best.points);
  const said = [`${best.name} ends lowest, with ${bits(end.y)} bits per byte on validation data after ${duration(end.x)}`];
  const others = series.filter(s => s !== best);
  const behind = best.points.filter(p => others.some(s => s.points[0].x <= p.x && at(s.points, p.x) < p.y));
  if (behind.length) {
    const when = last(behind), leader = least(others, s => at(s.points, when.x));
    said[0] += `; until about ${duration(when.x)} ${leader.name} was ahead`;
  } else if (others.length) said[0] += ", and was never behind";
  const heldOut = series.map(s => s.heldOut).filter(y => y !== undefined);  // the references are of these data
  const beaten = references.filter(r => heldOut.length && heldOut.every(y => y < r.y)), not = references.filter(r => heldOut.length && heldOut.every(y => y >= r.y));
  if (beaten.length) said.push(`On held-out data ${heldOut.length > 1 ? "all are" : "it is"} below ${listed(beaten.map(r => r.name))}`);
  if (not.length) said.push(`On held-out data ${heldOut.length > 1 ? "none is" : "it is not"} below ${listed(not.map(r => r.name), "or")}`);
  const missed = (best.heldOut ?? end.y) - end.y;  // validation pieces lie between pieces that are trained on
  if (missed > 0.05) said.push(`On held-out data ${best.name} costs ${bits(best.heldOut)}, ${bits(missed)} more: validation data lie among the training data, which flatters a model`);
  const lowest = least(best.points, p => p.y), late = at(best.points, end.x * 0.75) - end.y;
  if (lowest.x < end.x * 0.8) said.push(`It was lower, with ${bits(lowest.y)}, after ${duration(lowest.x)}: more time alone would not bring more`);
  else if (best.points.length > 3)
    said.push(late > 0.01 ? `The last quarter of the time still brought it ${bits(late)} bits per byte, so a larger budget ${missed > 0.05 ? "may" : "should"} bring more`
      : `The last quarter of the time changed it by no more than ${bits(Math.abs(late))}: it has levelled off`);
  return said;
}

function seeCost(points) {
  if (points.length < 2) return [`${points[0].name}: ${bits(points[0].y)} bits per byte, ${three(points[0].x)} µs a step`];
  const best = least(points, p => p.y), fast = least(points, p => p.x);
  if (best === fast) return [`${best.name} has both the fewest bits per byte and the fastest step`];
  const said = [`${best.name} has the fewest bits per byte; the step of ${fast.name} is ${times(best.x / fast.x)} faster, ` +
    `for ${bits(fast.y - best.y)} bits per byte more`];
  const better = p => points.filter(q => q.y < p.y && q.x < p.x), behind = points.filter(p => better(p).length);
  if (behind.length === 1) said.push(`${behind[0].name} is behind ${listed(better(behind[0]).map(q => q.name))} in both`);
  else if (behind.length) said.push(`${listed(behind.map(p => p.name))} are each behind another one in both`);
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

function seeRecall(series) {
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
    said.push(from ? `From ${whole(from)} bytes on, the gain of ${listed(names)} cannot be told from none` : `At no distance can the gain of ${listed(names)} be told from none`);
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
  if (grown.length) said.push(`The ${what} for a real byte is then ${factor} as much`);
  return said;
}

const sentences = said => said.map(s => s + ".").join(" ");
