#include "print_bench.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/printable.hpp"
#include "text/columns.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera::cli {

namespace {
using Json = nlohmann::ordered_json;

double number(const Json& row, const char* key) { return row.at(key).get<double>(); }
std::string text(const Json& row, const char* key) { return printable(row.at(key).get<std::string>()); }
std::string whole(const Json& row, const char* key) {
  std::string digits = std::to_string(row.at(key).get<int64_t>());
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}
std::string percent(double share) { return fixed(100 * share, share < 0.0995 ? 1 : 0) + " %"; }
std::string time_text(double seconds) {
  return seconds < 1e-3 ? fixed(1e6 * seconds, seconds < 1e-5 ? 2 : 1) + " us"
         : seconds < 1  ? fixed(1e3 * seconds, 2) + " ms"
                        : fixed(seconds, 2) + " s";
}
std::string rate(double per_second) { return per_second > 0 ? count_text(per_second) : "-"; }
std::string bandwidth(double gb_per_s) { return gb_per_s > 0 ? fixed(gb_per_s, 1) : "-"; }
std::string spread(const Json& row, const char* of, const char* by) {
  return row.at("runs").get<int64_t>() > 1 ? percent(number(row, by) / number(row, of)) : "-";
}

// Prints rows below a head, the first column aligned left, the others right.
void print_table(const std::string& title, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], columns_of(row[c]));
  std::printf("\n%s\n", title.c_str());
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string room(widths[c] - columns_of(row[c]), ' ');
      line += "  " + (c == 0 ? row[c] + room : room + row[c]);
    }
    std::printf("%s\n", line.c_str());
  }
}

void print_roof(const Json& roofs) {
  std::vector<std::vector<std::string>> rows{
      {"threads", "fp32 FMA", "bf16 dot", "L1 read", "L2 read", "L3 read", "memory read", "copy"}};
  for (const Json& r : roofs) {
    const double bf16 = number(r, "bf16_dot_gflops");
    rows.push_back({whole(r, "threads"), fixed(number(r, "fp32_fma_gflops"), 0), bf16 > 0 ? fixed(bf16, 0) : "none",
                    bandwidth(number(r, "l1_read_gb_per_s")), bandwidth(number(r, "l2_read_gb_per_s")),
                    bandwidth(number(r, "l3_read_gb_per_s")), bandwidth(number(r, "memory_read_gb_per_s")),
                    bandwidth(number(r, "memory_copy_gb_per_s"))});
  }
  print_table("roof: GFLOP/s and GB/s", rows);
}

void print_start(const Json& start) {
  std::printf(
      "\nstart: %s, batch %s x %s: the first gradient step ends %s after the process began, the tenth takes %s: %s "
      "more\n",
      text(start, "model").c_str(), whole(start, "batch").c_str(), whole(start, "length").c_str(),
      time_text(number(start, "first_step_seconds")).c_str(), time_text(number(start, "tenth_step_seconds")).c_str(),
      time_text(number(start, "extra_seconds")).c_str());
}

void print_operations(const Json& operations) {
  std::vector<std::vector<std::string>> rows{
      {"operation", "shape", "pass", "threads", "median", "spread", "GFLOP/s", "GB/s", "of its roof", "bound"}};
  for (const Json& o : operations) {
    const double gflops = number(o, "gflops");
    rows.push_back({text(o, "op"), text(o, "name"), text(o, "pass"), whole(o, "threads"),
                    time_text(number(o, "seconds")), spread(o, "seconds", "spread_seconds"),
                    gflops > 0 ? fixed(gflops, 1) : "-", fixed(number(o, "gb_per_s"), 1),
                    percent(number(o, "roof_share")), text(o, "bound")});
  }
  print_table("operations", rows);
}

// The row of the same model for which `same` is true, or null.
template <class Same>
const Json* find(const Json& rows, const Json& like, Same same) {
  for (const Json& row : rows)
    if (row.at("model") == like.at("model") && same(row)) return &row;
  return nullptr;
}

