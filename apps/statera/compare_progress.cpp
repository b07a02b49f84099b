#include "compare_progress.hpp"

#include <algorithm>
#include <cmath>

#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera::cli {

namespace {
std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}
}  // namespace

std::string candidate_line(const CompareStatus::Line& line, size_t widest_name) {
  constexpr size_t stage_width = 30;
  std::string text = "  " + padded(line.name, widest_name) + "  ";
  std::string stage = line.stage.empty() ? line.judged ? "judged" : "waiting" : line.stage;
  if (!line.stage.empty() && line.done > 0)
    stage += ", " + std::to_string(static_cast<int>(std::floor(100 * line.done))) + " %";
  text += padded(stage, stage_width);
  if (line.bits_per_byte > 0)
    text += "  " + fixed(line.bits_per_byte, 3) + (line.judged ? " bits per byte" : " on validation text");
  return text;
}

std::string summary_line(const CompareStatus& status) {
  const auto leader = std::find_if(status.candidates.begin(), status.candidates.end(),
                                   [&](const CompareStatus::Line& l) { return l.name == status.leader; });
  const std::string left = "about " + seconds_text(status.seconds_left) + " left";
  if (leader == status.candidates.end()) return "  none is judged yet; " + left;
  return "  leader so far: " + leader->name + " with " + fixed(leader->bits_per_byte, 3) + " bits per byte; " + left;
}

void CompareProgress::show(const CompareStatus& status) {
  size_t widest = 0;
  for (const CompareStatus::Line& line : status.candidates) widest = std::max(widest, line.name.size());
  if (lines_.terminal()) {
    for (size_t i = 0; i < status.candidates.size(); ++i) lines_.set(i, candidate_line(status.candidates[i], widest));
    lines_.set(status.candidates.size(), summary_line(status));
    return;
  }
  for (const CompareStatus::Line& line : status.candidates) {
    if (line.stage.empty() || stages_[line.name] == line.stage) continue;
    stages_[line.name] = line.stage;
    std::string text = candidate_line({.name = line.name,
                                       .stage = line.stage,
                                       .bits_per_byte = line.judged ? line.bits_per_byte : 0,
                                       .judged = line.judged},
                                      widest);
    text.erase(text.find_last_not_of(' ') + 1);
    lines_.print(text + ";" + summary_line(status).substr(1));
  }
}

}  // namespace statera::cli
