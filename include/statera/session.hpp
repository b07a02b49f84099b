// A stream through a model: a Session keeps the state of one sequence and gives the logits of the next id.
//
// Ownership: a Session shares the weights of its Model and keeps them alive; it owns its state, its logits and the
// snapshots it keeps for rewind().
//
// Thread safety: a Session is for one thread at a time. Several sessions of one Model may run in several threads.
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
  // memory for the snapshots that rewind() starts from; 0: rewind() works only to the start
  size_t rewind_bytes = size_t{16} << 20;
  // Positions between those snapshots, `begin` counted. 0: the largest multiple of the model's chunk grid up to 256, or
  // the grid itself if that is longer. The chunks of all layers end on this grid, so a snapshot there changes no bit of
  // the logits.
  int64_t rewind_every = 0;
  // Called once, with a line of text, when the stream passes the context that the model was trained with. May be null.
  std::function<void(const std::string&)> warn;
};

// What a session remembers at one position. Immutable: copies share it and may be used from several threads. It shares
// full key blocks with its session.
class Snapshot {
 public:
  int64_t position() const;
  size_t bytes() const;
  void save(const std::string& path) const;  // Writes one file. Throws ErrorCode::io.
  // Throws ErrorCode::io if the file is damaged or of a version that did not record its model, ErrorCode::config if it
  // is of another model.
  static Snapshot load(const std::string& path, const Model& model);

 private:
  friend class Session;
  friend struct SnapshotParts;  // infer/snapshot_parts.hpp
  struct Data;
  std::shared_ptr<const Data> data_;
};

class Session {
 public:
  explicit Session(const Model& model, SessionOptions options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Reads a text or ids and returns the logits [vocab_size] of the next id, valid until the next call. At position 0
  // the model's `begin` id goes first. Throws ErrorCode::shape for an id outside the vocabulary, or if there is nothing
  // to predict from (an empty prompt, and the model has no `begin`). A text becomes what Model::units() make of it;
  // throws what they throw, ErrorCode::config for a model that reads ids of unknown meaning.
  std::span<const float> prefill(std::string_view text);
  std::span<const float> prefill(std::span<const int32_t> ids);
  std::span<const float> step(int32_t id);
  // Steps several sessions in one call: sessions[i] reads ids[i]. Afterwards each has the same logits, bit for bit, as
  // after its own step(), in less time. All sessions must be distinct and of one Model; their positions and options may
  // differ. Throws ErrorCode::shape if the numbers of ids and sessions differ, a session occurs twice, is null or was
  // moved from, or an id is outside the vocabulary; ErrorCode::config for sessions of different models. No session has
  // changed then.
  static void advance(std::span<Session* const> sessions, std::span<const int32_t> ids);
  std::span<const float> logits() const;  // of the next id; empty at the start

  // Reads ids and returns the cost of each, -log p(id | all ids before), in nats. If the model has no `begin`, the
  // first id of a stream costs 0. Throws ErrorCode::numeric if a cost is not finite.
  std::vector<float> score(std::span<const int32_t> ids);
  // The same; and calls each(i, logits) with the logits [vocab_size] that predicted ids[i], in order. They are valid
  // during the call. Where nothing predicts the first id, i starts at 1.
  using Predicted = std::function<void(size_t i, std::span<const float> logits)>;
  std::vector<float> score(std::span<const int32_t> ids, const Predicted& each);

  const Model& model() const;
  int64_t position() const;    // ids read so far, without `begin`
  size_t state_bytes() const;  // memory of the model's state, without snapshots

  Session fork() const;  // an independent session that continues from here; it cannot rewind to before the fork
  Snapshot snapshot() const;
  // Throws ErrorCode::config if the snapshot is of another model, or of this one with other weights.
  void restore(const Snapshot& snapshot);
  // Goes back to an earlier position: restores the nearest kept snapshot before it and reads again what followed.
  // Throws ErrorCode::config for a position below 0 or after the current one, and ErrorCode::unsupported, naming the
  // oldest position that can be reached, if the snapshots of that time are gone.
  void rewind(int64_t position);
  void reset();  // back to the start

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace statera
