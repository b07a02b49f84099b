#include "ops/attention/attention.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
// The options with value_dim and scale filled in. The limit on `window` keeps index arithmetic from overflowing.
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

// The key blocks [S] of all sequences in scratch memory, for training, where no State has them.
KvBlocks* scratch_blocks(Arena& scratch, DType dtype, const Rows& rows, const AttentionOptions& o, bool values) {
  auto* blocks = scratch.allocate_array<KvBlocks>(rows.sequences());
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t start = rows.start[static_cast<size_t>(s)], first = start / attention_block;
    const int64_t count = (start + rows.length(s) + attention_block - 1) / attention_block - first;
    auto** k = scratch.allocate_array<void*>(count);
    auto** v = values ? scratch.allocate_array<void*>(count) : nullptr;
    for (int64_t b = 0; b < count; ++b) {
      k[b] = scratch.allocate(dtype, {o.n_kv_heads, o.headdim, attention_block}).data;
      if (values) v[b] = scratch.allocate(dtype, {o.n_kv_heads, attention_block, o.value_dim}).data;
    }
    blocks[s] = {.k = k, .v = v, .first_block = first, .first_key = start};
  }
  return blocks;
}

// sinks and slopes: one number per query head, or empty.
void check_head(const char* name, const View& view, const AttentionOptions& o, DType dtype) {
  require(view.empty() || (view.shape == Shape({o.n_heads}) && view.dtype == dtype), ErrorCode::shape, "[attention] ",
          name, ": expected [", o.n_heads, "] of ", name_of(dtype), ", got ", view.shape, " of ", name_of(view.dtype));
}

void check_keys(const View& k, const View& v, const Rows& rows, const AttentionOptions& o, DType dtype) {
  check_rows("attention", rows, k.rows());
  check_width("k", k, o.n_kv_heads * o.headdim, rows.total(), dtype);
  if (!v.empty()) check_width("v", v, o.n_kv_heads * o.value_dim, rows.total(), dtype);
  require(!v.empty() || o.value_dim <= o.headdim, ErrorCode::shape, "[attention] value_dim ", o.value_dim,
          " of values that are channels of keys of ", o.headdim);
}

void check_queries(const AttentionInputs<View>& in, const Rows& rows, const AttentionOptions& o) {
  check_rows("attention", rows, in.q.rows());
  check_width("q", in.q, o.n_heads * o.headdim, rows.total(), in.q.dtype);
  check_head("sinks", in.sinks, o, in.q.dtype);
  check_head("slopes", in.slopes, o, in.q.dtype);
}

void forward(Exec& exec, const AttentionInputs<View>& in, const View& y, const View& lse, const Rows& rows,
             std::span<const KvBlocks> blocks, const AttentionOptions& o) {
  const ArenaScope scope(exec.scratch);
  auto* sequences = exec.scratch.allocate_array<AttentionSequence>(rows.sequences());
  for (int64_t s = 0; s < rows.sequences(); ++s)
    sequences[s] = {.kv = blocks[static_cast<size_t>(s)],
                    .row = rows.begin(s),
                    .queries = rows.length(s),
                    .first_query = rows.start[static_cast<size_t>(s)]};
  attention_kernels(exec, in.q.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.forward({.q = in.q.as<T>(),
                     .sinks = in.sinks.as<T>(),
                     .slopes = in.slopes.as<T>(),
                     .y = y.as<T>(),
                     .lse = lse.as<T>(),
                     .q_stride = in.q.stride,
                     .y_stride = y.stride,
                     .sequences = sequences,
                     .n_sequences = rows.sequences(),
                     .options = o},
                    exec);
  });
}

AttentionInputs<View> values(const Tape& tape, const AttentionInputs<Var>& in) {
  return {.q = value_or_empty(tape, in.q),
          .k = value_or_empty(tape, in.k),
          .v = value_or_empty(tape, in.v),
          .sinks = value_or_empty(tape, in.sinks),
          .slopes = value_or_empty(tape, in.slopes)};
}

