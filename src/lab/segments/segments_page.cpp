#include <algorithm>

#include "lab/segments/segments.hpp"
#include "text/number.hpp"
#include "text/utf8.hpp"

namespace statera {

namespace {
constexpr const char* head = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>)";
constexpr const char* style = R"(: segments</title>
<style>
:root { color-scheme: light dark; --text: #1a1c1f; --page: #ffffff; --quiet: #5c636b; --one: #e3ecfa; --two: #fbeed3;
  --edge: 30, 84, 170; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6e9; --page: #16181b; --quiet: #9aa2ab; --one: #24344f;
  --two: #443517; --edge: 140, 180, 245; } }
body { color: var(--text); background: var(--page); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
p { color: var(--quiet); }
.text { font: 15px/1.9 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: plaintext; }
.text span { padding: 0.15em 0; }
.text span::before { content: ""; border-left: 2px solid rgba(var(--edge), var(--p)); }
.text span:nth-child(odd) { background: var(--one); }
.text span:nth-child(even) { background: var(--two); }
.text i { color: var(--quiet); font-style: normal; }
.text u { text-decoration: underline dotted; }
@media print { body { margin: 0; max-width: none; color: #000; background: #fff; }
  .text span { background: none !important; } .text span::before { border-left: 1.5px solid rgba(0, 0, 0, var(--p)); }
  p { color: #333; } }
</style></head>
<body>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string hex(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return std::string("<i>\\x") + digits[byte >> 4] + digits[byte & 15] + "</i>";
}

// How many bytes the character at `begin` has; 0: no character that can be shown as it is.
size_t character_at(std::string_view text, size_t begin) {
  const auto first = static_cast<unsigned char>(text[begin]);
  if (first < 0x20) return first == '\n' || first == '\t' ? 1 : 0;
  if (first == 0x7f) return 0;
  Utf8Stream stream;
  std::string out;
  for (size_t i = begin; i < text.size() && i < begin + 4; ++i) {
    stream.push(static_cast<unsigned char>(text[i]), out);
    if (!out.empty()) {
      const bool whole = out == text.substr(begin, i + 1 - begin) && !(first == 0xc2 && out[1] < '\xa0');
      return whole ? i + 1 - begin : 0;
    }
  }
  return 0;
}

// The text with a <span> for each segment. A segment that begins within a character is shown from the next character
// on, and this one is underlined.
std::string spans(std::string_view text, const SegmentStage& stage) {
  std::string html;
  size_t next = 0;
  bool open = false;
  for (size_t i = 0; i < text.size();) {
    for (; next < stage.segments.size() && stage.segments[next].begin <= static_cast<int64_t>(i); ++next) {
      if (open) html += "</span>";
      const std::string p = fixed(stage.segments[next].probability, 3);
      html += "<span style=\"--p:" + p + "\" title=\"byte " + std::to_string(stage.segments[next].begin) +
              ", p = " + p + "\">";
      open = true;
    }
    const size_t length = character_at(text, i);
    const bool divided =
        length > 1 && next < stage.segments.size() && stage.segments[next].begin < static_cast<int64_t>(i + length);
    const std::string shown = length == 0 ? hex(static_cast<unsigned char>(text[i])) : escaped(text.substr(i, length));
    html += divided ? "<u>" + shown + "</u>" : shown;
    i += std::max<size_t>(1, length);
  }
  return html + (open ? "</span>" : "");
}
}  // namespace

std::string segments_page(const std::string& title, std::string_view text, std::span<const SegmentStage> stages) {
  const std::string name = escaped(title);
  std::string page = head + name + style + "<h1>" + name + "</h1>\n<p>" + std::to_string(text.size()) +
                     " bytes. The stronger the line before a segment, the more probable the cut; point at a segment "
                     "for its first byte and its probability. A cut within a character stands behind it, and the "
                     "character is underlined.</p>\n";
  for (size_t i = 0; i < stages.size(); ++i)
    page += "<h2>Stage " + std::to_string(i + 1) + "</h2>\n<p>" + std::to_string(stages[i].segments.size()) +
            " segments, " + fixed(stages[i].bytes_per_segment, 2) + " bytes each</p>\n<div class=\"text\">" +
            spans(text, stages[i]) + "</div>\n";
  return page + "</body></html>\n";
}

}  // namespace statera
