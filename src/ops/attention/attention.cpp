#include "ops/attention/attention.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
AttentionOptions checked(AttentionOptions o) {
  require(o.n_heads > 0 && o.n_kv_heads > 0 && o.n_heads % o.n_kv_heads == 0 && o.headdim > 0 && o.value_dim >= 0 &&
              o.window >= 0,
          ErrorCode::shape, "[attention] n_heads ", o.n_heads, " must be a multiple of n_kv_heads ", o.n_kv_heads,
          ", headdim ", o.headdim, " above 0, window ", o.window, " at least 0");
  if (o.value_dim == 0) o.value_dim = o.headdim;
  o.window = std::min(o.window, int64_t{1} << 40);
  if (o.scale == 0) o.scale = 1 / std::sqrt(static_cast<double>(o.headdim));
  return o;
}

void check_width(const char* name, const View& view, int64_t width, int64_t rows, DType dtype) {
  require(view.shape.rank() == 2 && view.cols() == width && view.rows() == rows && view.dtype == dtype,
          ErrorCode::shape, "[attention] ", name, ": expected [", rows, ", ", width, "] of ", name_of(dtype), ", got ",
          view.shape, " of ", name_of(view.dtype));
}

template <class T>
void append_head(const View& k, const View& v, int64_t row, int64_t count, int64_t position, const KvBlocks& to,
                 int64_t head, const AttentionOptions& o) {
  const int64_t D = o.headdim, Dv = o.value_dim;
  for (int64_t i = 0, n = 0; i < count; i += n) {
    const int64_t at = (position + i) % attention_block, block = (position + i) / attention_block - to.first_block;
    n = std::min(count - i, attention_block - at);
    T* k_block = static_cast<T*>(to.k[block]) + head * D * attention_block;          // [D, 64]
    T* v_block = static_cast<T*>(to.v[block]) + (head * attention_block + at) * Dv;  // [n, Dv]
    const T* k_rows = k.as<T>() + (row + i) * k.stride + head * D;
    const T* v_rows = v.as<T>() + (row + i) * v.stride + head * Dv;
    for (int64_t d = 0; d < D; ++d)
      for (int64_t j = 0; j < n; ++j) k_block[d * attention_block + at + j] = k_rows[j * k.stride + d];
    for (int64_t j = 0; j < n; ++j) std::copy(v_rows + j * v.stride, v_rows + j * v.stride + Dv, v_block + j * Dv);
  }
}

// All blocks of all sequences, in scratch memory, for one call of the forward kernel.
KvBlocks* scratch_blocks(Arena& scratch, DType dtype, const Rows& rows, const AttentionOptions& o) {
  auto* blocks = scratch.allocate_array<KvBlocks>(rows.sequences());
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t start = rows.start[static_cast<size_t>(s)], first = start / attention_block;
    const int64_t count = (start + rows.length(s) + attention_block - 1) / attention_block - first;
    auto** k = scratch.allocate_array<void*>(count);
    auto** v = scratch.allocate_array<void*>(count);
    for (int64_t b = 0; b < count; ++b) {
      k[b] = scratch.allocate(dtype, {o.n_kv_heads, o.headdim, attention_block}).data;
      v[b] = scratch.allocate(dtype, {o.n_kv_heads, attention_block, o.value_dim}).data;
    }
    blocks[s] = {k, v, first, start};
  }
  return blocks;
}

void forward(Exec& exec, const View& q, const View& y, const View& lse, const Rows& rows,
             std::span<const KvBlocks> blocks, const AttentionOptions& o) {
  const ArenaScope scope(exec.scratch);
  auto* sequences = exec.scratch.allocate_array<AttentionSequence>(rows.sequences());
  for (int64_t s = 0; s < rows.sequences(); ++s)
    sequences[s] = {blocks[static_cast<size_t>(s)], rows.begin(s), rows.length(s), rows.start[static_cast<size_t>(s)]};
  dispatch(q.dtype, [&](auto zero) {
    using T = decltype(zero);
    pick<T>(exec, attention_ref_f64, attention_ref_f32, attention_cpu)
        .forward({q.as<T>(), y.as<T>(), lse.as<T>(), q.stride, y.stride, sequences, rows.sequences(), o}, exec);
  });
}

