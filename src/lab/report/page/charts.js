// The charts: one look for all, what is drawn beside points and lines, and the way from a panel to a canvas.
// A panel: {type, series, x: axis, y: axis, references?, verticals?, feet?, joined?}; an axis: {title, format, log?, ticks?, min?, max?, step?}.

const shapes = {  // of Chart.js, and the same as a path around (17, 7)
  circle: "M12 7a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", rectRot: "M17 2l5 5l-5 5l-5-5z", triangle: "M17 2l4.3 7.5h-8.6z", rect: "M13.5 3.5h7v7h-7z",
  star: "M17 2v10M12 7h10M13.5 3.5l7 7M20.5 3.5l-7 7", crossRot: "M13.5 3.5l7 7M20.5 3.5l-7 7", cross: "M17 2v10M12 7h10",
};
const dashes = [[], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4], [5, 2, 1, 2]];
const colours = 7;
const look = index => ({colour: `--series-${index % colours}`, shape: Object.keys(shapes)[index % 7], dash: dashes[index % dashes.length]});

// The line and point of a series as the charts draw them.
function swatch(look) {
  const svg = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const made = svg("svg", {viewBox: "0 0 34 14", width: 34, height: 14, class: "swatch", "aria-hidden": "true"}), colour = `var(${look.colour})`;
  made.append(svg("path", {d: "M0 7H34", style: `stroke: ${colour}`, "stroke-dasharray": look.dash.join(" ")}),
    svg("path", {d: shapes[look.shape], style: `stroke: ${colour}; fill: ${colour}`}));
  return made;
}

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Positions of marks on a logarithmic axis: 1, 2, 5, 10 ..., finer where these are fewer than three, or powers of ten where
// they are too many.
function logTicks(min, max) {
  let inside = [];
  for (const steps of [[1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const all = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); ++power)
      for (const step of steps) all.push(step * 10 ** power);
    inside = all.filter(v => v >= min * 0.999 && v <= max * 1.001);
    if (inside.length > 2) break;
  }
  if (inside.length < 3) {  // less than one digit wide: as on a plain axis
    const {min: first, step} = nice([min, max], 0);
    inside = Array.from({length: 20}, (_, i) => Number((first + i * step).toPrecision(6))).filter(v => v >= min && v <= max);
  }
  const tens = inside.filter(v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9);
  return inside.length > 7 && tens.length > 1 ? tens : inside;
}

function scale(axis, titled) {
  const ink = style("--muted"), rule = style("--rule");
  return {
    type: axis.log ? "logarithmic" : "linear", min: axis.min, max: axis.max, bounds: axis.log ? "data" : "ticks",
    title: {display: titled, text: axis.title, color: ink, font: {size: 12}},
    grid: {color: rule, drawBorder: false, tickColor: "transparent"},
    ticks: {color: ink, font: {size: 11}, maxRotation: 0, autoSkipPadding: 10, stepSize: axis.step, callback: value => axis.format(value)},
    afterBuildTicks: scale => {
      if (axis.ticks) scale.ticks = axis.ticks.filter(v => v >= scale.min && v <= scale.max).map(value => ({value}));
      else if (axis.log) scale.ticks = logTicks(scale.min, scale.max).map(value => ({value}));
    },
  };
}

// Bounds around the values, at round numbers; below 0 only where a value is.
function nice(values, room = 0.02) {
  const low = Math.min(...values), high = Math.max(...values), span = Math.max(high - low, 1e-3);
  const power = 10 ** Math.floor(Math.log10(span / 5)), step = [1, 2, 5, 10].find(m => m * power >= span / 7) * power;
  const min = Math.floor((low - span * room) / step) * step, max = Math.ceil((high + span * room) / step) * step;
  return {min: low >= 0 ? Math.max(min, 0) : min, max, step};
}
// On a logarithmic axis: so many times beyond the values.
const around = (values, room) => ({min: Math.min(...values) / room, max: Math.max(...values) * room});

