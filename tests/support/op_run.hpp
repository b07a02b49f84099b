// Runs an OpCase on a tape of a given dtype, device and kernels, with given inputs and given gradients of its outputs.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "statera/random.hpp"
#include "ops/op_case.hpp"
#include "support/tolerance.hpp"

namespace statera::test {

using NamedDoubles = std::map<std::string, std::vector<double>>;

struct OpResult {
  NamedDoubles outputs, grads;  // by name of the output; by name of the input
  std::map<std::string, Shape> shapes;
  std::vector<int64_t> ended;  // of a mixer: the positions of its clocks, as in CarriedState
};

inline NamedDoubles random_inputs(const OpCase& c, uint64_t seed) {
  NamedDoubles values;
  for (const OpInput& input : c.inputs) {
    const Random random(seed, c.op + "/" + c.name + "/" + input.name);
    std::vector<double> v(static_cast<size_t>(input.shape.elements()));
    for (size_t i = 0; i < v.size(); ++i)
      v[i] = static_cast<float>(input.low + (input.high - input.low) *
                                                random.uniform(i));  // exact in float: the same problem in both
    values[input.name] = std::move(v);
  }
  return values;
}

inline std::vector<double> random_grad(const std::string& name, size_t n) {
  const Random random(7, "dout/" + name);
  std::vector<double> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = static_cast<float>(2 * random.uniform(i) - 1);
  return v;
}

inline Tensor to_tensor(DType dtype, const Shape& shape, const std::vector<double>& values) {
  Tensor t(dtype, shape);
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f64)
      t.as<double>()[i] = values[i];
    else
      t.as<float>()[i] = static_cast<float>(values[i]);
  }
  return t;
}

// The same value as the result of an operation: its gradient is fresh memory, which the first of its users must
// overwrite, where that of an input is added to.
inline Var passed_on(Tape& tape, Var x) {
  const View v = tape.value(x);
  const Var y = tape.make(v.dtype, v.shape, true);
  copy(v, tape.value(y));
  tape.record("passed_on", {y}, [x, y](Tape& t) {
    const GradSink dx(t, x);
    copy(t.grad(y), dx.view());
  });
  return y;
}

// `douts` may lack an output: it then gets no gradient. Null: random ones for all outputs. `backward` false: outputs
// only.
inline OpResult run_case(const OpCase& c, DType dtype, const Device& device, const NamedDoubles& inputs,
                         const NamedDoubles* douts = nullptr, bool backward = true) {
  Tape tape(device);
  std::vector<Tensor> values;
  NamedVars leaves, vars;
  for (const OpInput& input : c.inputs) {
    values.push_back(to_tensor(dtype, input.shape, inputs.at(input.name)));
    const bool wanted = backward && input.gradient;
    const Var leaf = leaves[input.name] = wanted ? tape.input(values.back()) : tape.constant(values.back());
    vars[input.name] = wanted ? passed_on(tape, leaf) : leaf;
  }
  const NamedVars outputs = c.run(tape, vars);
  OpResult result;
  std::vector<Var> roots;
  std::vector<Tensor> seeds;
  for (const auto& [name, var] : outputs) {
    result.outputs[name] = to_doubles(tape.value(var));
    result.shapes[name] = tape.value(var).shape;
    std::vector<double> dout;
    if (!douts)
      dout = random_grad(name, result.outputs[name].size());
    else if (const auto it = douts->find(name); it != douts->end())
      dout = it->second;
    else
      continue;
    roots.push_back(var);
    seeds.push_back(to_tensor(dtype, tape.value(var).shape, dout));
  }
  if (!backward) return result;
  const std::vector<View> views(seeds.begin(), seeds.end());
  tape.backward(roots, views);
  for (const OpInput& input : c.inputs)
    if (input.gradient) result.grads[input.name] = to_doubles(tape.grad(leaves.at(input.name)));
  return result;
}

// sum over all outputs of out * dout, the scalar whose gradient run_case computes
inline double objective(const OpResult& result) {
  double sum = 0;
  for (const auto& [name, out] : result.outputs) {
    const std::vector<double> dout = random_grad(name, out.size());
    for (size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
  }
  return sum;
}

}  // namespace statera::test
