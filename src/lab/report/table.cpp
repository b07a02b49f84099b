#include "lab/report/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/printable.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr size_t columns = 100, widest_name = 26, widest_cell = 14;
constexpr size_t cells = 9, remark = cells;
using Row = std::array<std::string, cells + 1>;  // cells, then what stands behind them

size_t width(std::string_view text) {  // in characters
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string plain(const std::string& text) {  // control characters never reach the terminal
  const std::string quoted = in_quotes(text, text.size() * 4 + 2);
  return quoted.substr(1, quoted.size() - 2);
}

std::string cut(std::string text, size_t most) {
  if (width(text) <= most) return text;
  while (width(text) + 2 > most) {
    while ((static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    text.pop_back();
  }
  return text + "..";
}

std::string decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) < 1000 ? "%.3f" : "%.2e", value);
  return text;
}

const Json* find(const Json& object, const char* outer, const char* key) {
  const auto at = object.find(outer);
  if (at == object.end()) return nullptr;
  const auto inner = at->find(key);
  return inner == at->end() ? nullptr : &*inner;
}

std::string step_text(double seconds) {
  char text[32];
  const double us = seconds * 1e6;
  std::snprintf(text, sizeof text, us < 10 ? "%.2f" : us < 100 ? "%.1f" : us < 1e7 ? "%.0f" : "%.2e", us);
  return text;
}

Row candidate_row(const Json& candidate, const std::string& winner) {
  const std::string name = candidate.at("name");
  Row row = {(name == winner ? "* " : "  ") + plain(name)};
  std::fill(row.begin() + 1, row.begin() + cells, "-");
  const std::string status = candidate.at("status");
  row[1] = candidate.contains("bits_per_byte") ? decimals(candidate.at("bits_per_byte")) : plain(status);
  if (const auto d = candidate.find("difference"); d != candidate.end())
    row[2] = decimals(d->at("bits_per_byte")) + " +- " + decimals(std::hypot(d->at("standard_error").get<double>(), d->value("seed_error", 0.0)));
  else if (candidate.contains("bits_per_byte")) row[2] = "best";
  if (candidate.value("unfinished", false)) row[2] = "unfinished";
  if (candidate.contains("learning_bits_per_byte")) row[3] = decimals(candidate.at("learning_bits_per_byte"));
  row[4] = count_text(candidate.at("parameters"));
  if (const Json* speed = find(candidate, "speed", "train_bytes_per_second")) row[5] = count_text(*speed);
  if (const auto at = candidate.find("judged_at"); at != candidate.end()) {
    row[6] = step_text(at->at("step_seconds"));
    row[7] = bytes_text(at->at("state_bytes"));
  }
  if (const Json* memory = find(candidate, "memory", "train_bytes")) row[8] = bytes_text(*memory);
  return row;
}

std::vector<Row> rows_of(const Json& report) {
  std::vector<Row> rows = {{"", "bits per", "behind", "and if it", "", "train", "step,", "", "training"},
                           {"", "byte", "the best", "learns on", "params", "B/s", "us", "state", "memory"}};
  const std::string winner = report.at("recommendation").value("winner", "");
  double best = INFINITY;
  for (const Json& candidate : report.at("candidates")) {
    rows.push_back(candidate_row(candidate, winner));
    best = std::min(best, candidate.value("bits_per_byte", double{INFINITY}));
  }
  for (const Json& baseline : report.at("baselines")) {
    const double bits = baseline.at("bits_per_byte");
    const std::string name = "  " + plain(baseline.at("name"));
    if (baseline.value("learns", false)) rows.push_back({name, "", "", decimals(bits)});
    else rows.push_back({name, decimals(bits), std::isfinite(best) ? decimals(bits - best) : "-"});
    if (baseline.contains("learned")) rows.back()[remark] = "learned from the " + plain(baseline.at("learned"));
  }
  for (Row& row : rows) {
    row[0] = cut(row[0], widest_name);
    for (size_t i = 1; i < cells; ++i) row[i] = cut(row[i], i == 2 ? widest_cell + 6 : widest_cell);
  }
  return rows;
}

