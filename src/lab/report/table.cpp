#include "lab/report/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/printable.hpp"
#include "lab/report/keys.hpp"
#include "text/columns.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr size_t columns = 100, widest_name = 26, narrowest_name = 16, widest_cell = 14;
constexpr size_t cells = 10, remark = cells, last = cells - 1;
using Row = std::array<std::string, cells + 1>;  // the cells, then a remark after them

std::string decimals(double value) { return std::abs(value) < 1000 ? fixed(value, 3) : scientific(value, 2); }

const Json* find(const Json& object, const char* outer, const char* key) {
  const auto at = object.find(outer);
  if (at == object.end()) return nullptr;
  const auto inner = at->find(key);
  return inner == at->end() ? nullptr : &*inner;
}

std::string step_text(double seconds) {
  const double us = seconds * 1e6;
  return us < 1e7 ? fixed(us, us < 10 ? 2 : us < 100 ? 1 : 0) : scientific(us, 2);
}

bool reads_tokens(const Json& candidate) { return candidate.value(key::units, "bytes") != "bytes"; }

bool any_tokens(const Json& report) { return std::ranges::any_of(report.at(key::candidates), reads_tokens); }

// The last column: the share of the embedding if the candidates differ in it, otherwise the memory of the training.
std::string last_cell(const Json& candidate, bool tokens) {
  if (const Json* memory = find(candidate, key::memory, key::train_bytes); memory && !tokens)
    return bytes_text(*memory);
  if (!tokens || !candidate.contains(key::embedding_parameters)) return "-";
  const double all = candidate.at(key::parameters), embedding = candidate.at(key::embedding_parameters);
  return all > 0 ? fixed(100 * embedding / all, 0) + " %" : "-";
}

Row candidate_row(const Json& candidate, const std::string& winner, bool tokens) {
  const std::string name = candidate.at(key::name);
  Row row = {(name == winner ? "* " : "  ") + printable(name)};
  std::fill(row.begin() + 1, row.begin() + cells, "-");
  const std::string status = candidate.at(key::status);
  row[1] = candidate.contains(key::bits_per_byte) ? decimals(candidate.at(key::bits_per_byte)) : printable(status);
  if (const auto d = candidate.find(key::difference); d != candidate.end()) {
    const double behind = d->at(key::bits_per_byte),
                 doubt = d->value(key::doubt, 2 * std::hypot(d->at(key::standard_error).get<double>(),
                                                             d->value(key::seed_error, 0.0)));
    row[2] = (behind <= doubt ? "~ " : "") + decimals(behind) + ", " + decimals(doubt);
  } else if (candidate.contains(key::bits_per_byte))
    row[2] = "best";
  if (candidate.value(key::unfinished, false)) row[2] = "unfinished";
  if (candidate.contains(key::learning_bits_per_byte)) row[3] = decimals(candidate.at(key::learning_bits_per_byte));
  if (candidate.contains(key::mixed_bits_per_byte)) row[4] = decimals(candidate.at(key::mixed_bits_per_byte));
  row[5] = count_text(candidate.at(key::parameters));
  if (const Json* speed = find(candidate, key::speed, key::train_bytes_per_second)) row[6] = count_text(*speed);
  if (const auto at = candidate.find(key::judged_at); at != candidate.end()) {
    row[7] = step_text(at->at(key::step_seconds));
    row[8] = bytes_text(at->at(key::state_bytes));
  }
  row[last] = last_cell(candidate, tokens);
  return row;
}

std::vector<Row> rows_of(const Json& report) {
  std::vector<Row> rows = {{"", "bits per", "behind the", "as it", "with", "", "train", "step,", "", "training"},
                           {"", "byte", "best, doubt", "learns", "counts", "params", "B/s", "us", "state", "memory"}};
  const bool tokens = any_tokens(report);
  if (tokens) rows[0][last] = "embed-", rows[1][last] = "ding";
  const std::string winner = report.at(key::recommendation).value(key::winner, "");
  double best = INFINITY;
  for (const Json& candidate : report.at(key::candidates)) {
    rows.push_back(candidate_row(candidate, winner, tokens));
    // With more seeds than others, the best may have a larger mean than one of them.
    if (!candidate.contains(key::difference))
      best = std::min(best, candidate.value(key::bits_per_byte, double{INFINITY}));
  }
  for (const Json& baseline : report.at(key::baselines)) {
    const double bits = baseline.at(key::bits_per_byte);
    std::string name = "  " + printable(baseline.at(key::name).get<std::string>());
    if (baseline.value(key::learns, false))
      rows.push_back({name, "", "", decimals(bits)});
    else
      rows.push_back({name, decimals(bits), std::isfinite(best) ? decimals(bits - best) : "-"});
    if (baseline.contains(key::learned))
      rows.back()[remark] = "learned from the " + printable(baseline.at(key::learned).get<std::string>());
  }
  for (Row& row : rows) {
    row[0] = cut_to_columns(row[0], widest_name);
    for (size_t i = 1; i < cells; ++i) row[i] = cut_to_columns(row[i], i == 2 ? widest_cell + 6 : widest_cell);
  }
  return rows;
}

