// What to train on. ByteSource reads the documents of files, folders or standard input; IdSource has them as a model
// reads them, as bytes or as tokens; BatchStream makes batches of those.
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
#include "statera/units.hpp"

namespace statera {

// The input id of a byte model beside the 256 bytes. It stands before a document and is never predicted.
inline constexpr int32_t begin_id = 256;

// How much of a source to read.
struct ReadOptions {
  // Stop reading after this many seconds. At least the first 64 KiB that are available are read in any case.
  double seconds = std::numeric_limits<double>::infinity();
  // Stop reading after this many bytes. A resumed run uses it to read the same part of the data again.
  int64_t bytes = std::numeric_limits<int64_t>::max();
  // called at least ten times per second while reading; what it throws leaves the constructor
  std::function<void()> often = {};
};

// An immutable list of documents, one per file; empty files are left out. The constructor reads everything into memory,
// so later changes to a file have no effect. Copies and parts share that memory. Data packed with gzip, xz or zstd are
// unpacked, whatever the name of the file is. Thread safety: all const members may be called concurrently.
//
// The constructors throw ErrorCode::io with one line that names the file and the fix, if an input cannot be read, is
// damaged, is packed in another format, holds more than half of the machine's memory, or yields no bytes in the time it
// has.
class ByteSource {
 public:
  // `path` is one of three things:
  //
  //   a file, which may be a pipe (the constructor waits until somebody writes to it);
  //   a folder: all files below it, sorted by path;
  //   "-": standard input.
  //
  // In a folder, hidden files, empty files and files that statera wrote are left out. Links are followed, and a file
  // with several names is read once. A pipe, a socket or a device in a folder is an error.
  explicit ByteSource(const std::string& path, const ReadOptions& options = {});
  explicit ByteSource(std::span<const std::string> paths, const ReadOptions& options = {});
  static ByteSource from_memory(std::span<const std::string> documents, std::string name = "memory");

  const std::string& name() const { return name_; }  // for messages
  int64_t bytes() const { return ends_.back(); }
  int64_t documents() const { return static_cast<int64_t>(documents_.size()); }
  std::span<const uint8_t> document(int64_t i) const { return documents_[static_cast<size_t>(i)]; }
  int64_t document_begin(int64_t i) const { return i == 0 ? 0 : ends_[static_cast<size_t>(i) - 1]; }
  // the document that contains the byte at `position`, 0 <= position < bytes()
  int64_t document_at(int64_t position) const;

  // The input at which reading stopped because of ReadOptions::seconds or ReadOptions::bytes, for messages. The source
  // then holds only a part of the data. Empty: everything was read.
  const std::string& cut() const { return cut_; }
  // What was left out of folders, one line each: "notes/model: 4 files that statera wrote are left out".
  const std::vector<std::string>& left_out() const { return left_out_; }
  // Whether `path` is one of the files that were read, under any name. Use it to keep an output from replacing an
  // input.
  bool reads(const std::string& path) const;

  // The bytes [begin, end). A document that extends beyond the range is cut there. Throws ErrorCode::config if the
  // range is empty or not within the source.
  ByteSource part(int64_t begin, int64_t end) const;
  // The same for several ranges {begin, end}, in the given order. Each range begins a new document.
  ByteSource parts(std::span<const std::pair<int64_t, int64_t>> ranges) const;
  // Returns {train, held out}. The last `held_out` (a fraction) of the bytes, rounded up, are held out; the two do not
  // overlap. Throws ErrorCode::config if one of them would be empty.
  std::pair<ByteSource, ByteSource> split(double held_out = 0.1) const;

 private:
  struct Memory;
  struct Reader;
  ByteSource() = default;
  void take(Reader&& reader);

  std::shared_ptr<const Memory> memory_;
  std::vector<std::span<const uint8_t>> documents_;  // [D]
  std::vector<int64_t> ends_;                        // [D] where each document ends
  std::string name_, cut_;
  std::vector<std::string> left_out_;
};

// The documents of a source as ids. Copies share their memory. Thread-safe.
class IdSource {
 public:
  // Every byte is an id; nothing is copied.
  IdSource(ByteSource bytes);
  // What the units make of each document: 8 bytes of memory per id. `often` is called now and then; what it throws
  // leaves the constructor. Throws what Units::encode() throws, with the document's number.
  IdSource(ByteSource bytes, std::shared_ptr<const Units> units, const std::function<void()>& often = {});

