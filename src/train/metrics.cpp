#include "train/metrics.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/check.hpp"
#include "text/number.hpp"

namespace statera {

namespace {
constexpr const char* name = "metrics.jsonl";

// How many of the first `keep` bytes are complete lines: a power loss may have cut the end of the file.
int64_t whole_lines(const OutputPlace& place, int64_t keep) {
  const int file = ::openat(place.folder, place.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat info = {};
  int64_t end = file >= 0 && ::fstat(file, &info) == 0 ? std::min<int64_t>(keep, info.st_size) : 0;
  std::string piece;
  for (bool found = false; end > 0 && !found;) {
    const int64_t begin = std::max<int64_t>(0, end - (1 << 16));
    piece.resize(static_cast<size_t>(end - begin));
    const ssize_t got = ::pread(file, piece.data(), piece.size(), begin);
    const size_t line_end = piece.rfind('\n', got < 0 ? 0 : static_cast<size_t>(got));
    found = line_end != piece.npos;
    end = begin + (found ? static_cast<int64_t>(line_end) + 1 : 0);
  }
  if (file >= 0) ::close(file);
  return end;
}
}  // namespace

MetricsLog::MetricsLog(OutputFolder& folder, int64_t keep)
    : path_(folder.path() + "/" + name),
      missing_(keep - whole_lines(folder.at(name), keep)),
      file_(folder.append(name, keep - missing_)) {
  line_.reserve(512);
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::add(const TrainProgress& p) {
  line_.clear();  // keeps its memory; the pieces are short enough not to allocate
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
  if (!p.inner.empty()) {
    field("auxiliary", significant(p.auxiliary, 6));
    std::string stacks;
    for (const InnerRows& rows : p.inner) {
      const double read = static_cast<double>(std::max<int64_t>(1, rows.read));
      stacks += (stacks.empty() ? "[{" : ", {") + ("\"positions\": " + std::to_string(rows.read)) +
                ", \"bytes_per_segment\": " + significant(static_cast<double>(p.bytes) / read, 5) +
                ", \"ratio\": " + significant(static_cast<double>(rows.of) / read, 5) + "}";
    }
    field("inner", stacks + "]");
  }
  field("seconds", fixed(p.seconds, 2));
  line_ += "}\n";
  if (std::fwrite(line_.data(), 1, line_.size(), file_) != line_.size() && error_ == 0) error_ = errno;
}

int64_t MetricsLog::flush() {
  // a checkpoint relies on these bytes
  if ((std::fflush(file_) != 0 || ::fdatasync(::fileno(file_)) != 0) && error_ == 0) error_ = errno;
  require(error_ == 0, ErrorCode::io, path_, ": cannot write: ", std::strerror(error_),
          "; the last checkpoint is still good");
  return static_cast<int64_t>(std::ftell(file_));
}

}  // namespace statera
