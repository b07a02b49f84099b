// The modules of a Model and the two ways through them: forward() on a tape, advance() with states.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "models/stack.hpp"
#include "models/token_ends.hpp"
#include "statera/model.hpp"

namespace statera {

// Costs per position, summed over the layers.
struct ModelCost {
  double forward_flops = 0, training_flops = 0, step_flops = 0;
  double state_bytes = 0;  // per sequence, at the given context
};

// Makes any mixer: those of the registry, and those that were added by add_mixer_type().
std::unique_ptr<Mixer> make_any_mixer(const JsonText& config, const Place& place);

// What Place::make_stack is in a model (mixers/mixer.hpp).
std::unique_ptr<Mixer> make_inner_stack(const JsonText& config, const Place& place);

// Adds a mixer type of the program's own. Call it before any model is made; it is not thread-safe. Throws
// ErrorCode::config if the type exists. Returns true, so that a static initialiser can call it.
bool add_mixer_type(const std::string& type, MakeMixer make);

// Owns all modules and their parameters. Thread safety: as Model (statera/model.hpp).
class LanguageModel {
 public:
  explicit LanguageModel(const ModelConfig& config);

  Var forward(Tape&, std::span<const int32_t> ids, const Rows& rows, const ForwardOptions& options) const;

  // Inference: reads ids [N] for the S sequences of pass.states and updates these. `logits` is [N, vocab] for every
  // row, [S, vocab] for the last row of each sequence (each must have one), or empty. rows.start must equal the
  // positions of the states.
  void advance(AdvancePass& pass, std::span<const int32_t> ids, const Rows& rows, const View& logits) const;
  State new_state(DType dtype) const { return State(layout_, dtype); }
  const StateLayout& layout() const { return *layout_; }

  const TokenInput& input() const { return input_; }
  const TokenOutput& output() const { return output_; }
  TokenOutput& output() { return output_; }
  void visit_parameters(ParameterVisitor& visitor);
  ModelCost cost(int64_t length, int64_t context) const;
  const Stack& stack() const { return *stack_; }
  const LossNames& loss_names() const { return losses_; }
  int64_t vocab_size() const { return vocab_; }

 private:
  int64_t d_model_, vocab_;
  TokenInput input_;
  TokenOutput output_;
  LossNames losses_;
  std::unique_ptr<Stack> stack_;
  std::shared_ptr<const StateLayout> layout_;
};

LanguageModel& modules_of(const Model&);  // the modules of a handle; they live as long as one of its copies

}  // namespace statera
