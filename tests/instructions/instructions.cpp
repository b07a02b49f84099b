// instructions OP/CASE COUNT: runs a case of the one table forward and backward COUNT times on one thread, for
// tools/instructions.py to count the instructions in measured_pass. The start of the program is not among them: it
// times the clock, and differs from run to run.
#include <cstdio>
#include <cstdlib>

#include "support/op_run.hpp"

namespace statera::test {
namespace {

const OpCase* find(const std::vector<OpCase>& all, const std::string& name) {
  for (const OpCase& c : all)
    if (c.op + "/" + c.name == name) return &c;
  return nullptr;
}

// Forward and backward once. `seeds`: the gradients of the outputs, made in the first pass.
[[gnu::noinline]] void measured_pass(const OpCase& c, Tape& tape, const std::vector<Tensor>& values,
                                     std::vector<Tensor>& seeds) {
  NamedVars vars;
  for (size_t k = 0; k < values.size(); ++k)
    vars[c.inputs[k].name] = c.inputs[k].gradient ? tape.input(values[k]) : tape.constant(values[k]);
  std::vector<Var> roots;
  const bool first = seeds.empty();
  for (const auto& [output, var] : c.run(tape, vars)) {
    roots.push_back(var);
    const Shape shape = tape.value(var).shape;
    if (first)
      seeds.push_back(to_tensor(DType::f32, shape, random_grad(output, static_cast<size_t>(shape.elements()))));
  }
  const std::vector<View> views(seeds.begin(), seeds.end());
  tape.backward(roots, views);
  tape.reset();
}

int run(const std::string& name, int count) {
  const std::vector<OpCase> all = all_op_cases();
  const OpCase* c = find(all, name);
  if (!c) {
    std::fprintf(stderr, "instructions: no case '%s'\n", name.c_str());
    return 2;
  }
  const NamedDoubles inputs = random_inputs(*c, 1);
  std::vector<Tensor> values;
  for (const OpInput& input : c->inputs) values.push_back(to_tensor(DType::f32, input.shape, inputs.at(input.name)));
  Tape tape(Device::cpu({.threads = 1}));
  std::vector<Tensor> seeds;
  for (int i = 0; i < count; ++i) measured_pass(*c, tape, values, seeds);
  return 0;
}

}  // namespace
}  // namespace statera::test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: instructions OP/CASE COUNT\n");
    return 2;
  }
  return statera::test::run(argv[1], std::atoi(argv[2]));
}