// What backward needs.
struct Recorded {
  AttentionInputs<Var> in;
  Var y;
  View lse;
  Rows q_rows, k_rows;
  AttentionOptions options;
};

void backward(Tape& tape, const Recorded& r) {
  const AttentionInputs<View> in = values(tape, r.in);
  const View y = tape.value(r.y), dy = tape.grad(r.y);
  const GradSink dq(tape, r.in.q), dk(tape, r.in.k), dv(tape, r.in.v), dsinks(tape, r.in.sinks),
      dslopes(tape, r.in.slopes);
  Exec exec = exec_of(tape);
  attention_kernels(exec, in.q.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.backward({.q = in.q.as<T>(),
                      .k = in.k.as<T>(),
                      .v = in.v.as<T>(),
                      .sinks = in.sinks.as<T>(),
                      .slopes = in.slopes.as<T>(),
                      .y = y.as<T>(),
                      .dy = dy.as<T>(),
                      .lse = r.lse.as<T>(),
                      .dq = dq.as<T>(),
                      .dk = dk.as<T>(),
                      .dv = dv.as<T>(),
                      .dsinks = dsinks.as<T>(),
                      .dslopes = dslopes.as<T>(),
                      .q_stride = in.q.stride,
                      .k_stride = in.k.stride,
                      .v_stride = in.v.stride,
                      .dq_stride = dq.view().stride,
                      .dk_stride = dk.view().stride,
                      .dv_stride = dv.view().stride,
                      .q_rows = r.q_rows,
                      .k_rows = r.k_rows,
                      .options = r.options},
                     exec);
  });
}
}  // namespace

void attention_append(Exec& exec, const View& k, const View& v, const Rows& rows, std::span<const KvBlocks> blocks,
                      const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  check_keys(k, v, rows, o, k.dtype);
  for (int64_t s = 0; s < rows.sequences(); ++s)  // a sequence without rows may have no key blocks yet
    require(rows.length(s) == 0 || v.empty() == (blocks[static_cast<size_t>(s)].v == nullptr), ErrorCode::shape,
            "[attention] values for blocks of keys alone, or none for blocks that have values");
  attention_kernels(exec, k.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.append({.k = k.as<T>(),
                    .v = v.as<T>(),
                    .blocks = blocks.data(),
                    .k_stride = k.stride,
                    .v_stride = v.stride,
                    .rows = rows,
                    .options = o},
                   exec);
  });
}

void attention(Exec& exec, const AttentionInputs<View>& in, const View& y, const Rows& rows,
               std::span<const KvBlocks> blocks, const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  check_queries(in, rows, o);
  for (int64_t s = 0; s < rows.sequences(); ++s)
    require(rows.length(s) == 0 || blocks[static_cast<size_t>(s)].v || o.value_dim <= o.headdim, ErrorCode::shape,
            "[attention] value_dim ", o.value_dim, " of values that are channels of keys of ", o.headdim);
  check_width("y", y, o.n_heads * o.value_dim, rows.total(), in.q.dtype);
  forward(exec, in, y, {}, rows, blocks, o);
}