struct Recorded {
  Var q, k, v, y;
  View lse;
  Rows q_rows, k_rows;
  AttentionOptions options;
};

void backward(Tape& tape, const Recorded& r) {
  const AttentionOptions& o = r.options;
  const View q = tape.value(r.q), k = tape.value(r.k), v = tape.value(r.v), y = tape.value(r.y), dy = tape.grad(r.y);
  const View dq = sum_target(tape, r.q), dk = sum_target(tape, r.k), dv = sum_target(tape, r.v);
  Exec exec = tape.exec();
  dispatch(q.dtype, [&](auto zero) {
    using T = decltype(zero);
    pick<T>(exec, attention_ref_f64, attention_ref_f32, attention_cpu)
        .backward({q.as<T>(), k.as<T>(), v.as<T>(), y.as<T>(), dy.as<T>(), r.lse.as<T>(), dq.as<T>(), dk.as<T>(),
                   dv.as<T>(), q.stride, k.stride, v.stride, dq.stride, dk.stride, dv.stride, r.q_rows, r.k_rows, o},
                  exec);
  });
}
}  // namespace

void attention_append(Exec& exec, const View& k, const View& v, const Rows& rows, std::span<const KvBlocks> blocks,
                      const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  check_rows("attention", rows, k.rows());
  check_width("k", k, o.n_kv_heads * o.headdim, rows.total(), k.dtype);
  check_width("v", v, o.n_kv_heads * o.value_dim, rows.total(), k.dtype);
  const auto part = [&](int64_t task, int) {
    const int64_t s = task / o.n_kv_heads, at = static_cast<size_t>(s);
    dispatch(k.dtype, [&](auto zero) {
      append_head<decltype(zero)>(k, v, rows.begin(s), rows.length(s), rows.start[at], blocks[at], task % o.n_kv_heads,
                                  o);
    });
  };
  exec.pool.run(rows.sequences() * o.n_kv_heads, part, rows.total() * (k.cols() + v.cols()));
}

void attention(Exec& exec, const View& q, const View& y, const Rows& rows, std::span<const KvBlocks> blocks,
               const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  check_rows("attention", rows, q.rows());
  check_width("q", q, o.n_heads * o.headdim, rows.total(), q.dtype);
  check_width("y", y, o.n_heads * o.value_dim, rows.total(), q.dtype);
  forward(exec, q, y, {}, rows, blocks, o);
}

Var attention(Tape& tape, Var q, Var k, Var v, const Rows& q_rows, const Rows& k_rows,
              const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  const View q_view = tape.value(q), k_view = tape.value(k), v_view = tape.value(v);
  check_rows("attention", q_rows, q_view.rows());
  check_rows("attention", k_rows, k_view.rows());
  check_width("q", q_view, o.n_heads * o.headdim, q_rows.total(), q_view.dtype);
  check_width("k", k_view, o.n_kv_heads * o.headdim, k_rows.total(), q_view.dtype);
  check_width("v", v_view, o.n_kv_heads * o.value_dim, k_rows.total(), q_view.dtype);
  require(k_rows.sequences() == q_rows.sequences(), ErrorCode::shape, "[attention] ", q_rows.sequences(),
          " sequences of queries, ", k_rows.sequences(), " of keys");
  for (int64_t s = 0; s < q_rows.sequences(); ++s) {
    const auto at = static_cast<size_t>(s);
    require(q_rows.length(s) == 0 || (k_rows.start[at] <= q_rows.start[at] &&
                                      k_rows.start[at] + k_rows.length(s) == q_rows.start[at] + q_rows.length(s)),
            ErrorCode::shape, "[attention] sequence ", s,
            ": the keys must begin no later than the queries and end with them");
  }

  const bool wanted = tape.any_needs_grad(q, k, v);
  const Var y = tape.make(q_view.dtype, {q_rows.total(), o.n_heads * o.value_dim}, wanted);
  const View lse = tape.memory().allocate(q_view.dtype, {q_rows.total(), o.n_heads});
  {
    Exec exec = tape.exec();
    const ArenaScope scope(exec.scratch);
    const std::span<const KvBlocks> blocks(scratch_blocks(exec.scratch, k_view.dtype, k_rows, o),
                                           static_cast<size_t>(k_rows.sequences()));
    attention_append(exec, k_view, v_view, k_rows, blocks, o);
    forward(exec, q_view, tape.value(y), lse, q_rows, blocks, o);
  }
  const Recorded recorded{q, k, v, y, lse, tape.keep(q_rows), tape.keep(k_rows), o};
  tape.record("attention", {y}, [recorded](Tape& t) { backward(t, recorded); });
  return y;
}