  const ByteSource& source() const { return source_; }
  const Units& units() const { return *units_; }
  const std::shared_ptr<const Units>& shared_units() const { return units_; }
  int32_t begin() const { return static_cast<int32_t>(units_->size()); }  // the id that stands before a document
  int64_t size() const { return encoded_ ? encoded_->ends.back() : source_.bytes(); }  // ids
  std::span<const int32_t> encoded() const {  // the ids of all documents; empty for bytes
    return encoded_ ? std::span<const int32_t>(encoded_->ids) : std::span<const int32_t>();
  }
  double bytes_per_id() const { return static_cast<double>(source_.bytes()) / static_cast<double>(size()); }

  int64_t documents() const { return source_.documents(); }
  int64_t document_size(int64_t i) const { return document_end(i) - document_begin(i); }  // ids
  int64_t document_begin(int64_t i) const { return i == 0 ? 0 : document_end(i - 1); }
  int64_t document_at(int64_t position) const;  // the document of the id at `position`, 0 <= position < size()
  // Id number j of document i, 0 <= j < document_size(i).
  int32_t id(int64_t i, int64_t j) const {
    return encoded_ ? encoded_->ids[static_cast<size_t>(document_begin(i) + j)]
                    : int32_t{source_.document(i)[static_cast<size_t>(j)]};
  }
  int64_t id_bytes(int64_t i, int64_t j) const {  // that it stands for
    return encoded_ ? encoded_->bytes[static_cast<size_t>(document_begin(i) + j)] : 1;
  }

 private:
  struct Encoded {
    std::vector<int32_t> ids, bytes;  // of all documents
    std::vector<int64_t> ends;        // [D] where each ends
  };
  int64_t document_end(int64_t i) const {
    return encoded_ ? encoded_->ends[static_cast<size_t>(i)]
                    : source_.document_begin(i) + static_cast<int64_t>(source_.document(i).size());
  }

  ByteSource source_;
  std::shared_ptr<const Units> units_;
  std::shared_ptr<const Encoded> encoded_;  // null: bytes
};

enum class Order {
  random,  // windows at random places; each starts from a zero state; batch i depends on (seed, i) alone
  // The ids are cut into `batch` equal lanes, and all lanes are read side by side. Lane b has the rows [b * length,
  // (b + 1) * length) of every batch. Its first sequence continues (start > 0) where the lane stopped in the batch
  // before, unless a document or a pass over the source begins there.
  lanes,
  // Consecutive windows that cover every id once; each starts from a zero state. The last batch of a pass may be
  // shorter.
  sweep,
};

struct BatchStreamOptions {
  int64_t batch = 8;
  int64_t length = 1024;  // positions per window
  uint64_t seed = 0;
  Order order = Order::random;
  // One random window in this many starts with `begin` although it stands within a document. So a model that is trained
  // on a single document also learns to write without a prompt. 0: none.
  int64_t begin_every = 16;
};

// Makes batches in which every row predicts one id of the source. The input of a row is the id before it, or `begin`
// if the id is the first of a document, of a lane's pass, or of a window chosen by begin_every. A window that
// crosses into the next document becomes two sequences. The only state is the number of the next batch, so next(step)
// resumes a run exactly. Owns its source (which shares memory with its copies) and the batch it returned last. Not
// thread safe.
class BatchStream {
 public:
  // Throws ErrorCode::config if the options are invalid or the source is too short for them, and ErrorCode::io as
  // ByteSource does.
  BatchStream(const std::string& path, const BatchStreamOptions& options = {});
  BatchStream(IdSource source, const BatchStreamOptions& options = {});

  Batch next();              // valid until the next call; allocates nothing
  Batch next(int64_t step);  // the batch with this number, counted from 0; a later next() continues after it
  int64_t steps() const;     // batches in one pass over the source
  const IdSource& source() const { return source_; }

 private:
  void window(int64_t position, int64_t count, int64_t start, bool begin);
  void random_windows(int64_t step);
  void lanes(int64_t step);
  void sweep(int64_t step);

  IdSource source_;
  BatchStreamOptions options_;
  int64_t step_ = 0, bytes_ = 0;
  Tokens inputs_;
  std::vector<int32_t> targets_;
};

}  // namespace statera
