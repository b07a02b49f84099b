// Adapters of whole layers: a mixer of the registry with the reference's weights; forward, gradients, states, and row by row.
#include "conformance/mixer_run.hpp"
#include "core/check.hpp"
#include "golden/golden_case.hpp"

namespace statera::test {
namespace {

using nlohmann::json;

// How a reference module maps to a mixer: its config block, and its states in the reference's layout.
struct LayerMap {
  json block;
  std::function<void(const State&, int64_t length, OpResult&, int64_t sequence)> read_states;
};

std::string theirs(const Parameter& p) { return "weight." + p.name.substr(std::string("layers.1.mixer.").size()); }

// The reference's tensor for a parameter; a fused one is the rows of its parts, each a matrix of its own there.
std::vector<double> reference_values(const GoldenFile& file, const Parameter& p, const std::string& prefix) {
  if (file.has(prefix + theirs(p))) return file.tensor(prefix + theirs(p)).values;
  std::vector<double> joined;
  const std::string suffix = p.name.substr(p.name.rfind('.'));
  for (const ParameterPart& part : p.parts) {
    const std::vector<double> rows = file.tensor(prefix + "weight." + part.name + "_proj" + suffix).values;
    joined.insert(joined.end(), rows.begin(), rows.end());
  }
  require(static_cast<int64_t>(joined.size()) == p.elements(), ErrorCode::io, "no golden tensor for ", p.name);
  return joined;
}

GoldenCase layer_case(const GoldenFile& file, const LayerMap& map, const std::string& kernel) {
  const GoldenTensor x = file.tensor("in.x");
  const int64_t batch = x.dim(0), length = x.dim(1), d_model = x.dim(2);
  const MixerCase mixer{map.block.at("type"), "golden", map.block.dump(), d_model};
  GoldenCase c;
  c.kernel = kernel;
  c.reduction = batch * length;
  c.expected.outputs["y"] = file.tensor("out.y").values;
  if (file.has("out.y_step")) c.expected.outputs["y_step"] = file.tensor("out.y_step").values;
  c.expected.grads["x"] = file.tensor("grad.x").values;
  const MixerUnderTest probe(mixer, DType::f32);
  for (const Parameter* p : probe.parameters()) {
    c.expected.grads[p->name] = reference_values(file, *p, "grad.");
    c.reduction = std::max(c.reduction, p->shape[p->shape.rank() - 1]);
  }
  if (file.has("out.ssm_state")) {  // the gradient of a decay rate: a sum over positions and the state that it moves
    const GoldenTensor state = file.tensor("out.ssm_state");  // [B, H or D, ...]
    c.reduction = std::max(c.reduction, length * static_cast<int64_t>(state.values.size()) / state.dim(1));
  }
  for (const char* state : {"ssm_state", "keys", "values"})
    if (file.has(std::string("out.") + state)) c.expected.outputs[state] = file.tensor(std::string("out.") + state).values;
  if (file.has("out.conv_state")) {  // the reference keeps one input more than the filter needs: its oldest is left out
    const GoldenTensor t = file.tensor("out.conv_state");
    const auto width = static_cast<size_t>(t.dim(2));
    std::vector<double>& v = c.expected.outputs["conv_state"];
    for (size_t i = 0; i < t.values.size(); ++i)
      if (i % width != 0) v.push_back(t.values[i]);
  }
  NamedDoubles weights;
  for (const Parameter* p : probe.parameters()) weights[p->name] = reference_values(file, *p, "");
  const std::vector<double> dout = file.tensor("dout.y").values;
  c.run = [=](DType dtype, const Device& device) {
    const MixerUnderTest m(mixer, dtype);
    for (Parameter* p : m.parameters()) {
      const std::vector<double>& w = weights.at(p->name);
      for (int64_t i = 0; i < p->elements(); ++i) MixerUnderTest::set(*p, i, w[static_cast<size_t>(i)]);
      p->changed();
    }
    const Tensor in = to_tensor(dtype, {batch * length, d_model}, x.values);
    std::vector<int32_t> offsets;
    for (int64_t b = 0; b <= batch; ++b) offsets.push_back(static_cast<int32_t>(b * length));
    const std::vector<int64_t> start(static_cast<size_t>(batch), 0);
    OpResult result = m.forward(device, in, {offsets, start}, nullptr, true, &dout);
    for (int64_t b = 0; b < batch; ++b) {
      State whole = m.state(), steps = m.state();
      m.advance_one(device, in.view().row_range(b * length, length), whole);
      for (int64_t t = 0; t < length; ++t) {
        const std::vector<double> y = m.advance_one(device, in.view().row_range(b * length + t, 1), steps);
        std::vector<double>& all = result.outputs["y_step"];
        all.insert(all.end(), y.begin(), y.end());
      }
      map.read_states(whole, length, result, b);
    }
    return result;
  };
  return c;
}

// conv_state [W-1, C] -> [C, W-1]; the rest as it stands
void read_ssm_states(const State& state, int64_t, OpResult& result, int64_t) {
  for (size_t i = 0; i < state.layout().size(); ++i) {
    const std::string& name = state.layout()[i].name;
    const View v = state.fixed(i);
    std::vector<double> values = to_doubles(v);
    if (name == "conv_state") values = rows_from_channels(values, 1, v.shape[0], v.shape[1]);
    std::vector<double>& all = result.outputs[name];
    all.insert(all.end(), values.begin(), values.end());
  }
}

// Blocks [H, D, 64] of k and [H, 64, D] of v -> [H, T, D]
void read_keys_and_values(const State& state, int64_t length, OpResult& result, int64_t) {
  for (size_t i = 0; i < 2; ++i) {
    const bool keys = state.layout()[i].name == "k";
    const Shape& shape = state.layout()[i].shape;
    const int64_t heads = shape[0], headdim = shape[keys ? 1 : 2], positions = State::block_positions;
    std::vector<double>& all = result.outputs[keys ? "keys" : "values"];
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t t = 0; t < length; ++t)
        for (int64_t d = 0; d < headdim; ++d) {
          const void* block = state.blocks(i)[t / positions - state.first_block()];
          const int64_t at = keys ? (h * headdim + d) * positions + t % positions : (h * positions + t % positions) * headdim + d;
          all.push_back(state.dtype() == DType::f64 ? static_cast<const double*>(block)[at] : static_cast<double>(static_cast<const float*>(block)[at]));
        }
  }
}

void require_silu(const json& config) {
  const std::string act = config.value("hidden_act", "silu");
  if (act != "silu" && act != "swish") fail(ErrorCode::unsupported, "hidden_act ", act);
}

GoldenCase mamba_case(const GoldenFile& file) {
  const json& c = file.config();
  require_silu(c);
  const json block = {{"type", "mamba1"}, {"d_state", c.at("state_size")}, {"d_conv", c.at("conv_kernel")}, {"expand", c.at("expand")},
                      {"dt_rank", c.at("time_step_rank")}, {"conv_bias", c.value("use_conv_bias", true)}, {"bias", c.value("use_bias", false)}};
  return layer_case(file, {block, read_ssm_states}, "mamba1");
}

json limit(const json& value) { return value.is_number() ? value : json("inf"); }

GoldenCase mamba2_case(const GoldenFile& file) {
  const json& c = file.config();
  require_silu(c);
  const json block = {{"type", "mamba2"}, {"d_state", c.at("state_size")}, {"d_conv", c.at("conv_kernel")}, {"expand", c.at("expand")},
                      {"headdim", c.at("head_dim")}, {"n_groups", c.at("n_groups")}, {"chunk_size", c.at("chunk_size")},
                      {"norm_eps", c.at("layer_norm_epsilon")}, {"conv_bias", c.value("use_conv_bias", true)}, {"bias", c.value("use_bias", false)},
                      {"dt_limit_min", limit(c.at("time_step_limit")[0])}, {"dt_limit_max", limit(c.at("time_step_limit")[1])}};
  return layer_case(file, {block, read_ssm_states}, "mamba2");
}

GoldenCase llama_attention_case(const GoldenFile& file) {
  const json& c = file.config();
  const json rope = c.value("rope_parameters", json::object());
  const std::string type = rope.value("rope_type", "default");
  if (type != "default") fail(ErrorCode::unsupported, "rope_type ", type);
  if (rope.value("partial_rotary_factor", 1.0) != 1.0) fail(ErrorCode::unsupported, "partial_rotary_factor");
  const json block = {{"type", "attention"}, {"n_heads", c.at("num_attention_heads")}, {"n_kv_heads", c.at("num_key_value_heads")},
                      {"headdim", c.at("head_dim")}, {"rope_theta", rope.value("rope_theta", c.value("rope_theta", 10000.0))},
                      {"bias", c.value("attention_bias", false)}};
  return layer_case(file, {block, read_keys_and_values}, "attention");
}

}  // namespace

const std::vector<GoldenAdapter> golden_layers = {
    {"MambaMixer", mamba_case},
    {"Mamba2Mixer", mamba2_case},
    {"LlamaAttention", llama_attention_case},
};

}  // namespace statera::test
