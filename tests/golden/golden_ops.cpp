// Adapters of the operations: one function a kind.
#include "core/check.hpp"
#include "golden/golden_case.hpp"
#include "ops/attention/attention.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/rope/rope.hpp"
#include "ops/selective_scan/selective_scan.hpp"
#include "ops/ssd/ssd.hpp"

namespace statera::test {
namespace {

constexpr int64_t later = 64;  // the place of a first row that goes on from a state: anything but 0

Var find(const NamedVars& vars, const std::string& name) {
  const auto it = vars.find(name);
  return it == vars.end() ? Var() : it->second;
}

// [B, C, W] -> [B, W, C]
std::vector<double> state_rows(const GoldenTensor& t) {
  return rows_from_channels(t.values, t.dim(0), t.dim(1), t.dim(2));
}

// `count` zeros before each row of `width` values
std::vector<double> pad_left(const std::vector<double>& v, int64_t width, int64_t count) {
  std::vector<double> out;
  for (size_t i = 0; i < v.size(); ++i) {
    if (i % static_cast<size_t>(width) == 0) out.insert(out.end(), static_cast<size_t>(count), 0.0);
    out.push_back(v[i]);
  }
  return out;
}

OpCaseBuilder::Layout rows_of(const GoldenTensor& like) {
  return [batch = like.dim(0), channels = like.dim(1), length = like.dim(2)](const GoldenTensor& t) {
    return rows_from_channels(t.values, batch, channels, length);
  };
}

// A state may hold more inputs than the filter needs. The engine then runs a filter of that much more width, whose
// first taps are zero; the gradients of those taps are nobody's.
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

// B or C [B, N, L] or grouped [B, G, N, L] -> [B L, G N]
OpCaseBuilder::Layout grouped_rows(int64_t batch, int64_t width, int64_t length) {
  return [=](const GoldenTensor& t) { return rows_from_channels(t.values, batch, width, length); };
}

GoldenCase selective_scan_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor u = file.tensor("in.u"), B = file.tensor("in.B");
  const int64_t batch = u.dim(0), channels = u.dim(1), length = u.dim(2), n = batch * length,
                d_state = file.tensor("in.A").dim(1);
  const int64_t groups = B.shape.size() == 4 ? B.dim(1) : 1, width = groups * d_state;
  const GoldenRows rows(file, batch, length, file.has("in.initial_state") ? later : 0);
  for (const char* name : {"u", "delta", "z"}) b.input(name, {n, channels}, rows_of(u));
  for (const char* name : {"B", "C"}) b.input(name, {n, width}, grouped_rows(batch, width, length));
  b.input("A", {channels, d_state});
  b.input("D", {channels});
  b.input("delta_bias", {channels});
  b.input("initial_state", {rows.sequences(), channels, d_state});
  b.output("out", "out", rows_of(u));
  b.output("final_state", "final_state");
  const bool softplus = file.config().at("delta_softplus").get<bool>();
  b.op_case.run = [rows, softplus](Tape& tape, const NamedVars& in) {
    const SelectiveScanOut out = selective_scan(tape,
                                                {.u = in.at("u"),
                                                 .delta = in.at("delta"),
                                                 .A = in.at("A"),
                                                 .B = in.at("B"),
                                                 .C = in.at("C"),
                                                 .D = find(in, "D"),
                                                 .z = find(in, "z"),
                                                 .delta_bias = find(in, "delta_bias"),
                                                 .delta_softplus = softplus},
                                                find(in, "initial_state"), rows.rows());
    return NamedVars{{"out", out.y}, {"final_state", out.last}};
  };
  return b.finish(std::max(n * d_state, channels), "selective_scan");  // delta_bias: a sum over positions and states
}

double limit(const nlohmann::json& value) {
  return value.is_string() || value.is_object() ? std::numeric_limits<double>::infinity() : value.get<double>();
}

GoldenCase ssd_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x"), B = file.tensor("in.B");
  const int64_t batch = x.dim(0), length = x.dim(1), heads = x.dim(2), headdim = x.dim(3), groups = B.dim(2),
                d_state = B.dim(3);
  const int64_t n = batch * length;
  const GoldenRows rows(file, batch, length, file.has("in.initial_states") ? later : 0);
  b.input("x", {n, heads * headdim});
  b.input("dt", {n, heads});
  b.input("A", {heads});
  for (const char* name : {"B", "C"}) b.input(name, {n, groups * d_state});
  if (file.has("in.D")) b.input("D", {static_cast<int64_t>(file.tensor("in.D").values.size())});
  b.input("dt_bias", {heads});
  b.input("initial_states", {rows.sequences(), heads, headdim, d_state});
  b.output("out", "out");
  b.output("final_states", "final_states");
  const auto& config = file.config();
  const SsdOptions options{.n_groups = groups,
                           .chunk_size = config.at("chunk_size").get<int64_t>(),
                           .dt_softplus = config.at("dt_softplus").get<bool>(),
                           .dt_limit_min = limit(config.at("dt_limit")[0]),
                           .dt_limit_max = limit(config.at("dt_limit")[1])};
  b.op_case.run = [rows, options](Tape& tape, const NamedVars& in) {
    const SsdOut out = ssd(tape,
                           {.x = in.at("x"),
                            .dt = in.at("dt"),
                            .A = in.at("A"),
                            .B = in.at("B"),
                            .C = in.at("C"),
                            .D = find(in, "D"),
                            .dt_bias = find(in, "dt_bias")},
                           find(in, "initial_states"), rows.rows(), options);
    return NamedVars{{"out", out.y}, {"final_states", out.last}};
  };
  // the gradients of A and dt_bias: a sum over positions and the state of a head
  return b.finish(n * headdim * d_state, "ssd");
}

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

