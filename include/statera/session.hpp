// A stream through a model: it carries the state of one sequence and gives the logits of the next id.
//
// Not thread safe; sessions over one Model may run in several threads. A Session shares the weights of its Model and
// keeps them alive.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "statera/model.hpp"

namespace statera {

struct SessionOptions {
  size_t rewind_bytes = size_t{16} << 20;  // memory for snapshots to rewind to; 0: rewind only to the start
  // Positions between them, `begin` counted; 0: about 256, at common borders of the layers' chunks, where stopping to
  // keep one changes no bit.
  int64_t rewind_every = 0;
  // Called once with a line of text when the stream passes the context that the model was trained with. Null: nobody is
  // told.
  std::function<void(const std::string&)> warn;
};

// All that a session remembers at one position. Copies share it. Full blocks of keys and values are shared with the
// session.
class Snapshot {
 public:
  int64_t position() const;
  size_t bytes() const;
  void save(const std::string& path) const;  // one file; throws io
  // Throws io for a damaged file, and one of an older statera, which did not keep what model it is of; config for a
  // snapshot of another model.
  static Snapshot load(const std::string& path, const Model& model);

 private:
  friend class Session;
  struct Data;
  std::shared_ptr<const Data> data_;
};

class Session {
 public:
  explicit Session(const Model& model, SessionOptions options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Reads ids, or the bytes of a text; at position 0 the model's `begin` goes before them. Returns the logits
  // [vocab_size] of what comes next, valid until the next call. Throws shape for an id outside the vocabulary, and if
  // there is nothing to predict from (an empty prompt for a model without `begin`); config for a text where the model's
  // ids are not the 256 bytes.
  std::span<const float> prefill(std::string_view text);
  std::span<const float> prefill(std::span<const int32_t> ids);
  std::span<const float> step(int32_t id);
  // One step of several sessions in one call: each reads its id and then has the logits that step() would have given
  // it, the same bits, in less time. They are of one model, each stands once, at any position; options and kept places
  // to rewind to are each one's own. Throws shape for another number of ids than of sessions, a session that stands
  // twice, is null or was moved from, and an id outside the vocabulary; config for sessions of different models. No
  // session has changed then.
  static void advance(std::span<Session* const> sessions, std::span<const int32_t> ids);
  std::span<const float> logits() const;  // the last ones; empty at the start

  // Reads ids and returns what each cost: -log p(id | all before), in nats. Without `begin` the first id of a stream
  // costs 0. Throws numeric if a cost is not finite.
  std::vector<float> score(std::span<const int32_t> ids);

  int64_t position() const;    // ids that were read, `begin` not counted
  size_t state_bytes() const;  // what the model remembers, snapshots not counted

  Session fork() const;  // an independent stream from here; keeps no history to rewind into
  Snapshot snapshot() const;
  // throws config for a snapshot of another model, or of this one when it had other weights
  void restore(const Snapshot& snapshot);
  // Back to an earlier position: the nearest kept snapshot, then what came after it is read again. Throws unsupported
  // with the oldest reachable position when that is gone.
  void rewind(int64_t position);
  void reset();  // back to the start

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace statera
