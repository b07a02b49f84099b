#include "ops/embedding/embedding.hpp"

#include <algorithm>
#include <bit>
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

// What a call writes into y: `rows` rows, `stride` apart, each the sum of `per_row` rows of the table. Rows side by
// side are the same memory as rows one below the other.
struct Outputs {
  int64_t rows, per_row, stride;

  // Throws ErrorCode::shape.
  Outputs(std::span<const int32_t> ids, const Shape& table, DType dtype, const View& y) {
    check_ids(ids, table[0]);
    const auto count = static_cast<int64_t>(ids.size());
    const int64_t width = table[1];
    rows = y.rows(), per_row = rows > 0 ? count / rows : 0, stride = y.stride;
    require(y.shape.rank() == 2 && per_row * rows == count && y.dtype == dtype &&
                (y.cols() == width || (y.cols() == per_row * width && y.dense())),
            ErrorCode::shape, "[embedding] expected an output of ", width,
            " columns, or a whole one of all rows side by side, got ", y.shape, " for ", count, " ids");
    if (y.cols() != width) rows = count, per_row = 1, stride = width;
  }
};

// The shape of y: [N, d] or [N, K d].
Shape joined_shape(std::span<const int32_t> ids, int64_t d, int64_t per_row, Joined joined) {
  return {static_cast<int64_t>(ids.size()) / per_row, joined == Joined::side_by_side ? per_row * d : d};
}

// The distinct rows of a table that are read, in the order of the positions that read them first.
struct Read {
  const int32_t* rows;         // [count]
  const int32_t* by_position;  // [N K] for each id, the index in `rows` of the row that it names
  int64_t count;
};
// The arrays are allocated in `memory`.
Read rows_read(Arena& memory, Arena& scratch, std::span<const int32_t> ids) {
  const size_t n = ids.size(), places = std::bit_ceil(2 * n + 1);
  auto *rows = memory.allocate_array<int32_t>(static_cast<int64_t>(n)),
       *by_position = memory.allocate_array<int32_t>(static_cast<int64_t>(n));
  const ArenaScope scope(scratch);
  // an open hash table of numbers, since the table of the embedding may be far larger than what is read of it
  auto* number = scratch.allocate_array<int32_t>(static_cast<int64_t>(places));
  std::fill_n(number, places, -1);
  int32_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    size_t at = (static_cast<uint64_t>(ids[i]) * 0x9E3779B97F4A7C15u >> 32) & (places - 1);
    while (number[at] >= 0 && rows[number[at]] != ids[i]) at = (at + 1) & (places - 1);
    if (number[at] < 0) rows[number[at] = count++] = ids[i];
    by_position[i] = number[at];
  }
  return {rows, by_position, count};
}
}  // namespace

void embedding(Exec& exec, std::span<const int32_t> ids, const View& table, const View& y) {
  const Outputs out(ids, table.shape, table.dtype, y);
  if (ids.empty()) return;
  embedding_kernels(exec, table.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.forward({.ids = ids.data(),
                     .table = table.as<T>(),
                     .y = y.as<T>(),
                     .rows = out.rows,
                     .per_row = out.per_row,
                     .width = table.cols(),
                     .table_stride = table.stride,
                     .y_stride = out.stride},
                    exec);
  });
}

void embedding(Exec& exec, std::span<const int32_t> ids, const QuantisedMatrix& table, int64_t d, const View& y) {
  const Shape shape{table.values.rows(), d};
  require(table.fits(shape), ErrorCode::shape, "[embedding] a table ", name_of(table.format), " ", shape, " got ",
          table.str());
  const Outputs out(ids, shape, DType::f32, y);
  if (ids.empty()) return;
  embedding_kernels.of<float>(exec.kernels)
      .quantised({.ids = ids.data(),
                  .table = table,
                  .y = y.as<float>(),
                  .rows = out.rows,
                  .per_row = out.per_row,
                  .width = d,
                  .y_stride = out.stride},
                 exec);
}

Var embedding(Tape& tape, std::span<const int32_t> ids, Var table, int64_t per_row, Joined joined) {
  const View t = tape.value(table);
  const int64_t width = t.cols(), summed = joined == Joined::side_by_side ? 1 : per_row;
  const Var y = tape.make(t.dtype, joined_shape(ids, width, per_row, joined), tape.needs_grad(table));
  Exec exec = exec_of(tape);
  embedding(exec, ids, t, tape.value(y));
  const Read kept = tape.needs_grad(y) ? rows_read(memory_of(tape), exec.scratch, ids) : Read{};
  tape.record("embedding", {y}, [kept, table, y, width, summed](Tape& tp) {
    const GradSink drows(tp, table, {kept.rows, static_cast<size_t>(kept.count)});
    const View dy = tp.grad(y);
    Exec ex = exec_of(tp);
    embedding_kernels(ex, dy.dtype, [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      kernels.backward({.read = kept.by_position,
                        .dy = dy.as<T>(),
                        .drows = drows.as<T>(),
                        .rows = dy.elements() / width,
                        .per_row = summed,
                        .read_rows = kept.count,
                        .width = width,
                        .dy_stride = dy.cols() == width ? dy.stride : width},
                       ex);
    });
  });
  return y;
}

