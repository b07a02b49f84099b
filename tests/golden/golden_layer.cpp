#include "golden/golden_layer.hpp"

#include "core/check.hpp"

namespace statera::test {
namespace {

std::string theirs(const Parameter& p) { return "weight." + p.name.substr(std::string("layers.1.mixer.").size()); }

// The reference's tensor for a part of qkv_proj.weight or qk_norm.weight: q_proj.weight, q_norm.weight.
std::string theirs(const Parameter& p, const ParameterPart& part) {
  return "weight." + part.name + p.name.substr(p.name.rfind('_'));
}

// The reference's tensor for a parameter; a fused one is the rows of its parts, each a tensor of its own there.
std::vector<double> reference_values(const GoldenFile& file, const Parameter& p, const std::string& prefix) {
  if (file.has(prefix + theirs(p))) return file.tensor(prefix + theirs(p)).values;
  std::vector<double> joined;
  for (const ParameterPart& part : p.parts) {
    const std::vector<double> rows = file.tensor(prefix + theirs(p, part)).values;
    joined.insert(joined.end(), rows.begin(), rows.end());
  }
  require(!joined.empty(), ErrorCode::io, "no golden tensor for ", p.name);
  return joined;
}

// How often the numbers of a part stand in our parameter: a norm's weights that the reference shares among the heads
// stand once per head.
std::vector<size_t> repeats_of(const GoldenFile& file, const Parameter& p) {
  std::vector<size_t> repeats;
  if (file.has(theirs(p))) return repeats;  // it is one tensor there too
  for (const ParameterPart& part : p.parts)
    repeats.push_back(file.has(theirs(p, part)) ? static_cast<size_t>(part.rows / file.tensor(theirs(p, part)).dim(0))
                                                : 1);
  return repeats;
}

std::vector<double> repeated(const std::vector<double>& shared, const Parameter& p,
                             const std::vector<size_t>& repeats) {
  std::vector<double> all;
  size_t from = 0;
  for (size_t i = 0; i < repeats.size(); ++i) {
    const size_t count = static_cast<size_t>(p.parts[i].rows * p.elements() / p.shape[0]) / repeats[i];
    for (size_t r = 0; r < repeats[i]; ++r) all.insert(all.end(), shared.data() + from, shared.data() + from + count);
    from += count;
  }
  all.insert(all.end(), shared.data() + from, shared.data() + shared.size());  // all, if there is nothing to repeat
  require(static_cast<int64_t>(all.size()) == p.elements(), ErrorCode::io, "the golden tensor for ", p.name,
          " has another size");
  return all;
}

std::vector<double> summed(const std::vector<double>& all, const Parameter& p, const std::vector<size_t>& repeats) {
  std::vector<double> shared;
  size_t from = 0;
  for (size_t i = 0; i < repeats.size(); ++i) {
    const size_t count = static_cast<size_t>(p.parts[i].rows * p.elements() / p.shape[0]) / repeats[i];
    for (size_t j = 0; j < count; ++j) {
      double sum = 0;
      for (size_t r = 0; r < repeats[i]; ++r) sum += all[from + r * count + j];
      shared.push_back(sum);
    }
    from += repeats[i] * count;
  }
  shared.insert(shared.end(), all.data() + from, all.data() + all.size());
  return shared;
}

}  // namespace

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
  const auto values_of = map.values ? map.values : reference_values;
  NamedDoubles weights;
  std::map<std::string, std::vector<size_t>> repeats;
  for (const Parameter* p : probe.parameters()) {
    repeats[p->name] = repeats_of(file, *p);
    weights[p->name] = repeated(values_of(file, *p, ""), *p, repeats[p->name]);
    c.expected.grads[p->name] = values_of(file, *p, "grad.");
    c.reduction = std::max(c.reduction, p->shape[p->shape.rank() - 1]);
  }
  if (file.has("out.ssm_state")) {  // the gradient of a decay rate: a sum over positions and the state that it moves
    const GoldenTensor state = file.tensor("out.ssm_state");  // [B, H or D, ...]
    c.reduction = std::max(c.reduction, length * static_cast<int64_t>(state.values.size()) / state.dim(1));
  }
  for (const char* state : {"ssm_state", "keys", "values"})
    if (file.has(std::string("out.") + state))
      c.expected.outputs[state] = file.tensor(std::string("out.") + state).values;
  if (file.has("out.conv_state")) {  // the reference keeps one input more than the filter needs: its oldest is left out
    const GoldenTensor t = file.tensor("out.conv_state");
    const auto width = static_cast<size_t>(t.dim(2));
    std::vector<double>& v = c.expected.outputs["conv_state"];
    for (size_t i = 0; i < t.values.size(); ++i)
      if (i % width != 0) v.push_back(t.values[i]);
  }
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
    for (const Parameter* p : m.parameters())
      result.grads[p->name] = summed(result.grads[p->name], *p, repeats.at(p->name));
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

void read_ssm_states(const State& state, int64_t, OpResult& result, int64_t) {
  for (size_t i = 0; i < state.layout().slots.size(); ++i) {
    const std::string& name = state.layout().slots[i].name;
    const View v = state.fixed(i);
    std::vector<double> values = to_doubles(v);
    if (name == "conv_state") values = rows_from_channels(values, 1, v.shape[0], v.shape[1]);
    std::vector<double>& all = result.outputs[name];
    all.insert(all.end(), values.begin(), values.end());
  }
}

void require_silu(const nlohmann::json& config) {
  const std::string act = config.value("hidden_act", "silu");
  if (act != "silu" && act != "swish") fail(ErrorCode::unsupported, "hidden_act ", act);
}

}  // namespace statera::test
