// Quantities as people read them, and elements of the page. Text from the report only ever becomes text.

const three = value => value >= 999.5 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
const whole = value => Math.round(value).toLocaleString("en-US");
const bits = value => value.toFixed(3).replace(/^-(?!0\.000$)/, "−").replace("-", "");

function scaled(value, units) {
  if (value >= 1e18) return value.toExponential(1) + " " + units[0];
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit + 1 < units.length) { value /= 1000; ++unit; }
  return (three(value) + " " + units[unit]).trim();
}
const bytes = value => scaled(value, ["B", "KB", "MB", "GB", "TB"]);
const count = value => scaled(value, ["", "K", "M", "G", "T", "P"]);
const flops = value => scaled(value, ["FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs"]);
const micros = seconds => seconds < 0.0099995 ? three(seconds * 1e6) + " µs" : duration(seconds);
function duration(seconds) {
  if (seconds < 1) return three(seconds * 1e3) + " ms";
  if (seconds < 120) return three(seconds) + " s";
  return seconds < 7200 ? three(seconds / 60) + " min" : three(seconds / 3600) + " h";
}
const times = ratio => (ratio < 9.95 ? ratio.toFixed(1) : whole(ratio)) + " times";
const plusMinus = (value, error) => error === undefined ? bits(value) : `${bits(value)} ± ${bits(error)}`;
const listed = (names, word = "and") => names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${word} ${names[names.length - 1]}`;

// Text as nodes in which no flag ("--seeds") is broken; in a sentence of the program "+-" is set as one sign.
const unbroken = text => text.split(/(--[a-z][a-z-]*)/).map((part, i) => i % 2 ? element("span", {class: "flag"}, part) : part);
const prose = text => unbroken(text.replaceAll("+-", "±"));

// element("p", {class: "x"}, "text", node, ...)
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

// rows of strings or nodes; the first cell of a row is its head
function table(heads, rows, attributes = {}) {
  const head = element("thead", {}, element("tr", {}, ...heads.map(text => element("th", {scope: "col"}, text))));
  const body = element("tbody", {}, ...rows.map(row => element("tr", {},
    ...row.map((cell, i) => i === 0 ? element("th", {scope: "row"}, cell) : element("td", {"data-label": heads[i]}, cell)))));
  return element("table", attributes, head, body);
}
