#include "ops/rope/rope.hpp"

#include <memory>

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
// The options with rotary_dim filled in.
RopeOptions checked(const View& x, int64_t positions, RopeOptions o) {
  if (o.rotary_dim == 0) o.rotary_dim = o.headdim;
  require(o.rotary_dim > 0 && o.rotary_dim % 2 == 0 && o.rotary_dim <= o.headdim && o.theta > 0, ErrorCode::shape,
          "[rope] rotary_dim must be even and at most headdim ", o.headdim, ", got ", o.rotary_dim);
  require(x.shape.rank() == 2 && x.cols() == o.heads * o.headdim && x.rows() == positions, ErrorCode::shape,
          "[rope] expected [", positions, ", ", o.heads * o.headdim, "], got ", x.shape);
  return o;
}

void rotate(Exec& exec, const View& x, const View& y, const int64_t* positions, const RopeOptions& options,
            bool inverse) {
  rope_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.rotate({.x = x.as<T>(),
                    .y = y.as<T>(),
                    .positions = positions,
                    .rows = x.rows(),
                    .x_stride = x.stride,
                    .y_stride = y.stride,
                    .options = options,
                    .inverse = inverse},
                   exec);
  });
}
}  // namespace

void rope(Exec& exec, const View& x, const View& y, const Rows& rows, const RopeOptions& options) {
  check_rows("rope", rows, x.rows());
  require(y.shape == x.shape, ErrorCode::shape, "[rope] output ", y.shape, " for input ", x.shape);
  const ArenaScope scope(exec.scratch);
  const View positions = exec.scratch.allocate(DType::i64, {x.rows()});
  write_positions(rows, positions);
  rotate(exec, x, y, positions.as<int64_t>(), checked(x, rows.total(), options), false);
}

Var rope(Tape& tape, Var x, const Rows& rows, const RopeOptions& options) {
  check_rows("rope", rows, tape.value(x).rows());
  const View positions = memory_of(tape).allocate(DType::i64, {rows.total()});
  write_positions(rows, positions);
  return rope(tape, x, positions, options);
}

Var rope(Tape& tape, Var x, const View& positions, const RopeOptions& options) {
  const View in = tape.value(x);
  const RopeOptions o = checked(in, positions.rows(), options);
  const Var y = tape.make(in.dtype, in.shape, tape.needs_grad(x));
  const int64_t* at = positions.as<int64_t>();
  const auto run = [x, y, at, o](Tape& t) {
    Exec exec = exec_of(t);
    rotate(exec, t.value(x), t.value(y), at, o, false);
  };
  run(tape);
  tape.record(
      "rope", {y},
      [x, y, at, o](Tape& t) {
        const GradSink dx(t, x);
        Exec e = exec_of(t);
        rotate(e, t.grad(y), dx.view(), at, o, true);
      },
      run);
  return y;
}

std::vector<OpCase> rope_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const char* name, std::vector<int32_t> offsets, std::vector<int64_t> start, RopeOptions o) {
    const int64_t rows = offsets.back();
    OpCase c{.op = "rope", .name = name, .inputs = {{"x", {rows, o.heads * o.headdim}}}};
    c.run = [offsets, start, o](Tape& tape, const NamedVars& in) {
      return NamedVars{{"y", rope(tape, in.at("x"), keep(tape, {offsets, start}), o)}};
    };
    c.advance = [offsets, start, o](Exec&, const NamedViews& in, const View& y) {
      return [offsets, start, o, x = in.at("x"), y](Exec& exec) { rope(exec, x, y, {offsets, start}, o); };
    };
    c.reduction = 2;
    cases.push_back(c);
  };
  add("tiny", {0, 3}, {0}, {.heads = 1, .headdim = 2});
  add("half", {0, 37, 74}, {0, 0}, {.heads = 3, .headdim = 10});
  add("interleaved", {0, 37}, {5}, {.heads = 2, .headdim = 8, .interleaved = true});
  add("partial", {0, 130}, {0}, {.heads = 2, .headdim = 44, .rotary_dim = 38, .theta = 500000});
  add("interleaved_partial", {0, 33}, {0}, {.heads = 2, .headdim = 40, .rotary_dim = 36, .interleaved = true});
  add("packed_far", {0, 70, 70, 71, 90}, {1000000, 3, 123456789, 60}, {.heads = 1, .headdim = 12});
  add("base", {0, 1024, 2048}, {0, 0}, {.heads = 12, .headdim = 64});  // queries and keys together
  cases.back().benchmark = true;
  add("base_step", {0, 1}, {1023}, {.heads = 12, .headdim = 64});
  cases.back().benchmark = cases.back().step = true;
  return cases;
}

}  // namespace statera
