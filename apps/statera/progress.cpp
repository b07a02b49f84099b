#include "progress.hpp"

#include <cmath>
#include <cstdio>

#include "common.hpp"

namespace statera::cli {

Progress::Progress(const char* measured) : measured_(measured), terminal_(is_terminal(2)), held_out_(std::nan("")), shown_(Clock::now() - std::chrono::hours(1)) {}

Progress::~Progress() {
  if (open_) std::fputc('\n', stderr);
}

void Progress::show(const TrainProgress& p) {
  const bool measured = !std::isnan(p.held_out);
  if (measured) held_out_ = p.held_out;
  const auto every = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(15000);
  const auto now = Clock::now();
  if (!measured && p.step != p.steps && now - shown_ < every) return;
  shown_ = now;
  char held_out[48] = "";
  if (!std::isnan(held_out_)) std::snprintf(held_out, sizeof(held_out), ", %s %.3f", measured_, held_out_);
  std::fprintf(stderr, "%sstep %lld/%lld  loss %.3f  bits per byte %.3f%s  %s/s  %s left%s", terminal_ ? "\r\033[K" : "",
               static_cast<long long>(p.step), static_cast<long long>(p.steps), p.loss, p.bits_per_byte, held_out,
               bytes_text(p.bytes_per_second).c_str(), seconds_text(p.seconds_left).c_str(), terminal_ ? "" : "\n");
  std::fflush(stderr);
  open_ = terminal_;
}

void Progress::note(const std::string& line) {
  std::fprintf(stderr, "%s%s\n", open_ ? "\n" : "", line.c_str());
  open_ = false;
  held_out_ = std::nan("");  // of what came before
}

}  // namespace statera::cli
