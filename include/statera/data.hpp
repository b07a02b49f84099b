// Bytes to train on: ByteSource (the documents of files, folders or standard input) and ByteStream (batches of them).
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "statera/tokens.hpp"

namespace statera {

// A byte model reads the 256 bytes and this, which stands before a document and is never predicted.
inline constexpr int32_t begin_id = 256;

// How much of a source is read.
struct ReadOptions {
  // what has not come by then is left out; the first 64 KiB that are there count always
  double seconds = std::numeric_limits<double>::infinity();
  // what is behind so many is left out: to read again what was cut before
  int64_t bytes = std::numeric_limits<int64_t>::max();
  std::function<void()> often = {};  // ten times a second at the fewest while it is read; what it throws comes out
};

// An immutable list of documents, which are the files, none of them empty. All of it is read into memory here, so that
// what happens to a file later changes nothing; a copy or a part shares the memory. gzip, xz and zstd data are
// unpacked, whatever the file is called. Throws io, in one line that names the file and the fix: for what cannot be
// read, is damaged, is packed in another way, is more than half of the machine's memory, or gives nothing in the time
// that it has.
class ByteSource {
 public:
  // A file, which may be a pipe; a folder (all files below it, sorted by path, without hidden and empty ones and
  // without files that statera wrote, by its list or by what stands in them; links are followed, and what has several
  // names is read once; a pipe, a socket or a device in it is an error); "-", the standard input. A pipe that nobody
  // writes to yet is waited for.
  explicit ByteSource(const std::string& path, const ReadOptions& options = {});
  explicit ByteSource(std::span<const std::string> paths, const ReadOptions& options = {});
  static ByteSource from_memory(std::span<const std::string> documents, std::string name = "memory");

  const std::string& name() const { return name_; }  // for messages
  int64_t bytes() const { return ends_.back(); }
  int64_t documents() const { return static_cast<int64_t>(documents_.size()); }
  std::span<const uint8_t> document(int64_t i) const { return documents_[static_cast<size_t>(i)]; }
  int64_t document_begin(int64_t i) const { return i == 0 ? 0 : ends_[static_cast<size_t>(i) - 1]; }
  int64_t document_at(int64_t position) const;  // the document that holds the byte at 0 <= position < bytes()

  // The input within or before which the time for reading was up, or the bytes to read were there, for messages: what
  // stands there is no more than a part of the data. Empty: all was read.
  const std::string& cut() const { return cut_; }
  // A line for each folder of which files were left out because statera wrote them: "notes/model: 4 files that statera
  // wrote are left out".
  const std::vector<std::string>& left_out() const { return left_out_; }
  // Whether `path` is one of the files that the documents came from, by whatever name. For outputs that must not be
  // inputs.
  bool reads(const std::string& path) const;

  // The bytes [begin, end), not none; a document that is cut by them begins or ends there. Throws config.
  ByteSource part(int64_t begin, int64_t end) const;
  // The same for several ranges {begin, end}, in the order given; each begins a document of its own.
  ByteSource parts(std::span<const std::pair<int64_t, int64_t>> ranges) const;
  // {train, held out}: the last `held_out` of the bytes, rounded up, are held out. Nothing is shared. Throws config if
  // one would be empty.
  std::pair<ByteSource, ByteSource> split(double held_out = 0.1) const;

 private:
  struct Memory;
  struct Reader;
  ByteSource() = default;
  void take(Reader&& reader);

  std::shared_ptr<const Memory> memory_;
  std::vector<std::span<const uint8_t>> documents_;  // [D]
  std::vector<int64_t> ends_;                        // [D] the position behind each document
  std::string name_, cut_;
  std::vector<std::string> left_out_;
};

enum class Order {
  random,  // windows at random places, each with a state of zero: batch i is a function of (seed, i)
  lanes,  // `batch` equal pieces of the source, read side by side from batch to batch: lane b has the rows [b * length,
          // (b + 1) * length), and its first sequence goes on (start > 0) from where the lane's last one stood, unless
          // a document or a pass begins there
  sweep,  // windows one after the other, every byte once, each with a state of zero; the last batch of a pass is
          // shorter
};

struct ByteStreamOptions {
  int64_t batch = 8;
  int64_t length = 1024;  // positions of a window
  uint64_t seed = 0;
  Order order = Order::random;
  // one random window in so many starts with `begin` although it stands within a document, so that writing
  int64_t begin_every = 16;
  // without a prompt is trained for even where there is one document; 0: none
};

// Every row of a batch predicts one byte of the source. It reads the byte before it, or `begin` if the byte is the
// first of a document, of a lane's pass, or of a window chosen by begin_every. A window that crosses into the next
// document becomes two sequences. There is no state but the number of the next batch, so a run continues exactly with
// next(step). One thread at a time.
class ByteStream {
 public:
  // Throws config if the options are impossible or the source is shorter than the windows need.
  ByteStream(const std::string& path, const ByteStreamOptions& options = {});
  ByteStream(ByteSource source, const ByteStreamOptions& options = {});

  Batch next();              // valid until the next call; allocates nothing
  Batch next(int64_t step);  // the batch of that number, from 0; next() goes on behind it
  int64_t steps() const;     // batches of one pass over the source
  const ByteSource& source() const { return source_; }

 private:
  void window(int64_t position, int64_t count, int64_t start, bool begin);
  void random_windows(int64_t step);
  void lanes(int64_t step);
  void sweep(int64_t step);

  ByteSource source_;
  ByteStreamOptions options_;
  int64_t step_ = 0;
  Tokens inputs_;
  std::vector<int32_t> targets_;
};

}  // namespace statera
