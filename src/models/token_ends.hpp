// What stands before a language model's stack, and what stands behind it. Other inputs (frames) and outputs (classes)
// take these places.
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

// Ids [N] -> the stream [N, d_model]: x = embedding_scale E[id] + P[position], the latter where positions are learned.
class TokenInput {
 public:
  explicit TokenInput(const ModelConfig& config);

  // Throws config if there are learned positions, and fewer than `count`.
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

// The stream [N, d_model] -> logits of the next id [N, vocab_size]: c tanh(z / c), z = logit_scale norm(x) W^T, without
// the cap c where it is 0.
class TokenOutput {
 public:
  // A tied output sees the first vocab_size rows of `embedding`, which outlives it.
  TokenOutput(const ModelConfig& config, BoundParameter& embedding);

  Var forward(Tape& tape, Var x) const;
  void advance(Exec& exec, const View& x, const View& logits) const;
  void visit_parameters(ParameterVisitor& visitor);

  // A tied output's own copy in int8, made from the embedding as it is now; of a model with weights in int8 or int4.
  void quantise_tied(ThreadPool& pool);
  double tied_bytes() const;  // of a tied output as it is kept for products; 0: the output is a parameter of its own

 private:
  BoundParameter& embedding_;
  int64_t vocab_;
  double scale_, cap_;
  Norm norm_;
  std::unique_ptr<Linear> own_;  // null: tied
  Weight tied_;
};

}  // namespace statera
