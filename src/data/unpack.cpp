#include "data/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {

enum class Packing { none, gzip, xz, zstd, other };

// How packed data begin; '?' is any byte. Those of `other` are refused by name: a model that trained on packed bytes
// would learn nothing.
struct Packer {
  std::string_view begin, name;
  Packing packing;
};
using namespace std::string_view_literals;
constexpr Packer packers[] = {
    {"\x1f\x8b\x08"sv, "gzip", Packing::gzip},
    {"\xfd"
     "7zXZ\0"sv,
     "xz", Packing::xz},
    {"\x28\xb5\x2f\xfd"sv, "zstd", Packing::zstd},
    {"BZh?1AY&SY"sv, "bzip2", Packing::other},
    {"\x04\x22\x4d\x18"sv, "lz4", Packing::other},
    {"LZIP\x01"sv, "lzip", Packing::other},
    {"7z\xbc\xaf\x27\x1c"sv, "7-Zip", Packing::other},
    {"PK\x03\x04"sv, "zip", Packing::other},
    {"Rar!\x1a\x07"sv, "rar", Packing::other},
    {"\x1f\x9d\x90"sv, "compress", Packing::other},
    {"\x5d\x00\x00??\xff\xff\xff\xff\xff\xff\xff\xff"sv, "lzma", Packing::other},
    {"?\x2a\x4d\x18"sv, "zstd or lz4, with a frame before the data",
     Packing::other},  // written by pzstd; libarchive does not skip it
};
constexpr size_t longest_begin = 13;
constexpr Packer plain = {"", "", Packing::none};

const Packer& packer_of(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto begins = [&](const Packer& p) {
    const auto same = [](char known, char got) { return known == '?' || known == got; };
    return text.size() >= p.begin.size() && std::equal(p.begin.begin(), p.begin.end(), text.begin(), same);
  };
  const auto found = std::find_if(std::begin(packers), std::end(packers), begins);
  return found == std::end(packers) ? plain : *found;
}

[[noreturn]] void damaged(const std::string& path, const char* why) {
  fail(ErrorCode::io, "[data] ", printable(path), " is truncated or corrupt (",
       printable(why ? why : "no reason given"), "): fetch or pack it again");
}

