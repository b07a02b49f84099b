#include "ops/dropout/dropout.hpp"

#include <cmath>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "core/random.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t per_draw = 8;  // elements for which four words of random bits are enough
constexpr double grid = 65536;   // of rates: 16 bits an element
constexpr int64_t draws_per_task = 512, rows_per_task = 64;

// keep[i] != 0: element i is kept. Row-major, so that the shape alone decides which random number an element has.
void draw(ThreadPool& pool, const Random& random, double rate, uint8_t* keep, int64_t draws) {
  const auto dropped = static_cast<uint32_t>(rate * grid);
  pool.run((draws + draws_per_task - 1) / draws_per_task, [&](int64_t task, int) {
    for (int64_t i = task * draws_per_task; i < std::min(draws, (task + 1) * draws_per_task); ++i) {
      const auto words = random.words(static_cast<uint64_t>(i));
      for (size_t j = 0; j < per_draw; ++j) keep[i * per_draw + static_cast<int64_t>(j)] = (words[j / 2] >> (16 * (j % 2)) & 0xffff) >= dropped;
    }
  });
}

void apply(Exec exec, const View& x, const uint8_t* keep, double scale, const View& y) {
  const int64_t rows = x.rows(), columns = x.cols();
  dispatch(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
      for (int64_t n = task * rows_per_task; n < std::min(rows, (task + 1) * rows_per_task); ++n) {
        const T* from = x.as<T>() + n * x.stride;
        T* to = y.as<T>() + n * y.stride;
        const uint8_t* kept = keep + n * columns;
        if constexpr (std::is_same_v<T, float>)
          if (exec.kernels == KernelChoice::fast) {
            dropout_cpu(from, kept, to, columns, static_cast<float>(scale));
            continue;
          }
        for (int64_t c = 0; c < columns; ++c) to[c] = kept[c] ? from[c] * static_cast<T>(scale) : T(0);
      }
    });
  });
}
}  // namespace

Var dropout(Tape& tape, Var x, const Dropout& options, std::string_view place) {
  require(options.rate >= 0 && options.rate < 1, ErrorCode::config, "[dropout] a rate of ", options.rate, " is not in [0, 1)");
  const double rate = std::floor(options.rate * grid) / grid, scale = 1 / (1 - rate);
  if (rate == 0) return x;
  const View in = tape.value(x);
  const int64_t draws = (in.elements() + per_draw - 1) / per_draw;
  auto* keep = tape.memory().allocate_array<uint8_t>(draws * per_draw);
  draw(tape.exec().pool, Random(options.seed, place), rate, keep, draws);
  const Var y = tape.make(in.dtype, in.shape, tape.needs_grad(x));
  const auto run = [x, keep, scale, y](Tape& t) { apply(t.exec(), t.value(x), keep, scale, t.value(y)); };
  run(tape);
  tape.record("dropout", {y}, [x, keep, scale, y](Tape& t) {
    const GradSink dx(t, x);
    if (!dx.view().empty()) apply(t.exec(), t.grad(y), keep, scale, dx.view());
  }, run);
  return y;
}

std::vector<OpCase> dropout_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const char* name, int64_t rows, int64_t columns, double rate, bool benchmark) {
    OpCase c{.op = "dropout", .name = name, .inputs = {{"x", {rows, columns}}}};
    c.run = [rate](Tape& tape, const NamedVars& in) { return NamedVars{{"y", dropout(tape, in.at("x"), {rate, 7}, "case")}}; };
    c.benchmark = benchmark;
    cases.push_back(c);
  };
  add("tiny", 3, 5, 0.4, false);
  add("odd", 137, 37, 0.1, false);
  add("base", 2048, 384, 0.1, true);
  return cases;
}

}  // namespace statera