void print_training(const Json& training) {
  const auto same = [](const Json& a, const Json& b, std::initializer_list<const char*> keys) {
    return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return a.at(key) == b.at(key); });
  };
  const auto differ = [&](const char* key) {
    return std::any_of(training.begin(), training.end(),
                       [&](const Json& t) { return !same(t, training.front(), {key}); });
  };
  const bool threads = differ("threads"), precision = differ("precision");
  std::vector<std::vector<std::string>> rows{{"model", "threads", "batch x length", "positions/s", "spread",
                                              "of fp32 FMA", "memory", "tape", "time a position"}};
  if (threads) rows[0].push_back("against fewest threads");
  if (precision) rows[0].insert(rows[0].end(), {"precision", "against first precision"});
  for (const Json& t : training) {
    const double speed = number(t, "positions_per_s");
    // the first row of the model with equal values for these keys
    const auto beside = [&](std::initializer_list<const char*> keys) {
      return find(training, t, [&](const Json& row) { return same(row, t, keys); });
    };
    const auto against = [&](const Json& other, const char* key) {
      return same(other, t, {key}) ? "-" : "x " + fixed(speed / number(other, "positions_per_s"), 2);
    };
    std::vector<std::string> row{text(t, "model"),
                                 whole(t, "threads"),
                                 whole(t, "batch") + " x " + whole(t, "length"),
                                 fixed(speed, 0),
                                 spread(t, "step_seconds", "spread_seconds"),
                                 percent(number(t, "fma_share")),
                                 bytes_text(number(t, "peak_bytes")),
                                 bytes_text(number(t, "tape_bytes")),
                                 "x " + fixed(number(*beside({"threads", "precision"}), "positions_per_s") / speed, 2)};
    if (threads) row.push_back(against(*beside({"length", "batch", "precision"}), "threads"));
    if (precision)
      row.insert(row.end(), {text(t, "precision"), against(*beside({"length", "batch", "threads"}), "precision")});
    rows.push_back(row);
  }
  print_table(training.front().at("checkpoint").get<bool>()
                  ? "training, activation checkpointing; time a position: against the first row of the model"
                  : "training; time a position: against the first row of the model",
              rows);
}

void print_inference(const Json& inference) {
  std::vector<std::vector<std::string>> rows{{"model", "weights", "threads", "batch", "context", "prefill/s", "(slice)",
                                              "step", "spread", "steps/s", "state", "touched", "of read"}};
  for (const Json& i : inference)
    rows.push_back({text(i, "model"), text(i, "weights"), whole(i, "threads"), whole(i, "batch"), whole(i, "context"),
                    rate(number(i, "prefill_positions_per_s")), whole(i, "slice"), time_text(number(i, "step_seconds")),
                    spread(i, "step_seconds", "spread_seconds"), rate(number(i, "step_positions_per_s")),
                    bytes_text(number(i, "state_bytes")), bytes_text(number(i, "step_bytes")),
                    percent(number(i, "read_share"))});
  print_table("inference: positions a second of all sequences together; a step beside the best read of as many bytes",
              rows);
}

void print_streams(const Json& streams) {
  std::vector<std::vector<std::string>> rows{{"model", "threads", "at byte", "a step", "state", "process"}};
  for (const Json& s : streams)
    rows.push_back({text(s, "model"), whole(s, "threads"), whole(s, "position"), time_text(number(s, "step_seconds")),
                    bytes_text(number(s, "state_bytes")), bytes_text(number(s, "resident_bytes"))});
  print_table("streams", rows);
}
}  // namespace

void print_bench(const Json& report) {
  const Json& machine = report.at("machine");
  std::printf("%s, %s cores, %s, load %s; statera %s, commit %s, %s\n", text(machine, "cpu").c_str(),
              whole(machine, "cores").c_str(), text(machine, "instruction_set").c_str(),
              fixed(number(machine, "load"), 2).c_str(), text(report, "statera").c_str(),
              text(report, "commit").c_str(), text(report, "date").c_str());
  struct Part {
    const char* key;
    void (*print)(const Json&);
  };
  for (const Part part :
       {Part{"roof", print_roof}, Part{"start", print_start}, Part{"operations", print_operations},
        Part{"streams", print_streams}, Part{"inference", print_inference}, Part{"training", print_training}})
    if (report.contains(part.key) && !report.at(part.key).empty()) part.print(report.at(part.key));
  if (!report.at("left_out").empty()) std::printf("\n");
  for (const Json& l : report.at("left_out"))
    std::printf("left out: %s: %s\n", text(l, "what").c_str(), text(l, "why").c_str());
}

}  // namespace statera::cli
