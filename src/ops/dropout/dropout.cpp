#include "ops/dropout/dropout.hpp"

#include <cmath>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "statera/random.hpp"

namespace statera {

namespace {
constexpr int64_t per_draw = 8;  // elements per draw: a draw has four words of 32 bits, an element needs 16 bits
constexpr double grid = 65536;   // rates are multiples of 1 / grid
constexpr int64_t draws_per_task = 512, rows_per_task = 64;

// Fills keep: 1 for the elements that are kept, 0 for the others. Elements are counted row by row without gaps, so the
// shape alone decides which random number an element has.
void draw(Exec exec, DType dtype, const DropoutDraw& d, int64_t draws) {
  dropout_kernels(exec, dtype, [&](auto, const auto& kernels) {
    exec.pool.run((draws + draws_per_task - 1) / draws_per_task, [&](int64_t task, int) {
      kernels.draw(d, task * draws_per_task, std::min(draws, (task + 1) * draws_per_task));
    });
  });
}

// y = scale x where keep is not 0, and 0 elsewhere; forward and backward alike.
void apply(Exec exec, const View& x, const uint8_t* keep, double scale, const View& y) {
  const int64_t rows = x.rows(), columns = x.cols();
  dropout_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
      for (int64_t n = task * rows_per_task; n < std::min(rows, (task + 1) * rows_per_task); ++n)
        kernels.apply(from + n * x.stride, keep + n * columns, to + n * y.stride, columns, static_cast<T>(scale));
    });
  });
}
}  // namespace

Var dropout(Tape& tape, Var x, const Dropout& options, std::string_view place) {
  require(options.rate >= 0 && options.rate < 1, ErrorCode::config, "[dropout] a rate of ", options.rate,
          " is not in [0, 1)");
  const double rate = std::floor(options.rate * grid) / grid, scale = 1 / (1 - rate);
  if (rate == 0) return x;
  const View in = tape.value(x);
  require(in.elements() < int64_t{1} << 35, ErrorCode::unsupported, "[dropout] ", in.shape,
          " has more elements than there are draws");
  const int64_t draws = (in.elements() + per_draw - 1) / per_draw;
  auto* keep = memory_of(tape).allocate_array<uint8_t>(draws * per_draw);
  const Random random(options.seed, place);
  draw(exec_of(tape), in.dtype, {random.counter(0), random.key(), static_cast<uint32_t>(rate * grid), keep}, draws);
  const Var y = tape.make(in.dtype, in.shape, tape.needs_grad(x));
  const auto run = [x, keep, scale, y](Tape& t) { apply(exec_of(t), t.value(x), keep, scale, t.value(y)); };
  run(tape);
  tape.record(
      "dropout", {y},
      [x, keep, scale, y](Tape& t) {
        const GradSink dx(t, x);
        if (!dx.view().empty()) apply(exec_of(t), t.grad(y), keep, scale, dx.view());
      },
      run);
  return y;
}

std::vector<OpCase> dropout_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const char* name, int64_t rows, int64_t columns, double rate, bool benchmark) {
    OpCase c{.op = "dropout", .name = name, .inputs = {{"x", {rows, columns}}}};
    c.run = [rate](Tape& tape, const NamedVars& in) {
      return NamedVars{{"y", dropout(tape, in.at("x"), {rate, 7}, "case")}};
    };
    c.benchmark = benchmark;
    cases.push_back(c);
  };
  add("tiny", 3, 5, 0.4, false);
  add("odd", 137, 37, 0.1, false);
  add("base", 2048, 384, 0.1, true);
  return cases;
}

}  // namespace statera
