// What stands before the stack of a language model, and what stands after it. A model with other inputs (frames) or
// outputs (classes) has others in their place.
#pragma once
#include <memory>
#include <optional>
#include <span>

#include "core/rows.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "ops/dropout/dropout.hpp"
#include "statera/config.hpp"

namespace statera {

// Ids [N] -> residual stream [N, d_model]: x = embedding_scale E[id] + P[position]; the second term where positions are
// learned. Owns the embedding and the table of positions. Thread safety: const members may be called from several
// threads.
class TokenInput {
 public:
  explicit TokenInput(const ModelConfig& config);

  // Throws ErrorCode::config if positions are learned and there are fewer than `count`.
  void require_positions(int64_t count) const;
  // Throws as require_positions does.
  Var forward(Tape& tape, std::span<const int32_t> ids, const Rows& rows, const Dropout& dropout) const;
  void advance(Exec& exec, std::span<const int32_t> ids, const Rows& rows, const View& x) const;
  void visit_parameters(ParameterVisitor& visitor);
  BoundParameter& table() { return embedding_; }
  DType dtype() const { return embedding_.value.dtype(); }

 private:
  std::span<const int32_t> positions(Arena& memory, const Rows& rows) const;

  BoundParameter embedding_;            // [vocab_size + begin, d_model]
  std::optional<Parameter> positions_;  // [learned_positions, d_model]
  double scale_;
};

// Residual stream [N, d_model] -> logits of the next id [N, vocab_size]: c tanh(z / c) with z = logit_scale norm(x)
// W^T; just z where c is 0. Owns the norm, and W unless it is tied; a tied W is borrowed. Thread safety: const members
// may be called from several threads.
class TokenOutput {
 public:
  // A tied output uses the first vocab_size rows of `embedding`, which must outlive it.
  TokenOutput(const ModelConfig& config, BoundParameter& embedding);

  Var forward(Tape& tape, Var x) const;
  void advance(Exec& exec, const View& x, const View& logits) const;
  void visit_parameters(ParameterVisitor& visitor);

  // For weights in int8 or int4: makes an int8 copy of the embedding as it is now, for a tied output.
  void quantise_tied(ThreadPool& pool);
  double tied_bytes() const;  // memory of that copy; 0: the output has a parameter of its own

 private:
  BoundParameter& embedding_;
  int64_t vocab_;
  double scale_, cap_;
  Norm norm_;
  std::unique_ptr<Linear> own_;  // null: tied
  Weight tied_;
};

}  // namespace statera