// Where the lines and points of a chart are, every few pixels.
function pixelsOf(chart) {
  return chart.data.datasets.flatMap(set => set.data.map(p => ({x: chart.scales.x.getPixelForValue(p.x), y: chart.scales.y.getPixelForValue(p.y)}))
    .flatMap((p, i, all) => {
      const from = i && set.showLine ? all[i - 1] : p, steps = Math.max(1, Math.ceil(Math.hypot(p.x - from.x, p.y - from.y) / 6));
      return Array.from({length: steps}, (_, k) => ({x: from.x + (p.x - from.x) * (k + 1) / steps, y: from.y + (p.y - from.y) * (k + 1) / steps}));
    }));
}

// The name of a line across stands where it hides least: right or left, above or below the line. Gives the boxes of the names.
function nameReferences(chart, references) {
  const {ctx, chartArea: area, scales} = chart, taken = pixelsOf(chart), boxes = [];
  ctx.save();
  ctx.font = `11px ${Chart.defaults.font.family}`;
  ctx.fillStyle = style("--muted");
  ctx.strokeStyle = style("--paper");
  ctx.lineWidth = 3;
  for (const line of references) {
    const y = scales.y.getPixelForValue(line.y), text = `${line.label}  ${bits(line.y)}`, width = ctx.measureText(text).width;
    const places = [area.right - 4 - width, area.left + 4].flatMap(x => [{x, y: y - 4}, {x, y: y + 12}]);
    const hidden = place => place.y - 10 < area.top || place.y > area.bottom ? Infinity
      : taken.filter(p => p.x > place.x - 4 && p.x < place.x + width + 4 && p.y > place.y - 12 && p.y < place.y + 5).length;
    const place = least(places, hidden);
    ctx.strokeText(text, place.x, place.y);
    ctx.fillText(text, place.x, place.y);
    for (let x = place.x; x <= place.x + width; x += 6) taken.push({x, y: place.y - 4});
    boxes.push({left: place.x, right: place.x + width, middle: place.y - 4});
  }
  ctx.restore();
  return boxes;
}

// Lines across (references, verticals), marks on the axis (feet), error bars, and names beside points.
const marks = {
  id: "marks",
  beforeDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales, options: {marks: m}} = chart;
    ctx.save();
    ctx.lineWidth = 1;
    ctx.font = `11px ${Chart.defaults.font.family}`;
    ctx.fillStyle = ctx.strokeStyle = style("--muted");
    for (const line of m.references) {
      const y = scales.y.getPixelForValue(line.y);
      ctx.setLineDash(line.learns ? [1, 4] : [3, 3]);
      ctx.beginPath(); ctx.moveTo(area.left, y); ctx.lineTo(area.right, y); ctx.stroke();
    }
    for (const line of m.verticals) {
      const x = scales.x.getPixelForValue(line.x);
      ctx.setLineDash([3, 3]);
      ctx.beginPath(); ctx.moveTo(x, area.top); ctx.lineTo(x, area.bottom); ctx.stroke();
      ctx.textAlign = x > (area.left + area.right) / 2 ? "right" : "left";
      ctx.fillText(line.name, x + (ctx.textAlign === "left" ? 4 : -4), area.top + 10);
    }
    ctx.setLineDash([]);
    const feet = [];
    for (const foot of m.feet) {
      const x = scales.x.getPixelForValue(foot.x), bottom = area.bottom - 11 * feet.filter(other => Math.abs(other - x) < 12).length;  // on top of each other
      feet.push(x);
      ctx.fillStyle = style(foot.colour);
      ctx.beginPath(); ctx.moveTo(x, bottom - 10); ctx.lineTo(x + 6, bottom); ctx.lineTo(x - 6, bottom); ctx.fill();
    }
    for (const set of chart.data.datasets)
      for (const p of set.data) if (p.error) errorBar(ctx, scales, p, set.borderColor);
    ctx.restore();
  },
  afterDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales, options: {marks: m}} = chart;
    const names = nameReferences(chart, m.references);
    if (!m.named) return;
    ctx.save();
    ctx.font = `600 12px ${Chart.defaults.font.family}`;
    ctx.fillStyle = style("--ink");
    const taken = chart.data.datasets.flatMap(set => set.data.map(p => [scales.x.getPixelForValue(p.x), scales.y.getPixelForValue(p.y)]))
      .map(([x, y]) => ({left: x - 9, right: x + 9, middle: y})).concat(names);  // boxes; a name that finds no free place is left to the legend
    for (const set of chart.data.datasets)
      for (const p of set.data) {
        const x = scales.x.getPixelForValue(p.x), y = scales.y.getPixelForValue(p.y), name = p.label ?? set.label, width = ctx.measureText(name).width;
        const place = [[x + 11, y], [x - 11 - width, y], [x - width / 2, y - 16], [x - width / 2, y + 17]].find(([left, middle]) => left >= area.left &&
          left + width <= area.right + 8 && middle + 8 <= area.bottom && taken.every(t => left > t.right || left + width < t.left || Math.abs(middle - t.middle) > 14));
        if (!place) continue;
        ctx.fillText(name, place[0], place[1] + 4);
        taken.push({left: place[0], right: place[0] + width, middle: place[1]});
      }
    ctx.restore();
  },
};

