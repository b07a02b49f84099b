#include "ops/cross_entropy/cross_entropy.hpp"

#include <algorithm>
#include <cstring>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
void check(const View& logits, std::span<const int32_t> targets) {
  require(logits.shape.rank() == 2 && logits.rows() == static_cast<int64_t>(targets.size()) && logits.cols() > 0,
          ErrorCode::shape, "[cross_entropy] logits ", logits.shape, " for ", targets.size(), " targets");
  for (int32_t t : targets)
    require(t >= -1 && t < logits.cols(), ErrorCode::shape, "[cross_entropy] target ", t, " is not in -1 to ",
            logits.cols() - 1);
}

double forward(Exec& exec, const View& logits, std::span<const int32_t> targets, const View& nll, const View& log_sum) {
  double sum = 0;
  dispatch(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    pick<T>(exec, cross_entropy_ref_f64, cross_entropy_ref_f32, cross_entropy_cpu)
        .forward(
            {logits.as<T>(), targets.data(), nll.as<T>(), log_sum.as<T>(), logits.rows(), logits.cols(), logits.stride},
            exec);
    for (int64_t n = 0; n < logits.rows(); ++n) sum += static_cast<double>(nll.as<T>()[n]);
  });
  return sum;
}

void backward(Exec exec, const View& logits, std::span<const int32_t> targets, const View& log_sum, double scale,
              const View& dlogits) {
  dispatch(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    pick<T>(exec, cross_entropy_ref_f64, cross_entropy_ref_f32, cross_entropy_cpu)
        .backward({logits.as<T>(), log_sum.as<T>(), targets.data(), dlogits.as<T>(), static_cast<T>(scale),
                   logits.rows(), logits.cols(), logits.stride},
                  exec);
  });
}
}  // namespace

double cross_entropy(Exec& exec, const View& logits, std::span<const int32_t> targets, const View& nll) {
  check(logits, targets);
  const ArenaScope scope(exec.scratch);
  const View out = nll.empty() ? exec.scratch.allocate(logits.dtype, {logits.rows()}) : nll;
  return forward(exec, logits, targets, out, exec.scratch.allocate(logits.dtype, {logits.rows()}));
}

int64_t counted_targets(std::span<const int32_t> targets) {
  return std::ranges::count_if(targets, [](int32_t t) { return t >= 0; });
}

Var cross_entropy(Tape& tape, Var logits, std::span<const int32_t> targets, int64_t denominator) {
  const View l = tape.value(logits);
  check(l, targets);
  const int64_t n = l.rows(), divisor = denominator > 0 ? denominator : counted_targets(targets);
  const double mean = divisor ? 1 / static_cast<double>(divisor) : 0;
  const Var loss = tape.make(l.dtype, {1}, tape.needs_grad(logits));
  const View log_sum = tape.memory().allocate(l.dtype, {n}), nll = tape.memory().allocate(l.dtype, {n});
  int32_t* kept = tape.memory().allocate_array<int32_t>(n);
  if (n) std::memcpy(kept, targets.data(), targets.size_bytes());
  Exec exec = tape.exec();
  const double sum = forward(exec, l, targets, nll, log_sum);
  const View out = tape.value(loss);
  dispatch(l.dtype, [&](auto zero) { *out.as<decltype(zero)>() = static_cast<decltype(zero)>(mean * sum); });
  tape.record("cross_entropy", {loss}, [logits, loss, kept, log_sum, mean](Tape& t) {
    const GradSink dlogits(t, logits);
    const View v = t.value(logits), dloss = t.grad(loss);
    const double d = dloss.dtype == DType::f64 ? *dloss.as<double>() : static_cast<double>(*dloss.as<float>());
    backward(t.exec(), v, {kept, static_cast<size_t>(v.rows())}, log_sum, mean * d, dlogits.view());
  });
  return loss;
}

std::vector<OpCase> cross_entropy_cases() {
  std::vector<OpCase> cases;
  const auto make = [&](const char* name, int64_t rows, int64_t vocab, std::vector<int32_t> targets, bool benchmark) {
    OpCase c{.op = "cross_entropy", .name = name, .inputs = {{"logits", {rows, vocab}, -6, 6}}};
    c.run = [targets](Tape& tape, const NamedVars& in) {
      return NamedVars{{"loss", cross_entropy(tape, in.at("logits"), targets)}};
    };
    c.reduction = rows * vocab;
    c.benchmark = benchmark;
    cases.push_back(c);
  };
  make("tiny", 3, 5, {4, 0, 2}, false);
  std::vector<int32_t> some(37);
  for (size_t n = 0; n < some.size(); ++n) some[n] = n % 5 == 0 ? -1 : static_cast<int32_t>(n * 7 % 33);
  make("uncounted", 37, 33, some, false);
  make("none_counted", 2, 9, {-1, -1}, false);
  make("bytes", 2048, 256, std::vector<int32_t>(2048, 97), true);
  return cases;
}

}  // namespace statera
