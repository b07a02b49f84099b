#include "golden/golden_case.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"

namespace statera::test {
namespace {

// Puts `count` zeros before each row of `width` values.
std::vector<double> pad_left(const std::vector<double>& v, int64_t width, int64_t count) {
  std::vector<double> out;
  for (size_t i = 0; i < v.size(); ++i) {
    if (i % static_cast<size_t>(width) == 0) out.insert(out.end(), static_cast<size_t>(count), 0.0);
    out.push_back(v[i]);
  }
  return out;
}

// The state in a golden file may hold more inputs than the filter needs. The engine then runs a filter with as many
// more taps, and these first taps are zero. Their gradients are set to 0, since the file has none.
GoldenCase causal_conv1d_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x"), weight = file.tensor("in.weight");
  const int64_t batch = x.dim(0), channels = x.dim(1), length = x.dim(2), width = weight.dim(1);
  const std::string state = file.has("in.conv_state") ? "conv_state" : "initial_state";
  const bool with_state = file.has("in." + state);
  const int64_t spare = with_state ? file.tensor("in." + state).dim(2) - (width - 1) : 0;
  const GoldenRows rows(file, batch, length, with_state ? later : 0);
  b.input("x", {batch * length, channels}, rows_of(x));
  b.input("weight", {channels, width + spare}, [=](const GoldenTensor& t) { return pad_left(t.values, width, spare); });
  b.input("bias", {channels});
  b.input(state, {rows.sequences(), width - 1 + spare, channels}, state_rows);
  b.output("out", "out", rows_of(x));
  b.output("final_state", "final_state", state_rows);
  const bool silu = !file.config().at("activation").is_null();
  b.op_case.run = [rows, silu, state](Tape& tape, const NamedVars& in) {
    const CausalConv1dOut out =
        causal_conv1d(tape, {.x = in.at("x"), .weight = in.at("weight"), .bias = find(in, "bias"), .silu = silu},
                      find(in, state), rows.rows());
    return NamedVars{{"out", out.y}, {"final_state", out.last}};
  };
  GoldenCase c = b.finish(std::max(width, batch * length), "causal_conv1d");
  c.run = [run = c.run, width, spare](DType dtype, const Device& device) {
    OpResult result = run(dtype, device);
    std::vector<double>& dweight = result.grads.at("weight");
    for (size_t i = 0; i < dweight.size(); ++i)
      if (static_cast<int64_t>(i) % (width + spare) < spare) dweight[i] = 0;
    return result;
  };
  return c;
}

const bool added = add_golden("causal_conv1d", causal_conv1d_case);

}  // namespace
}  // namespace statera::test
