// Files written beside and renamed: whoever reads `path` sees the old file or the whole new one, also after a crash or a full disk.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace statera {

// Writes PATH.partial; commit() flushes it to the disk and renames it to PATH. Without commit() it is removed and PATH stays as it was.
// Errors are Error(io) with the path and the mend. A second writer of the same path is refused while the first one lives.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail_with(const char* action, int error) const;

  std::string path_, partial_;
  int file_ = -1;
};

void write_file(const std::string& path, std::string_view text);

}  // namespace statera
