// Golden files of the layer: composed of its operations, and as the mixer.
#include "golden/golden_layer.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/ssd/ssd.hpp"

namespace statera::test {
namespace {

using nlohmann::json;

GoldenCase mamba2_mixer_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const auto& config = file.config();
  const GoldenTensor z_x_bc_dt = file.tensor("in.zxbcdt"), out_proj = file.tensor("in.out_proj"),
                     conv = file.tensor("in.conv_weight");
  const int64_t heads = file.tensor("in.A_log").dim(0), headdim = config.at("head_dim").get<int64_t>(),
                d = heads * headdim;
  const int64_t groups = config.at("groups").get<int64_t>(), d_state = config.at("d_state").get<int64_t>(),
                bc = groups * d_state;
  const int64_t n = z_x_bc_dt.dim(0) * z_x_bc_dt.dim(1);
  const GoldenRows rows(file, z_x_bc_dt.dim(0), z_x_bc_dt.dim(1));
  b.input("zxbcdt", {n, z_x_bc_dt.dim(2)});
  b.input("conv_weight", {conv.dim(0), conv.dim(1)});
  b.input("conv_bias", {conv.dim(0)});
  for (const char* name : {"A_log", "D", "dt_bias"}) b.input(name, {heads});
  b.input("norm_weight", {d});
  b.input("out_proj", {out_proj.dim(0), d});
  b.output("out", "out");
  const SsdOptions options{.n_groups = groups,
                           .dt_limit_min = limit(config.at("dt_limit")[0]),
                           .dt_limit_max = limit(config.at("dt_limit")[1])};
  GatedRmsnormOptions norm;
  norm.eps = config.at("norm_eps").get<double>();
  norm.norm_before_gate = config.at("norm_before_gate").get<bool>();
  b.op_case.run = [=](Tape& tape, const NamedVars& in) {
    const Var all = in.at("zxbcdt");
    const Var xbc =
        causal_conv1d(
            tape,
            {.x = tape.columns(all, d, d + 2 * bc), .weight = in.at("conv_weight"), .bias = find(in, "conv_bias")}, {},
            rows.rows())
            .y;
    const Var y = ssd(tape,
                      {.x = tape.columns(xbc, 0, d),
                       .dt = tape.columns(all, 2 * d + 2 * bc, heads),
                       .A = neg_exp(tape, in.at("A_log")),
                       .B = tape.columns(xbc, d, bc),
                       .C = tape.columns(xbc, d + bc, bc),
                       .D = find(in, "D"),
                       .dt_bias = in.at("dt_bias")},
                      {}, rows.rows(), options)
                      .y;
    const Var normed = gated_rmsnorm(tape, y, tape.columns(all, 0, d), in.at("norm_weight"), {}, norm);
    return NamedVars{{"out", matmul(tape, normed, in.at("out_proj"))}};
  };
  return b.finish(n * headdim * d_state, "mamba2_mixer");
}

json mixer_limit(const json& value) { return value.is_number() ? value : json("inf"); }

GoldenCase mamba2_case(const GoldenFile& file) {
  const json& c = file.config();
  require_silu(c);
  const json mixer = {{"type", "mamba2"},
                      {"d_state", c.at("state_size")},
                      {"d_conv", c.at("conv_kernel")},
                      {"expand", c.at("expand")},
                      {"headdim", c.at("head_dim")},
                      {"n_groups", c.at("n_groups")},
                      {"chunk_size", c.at("chunk_size")},
                      {"norm_eps", c.at("layer_norm_epsilon")},
                      {"conv_bias", c.value("use_conv_bias", true)},
                      {"bias", c.value("use_bias", false)},
                      {"dt_limit_min", mixer_limit(c.at("time_step_limit")[0])},
                      {"dt_limit_max", mixer_limit(c.at("time_step_limit")[1])}};
  return layer_case(file, {mixer, read_ssm_states, {}}, "mamba2");
}

const bool added = add_golden("mamba2_mixer", mamba2_mixer_case) && add_golden("Mamba2Mixer", mamba2_case);

}  // namespace
}  // namespace statera::test
