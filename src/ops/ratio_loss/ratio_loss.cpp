#include "ops/ratio_loss/ratio_loss.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

Var ratio_loss(Tape& tape, Var p, int64_t cuts, const RatioLossOptions& options) {
  const View in = tape.value(p);
  require(in.shape.rank() == 1 && cuts >= 0 && cuts <= in.rows() && options.positions > 1, ErrorCode::shape,
          "[ratio_loss] expected p [rows], 0 to rows cuts and more than 1 position per segment, got ", in.shape, ", ",
          cuts, " and ", options.positions);
  const Var loss = tape.make(in.dtype, {1}, tape.needs_grad(p));
  const auto kernels_of = [p, loss, cuts, options](Tape& t, bool back) {
    const View probabilities = t.value(p);
    Exec exec = exec_of(t);
    ratio_loss_kernels(exec, probabilities.dtype, [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      RatioLoss<T> a{.p = probabilities.as<T>(),
                     .rows = probabilities.rows(),
                     .cuts = cuts,
                     .positions = options.positions,
                     .weight = options.weight};
      if (!back) {
        a.loss = t.value(loss).as<T>();
        return kernels.forward(a, exec);
      }
      const GradSink dp(t, p);
      if (dp.view().empty()) return;
      a.dloss = t.grad(loss).as<T>(), a.dp = dp.as<T>();
      kernels.backward(a, exec);
    });
  };
  kernels_of(tape, false);
  tape.record("ratio_loss", {loss}, [kernels_of](Tape& t) { kernels_of(t, true); });
  return loss;
}

std::vector<OpCase> ratio_loss_cases() {
  std::vector<OpCase> cases;
  struct Row {
    const char* name;
    int64_t rows, cuts;
    RatioLossOptions options;
    bool benchmark = false;
  };
  for (const Row& r : {Row{"tiny", 5, 2, {.positions = 2.5}}, Row{"none", 0, 0, {}}, Row{"all", 37, 37, {.weight = 3}},
                       Row{"no_cut", 130, 0, {}}, Row{"base", 2048, 341, {}, true}}) {
    OpCase c{.op = "ratio_loss", .name = r.name, .inputs = {{"p", {r.rows}, 0, 1}}};
    c.run = [r](Tape& tape, const NamedVars& in) {
      return NamedVars{{"y", ratio_loss(tape, in.at("p"), r.cuts, r.options)}};
    };
    c.reduction = r.rows;
    c.benchmark = r.benchmark;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace statera
