#include "train/metrics.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/check.hpp"
#include "text/number.hpp"

namespace statera {

namespace {
constexpr const char* name = "metrics.jsonl";
}

MetricsLog::MetricsLog(OutputFolder& folder, int64_t keep) : path_(folder.path() + "/" + name), file_(folder.append(name, keep)) {
  line_.reserve(512);
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::add(const TrainProgress& p) {
  line_.clear();  // keeps its memory; the pieces are short enough to need none of their own
  const auto field = [&](const char* name, const std::string& value) {
    line_ += line_.empty() ? "{\"" : ", \"";
    line_ += name;
    line_ += "\": ";
    line_ += value;
  };
  field("step", std::to_string(p.step));
  field("loss", significant(p.loss, 9));
  field("bits_per_byte", significant(p.bits_per_byte, 6));
  field("lr", significant(p.lr, 6));
  field("gradient_norm", significant(p.gradient_norm, 6));
  if (!std::isnan(p.held_out)) field("held_out", significant(p.held_out, 9));
  field("seconds", fixed(p.seconds, 2));
  line_ += "}\n";
  if (std::fwrite(line_.data(), 1, line_.size(), file_) != line_.size() && error_ == 0) error_ = errno;
}

int64_t MetricsLog::flush() {
  if (std::fflush(file_) != 0 && error_ == 0) error_ = errno;
  require(error_ == 0, ErrorCode::io, path_, ": cannot write: ", std::strerror(error_), "; the last checkpoint is still good");
  return static_cast<int64_t>(std::ftell(file_));
}

}  // namespace statera
