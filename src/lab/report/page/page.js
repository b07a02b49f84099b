"use strict";
const report = JSON.parse(document.getElementById("report").textContent);
const page = document.getElementById("page");
function add(tag, text) { const e = document.createElement(tag); e.textContent = text; page.append(e); }
add("h1", report.data.name);
for (const s of report.recommendation.sentences) add("p", s);
