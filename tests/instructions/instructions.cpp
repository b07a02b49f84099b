// instructions OP/CASE COUNT: runs a case of the one table forward and backward COUNT times on one thread, for
// tools/instructions.py to count instructions over: the difference between two counts is the kernels', whatever the
// start of the program costs.
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
  std::vector<Tensor> seeds;  // of the gradients, made in the first pass, which every count has
  for (int i = 0; i < count; ++i) {
    NamedVars vars;
    for (size_t k = 0; k < values.size(); ++k)
      vars[c->inputs[k].name] = c->inputs[k].gradient ? tape.input(values[k]) : tape.constant(values[k]);
    std::vector<Var> roots;
    for (const auto& [output, var] : c->run(tape, vars)) {
      roots.push_back(var);
      const Shape shape = tape.value(var).shape;
      if (i == 0)
        seeds.push_back(to_tensor(DType::f32, shape, random_grad(output, static_cast<size_t>(shape.elements()))));
    }
    const std::vector<View> views(seeds.begin(), seeds.end());
    tape.backward(roots, views);
    tape.reset();
  }
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
