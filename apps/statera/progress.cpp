#include "progress.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "text/columns.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera::cli {

std::string progress_line(const TrainProgress& p, double held_out, const char* measured, size_t columns) {
  struct Part {
    std::string text;
    int weight;  // the part with the lowest weight is left out first
  };
  std::vector<Part> parts = {{"step " + std::to_string(p.step) + "/" + std::to_string(p.steps), 5},
                             {"  loss " + fixed(p.loss, 3), 0},
                             {"  bits per byte " + fixed(p.bits_per_byte, 3), 2}};
  if (!std::isnan(held_out)) parts.push_back({std::string(", ") + measured + " " + fixed(held_out, 3), 3});
  if (!p.inner.empty()) {
    std::string lengths, counts, ratios;
    for (const InnerRows& rows : p.inner) {
      const char* comma = lengths.empty() ? "" : ", ";
      const double read = static_cast<double>(std::max<int64_t>(1, rows.read));
      lengths += comma + fixed(static_cast<double>(p.bytes) / read, 1);
      counts += comma + std::to_string(rows.read);
      ratios += comma + fixed(static_cast<double>(rows.of) / read, 1);
    }
    parts.push_back({"  bytes per segment " + lengths, 2});
    parts.push_back({"  inner positions " + counts, -1});
    parts.push_back({"  ratio " + ratios, -1});
  }
  parts.push_back({"  " + bytes_text(p.bytes_per_second) + "/s", 1});
  if (p.step < p.steps)
    parts.push_back({"  " + seconds_text(p.seconds_left) + " left", 4});
  else  // what is left is no training
    parts.push_back({"  last measurement, " + seconds_text(p.seconds_left) + " left", 4});
  while (true) {
    std::string line;
    for (const Part& part : parts) line += part.text;
    if (columns_of(line) <= columns || parts.size() == 1) return cut_to_columns(line, columns);
    parts.erase(std::ranges::min_element(parts, {}, &Part::weight));
  }
}

Progress::Progress(const char* measured)
    : measured_(measured), held_out_(std::nan("")), shown_(Clock::now() - std::chrono::hours(1)) {}

void Progress::show(const TrainProgress& p) {
  const bool measured = !std::isnan(p.held_out);
  if (measured) held_out_ = p.held_out;
  const auto every = lines_.terminal() ? std::chrono::milliseconds(200) : std::chrono::milliseconds(15000);
  const auto now = Clock::now();
  if (!measured && p.step != p.steps && now - shown_ < every) return;
  shown_ = now;
  lines_.set(0, progress_line(p, held_out_, measured_, lines_.columns()));
}

void Progress::note(const std::string& line) {
  lines_.keep();
  lines_.print(line);
  held_out_ = std::nan("");  // belongs to the data before
}

}  // namespace statera::cli
