#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/check.hpp"
#include "core/machine.hpp"
#include "data/named_inputs.hpp"
#include "data/unpack.hpp"
#include "io/printable.hpp"
#include "statera/data.hpp"

namespace statera {

namespace {

size_t memory_limit() { return static_cast<size_t>(std::min(usable_memory_bytes() / 2, 4e18)); }

}  // namespace

struct ByteSource::Memory {
  std::vector<ByteBuffer> buffers;
  std::set<std::pair<dev_t, ino_t>> files;
};

struct ByteSource::Reader {
  std::shared_ptr<Memory> memory = std::make_shared<Memory>();
  std::vector<std::span<const uint8_t>> documents;
  size_t left = memory_limit();

  void add(ByteBuffer bytes) {
    if (bytes.size() == 0) return;
    left -= std::min(left, bytes.size());
    memory->buffers.push_back(std::move(bytes));
    documents.push_back(memory->buffers.back().bytes());
  }
};

void ByteSource::take(Reader&& reader) {
  memory_ = std::move(reader.memory);
  documents_ = std::move(reader.documents);
  for (const auto& document : documents_)
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + static_cast<int64_t>(document.size()));
}

ByteSource::ByteSource(const std::string& path, const ReadOptions& options)
    : ByteSource(std::span(&path, 1), options) {}

ByteSource::ByteSource(std::span<const std::string> paths, const ReadOptions& options) {
  require(!paths.empty(), ErrorCode::io, "[data] no file given: name a file, a folder, or - for the standard input");
  Reader reader;
  NamedInputs inputs(options, [&reader](int descriptor, const std::string& path, Reading& reading) {
    ByteBuffer bytes = read_bytes(descriptor, path, reader.left, reading);
    const size_t size = bytes.size();
    reader.add(std::move(bytes));
    return size;
  });
  for (const std::string& path : paths) inputs.read(path);
  reader.memory->files = inputs.files();
  cut_ = inputs.cut();
  left_out_ = inputs.left_out();
  take(std::move(reader));
  name_ = printable(paths[0] == "-" ? "the standard input" : paths[0]);
  if (paths.size() > 1) name_ += " and " + std::to_string(paths.size() - 1) + " more";
}

bool ByteSource::reads(const std::string& path) const {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && memory_->files.contains({info.st_dev, info.st_ino});
}

ByteSource ByteSource::from_memory(std::span<const std::string> documents, std::string name) {
  Reader reader;
  for (const std::string& document : documents) {
    ByteBuffer bytes;
    std::copy(document.begin(), document.end(), bytes.room(document.size()).begin());
    bytes.add(document.size());
    reader.add(std::move(bytes));
  }
  require(!reader.documents.empty(), ErrorCode::io, "[data] ", name, " is empty: give at least one byte");
  ByteSource source;
  source.take(std::move(reader));
  source.name_ = std::move(name);
  return source;
}

int64_t ByteSource::document_at(int64_t position) const {
  return std::upper_bound(ends_.begin(), ends_.end(), position) - ends_.begin();
}

ByteSource ByteSource::part(int64_t begin, int64_t end) const {
  const std::pair range(begin, end);
  return parts(std::span(&range, 1));
}

ByteSource ByteSource::parts(std::span<const std::pair<int64_t, int64_t>> ranges) const {
  require(!ranges.empty(), ErrorCode::config, "[data] no part of ", name_, " given");
  ByteSource result;
  result.memory_ = memory_;
  result.name_ = name_;
  int64_t bytes_so_far = 0;
  for (const auto& [begin, end] : ranges) {
    require(0 <= begin && begin < end && end <= bytes(), ErrorCode::config, "[data] ", name_, " has ", bytes(),
            " bytes: there is no part [", begin, ", ", end, ")");
    for (int64_t i = document_at(begin); i < documents() && document_begin(i) < end; ++i) {
      const int64_t from = std::max(begin, document_begin(i)), to = std::min(end, ends_[static_cast<size_t>(i)]);
      result.documents_.push_back(
          document(i).subspan(static_cast<size_t>(from - document_begin(i)), static_cast<size_t>(to - from)));
      result.ends_.push_back(bytes_so_far += to - from);
    }
  }
  return result;
}

std::pair<ByteSource, ByteSource> ByteSource::split(double held_out) const {
  require(held_out > 0 && held_out < 1, ErrorCode::config, "[data] the held-out fraction is ", held_out,
          ": it must lie between 0 and 1");
  const auto cut = static_cast<int64_t>(std::floor(static_cast<double>(bytes()) * (1 - held_out)));
  require(cut >= 1 && cut < bytes(), ErrorCode::config, "[data] ", name_, " has ", bytes(),
          " bytes, too few to hold out ", 100 * held_out, " % of them: give a longer text");
  std::pair<ByteSource, ByteSource> parts{part(0, cut), part(cut, bytes())};
  parts.first.name_ += " (the part to train on)";
  parts.second.name_ += " (the held-out part)";
  return parts;
}

}  // namespace statera
