#include "nn/linear.hpp"

#include <cmath>

namespace statera {

Linear::Linear(const std::string& name, int64_t in, int64_t out, LinearOptions options)
    : weight_(name + ".weight", {out, in},
              options.init ? options.init : init_uniform(options.scale / std::sqrt(static_cast<double>(in))), true) {
  weight_.parts = std::move(options.parts);
  if (options.bias) bias_.emplace(name + ".bias", Shape{out}, options.bias_init ? options.bias_init : init_constant(0));
  weight_.store = &packed_;
  weight_.fewest = options.fewest;
  weight_.bind = [this] { packed_.bind(weight_.value, weight_.grad, &weight_.version); };
}

Var Linear::operator()(Tape& tape, Var x) const {
  return matmul(tape, x, packed_, bias_ ? tape.leaf(bias_->value, bias_->grad) : Var());
}

void Linear::operator()(Exec& exec, const View& x, const View& y) const {
  matmul(exec, x, packed_, y, bias_ ? bias_->value.view() : View());
}

void Linear::visit(ParameterVisitor& visitor) {
  visitor.visit(weight_);
  if (bias_) visitor.visit(*bias_);
}

}  // namespace statera
