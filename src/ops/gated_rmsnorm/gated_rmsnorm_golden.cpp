#include "golden/golden_case.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"

namespace statera::test {
namespace {

GoldenCase gated_rmsnorm_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x");
  const int64_t n = x.dim(0) * x.dim(1), width = x.dim(2);
  b.input("x", {n, width});
  b.input("z", {n, width});
  b.input("weight", {width});
  b.input("bias", {width});
  b.output("out", "out");
  const auto& config = file.config();
  GatedRmsnormOptions options;
  options.eps = config.at("eps").get<double>();
  options.norm_before_gate = config.at("norm_before_gate").get<bool>();
  options.group_size = config.at("group_size").is_null() ? 0 : config.at("group_size").get<int64_t>();
  b.op_case.run = [options](Tape& tape, const NamedVars& in) {
    return NamedVars{
        {"out", gated_rmsnorm(tape, in.at("x"), find(in, "z"), in.at("weight"), find(in, "bias"), options)}};
  };
  return b.finish(std::max(n, width), "gated_rmsnorm");
}

const bool added = add_golden("gated_rmsnorm", gated_rmsnorm_case);

}  // namespace
}  // namespace statera::test