// How many bytes a regular file has from the current position to its end; 0 for anything else. Files of the system may
// say 0.
size_t bytes_to_come(int descriptor) {
  struct stat info {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  const off_t here = lseek(descriptor, 0, SEEK_CUR);
  return here >= 0 && here < info.st_size ? static_cast<size_t>(info.st_size - here) : 0;
}

// Reads a descriptor in pieces. A regular file ends where it ended when it was opened; later additions are not read.
class Pieces {
 public:
  Pieces(int descriptor, const std::string& path, Reading& reading)
      : descriptor_(descriptor), path_(path), reading_(reading), size_(bytes_to_come(descriptor)) {}

  // Returns 0 at the end, and when the time is up.
  size_t read(std::span<uint8_t> to) {
    if (size_ > 0) to = to.first(std::min(to.size(), size_ - done_));
    if (to.empty()) return 0;
    for (;;) {
      if (!wait()) return 0;
      const ssize_t got = ::read(descriptor_, to.data(), to.size());
      const int error = errno;
      if (got < 0 && (error == EINTR || error == EAGAIN)) continue;
      require(got >= 0, ErrorCode::io, "[data] cannot read ", printable(path_), ": ", strerror(error));
      reading_.begun = reading_.begun || got > 0;
      done_ += static_cast<size_t>(got);
      return static_cast<size_t>(got);
    }
  }
  size_t size() const { return size_; }  // size of a regular file from the start position on; 0: unknown
  bool cut() const { return !reading_.cut.empty(); }
  // Whether enough bytes have come; if so, notes that the data are cut here.
  bool enough(size_t bytes) {
    if (bytes < reading_.most) return false;
    reading_.cut = printable(path_);
    return true;
  }
  // The first bytes, as many as it takes to tell how they are packed. next() returns them again.
  std::span<const uint8_t> peek() {
    while (peeked_ < longest_begin) {
      const size_t got = read(std::span(piece_).subspan(peeked_));
      if (got == 0) break;
      peeked_ += got;
    }
    return std::span(piece_).first(peeked_);
  }
  std::span<const uint8_t> next() {  // empty at the end
    const size_t bytes = peeked_ > 0 ? std::exchange(peeked_, 0) : read(piece_);
    return std::span(piece_).first(bytes);
  }

 private:
  // Waits until there is something to read or the end; false if the time is up. It also waits for somebody to open the
  // other end of a pipe.
  bool wait() {
    for (;;) {
      if (reading_.often) reading_.often();
      const bool up = reading_.time_is_up();
      pollfd input{descriptor_, POLLIN, 0};
      const int ready = up && reading_.begun ? 0 : poll(&input, 1, up ? 0 : 100);
      if (ready > 0) return true;
      if (!up) continue;
      reading_.cut = printable(path_);
      return false;
    }
  }

  int descriptor_;
  const std::string& path_;
  Reading& reading_;
  size_t size_, done_ = 0;
  std::array<uint8_t, 1 << 16> piece_;
  size_t peeked_ = 0;
};

constexpr size_t piece_bytes = size_t{1} << 20, longest_growth = size_t{1} << 26;

// Where the bytes of an input go, unpacked: all of them into a buffer, or piece by piece to who uses them.
class Output {
 public:
  // Throws ErrorCode::io, naming `path`, for more than `limit` bytes.
  Output(ByteBuffer& kept, const std::string& path, size_t limit) : buffer_(kept), path_(path), limit_(limit) {}
  // `piece` is memory to work with; of all bytes the first `most` are used.
  Output(ByteBuffer& piece, const std::string& path, size_t most, UsePiece use)
      : buffer_(piece), path_(path), most_(most), use_(use) {}

  // Room for the next bytes. That of a buffer grows with the data, up to 64 MiB and `most`.
  std::span<uint8_t> room(size_t most = longest_growth) {
    most = std::min(most, use_ ? piece_bytes : longest_growth);
    const std::span<uint8_t> room =
        buffer_.room(use_ ? piece_bytes : std::min(most, std::max(buffer_.size(), size_t{1} << 16)));
    return room.first(std::min(room.size(), most));
  }
  // Where the size is known before.
  void reserve(size_t bytes) {
    require(bytes <= limit_, ErrorCode::io, "[data] ", printable(path_), " has ", bytes >> 20, " MB, and no more than ",
            limit_ >> 20, " MB of the data are kept in memory: cut it, or give fewer files");
    if (!use_) buffer_.room(bytes);
  }
  // The first `count` bytes that were written to room().
  void add(size_t count) {
    buffer_.add(count);
    size_ += count;
    require(size_ <= limit_, ErrorCode::io, "[data] ", printable(path_), " holds more than ", limit_ >> 20,
            " MB, and no more of the data is kept in memory: cut it, or give fewer files");
    const std::span<const uint8_t> added = buffer_.bytes().last(count);
    for (size_t i = 0; i < count && begin_.size() < longest_begin; ++i) begin_ += static_cast<char>(added[i]);
    if (!use_) return;
    const size_t used = std::min(count, most_ - std::min(most_, size_ - count));
    if (used > 0) (*use_)(added.first(used));
    buffer_.keep(0);
  }
  size_t size() const { return size_; }  // bytes that came
  std::span<const uint8_t> begin() const { return {reinterpret_cast<const uint8_t*>(begin_.data()), begin_.size()}; }

 private:
  ByteBuffer& buffer_;
  const std::string& path_;
  size_t limit_ = SIZE_MAX, most_ = SIZE_MAX, size_ = 0;
  std::string begin_;  // enough of the first bytes to tell how they are packed
  std::optional<UsePiece> use_;
};

// Reads gzip. zlib checks the CRC-32 and the length of each member. Zeros may follow the last one, as on tapes.
void unpack_gzip(Pieces& in, const std::string& path, Output& out) {
  struct Stream : z_stream {
    Stream() : z_stream{} {
      if (inflateInit2(this, 15 + 16) != Z_OK) throw std::bad_alloc();  // gzip only
    }
    ~Stream() { inflateEnd(this); }
  } stream;
  std::span<const uint8_t> piece;
  bool inside = true, padded = false;
  for (;;) {
    if (piece.empty() && (piece = in.next()).empty()) break;
    if (!inside) {
      const auto data = std::find_if(piece.begin(), piece.end(), [](uint8_t byte) { return byte != 0; });
      padded = padded || data != piece.begin();
      piece = {data, piece.end()};
      if (piece.empty()) continue;
      require(!padded && piece[0] == 0x1f, ErrorCode::io, "[data] ", printable(path),
              " holds something after its packed data that is not packed by gzip: "
              "cut that off, or pack it again");
      inflateReset(&stream);
      inside = true;
    }
    const std::span<uint8_t> room = out.room();
    stream.next_in = const_cast<uint8_t*>(piece.data());
    stream.avail_in = static_cast<uInt>(piece.size());
    stream.next_out = room.data();
    stream.avail_out = static_cast<uInt>(room.size());
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) damaged(path, stream.msg);
    piece = piece.last(stream.avail_in);
    out.add(room.size() - stream.avail_out);
    if (in.enough(out.size())) return;
    inside = result != Z_STREAM_END;
  }
  if (inside && !in.cut()) damaged(path, "unexpected end of file");
}

