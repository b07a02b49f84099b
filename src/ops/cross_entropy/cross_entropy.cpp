#include "ops/cross_entropy/cross_entropy.hpp"

#include <algorithm>
#include <cstring>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "kernels/view_kernels.hpp"

namespace statera {

namespace {
void check(const View& logits, std::span<const int32_t> targets) {
  require(logits.shape.rank() == 2 && logits.rows() == static_cast<int64_t>(targets.size()) && logits.cols() > 0,
          ErrorCode::shape, "[cross_entropy] logits ", logits.shape, " for ", targets.size(), " targets");
  for (int32_t t : targets)
    require(t >= -1 && t < logits.cols(), ErrorCode::shape, "[cross_entropy] target ", t, " is not in -1 to ",
            logits.cols() - 1);
}

// Writes nll and log_sum [N] and returns the sum of nll.
double forward(Exec& exec, const View& logits, std::span<const int32_t> targets, const View& nll, const View& log_sum) {
  cross_entropy_kernels(exec, logits.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.forward({.logits = logits.as<T>(),
                     .targets = targets.data(),
                     .nll = nll.as<T>(),
                     .log_sum = log_sum.as<T>(),
                     .rows = logits.rows(),
                     .vocab = logits.cols(),
                     .stride = logits.stride},
                    exec);
  });
  return sum_of(nll);
}

void backward(Exec exec, const View& logits, std::span<const int32_t> targets, const View& log_sum, double scale,
              const View& dlogits) {
  cross_entropy_kernels(exec, logits.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.backward({.logits = logits.as<T>(),
                      .log_sum = log_sum.as<T>(),
                      .targets = targets.data(),
                      .dlogits = dlogits.as<T>(),
                      .scale = static_cast<T>(scale),
                      .rows = logits.rows(),
                      .vocab = logits.cols(),
                      .stride = logits.stride,
                      .dstride = dlogits.stride},
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
  const View log_sum = memory_of(tape).allocate(l.dtype, {n}), nll = memory_of(tape).allocate(l.dtype, {n});
  // A copy for backward: the caller's targets may be gone by then.
  int32_t* kept = memory_of(tape).allocate_array<int32_t>(n);
  if (n) std::memcpy(kept, targets.data(), targets.size_bytes());
  Exec exec = exec_of(tape);
  const double sum = forward(exec, l, targets, nll, log_sum);
  set_number(tape.value(loss), mean * sum);
  tape.record("cross_entropy", {loss}, [logits, loss, kept, log_sum, mean](Tape& t) {
    const GradSink dlogits(t, logits);
    const View v = t.value(logits);
    const double scale = mean * number_in(t.grad(loss));
    backward(exec_of(t), v, {kept, static_cast<size_t>(v.rows())}, log_sum, scale, dlogits.view());
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
