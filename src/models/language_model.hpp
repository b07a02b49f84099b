// The modules of a Model and the two ways through them: forward on a tape, advance with states.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "models/block.hpp"
#include "models/carried_state.hpp"
#include "models/sequence_state.hpp"
#include "statera/model.hpp"

namespace statera {

// Costs of one position, summed over the layers.
struct ModelCost {
  double forward_flops = 0, training_flops = 0, step_flops = 0;
  double state_bytes = 0;  // of one sequence at the given context
};

class LanguageModel {
 public:
  explicit LanguageModel(const ModelConfig& config);

  Var forward(Tape&, std::span<const int32_t> ids, const Rows& rows, const ForwardOptions& options) const;

  // Inference: ids [N] of S sequences; their states are reserved, read and moved on. logits: [N, vocab] for every row, [S, vocab]
  // for the last row of each sequence (each has at least one), or empty. rows.start must equal the states' rows().
  void advance(Context& context, std::span<const int32_t> ids, const Rows& rows, std::span<SequenceState* const> states,
               const View& logits) const;
  SequenceState new_state(DType dtype) const;
  // The first position that a layer still looks at behind `rows` rows, where max_keys is as in Context: blocks before it are dropped.
  int64_t first_looked_at(size_t layer, int64_t rows, int64_t max_keys) const;

  // A tied output's own copy in int8, made from the embedding as it is now; of a model with weights in int8 or int4.
  void quantise_tied(ThreadPool& pool);
  double tied_bytes() const;  // of a tied output as it is kept for products; 0: the output is a parameter of its own

  void visit_parameters(ParameterVisitor& visitor);
  ModelCost cost(int64_t length, int64_t context) const;
  const std::vector<std::unique_ptr<Block>>& blocks() const { return blocks_; }
  int64_t vocab_size() const { return vocab_; }

 private:
  int64_t d_model_, vocab_;
  Parameter embedding_;  // [vocab_size + begin, d_model]
  std::vector<std::unique_ptr<Block>> blocks_;
  Norm norm_;
  std::unique_ptr<Linear> output_;  // null: tied, and tied_ sees the embedding's first vocab_size rows
  Weight tied_;
};

}  // namespace statera
