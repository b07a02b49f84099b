#include "ops/embedding/embedding.hpp"

#include <algorithm>
#include <set>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
void check_ids(std::span<const int32_t> ids, int64_t rows) {
  for (size_t n = 0; n < ids.size(); ++n)
    require(ids[n] >= 0 && ids[n] < rows, ErrorCode::shape, "[embedding] id ", ids[n], " at position ", n,
            " is not in 0 to ", rows - 1);
}

// The rows of a table that are read, each once, in the order of their first positions.
struct Read {
  const int32_t* rows;         // [count]
  const int32_t* by_position;  // [N] the number, within `rows`, of the row that a position reads
  int64_t count;
};
Read rows_read(Arena& memory, Arena& scratch, std::span<const int32_t> ids, int64_t table_rows) {
  const auto n = static_cast<int64_t>(ids.size());
  auto *rows = memory.allocate_array<int32_t>(std::min(n, table_rows)),
       *by_position = memory.allocate_array<int32_t>(n);
  const ArenaScope scope(scratch);
  auto* number = scratch.allocate_array<int32_t>(table_rows);
  std::fill_n(number, table_rows, -1);
  int32_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    int32_t& of_row = number[ids[static_cast<size_t>(i)]];
    if (of_row < 0) rows[of_row = count++] = ids[static_cast<size_t>(i)];
    by_position[i] = of_row;
  }
  return {rows, by_position, count};
}
}  // namespace

void embedding(Exec& exec, std::span<const int32_t> ids, const View& table, const View& y) {
  check_ids(ids, table.rows());
  require(y.shape == Shape({static_cast<int64_t>(ids.size()), table.cols()}) && y.dtype == table.dtype,
          ErrorCode::shape, "[embedding] output ", y.shape);
  embedding_kernels(exec, table.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.forward({.ids = ids.data(),
                     .table = table.as<T>(),
                     .y = y.as<T>(),
                     .rows = y.rows(),
                     .width = y.cols(),
                     .table_stride = table.stride,
                     .y_stride = y.stride},
                    exec);
  });
}

Var embedding(Tape& tape, std::span<const int32_t> ids, Var table) {
  const View t = tape.value(table);
  const Var y = tape.make(t.dtype, {static_cast<int64_t>(ids.size()), t.cols()}, tape.needs_grad(table));
  Exec exec = exec_of(tape);
  embedding(exec, ids, t, tape.value(y));
  const Read kept = tape.needs_grad(y) ? rows_read(memory_of(tape), exec.scratch, ids, t.rows()) : Read{};
  tape.record("embedding", {y}, [kept, table, y](Tape& tp) {
    const GradSink drows(tp, table, {kept.rows, static_cast<size_t>(kept.count)});
    const View dy = tp.grad(y);
    Exec ex = exec_of(tp);
    embedding_kernels(ex, dy.dtype, [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      kernels.backward({.read = kept.by_position,
                        .dy = dy.as<T>(),
                        .drows = drows.as<T>(),
                        .rows = dy.rows(),
                        .read_rows = kept.count,
                        .width = dy.cols(),
                        .dy_stride = dy.stride},
                       ex);
    });
  });
  return y;
}

std::vector<OpCase> embedding_cases() {
  const auto make = [](const char* name, const std::vector<int32_t>& ids, int64_t rows, int64_t width) {
    OpCase c{.op = "embedding", .name = name, .inputs = {{"table", {rows, width}}}};
    const std::set<int32_t> read(ids.begin(), ids.end());
    c.inputs[0].used = static_cast<double>(read.size()) / static_cast<double>(rows);
    c.run = [ids](Tape& tape, const NamedVars& in) { return NamedVars{{"y", embedding(tape, ids, in.at("table"))}}; };
    c.advance = [ids](Exec&, const NamedViews& in, const View& y) {
      return [ids, table = in.at("table"), y](Exec& exec) { embedding(exec, ids, table, y); };
    };
    return c;
  };
  std::vector<int32_t> many(2048);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i * 7 % 257);
  OpCase base = make("base", many, 257, 384), step = make("base_step", {101}, 257, 384);
  base.benchmark = step.benchmark = step.step = true;
  return {make("repeated", {3, 0, 6, 3, 3, 1, 0}, 7, 37), base, step};
}

}  // namespace statera