// Breaks text into lines of at most `columns`; a longer word is broken. Lines after the first are indented by the width
// of `head`.
std::string wrapped(const std::string& head, const std::string& text) {
  std::string out, line = head;
  size_t from = 0;
  const std::string clean = printable(text);
  while (from < clean.size()) {
    size_t end = std::min(clean.find(' ', from), clean.size());
    std::string word = clean.substr(from, end - from);
    from = end + 1;
    while (true) {
      const bool first = columns_of(line) == head.size();
      if (columns_of(line) + (first ? 0 : 1) + columns_of(word) <= columns) {
        line += (first ? "" : " ") + word;
        break;
      }
      if (first) {
        const std::string part(first_columns(word, columns - columns_of(line)));
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

// With several lengths, one line each: the best candidate, those too close to tell apart from it, and those that are
// unfinished.
std::string winners_by_length(const Json& report) {
  std::string out;
  for (const Json& row : report.at(key::by_length)) {
    std::vector<std::string> close = row.at(key::within_doubt), open;
    for (const Json& candidate : report.at(key::candidates))
      if (candidate.value(key::unfinished, false) && candidate.value(key::length, 0.0) == row.at(key::length))
        open.push_back(candidate.at(key::name));
    std::string begin = "best at " + fixed(row.at(key::length), 0) + " bytes:";
    begin.resize(std::max<size_t>(begin.size() + 1, 21), ' ');  // aligns the lines for lengths of up to five digits
    std::string text =
        row.at(key::best).get<std::string>() + ", " + decimals(row.at(key::bits_per_byte)) + " bits per byte";
    if (!close.empty()) text += "; not told apart from it: " + joined(close);
    if (!open.empty()) text += "; unfinished: " + joined(open);
    out += wrapped(begin, text);
  }
  return out;
}
}  // namespace

std::string report_table(const Json& report) {
  std::vector<Row> rows = rows_of(report);
  std::array<size_t, cells> widths{};
  for (const Row& row : rows)
    for (size_t i = 1; i < cells; ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  // A baseline that learns has no figures in the first two columns, and its name may reach into them.
  const auto more = [&](const Row& row) { return row[1].empty() && row[2].empty() ? 4 + widths[1] + widths[2] : 0; };
  for (const Row& row : rows)
    widths[0] = std::max(widths[0], columns_of(row[0]) - std::min(columns_of(row[0]), more(row)));
  // names get what the figures leave, so that a long name hides none of them
  size_t figures = 0;
  for (size_t i = 1; i < cells; ++i) figures += 2 + widths[i];
  widths[0] = std::min(widths[0], std::max(narrowest_name, columns - std::min(columns, figures)));
  std::string out;
  for (const Row& row : rows) {
    std::string line = cut_to_columns(row[0], widths[0] + more(row));
    size_t end = widths[0];
    for (size_t i = 1; i < cells; ++i) {
      end += 2 + widths[i];
      if (!row[i].empty()) line += std::string(end - columns_of(row[i]) - columns_of(line), ' ') + row[i];
    }
    if (!row[remark].empty()) line += "  " + row[remark];
    out += cut_to_columns(line, columns) + "\n";
  }
  out += "\n";
  if (report.contains(key::by_length)) out += winners_by_length(report);
  if (!report.at(key::complete).get<bool>()) out += "Stopped before all candidates were done.\n";
  if (report.at(key::recommendation).contains(key::winner)) out += "* recommended\n";
  out += wrapped(
      "",
      "Bits per byte of held-out data: as the model is after training, as it goes on learning from what it has "
      "read, as compressors do, and then also mixed with counts of contexts. "
      "Doubt: half the width of the 95 % interval of the difference; ~: smaller than its doubt, so not told apart from "
      "the best. "
      "Step and state: with as much context as the quality was judged with." +
          std::string(any_tokens(report) ? " A step of a token is shared by its bytes. Embedding: its share of the "
                                           "parameters."
                                         : ""));
  out += wrapped("equal:     ", report.at(key::terms).at(key::equal));
  out += wrapped("not equal: ", report.at(key::terms).at(key::not_equal));
  if (report.contains(key::notes))
    for (const Json& note : report.at(key::notes)) out += wrapped("note: ", note);
  return out;
}

std::string report_sentences(const Json& report) {
  std::string out;
  for (const Json& sentence : report.at(key::recommendation).at(key::sentences)) out += wrapped("", sentence);
  return out;
}

}  // namespace statera