// The window size that the first frame of zstd data asks for; 0 if it does not say.
uint64_t zstd_window(std::span<const uint8_t> begin) {
  constexpr uint8_t single_segment = 0x20;
  if (begin.size() < 6 || (begin[4] & single_segment) != 0) return 0;
  const uint64_t base = uint64_t{1} << (10 + (begin[5] >> 3));
  return base + base / 8 * (begin[5] & 7);
}

// Reads xz and zstd through libarchive, which checks every checksum of the two.
class Archive {
 public:
  Archive(Pieces& in, const Packer& packer, const std::string& path)
      : in_(in),
        packer_(packer),
        path_(path),
        window_(packer.packing == Packing::zstd ? zstd_window(in.peek()) : 0),
        reader_(archive_read_new(), archive_read_free) {
    if (!reader_) throw std::bad_alloc();
  }

  void unpack(Output& out) {
    archive* a = reader_.get();
    check(packer_.packing == Packing::xz ? archive_read_support_filter_xz(a) : archive_read_support_filter_zstd(a));
    check(archive_read_support_format_raw(a));
    check(archive_read_support_format_empty(a));
    const int opened = archive_read_open(a, this, nullptr, give_piece, nullptr);  // this class unpacks already
    if (in_.cut() && !error_ && opened < ARCHIVE_OK) return;
    check(opened);
    archive_entry* entry = nullptr;
    const int first = archive_read_next_header(a, &entry);
    if ((first == ARCHIVE_EOF || in_.cut()) && !error_) return;
    check(first);
    require(archive_filter_count(a) == 2, ErrorCode::io, "[data] ", printable(path_),
            " is packed more than once: unpack it first");  // the reader of the file itself counts as one filter
    for (;;) {
      const std::span<uint8_t> room = out.room();
      const la_ssize_t got = archive_read_data(a, room.data(), room.size());
      if (got < 0 && in_.cut() && !error_) return;
      check(got);
      if (got == 0) return;
      out.add(static_cast<size_t>(got));
      if (in_.enough(out.size())) return;
    }
  }

 private:
  static la_ssize_t give_piece(archive* a, void* self_,
                               const void** piece) {  // exceptions must not pass through libarchive
    auto* self = static_cast<Archive*>(self_);
    try {
      const std::span<const uint8_t> next = self->in_.next();
      *piece = next.data();
      return static_cast<la_ssize_t>(next.size());
    } catch (...) {
      self->error_ = std::current_exception();
      archive_set_error(a, EIO, "cannot be read");
      return -1;
    }
  }
  void check(int64_t result) {
    if (error_) std::rethrow_exception(error_);
    if (result >= ARCHIVE_WARN) return;
    const char* why = archive_error_string(reader_.get());
    if (!why || !strstr(why, "memory")) damaged(path_, why);
    constexpr uint64_t most = uint64_t{128} << 20;
    if (packer_.packing == Packing::zstd)
      fail(ErrorCode::io, "[data] ", printable(path_), " was packed by zstd --long: unpacking it takes a window of ",
           window_ > most ? std::to_string(window_ >> 20) : "more than " + std::to_string(most >> 20),
           " MB, above the ", most >> 20, " MB that are read here: unpack it first (zstd -d --long=31)");
    fail(ErrorCode::io, "[data] too little memory to unpack ", printable(path_), ": free some, or unpack it first (",
         packer_.name, " -d)");
  }

  Pieces& in_;
  const Packer& packer_;
  const std::string& path_;
  uint64_t window_;
  std::exception_ptr error_;
  std::unique_ptr<archive, int (*)(archive*)> reader_;
};

