#include "train/metrics.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/check.hpp"

namespace statera {

MetricsLog::MetricsLog(std::string path, int64_t keep) : path_(std::move(path)) {
  std::error_code error;
  const auto there = std::filesystem::file_size(path_, error);
  if (!error && there > static_cast<uintmax_t>(keep)) {
    std::filesystem::resize_file(path_, static_cast<uintmax_t>(keep), error);
    require(!error, ErrorCode::io, path_, ": cannot be cut to what the checkpoint knows: ", error.message(), "; remove it to go on without the lines so far");
  }
  file_ = std::fopen(path_.c_str(), "ab");
  require(file_ != nullptr, ErrorCode::io, path_, ": cannot write: ", std::strerror(errno));
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::add(const TrainProgress& p) {
  std::fprintf(file_, "{\"step\": %lld, \"loss\": %.9g, \"bits_per_byte\": %.6g, \"lr\": %.6g, \"gradient_norm\": %.6g",
               static_cast<long long>(p.step), p.loss, p.bits_per_byte, p.lr, p.gradient_norm);
  if (!std::isnan(p.held_out)) std::fprintf(file_, ", \"held_out\": %.9g", p.held_out);
  std::fprintf(file_, ", \"seconds\": %.2f}\n", p.seconds);
}

int64_t MetricsLog::flush() {
  require(std::fflush(file_) == 0 && !std::ferror(file_), ErrorCode::io, path_, ": cannot write: ", std::strerror(errno),
          "; the last checkpoint is still good");
  return static_cast<int64_t>(std::ftell(file_));
}

}  // namespace statera
