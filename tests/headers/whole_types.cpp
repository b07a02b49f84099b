// What a program outside makes or fills itself is a whole type in the public headers.
#include <statera/data.hpp>
#include <statera/statera.hpp>

#include <type_traits>

namespace statera {

template <class... T>
constexpr bool whole = (... && (sizeof(T) > 0 && std::is_default_constructible_v<T>));
static_assert(whole<CpuOptions, ModelConfig, ModelOptions, ForwardOptions, CarriedState, AdamWOptions, SamplerOptions,
                    GenerateOptions, SessionOptions, Tokens, BatchStreamOptions, ReadOptions, TrainOptions,
                    TrainingData, TrainRun, View, Tensor, Shape, Var>);

// Truncated backpropagation: each batch begins where the last one ended.
Var forward_carried(const Model& model, Tape& tape, const Tokens& tokens, int64_t length, CarriedState& state) {
  sequences_from_lanes(tokens, length, state);
  const Var logits = model.forward(tape, tokens, {.initial = &state, .last = &state});
  lanes_from_sequences(tokens, length, state);
  return logits;
}

// A parameter has what its owner reads and sets, and no more: all of these, and memory that it owns.
double decayed(const Parameter& p) {
  return p.decay && !p.value.empty() && !p.parts.empty() ? p.lr_scale : static_cast<double>(p.elements());
}

}  // namespace statera
