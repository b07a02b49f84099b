// RMSNorm with a weight: y = x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, 2019, eq. 4).
#pragma once
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "statera/parameter.hpp"

namespace statera {

class Norm {
 public:
  Norm(const std::string& name, int64_t width, double eps) : weight_(name + ".weight", {width}, init_constant(1)), eps_(eps) {}
  Var operator()(Tape& tape, Var x) const { return rmsnorm(tape, x, tape.leaf(weight_.value, weight_.grad), eps_); }
  void operator()(Exec& exec, const View& x, const View& y) const { rmsnorm(exec, x, weight_.value, eps_, y); }
  void visit(ParameterVisitor& visitor) { visitor.visit(weight_); }

 private:
  Parameter weight_;
  double eps_;
};

}  // namespace statera