function errorBar(ctx, scales, point, colour) {
  const x = scales.x.getPixelForValue(point.x), top = scales.y.getPixelForValue(point.y + point.error), bottom = scales.y.getPixelForValue(point.y - point.error);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, top); ctx.lineTo(x, bottom);
  for (const y of [top, bottom]) { ctx.moveTo(x - 4, y); ctx.lineTo(x + 4, y); }
  ctx.stroke();
}

function dataset(series, scatter, joined) {
  const colour = style(series.look.colour), paper = style("--paper"), open = ["star", "cross", "crossRot"].includes(series.look.shape);
  const dense = series.points.length > 30, size = {circle: 3.6, rect: 4}[series.look.shape] ?? 4.8;  // of about the same weight
  return {
    label: series.name, data: series.points, showLine: !scatter || joined, borderColor: colour, backgroundColor: colour, borderDash: series.look.dash, borderWidth: 2,
    pointStyle: series.look.shape, pointRadius: dense ? 0 : size * (scatter ? 1.7 : 1), pointHoverRadius: size * 2,
    pointBorderColor: open ? colour : paper, pointBackgroundColor: colour, pointBorderWidth: open ? 2 : 1, tension: 0, clip: scatter ? false : 2,
  };
}

function options(panel) {
  return {
    responsive: true, maintainAspectRatio: false, animation: false, devicePixelRatio: Math.max(2, window.devicePixelRatio),
    interaction: {mode: "nearest", intersect: false}, layout: {padding: {top: 8, right: 10}},
    scales: {x: scale(panel.x, true), y: scale(panel.y, false)},  // the title of y stands above the chart, not on its side
    marks: {references: panel.references ?? [], verticals: panel.verticals ?? [], feet: panel.feet ?? [], named: panel.type === "scatter"},
    plugins: {
      legend: {display: false},
      tooltip: {
        backgroundColor: style("--ink"), titleColor: style("--paper"), bodyColor: style("--paper"), displayColors: false, padding: 8,
        callbacks: {
          title: items => items.length ? items[0].raw.of ?? items[0].dataset.label : "",
          label: item => `${panel.x.format(item.parsed.x)}: ${panel.y.format(item.parsed.y)}${item.raw.error ? " ± " + panel.y.format(item.raw.error) : ""}`,
        },
      },
    },
  };
}

const drawn = [];  // {canvas, panel, chart}

function draw(entry) {
  if (entry.chart) entry.chart.destroy();
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const scatter = entry.panel.type === "scatter";
  entry.chart = new Chart(entry.canvas, {type: scatter ? "scatter" : "line", plugins: [marks],
    data: {datasets: entry.panel.series.map(s => dataset(s, scatter, entry.panel.joined))}, options: options(entry.panel)});
}

// Colours come from the style sheet: charts are drawn again when the scheme changes, and in the light one for paper.
function drawAll() { drawn.forEach(draw); }
function forPaper(paper) {
  document.documentElement.classList.toggle("paper", paper);
  drawAll();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("beforeprint", () => forPaper(true));
addEventListener("afterprint", () => forPaper(false));