namespace {
struct CaseRows {
  std::vector<int32_t> q, k;
  std::vector<int64_t> q_start, k_start;
};

// All keys are written before; a call writes those of its own rows again.
std::function<void(Exec&)> case_advance(const CaseRows& rows, const AttentionOptions& o, Exec& exec,
                                        const NamedViews& in, const View& y) {
  const View q = in.at("q"), k = in.at("k"), v = in.at("v");
  const auto memory = std::make_shared<Arena>();
  const Rows all{rows.k, rows.k_start};
  const std::span<const KvBlocks> blocks(scratch_blocks(*memory, q.dtype, all, o), rows.k_start.size());
  attention_append(exec, k, v, all, blocks, o);
  const View new_k = memory->allocate(q.dtype, {q.rows(), k.cols()}),
             new_v = memory->allocate(q.dtype, {q.rows(), v.cols()});
  for (size_t s = 0; s < rows.q_start.size(); ++s) {
    const int64_t count = rows.q[s + 1] - rows.q[s], from = rows.k[s + 1] - count;
    copy(k.row_range(from, count), new_k.row_range(rows.q[s], count));
    copy(v.row_range(from, count), new_v.row_range(rows.q[s], count));
  }
  return [rows, o, memory, blocks, q, new_k, new_v, y](Exec& e) {
    const Rows queries{rows.q, rows.q_start};
    attention_append(e, new_k, new_v, queries, blocks, o);
    attention(e, q, y, queries, blocks, o);
  };
}

OpCase make_case(const char* name, const CaseRows& rows, const AttentionOptions& o) {
  const int64_t Dv = o.value_dim ? o.value_dim : o.headdim;
  OpCase c{.op = "attention",
           .name = name,
           .inputs = {{"q", {rows.q.back(), o.n_heads * o.headdim}, -3, 3},
                      {"k", {rows.k.back(), o.n_kv_heads * o.headdim}, -3, 3},
                      {"v", {rows.k.back(), o.n_kv_heads * Dv}}}};
  c.run = [rows, o](Tape& tape, const NamedVars& in) {
    return NamedVars{
        {"y", attention(tape, in.at("q"), in.at("k"), in.at("v"), {rows.q, rows.q_start}, {rows.k, rows.k_start}, o)}};
  };
  c.advance = [rows, o](Exec& exec, const NamedViews& in, const View& y) {
    return case_advance(rows, checked(o), exec, in, y);
  };
  for (size_t s = 0; s + 1 < rows.k.size(); ++s) {
    const int64_t keys = rows.k[s + 1] - rows.k[s], queries = rows.q[s + 1] - rows.q[s];
    c.reduction = std::max({c.reduction, keys, o.headdim});
    for (int64_t i = keys - queries; i < keys; ++i)
      c.flops +=
          2.0 * static_cast<double>((o.window ? std::min(o.window, i + 1) : i + 1) * o.n_heads * (o.headdim + Dv));
  }
  return c;
}
}  // namespace