Var attention(Tape& tape, const AttentionInputs<Var>& in, const Rows& q_rows, const Rows& k_rows,
              const AttentionOptions& options) {
  const AttentionOptions o = checked(options);
  const AttentionInputs<View> views = values(tape, in);
  check_queries(views, q_rows, o);
  check_keys(views.k, views.v, k_rows, o, views.q.dtype);
  require(k_rows.sequences() == q_rows.sequences(), ErrorCode::shape, "[attention] ", q_rows.sequences(),
          " sequences of queries, ", k_rows.sequences(), " of keys");
  for (int64_t s = 0; s < q_rows.sequences(); ++s) {
    const auto at = static_cast<size_t>(s);
    require(q_rows.length(s) == 0 || (k_rows.start[at] <= q_rows.start[at] &&
                                      k_rows.start[at] + k_rows.length(s) == q_rows.start[at] + q_rows.length(s)),
            ErrorCode::shape, "[attention] sequence ", s,
            ": the keys must begin no later than the queries and end with them");
  }

  const bool wanted = tape.any_needs_grad(in.q, in.k, in.v, in.sinks, in.slopes);
  const DType dtype = views.q.dtype;
  const Var y = tape.make(dtype, {q_rows.total(), o.n_heads * o.value_dim}, wanted);
  const View lse = memory_of(tape).allocate(dtype, {q_rows.total(), o.n_heads});
  {
    Exec exec = exec_of(tape);
    const ArenaScope scope(exec.scratch);
    const std::span<const KvBlocks> blocks(scratch_blocks(exec.scratch, dtype, k_rows, o, bool{in.v}),
                                           static_cast<size_t>(k_rows.sequences()));
    attention_append(exec, views.k, views.v, k_rows, blocks, o);
    forward(exec, views, tape.value(y), lse, q_rows, blocks, o);
  }
  const Recorded recorded{
      .in = in, .y = y, .lse = lse, .q_rows = keep(tape, q_rows), .k_rows = keep(tape, k_rows), .options = o};
  tape.record("attention", {y}, [recorded](Tape& t) { backward(t, recorded); });
  return y;
}