// Words in lines of at most `columns`; a word that is longer is broken. Lines after the first begin with spaces below the text.
std::string wrapped(const std::string& head, const std::string& text) {
  std::string out, line = head;
  size_t from = 0;
  const std::string clean = plain(text);
  while (from < clean.size()) {
    size_t end = std::min(clean.find(' ', from), clean.size());
    std::string word = clean.substr(from, end - from);
    from = end + 1;
    while (true) {
      const bool first = width(line) == head.size();
      if (width(line) + (first ? 0 : 1) + width(word) <= columns) {
        line += (first ? "" : " ") + word;
        break;
      }
      if (first) {
        std::string part = word;
        while (width(line) + width(part) > columns) part.pop_back();
        while (part.size() < word.size() && (static_cast<unsigned char>(word[part.size()]) & 0xC0) == 0x80) part += word[part.size()];
        line += part;
        word.erase(0, part.size());
      }
      out += line + "\n";
      line = std::string(head.size(), ' ');
    }
  }
  return out + line + "\n";
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// With several lengths, a line each: the best, those that cannot be told from it, and those that are not beaten.
std::string winners_by_length(const Json& report) {
  std::string out;
  for (const Json& row : report.at("by_length")) {
    char head[64];
    std::snprintf(head, sizeof head, "best at %.0f bytes:", row.at("length").get<double>());
    std::vector<std::string> close = row.at("within_doubt"), open;
    for (const Json& candidate : report.at("candidates"))
      if (candidate.value("unfinished", false) && candidate.value("length", 0.0) == row.at("length") && candidate.at("name") != row.at("best"))
        open.push_back(candidate.at("name"));
    std::string begin = head;
    begin.resize(std::max<size_t>(begin.size() + 1, 21), ' ');  // one below the other for lengths of up to five digits
    std::string text = row.at("best").get<std::string>() + ", " + decimals(row.at("bits_per_byte")) + " bits per byte";
    if (!close.empty()) text += "; not told apart from it: " + joined(close);
    if (!open.empty()) text += "; unfinished: " + joined(open);
    out += wrapped(begin, text);
  }
  return out;
}
}  // namespace

std::string report_table(const Json& report) {
  const std::vector<Row> rows = rows_of(report);
  std::array<size_t, cells> widths{};
  for (const Row& row : rows)
    for (size_t i = 0; i < cells; ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const Row& row : rows) {
    std::string line = row[0] + std::string(widths[0] - width(row[0]), ' ');
    for (size_t i = 1; i < cells; ++i) line += std::string(2 + widths[i] - width(row[i]), ' ') + row[i];
    line.erase(line.find_last_not_of(' ') + 1);
    if (!row[remark].empty()) line += "  " + row[remark];
    out += cut(line, columns) + "\n";
  }
  out += "\n";
  if (report.contains("by_length")) out += winners_by_length(report);
  if (!report.at("complete").get<bool>()) out += "Stopped before all candidates were done.\n";
  if (report.at("recommendation").contains("winner")) out += "* recommended\n";
  out += wrapped("", "Bits per byte of held-out data: as the model is after training, and if it goes on learning from what it has read, as compressors do. "
                     "Step and state: with as much context as the quality was judged with.");
  out += wrapped("equal:     ", report.at("terms").at("equal"));
  out += wrapped("not equal: ", report.at("terms").at("not_equal"));
  if (report.contains("notes"))
    for (const Json& note : report.at("notes")) out += wrapped("note: ", note);
  return out;
}

std::string report_sentences(const Json& report) {
  std::string out;
  for (const Json& sentence : report.at("recommendation").at("sentences")) out += wrapped("", sentence);
  return out;
}

}  // namespace statera
