// A linear layer: y = x W^T + b, with W [out, in].
#pragma once
#include <optional>
#include <vector>

#include "nn/bound_parameter.hpp"
#include "ops/matmul/matmul.hpp"
#include "statera/parameter.hpp"

namespace statera {

struct LinearOptions {
  bool bias = false;
  double scale = 1;                          // of the default initial values, which are uniform in +-scale / sqrt(in)
  std::vector<ParameterPart> parts;          // names for parts of the output
  WeightFormat fewest = WeightFormat::int4;  // the smallest format that the weight may be stored in
  Init init, bias_init;                      // replace the defaults (the bias starts at zero)
};

// Owns weight, bias and the packed copies of the weight. Thread safety: const members may be called from several
// threads.
class Linear {
 public:
  // `name` is the full name of the parameters without ".weight": "layers.0.mixer.in_proj".
  Linear(const std::string& name, int64_t in, int64_t out, LinearOptions options = {});

  Var operator()(Tape& tape, Var x) const;
  void operator()(Exec& exec, const View& x, const View& y) const;
  void visit(ParameterVisitor& visitor);
  int64_t in() const { return weight_.shape[1]; }
  int64_t out() const { return weight_.shape[0]; }
  double flops() const { return 2.0 * static_cast<double>(weight_.elements()); }  // per row

 private:
  BoundParameter weight_;
  std::optional<Parameter> bias_;
  Weight packed_;
};

}  // namespace statera