namespace {
struct CaseRows {
  std::vector<int32_t> q, k;
  std::vector<int64_t> q_start, k_start;
};

// Writes all keys once. Each call then writes those of its own rows again, as a step does.
std::function<void(Exec&)> case_advance(const CaseRows& rows, const AttentionOptions& o, Exec& exec,
                                        const NamedViews& in, const View& y) {
  const View q = in.at("q"), k = in.at("k"), v = view_or_empty(in, "v");
  const auto memory = std::make_shared<Arena>();
  const Rows all{rows.k, rows.k_start};
  const std::span<const KvBlocks> blocks(scratch_blocks(*memory, q.dtype, all, o, !v.empty()), rows.k_start.size());
  attention_append(exec, k, v, all, blocks, o);
  const View new_k = memory->allocate(q.dtype, {q.rows(), k.cols()}),
             new_v = v.empty() ? View() : memory->allocate(q.dtype, {q.rows(), v.cols()});
  for (size_t s = 0; s < rows.q_start.size(); ++s) {
    const int64_t count = rows.q[s + 1] - rows.q[s], from = rows.k[s + 1] - count;
    copy(k.row_range(from, count), new_k.row_range(rows.q[s], count));
    if (!v.empty()) copy(v.row_range(from, count), new_v.row_range(rows.q[s], count));
  }
  const AttentionInputs<View> inputs{
      .q = q, .k = {}, .v = {}, .sinks = view_or_empty(in, "sinks"), .slopes = view_or_empty(in, "slopes")};
  return [rows, o, memory, blocks, inputs, new_k, new_v, y](Exec& e) {
    const Rows queries{rows.q, rows.q_start};
    attention_append(e, new_k, new_v, queries, blocks, o);
    attention(e, inputs, y, queries, blocks, o);
  };
}

struct CaseInputs {
  bool v = true, sinks = false, slopes = false;
};

OpCase make_case(const char* name, const CaseRows& rows, const AttentionOptions& o, const CaseInputs& given = {}) {
  const int64_t Dv = o.value_dim ? o.value_dim : o.headdim;
  OpCase c{.op = "attention",
           .name = name,
           .inputs = {{"q", {rows.q.back(), o.n_heads * o.headdim}, -3, 3},
                      {"k", {rows.k.back(), o.n_kv_heads * o.headdim}, -3, 3}}};
  if (given.v) c.inputs.push_back({"v", {rows.k.back(), o.n_kv_heads * Dv}});
  if (given.sinks) c.inputs.push_back({"sinks", {o.n_heads}, -2, 4});
  if (given.slopes) c.inputs.push_back({"slopes", {o.n_heads}, 0.01, 0.5});
  c.run = [rows, o](Tape& tape, const NamedVars& in) {
    const auto optional = [&](const char* input) { return in.contains(input) ? in.at(input) : Var{}; };
    const AttentionInputs<Var> inputs{
        .q = in.at("q"), .k = in.at("k"), .v = optional("v"), .sinks = optional("sinks"), .slopes = optional("slopes")};
    return NamedVars{{"y", attention(tape, inputs, {rows.q, rows.q_start}, {rows.k, rows.k_start}, o)}};
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
  // large enough for several threads
  const CaseRows steps{{0, 1, 1, 2, 3, 4}, {0, 300, 305, 736, 1436, 1786}, {299, 5, 430, 699, 349}, {0, 0, 0, 0, 0}};
  cases.push_back(make_case("steps", steps, {.n_heads = 4, .n_kv_heads = 2, .headdim = 32, .value_dim = 48}));
  cases.push_back(
      make_case("steps_window", steps, {.n_heads = 6, .n_kv_heads = 2, .headdim = 32, .value_dim = 20, .window = 66}));
  // With one or three threads, a task takes all heads of a sequence; with two threads it does not (attention_cpu.cpp).
  CaseRows many{{0}, {0}, {}, {}};
  for (int32_t s = 0; s < 18; ++s) {
    many.q.push_back(many.q.back() + 1);
    many.k.push_back(many.k.back() + 50 + 7 * s % 90);
    many.k_start.push_back(s % 3 == 0 ? 37 : s % 3 == 1 ? 130 : 0);
    many.q_start.push_back(many.k_start.back() + many.k.back() - many.k[static_cast<size_t>(s)] - 1);
  }
  cases.push_back(make_case("many_steps", many, {.n_heads = 4, .n_kv_heads = 2, .headdim = 6, .value_dim = 9}));
  // 17 query heads per key head: two strips of rows
  cases.push_back(make_case("many_steps_window", many, {.n_heads = 34, .n_kv_heads = 2, .headdim = 3, .window = 66}));
  cases.push_back(make_case("slice_window", {{0, 5, 75}, {0, 40, 200}, {35, 190}, {0, 100}},
                            {.n_heads = 6, .n_kv_heads = 2, .headdim = 6, .window = 66}));
  cases.push_back(make_case("many_in_group", whole({0, 21}), {.n_heads = 71, .n_kv_heads = 1, .headdim = 3}));
  const CaseRows ragged{{0, 37, 38, 38, 108}, {0, 37, 171, 180, 280}, {0, 133, 9, 120}, {0, 0, 0, 90}};
  const AttentionOptions small{.n_heads = 6, .n_kv_heads = 2, .headdim = 6, .value_dim = 5};
  const auto with = [&](const AttentionOptions& o, int64_t window, double soft_cap) {
    AttentionOptions changed = o;
    changed.window = window, changed.soft_cap = soft_cap;
    return changed;
  };
  cases.push_back(make_case("soft_cap", ragged, with(small, 0, 2.5)));
  cases.push_back(make_case("sinks", ragged, small, {.sinks = true}));
  cases.push_back(make_case("sinks_window", ragged, with(small, 19, 0), {.sinks = true}));
  cases.push_back(make_case("slopes", ragged, small, {.slopes = true}));
  cases.push_back(make_case("all_of_them", ragged, with(small, 66, 4), {.sinks = true, .slopes = true}));
  cases.push_back(make_case("latent", ragged, small, {.v = false}));
  cases.push_back(make_case("latent_one_head", whole({0, 150}),
                            {.n_heads = 5, .n_kv_heads = 1, .headdim = 36, .value_dim = 32, .window = 70},
                            {.v = false, .sinks = true}));
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
