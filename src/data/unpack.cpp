#include "data/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "core/check.hpp"

namespace statera {

namespace {

void check_growth(size_t bytes, size_t limit, const std::string& name) {
  require(bytes <= limit, ErrorCode::io, "[data] ", shown(name), " holds more than ", limit >> 20,
          " MB, which may not fit into memory: write it to a plain file, which is mapped, or cut it");
}

uint32_t little_endian(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24; }

// libarchive skips the trailer of gzip (CRC-32 and length of the last member), so it is checked here. A length that differs is an error
// unless the file may have further members, whose header would then stand somewhere inside it.
void check_gzip(const std::string& path, std::span<const uint8_t> bytes) {
  std::ifstream file(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  bool good = packed.size() >= 18;
  if (good) {
    const auto* trailer = reinterpret_cast<const uint8_t*>(packed.data()) + packed.size() - 8;
    const bool same_length = little_endian(trailer + 4) == static_cast<uint32_t>(bytes.size());
    good = same_length ? little_endian(trailer) == lzma_crc32(bytes.data(), bytes.size(), 0)
                       : packed.find("\x1f\x8b\x08", 10) != std::string::npos;
  }
  require(good, ErrorCode::io, "[data] ", shown(path), " is truncated or corrupt (its checksum does not match): fetch or pack it again");
}

}  // namespace

std::string shown(std::string_view path) {
  std::string text(path);
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
  return text;
}

std::string_view packed_by(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x1f\x8b\x08")) return "gzip";
  if (text.starts_with(std::string_view("\xfd" "7zXZ\0", 6))) return "xz";
  if (text.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  return {};
}

bool is_packed(std::string_view path) { return path.ends_with(".gz") || path.ends_with(".xz") || path.ends_with(".zst"); }

std::vector<uint8_t> unpack(const std::string& path, size_t limit) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  require(reader != nullptr, ErrorCode::io, "[data] no memory to unpack ", shown(path));
  const auto check = [&](int64_t result) {
    const char* why = archive_error_string(reader.get());
    require(result >= ARCHIVE_WARN, ErrorCode::io, "[data] ", shown(path), " is truncated or corrupt (",
            shown(why ? why : "no reason given"), "): fetch or pack it again");
  };
  archive* a = reader.get();
  if (path.ends_with(".gz")) check(archive_read_support_filter_gzip(a));
  else if (path.ends_with(".xz")) check(archive_read_support_filter_xz(a));
  else check(archive_read_support_filter_zstd(a));
  check(archive_read_support_format_raw(a));
  check(archive_read_support_format_empty(a));
  check(archive_read_open_filename(a, path.c_str(), 1 << 16));
  archive_entry* entry = nullptr;
  const int first = archive_read_next_header(a, &entry);
  if (first == ARCHIVE_EOF) return {};
  check(first);
  require(archive_filter_count(a) > 1, ErrorCode::io, "[data] ", shown(path),
          " is not packed as its name says: rename it, or pack it again");
  std::vector<uint8_t> bytes;
  for (;;) {
    const size_t have = bytes.size(), step = std::clamp<size_t>(have, 1 << 16, 1 << 26);
    bytes.resize(have + step);
    const la_ssize_t got = archive_read_data(a, bytes.data() + have, step);
    check(got);
    bytes.resize(have + static_cast<size_t>(got));
    if (got == 0) break;
    check_growth(bytes.size(), limit, path);
  }
  if (path.ends_with(".gz")) check_gzip(path, bytes);
  return bytes;
}

std::vector<uint8_t> read_to_end(int descriptor, const std::string& name, size_t limit) {
  std::vector<uint8_t> bytes;
  for (;;) {
    const size_t have = bytes.size(), step = std::clamp<size_t>(have, 1 << 16, 1 << 26);
    bytes.resize(have + step);
    ssize_t got = 0;
    do got = read(descriptor, bytes.data() + have, step);
    while (got < 0 && errno == EINTR);
    require(got >= 0, ErrorCode::io, "[data] cannot read ", shown(name), ": ", strerror(errno));
    bytes.resize(have + static_cast<size_t>(got));
    if (got == 0) return bytes;
    check_growth(bytes.size(), limit, name);
  }
}

Mapping::Mapping(int descriptor, size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (memory != MAP_FAILED) bytes_ = {static_cast<const uint8_t*>(memory), bytes};
}

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace statera
