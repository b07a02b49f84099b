// Golden files of attention with its rotation, and of the layers of three public models.
#include "core/check.hpp"
#include "golden/golden_layer.hpp"
#include "ops/attention/attention.hpp"
#include "ops/rope/rope.hpp"

namespace statera::test {
namespace {

using nlohmann::json;

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

// Key blocks, [H, D, 64] of k and [H, 64, D] of v -> [H, T, D]
void read_keys_and_values(const State& state, int64_t length, OpResult& result, int64_t) {
  for (size_t i = 0; i < 2; ++i) {
    const bool keys = state.layout().slots[i].name == "k";
    const Shape& shape = state.layout().slots[i].shape;
    const int64_t heads = shape[0], headdim = shape[keys ? 1 : 2], positions = State::block_positions;
    std::vector<double>& all = result.outputs[keys ? "keys" : "values"];
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t t = 0; t < length; ++t)
        for (int64_t d = 0; d < headdim; ++d) {
          const void* block = state.blocks(i)[t / positions - state.first_block(i)];
          const int64_t at =
              keys ? (h * headdim + d) * positions + t % positions : (h * positions + t % positions) * headdim + d;
          all.push_back(state.dtype() == DType::f64 ? static_cast<const double*>(block)[at]
                                                    : static_cast<double>(static_cast<const float*>(block)[at]));
        }
  }
}

json attention_mixer(const json& c) {
  const json rope = c.value("rope_parameters", json::object());
  const std::string type = rope.value("rope_type", "default");
  if (type != "default") fail(ErrorCode::unsupported, "rope_type ", type);
  const int64_t heads = c.at("num_attention_heads"),
                headdim = c.value("head_dim", c.at("hidden_size").get<int64_t>() / heads);
  return {{"type", "attention"},
          {"n_heads", heads},
          {"n_kv_heads", c.value("num_key_value_heads", heads)},
          {"headdim", headdim},
          {"rope_theta", rope.value("rope_theta", c.value("rope_theta", 10000.0))},
          {"rotary_dim", static_cast<int64_t>(static_cast<double>(headdim) * rope.value("partial_rotary_factor", 1.0))},
          {"bias", c.value("attention_bias", false)}};
}

GoldenCase llama_attention_case(const GoldenFile& file) {
  return layer_case(file, {attention_mixer(file.config()), read_keys_and_values, {}}, "attention");
}

GoldenCase qwen3_attention_case(const GoldenFile& file) {
  json mixer = attention_mixer(file.config());
  if (file.config().value("use_sliding_window", false)) fail(ErrorCode::unsupported, "use_sliding_window");
  mixer["qk_norm"] = true;
  mixer["norm_eps"] = file.config().at("rms_norm_eps");
  return layer_case(file, {mixer, read_keys_and_values, {}}, "attention");
}

// query_key_value has the rows of q, k and v of head 0, then those of head 1: ours are all of q, all of k, all of v.
std::vector<double> gpt_neox_values(const GoldenFile& file, const Parameter& p, const std::string& prefix) {
  const std::string suffix = p.name.substr(p.name.rfind('.'));
  if (p.name.find("qkv_proj") == std::string::npos) return file.tensor(prefix + "weight.dense" + suffix).values;
  const std::vector<double> by_head = file.tensor(prefix + "weight.query_key_value" + suffix).values;
  const auto heads = file.config().at("num_attention_heads").get<size_t>(), count = by_head.size() / (3 * heads);
  std::vector<double> ours;
  for (size_t part = 0; part < 3; ++part)
    for (size_t h = 0; h < heads; ++h)
      for (size_t i = 0; i < count; ++i) ours.push_back(by_head[(h * 3 + part) * count + i]);
  return ours;
}

GoldenCase gpt_neox_attention_case(const GoldenFile& file) {
  return layer_case(file, {attention_mixer(file.config()), read_keys_and_values, gpt_neox_values}, "attention");
}

const bool added = add_golden("attention", attention_case) && add_golden("LlamaAttention", llama_attention_case) &&
                   add_golden("Qwen3Attention", qwen3_attention_case) &&
                   add_golden("GPTNeoXAttention", gpt_neox_attention_case);

}  // namespace
}  // namespace statera::test