void require_plain_attention(const GoldenFile& file) {
  const auto& config = file.config();
  const auto lacks = [](const char* what) { fail(ErrorCode::unsupported, "attention with ", what); };
  if (!config.value("causal", true)) lacks("no causal mask");
  if (file.has("in.g")) lacks("forget gate");
}

GoldenCase attention_case(const GoldenFile& file) {
  require_plain_attention(file);
  OpCaseBuilder b(file);
  const GoldenTensor q = file.tensor("in.q"), k = file.tensor("in.k"), v = file.tensor("in.v");
  const int64_t batch = q.dim(0), tq = q.dim(1), tk = k.dim(1), heads = q.dim(2), kv_heads = k.dim(2),
                headdim = q.dim(3), value_dim = v.dim(3);
  const GoldenRows k_rows(file, batch, tk), q_rows(file, batch, tq, tk - tq);  // queries are the last of the keys
  b.input("q", {batch * tq, heads * headdim});
  b.input("k", {batch * tk, kv_heads * headdim});
  b.input("v", {batch * tk, kv_heads * value_dim});
  b.input("sink", {heads});
  b.input("slopes", {heads});
  b.output("out", "out");
  const auto& config = file.config();
  const bool capped = config.contains("softcap") && !config["softcap"].is_null();
  AttentionOptions options{.n_heads = heads,
                           .n_kv_heads = kv_heads,
                           .headdim = headdim,
                           .value_dim = value_dim,
                           .window = config.value("window", int64_t{0}),
                           .scale = config.value("scale", 0.0),
                           .soft_cap = capped ? config["softcap"].get<double>() : 0.0};
  std::vector<int64_t> q_positions, k_positions;
  RopeOptions rope_q{.heads = heads, .headdim = headdim}, rope_k{.heads = kv_heads, .headdim = headdim};
  if (file.has("in.positions")) {
    // [Tk], the same for every sequence of the batch
    const std::vector<int64_t> positions = file.integers("in.positions");
    for (int64_t s = 0; s < batch; ++s) {
      k_positions.insert(k_positions.end(), positions.begin(), positions.end());
      q_positions.insert(q_positions.end(), positions.end() - tq, positions.end());
    }
    for (RopeOptions* rope : {&rope_q, &rope_k}) {
      rope->theta = config.at("rope_theta").get<double>();
      rope->rotary_dim = config.at("rotary_dim").get<int64_t>();
      rope->interleaved = config.at("rope_interleaved").get<bool>();
    }
  }
  b.op_case.run = [=](Tape& tape, const NamedVars& in) {
    Var vq = in.at("q"), vk = in.at("k");
    if (!k_positions.empty()) {
      const auto view = [](const std::vector<int64_t>& p) {
        return View(const_cast<int64_t*>(p.data()), DType::i64, {static_cast<int64_t>(p.size())});
      };
      vq = rope(tape, vq, view(q_positions), rope_q);
      vk = rope(tape, vk, view(k_positions), rope_k);
    }
    const AttentionInputs<Var> inputs{
        .q = vq, .k = vk, .v = in.at("v"), .sinks = find(in, "sink"), .slopes = find(in, "slopes")};
    return NamedVars{{"out", attention(tape, inputs, q_rows.rows(), k_rows.rows(), options)}};
  };
  return b.finish(std::max(batch * tk, headdim), "attention");
}

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

}  // namespace

const std::vector<GoldenAdapter> golden_ops = {
    {"causal_conv1d", causal_conv1d_case}, {"selective_scan", selective_scan_case}, {"ssd", ssd_case},
    {"gated_rmsnorm", gated_rmsnorm_case}, {"attention", attention_case},           {"mamba1_mixer", mamba1_mixer_case},
    {"mamba2_mixer", mamba2_mixer_case},
};

}  // namespace statera::test
