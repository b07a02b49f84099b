// Golden files of the layer: composed of its operations, and as the mixer.
#include "golden/golden_layer.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/selective_scan/selective_scan.hpp"

namespace statera::test {
namespace {

using nlohmann::json;

GoldenCase mamba1_mixer_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor xz = file.tensor("in.xz"), out_proj = file.tensor("in.out_proj"), A_log = file.tensor("in.A_log");
  const int64_t batch = xz.dim(0), d = xz.dim(1) / 2, length = xz.dim(2), d_state = A_log.dim(1),
                rank = file.tensor("in.dt_proj").dim(1);
  const GoldenRows rows(file, batch, length);
  b.input("xz", {batch * length, 2 * d}, rows_of(xz));
  b.input("conv_weight", {d, file.tensor("in.conv_weight").dim(1)});
  b.input("x_proj", {rank + 2 * d_state, d});
  b.input("dt_proj", {d, rank});
  b.input("A_log", {d, d_state});
  b.input("out_proj", {out_proj.dim(0), d});
  for (const char* name : {"conv_bias", "dt_bias", "D"}) b.input(name, {d});
  b.output("out", "out");
  b.op_case.run = [=](Tape& tape, const NamedVars& in) {
    const Var x =
        causal_conv1d(
            tape, {.x = tape.columns(in.at("xz"), 0, d), .weight = in.at("conv_weight"), .bias = find(in, "conv_bias")},
            {}, rows.rows())
            .y;
    const Var dt_B_C = matmul(tape, x, in.at("x_proj"));
    const Var delta = matmul(tape, tape.columns(dt_B_C, 0, rank), in.at("dt_proj"));
    const Var y = selective_scan(tape,
                                 {.u = x,
                                  .delta = delta,
                                  .A = neg_exp(tape, in.at("A_log")),
                                  .B = tape.columns(dt_B_C, rank, d_state),
                                  .C = tape.columns(dt_B_C, rank + d_state, d_state),
                                  .D = find(in, "D"),
                                  .z = tape.columns(in.at("xz"), d, d),
                                  .delta_bias = in.at("dt_bias")},
                                 {}, rows.rows())
                      .y;
    return NamedVars{{"out", matmul(tape, y, in.at("out_proj"))}};
  };
  return b.finish(std::max(batch * length * d_state, d), "mamba1_mixer");
}

GoldenCase mamba_case(const GoldenFile& file) {
  const json& c = file.config();
  require_silu(c);
  const json mixer = {{"type", "mamba1"},
                      {"d_state", c.at("state_size")},
                      {"d_conv", c.at("conv_kernel")},
                      {"expand", c.at("expand")},
                      {"dt_rank", c.at("time_step_rank")},
                      {"conv_bias", c.value("use_conv_bias", true)},
                      {"bias", c.value("use_bias", false)}};
  return layer_case(file, {mixer, read_ssm_states, {}}, "mamba1");
}

const bool added = add_golden("mamba1_mixer", mamba1_mixer_case) && add_golden("MambaMixer", mamba_case);

}  // namespace
}  // namespace statera::test
