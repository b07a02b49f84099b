#include <cmath>
#include <vector>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "kernels/view_kernels.hpp"
#include "models/language_model.hpp"
#include "statera/loss.hpp"
#include "statera/train.hpp"

namespace statera {

namespace {
// A scalar [1] that lives as long as the tape.
View scalar(Tape& tape, DType dtype, double value) {
  const View view = memory_of(tape).allocate(dtype, {1});
  set_number(view, value);
  return view;
}
}  // namespace

TrainingLoss training_pass(const Model& model, Tape& tape, const Tokens& tokens, std::span<const int32_t> targets,
                           const ForwardOptions& options, int64_t denominator) {
  tape.reset();
  std::vector<Var> roots;  // stays empty, and so off the heap, if the model has no auxiliary losses
  ForwardOptions forward = options;
  if (!modules_of(model).loss_names().empty()) forward.losses = &roots;
  const Var loss = cross_entropy(tape, model.forward(tape, tokens, forward), targets, denominator);
  const double share =
      denominator > 0 ? static_cast<double>(counted_targets(targets)) / static_cast<double>(denominator) : 1;
  TrainingLoss result{.loss = tape.item(loss)};
  for (const Var auxiliary : roots) result.auxiliary += share * tape.item(auxiliary);
  if (!std::isfinite(result.loss + result.auxiliary)) fail(ErrorCode::numeric, tape.first_non_finite());
  if (roots.empty()) {
    tape.backward(loss);
    return result;
  }
  std::vector<View> seeds(roots.size(), scalar(tape, model.dtype(), share));
  roots.push_back(loss);
  seeds.push_back(scalar(tape, model.dtype(), 1));
  tape.backward(roots, seeds);
  return result;
}

}  // namespace statera