void read_rest(Pieces& in, const std::string& path, Output& out) {
  out.reserve(in.size());
  const auto begin = in.peek().empty() ? std::span<const uint8_t>() : in.next();
  std::copy(begin.begin(), begin.end(), out.room().begin());
  out.add(begin.size());
  while (!in.enough(out.size()) && (in.size() == 0 || out.size() < in.size())) {
    const size_t got = in.read(in.size() == 0 ? out.room() : out.room(in.size() - out.size()));
    if (got == 0) break;
    out.add(got);
  }
  require(out.size() >= in.size() || in.cut(), ErrorCode::io, "[data] ", printable(path),
          " became shorter while it was read (", out.size(), " of ", in.size(),
          " bytes): is it a log that is rotated? Try again, or give a copy");
}

// Calls `body` to fill the buffer that it returns.
template <class Body>
ByteBuffer in_memory(const std::string& path, Body body) {
  ByteBuffer bytes;
  try {
    body(bytes);
    bytes.fit();
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::io, "[data] too little memory for ", printable(path), " (", bytes.size() >> 20,
         " MB of it were read): cut it, give fewer files, or free some memory");
  }
  return bytes;
}

}  // namespace

std::span<uint8_t> ByteBuffer::room(size_t least) {
  if (capacity_ - size_ < least) resize(std::max(size_ + least, size_ + size_ / 2));
  return {data_.get() + size_, capacity_ - size_};
}

void ByteBuffer::fit() {
  if (capacity_ > size_ && size_ > 0) resize(size_);
}

void ByteBuffer::resize(size_t capacity) {
  void* moved = std::realloc(data_.get(), capacity);
  if (!moved) throw std::bad_alloc();
  static_cast<void>(data_.release());
  data_.reset(static_cast<uint8_t*>(moved));
  capacity_ = capacity;
}

ByteBuffer read_plain(int descriptor, const std::string& path, size_t limit) {
  return in_memory(path, [&](ByteBuffer& bytes) {
    Reading reading;
    Pieces in(descriptor, path, reading);
    Output out(bytes, path, limit);
    read_rest(in, path, out);
  });
}

namespace {
void read_unpacked(int descriptor, const std::string& path, Reading& reading, Output& out) {
  Pieces in(descriptor, path, reading);
  const Packer& packer = packer_of(in.peek());
  switch (packer.packing) {
    case Packing::none:
      require(in.peek().empty() || packed_suffix(path).empty(), ErrorCode::io, "[data] ", printable(path),
              " is not packed as its name says: rename it, or pack it again");
      read_rest(in, path, out);
      break;
    case Packing::gzip:
      unpack_gzip(in, path, out);
      break;
    case Packing::xz:
    case Packing::zstd:
      Archive(in, packer, path).unpack(out);
      break;
    case Packing::other:
      fail(ErrorCode::io, "[data] ", printable(path), " is packed by ", packer.name,
           ": unpack it, and give what comes out");
  }
  if (packer.packing != Packing::none)
    if (const Packer& inner = packer_of(out.begin()); inner.packing != Packing::none)
      fail(ErrorCode::io, "[data] ", printable(path), " is packed more than once (", inner.name, " inside ",
           packer.name, "): unpack it first");
}
}  // namespace

ByteBuffer read_bytes(int descriptor, const std::string& path, size_t limit, Reading& reading) {
  return in_memory(path, [&](ByteBuffer& bytes) {
    Output out(bytes, path, limit);
    read_unpacked(descriptor, path, reading, out);
    bytes.keep(reading.most);
    reading.most -= bytes.size();
  });
}

size_t read_pieces(int descriptor, const std::string& path, Reading& reading, UsePiece use) {
  ByteBuffer piece;
  Output out(piece, path, reading.most, use);
  read_unpacked(descriptor, path, reading, out);
  const size_t used = std::min(out.size(), reading.most);
  reading.most -= used;
  return used;
}

std::string_view packed_suffix(std::string_view path) {
  for (const std::string_view suffix : {".gz", ".xz", ".zst", ".tgz", ".txz", ".tzst"})
    if (path.size() > suffix.size() &&
        std::equal(suffix.begin(), suffix.end(), path.end() - static_cast<ptrdiff_t>(suffix.size()),
                   [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); }))
      return path.substr(path.size() - suffix.size());
  return {};
}

}  // namespace statera