Var embedding(Tape& tape, std::span<const int32_t> ids, const QuantisedMatrix& table, int64_t d, int64_t per_row,
              Joined joined) {
  const Var y = tape.make(DType::f32, joined_shape(ids, d, per_row, joined), false);
  Exec exec = exec_of(tape);
  embedding(exec, ids, table, d, tape.value(y));
  tape.record("embedding", {y}, [](Tape&) {});
  return y;
}

namespace {
OpCase case_of(const char* name, const std::vector<int32_t>& ids, int64_t rows, int64_t width, int64_t per_row = 1,
               Joined joined = Joined::summed) {
  OpCase c{.op = "embedding", .name = name, .inputs = {{"table", {rows, width}}}};
  const std::set<int32_t> read(ids.begin(), ids.end());
  c.inputs[0].used = static_cast<double>(read.size()) / static_cast<double>(rows);
  c.run = [ids, per_row, joined](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", embedding(tape, ids, in.at("table"), per_row, joined)}};
  };
  c.advance = [ids](Exec&, const NamedViews& in, const View& y) {
    return [ids, table = in.at("table"), y](Exec& exec) { embedding(exec, ids, table, y); };
  };
  return c;
}

// The training of a memory of n-grams: four rows of a large table for each position, trained by rows.
OpCase training_by_rows() {
  std::vector<int32_t> ids(4 * 8192);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * i * 7919 % 65521);
  OpCase c = case_of("ngrams", ids, 65536, 96, 4);
  c.inputs[0].gradient = false;  // it goes into the rows below
  struct Gradient {
    Tensor rows;
    RowSet touched;
  };
  c.run = [ids, to = std::make_shared<Gradient>()](Tape& tape, const NamedVars& in) {
    const View table = tape.value(in.at("table"));
    if (to->rows.empty() || to->rows.dtype() != table.dtype) to->rows = Tensor(table.dtype, table.shape);
    to->touched.clear();
    return NamedVars{{"y", embedding(tape, ids, tape.leaf(table, to->rows, to->touched), 4)}};
  };
  c.benchmark = true;
  return c;
}

// The prefill of a memory of n-grams: three rows for each position, of a table with as many as in presets. Each call
// reads other rows, so that they are in no cache if the table is larger than all of them. The table holds a small one
// many times, so that the laws need not make it.
OpCase prefill_in(const char* name, WeightFormat format) {
  constexpr int64_t width = 96, per_row = 3, few = 6144, all = per_row << 16, positions = 1024;
  std::vector<int32_t> ids(all);  // every row once
  for (int64_t i = 0; i < all; ++i)
    ids[static_cast<size_t>(i)] = static_cast<int32_t>((i % per_row << 16) + (i / per_row * 40503 & 0xFFFF));
  std::vector<int32_t> first(ids.begin(), ids.begin() + positions * per_row);
  for (int32_t& id : first) id %= few;
  OpCase c = case_of(name, first, few, width, per_row);
  const double bytes = format == WeightFormat::f32 ? width * sizeof(float) : quantised_bytes(format, {1, width});
  c.inputs[0].used = static_cast<double>(first.size()) * bytes / static_cast<double>(few * width * sizeof(float));
  c.advance = [ids, format](Exec& exec, const NamedViews& in, const View& y) -> std::function<void(Exec&)> {
    const auto call = [&](auto table, const auto& read) {
      return [=, next = size_t{0}](Exec& ex) mutable {
        read(ex, std::span(ids).subspan(next, positions * per_row), *table, y);
        next = (next + positions * per_row) % ids.size();
      };
    };
    const auto fill = [&](const auto& copy_to) {
      for (int64_t row = 0; row < all; row += few) copy_to(row);
    };
    if (format == WeightFormat::f32) {
      const auto table = std::make_shared<Tensor>(DType::f32, Shape{all, width});
      fill([&](int64_t row) { copy(in.at("table"), table->view().row_range(row, few)); });
      return call(table, [](Exec& ex, std::span<const int32_t> read, const Tensor& t, const View& to) {
        embedding(ex, read, t, to);
      });
    }
    const auto table = std::make_shared<QuantisedTensors>(QuantisedTensors::zero(format, {all, width}));
    fill([&](int64_t row) {
      quantise(exec.pool, in.at("table"),
               {format, table->values.view().row_range(row, few), table->scales.view().row_range(row, few)});
    });
    return call(table, [](Exec& ex, std::span<const int32_t> read, const QuantisedTensors& t, const View& to) {
      embedding(ex, read, t.view(), width, to);
    });
  };
  c.benchmark = c.step = true;
  return c;
}
}  // namespace

std::vector<OpCase> embedding_cases() {
  std::vector<int32_t> many(2048);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i * 7 % 257);
  OpCase base = case_of("base", many, 257, 384), step = case_of("base_step", {101}, 257, 384);
  base.benchmark = step.benchmark = step.step = true;
  return {case_of("repeated", {3, 0, 6, 3, 3, 1, 0}, 7, 37),
          case_of("sums", {3, 0, 6, 3, 3, 1, 0, 0, 2}, 7, 37, 3),
          case_of("sums_of_a_large_table", {3, 512, 3, 511, 0, 7, 63, 511}, 513, 5, 2),
          case_of("joined", {3, 0, 6, 3, 3, 1, 0, 0, 2}, 7, 5, 3, Joined::side_by_side),
          base,
          step,
          training_by_rows(),
          prefill_in("ngrams_f32", WeightFormat::f32),
          prefill_in("ngrams_int8", WeightFormat::int8),
          prefill_in("ngrams_int4", WeightFormat::int4)};
}

}  // namespace statera