std::vector<OpCase> attention_cases() {
  const auto whole = [](std::vector<int32_t> offsets) {
    const std::vector<int64_t> start(offsets.size() - 1, 0);
    return CaseRows{offsets, offsets, start, start};
  };
  std::vector<OpCase> cases;
  cases.push_back(make_case("tiny", whole({0, 5}), {.n_heads = 2, .n_kv_heads = 2, .headdim = 4}));
  cases.push_back(
      make_case("grouped", whole({0, 37, 74}), {.n_heads = 6, .n_kv_heads = 2, .headdim = 4, .value_dim = 3}));
  cases.push_back(
      make_case("one_key_head", whole({0, 130}), {.n_heads = 4, .n_kv_heads = 1, .headdim = 6, .scale = 0.3}));
  cases.push_back(make_case("long", whole({0, 200}), {.n_heads = 2, .n_kv_heads = 2, .headdim = 33, .value_dim = 17}));
  cases.push_back(make_case("window", whole({0, 170}), {.n_heads = 4, .n_kv_heads = 2, .headdim = 6, .window = 17}));
  cases.push_back(make_case("window_1", whole({0, 9}), {.n_heads = 2, .n_kv_heads = 1, .headdim = 4, .window = 1}));
  cases.push_back(make_case("window_70", whole({0, 150}), {.n_heads = 2, .n_kv_heads = 1, .headdim = 5, .window = 70}));
  cases.push_back(make_case("packed", whole({0, 64, 64, 65, 130, 167}), {.n_heads = 4, .n_kv_heads = 2, .headdim = 4}));
  cases.push_back(
      make_case("step", {{0, 1, 2}, {0, 33, 133}, {32, 140}, {0, 41}}, {.n_heads = 4, .n_kv_heads = 2, .headdim = 6}));
  // enough for several threads
  const CaseRows steps{{0, 1, 1, 2, 3, 4}, {0, 300, 305, 736, 1436, 1786}, {299, 5, 430, 699, 349}, {0, 0, 0, 0, 0}};
  cases.push_back(make_case("steps", steps, {.n_heads = 4, .n_kv_heads = 2, .headdim = 32, .value_dim = 48}));
  cases.push_back(
      make_case("steps_window", steps, {.n_heads = 6, .n_kv_heads = 2, .headdim = 32, .value_dim = 20, .window = 66}));
  CaseRows many{{0}, {0}, {}, {}};  // one thread and three take all heads of a sequence in one task, two do not
  for (int32_t s = 0; s < 18; ++s) {
    many.q.push_back(many.q.back() + 1);
    many.k.push_back(many.k.back() + 50 + 7 * s % 90);
    many.k_start.push_back(s % 3 == 0 ? 37 : s % 3 == 1 ? 130 : 0);
    many.q_start.push_back(many.k_start.back() + many.k.back() - many.k[static_cast<size_t>(s)] - 1);
  }
  cases.push_back(make_case("many_steps", many, {.n_heads = 4, .n_kv_heads = 2, .headdim = 6, .value_dim = 9}));
  // two strips a head
  cases.push_back(make_case("many_steps_window", many, {.n_heads = 34, .n_kv_heads = 2, .headdim = 3, .window = 66}));
  cases.push_back(make_case("slice_window", {{0, 5, 75}, {0, 40, 200}, {35, 190}, {0, 100}},
                            {.n_heads = 6, .n_kv_heads = 2, .headdim = 6, .window = 66}));
  cases.push_back(make_case("many_in_group", whole({0, 21}), {.n_heads = 71, .n_kv_heads = 1, .headdim = 3}));
  const auto publish = [&](OpCase c, bool step) {
    c.benchmark = true, c.step = step;
    cases.push_back(std::move(c));
  };
  publish(make_case("small", whole({0, 1024, 2048}), {.n_heads = 8, .n_kv_heads = 2, .headdim = 32}), false);
  publish(make_case("base", whole({0, 1024, 2048}), {.n_heads = 6, .n_kv_heads = 6, .headdim = 64}), false);
  publish(make_case("base_step", {{0, 1}, {0, 1024}, {1023}, {0}}, {.n_heads = 6, .n_kv_heads = 6, .headdim = 64}),
          true);
  return cases;
}

}  // namespace statera
