#include "ops/embedding/embedding.hpp"

#include <cstring>
#include <set>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t columns_per_task = 32;

void check_ids(std::span<const int32_t> ids, int64_t rows) {
  for (size_t n = 0; n < ids.size(); ++n)
    require(ids[n] >= 0 && ids[n] < rows, ErrorCode::shape, "[embedding] id ", ids[n], " at position ", n,
            " is not in 0 to ", rows - 1);
}

// A task sums its own columns over all positions, so the order of summation is that of the positions.
template <class T>
void scatter_add(Exec& exec, std::span<const int32_t> ids, const View& dy, const View& dtable) {
  exec.pool.run((dy.cols() + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
    const int64_t begin = task * columns_per_task, count = std::min(columns_per_task, dy.cols() - begin);
    for (size_t n = 0; n < ids.size(); ++n) {
      const T* from = dy.as<T>() + static_cast<int64_t>(n) * dy.stride + begin;
      T* to = dtable.as<T>() + ids[n] * dtable.stride + begin;
      for (int64_t c = 0; c < count; ++c) to[c] += from[c];
    }
  });
}
}  // namespace

void embedding(Exec&, std::span<const int32_t> ids, const View& table, const View& y) {
  check_ids(ids, table.rows());
  require(y.shape == Shape({static_cast<int64_t>(ids.size()), table.cols()}) && y.dtype == table.dtype,
          ErrorCode::shape, "[embedding] output ", y.shape);
  for (size_t n = 0; n < ids.size(); ++n) copy(table.row_range(ids[n], 1), y.row_range(static_cast<int64_t>(n), 1));
}

Var embedding(Tape& tape, std::span<const int32_t> ids, Var table) {
  const View t = tape.value(table);
  const Var y = tape.make(t.dtype, {static_cast<int64_t>(ids.size()), t.cols()}, tape.needs_grad(table));
  Exec exec = tape.exec();
  embedding(exec, ids, t, tape.value(y));
  int32_t* kept = tape.memory().allocate_array<int32_t>(static_cast<int64_t>(ids.size()));
  if (!ids.empty()) std::memcpy(kept, ids.data(), ids.size_bytes());
  const auto n = static_cast<int64_t>(ids.size());
  tape.record("embedding", {y}, [kept, n, table, y](Tape& tp) {
    const GradTarget target = tp.target(table);
    if (target.view.empty()) return;
    if (!target.accumulate) fill_zero(target.view);
    Exec ex = tp.exec();
    dispatch(target.view.dtype, [&](auto zero) {
      scatter_add<decltype(zero)>(ex, {kept, static_cast<size_t>(n)}, tp.grad(y), target.view);
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
