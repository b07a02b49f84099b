// y = x W^T + b. W [out, in].
#pragma once
#include <optional>
#include <vector>

#include "nn/bound_parameter.hpp"
#include "ops/matmul/matmul.hpp"
#include "statera/parameter.hpp"

namespace statera {

struct LinearOptions {
  bool bias = false;
  double scale = 1;                          // of the default init: uniform in +-scale / sqrt(in)
  std::vector<ParameterPart> parts;          // logical parts of the output
  WeightFormat fewest = WeightFormat::int4;  // bits that the weight may be kept in
  Init init, bias_init;                      // instead of the defaults (bias: zeros)
};

class Linear {
 public:
  // `name` is the full name without ".weight": "layers.0.mixer.in_proj".
  Linear(const std::string& name, int64_t in, int64_t out, LinearOptions options = {});

  Var operator()(Tape& tape, Var x) const;
  void operator()(Exec& exec, const View& x, const View& y) const;
  void visit(ParameterVisitor& visitor);
  int64_t in() const { return weight_.shape[1]; }
  int64_t out() const { return weight_.shape[0]; }
  double flops() const { return 2.0 * static_cast<double>(weight_.elements()); }  // of one row

 private:
  BoundParameter weight_;
  std::optional<Parameter> bias_;
  Weight packed_;
};

}  // namespace statera
