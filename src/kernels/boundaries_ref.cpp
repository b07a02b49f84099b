#include "core/check.hpp"
#include "kernels/boundaries.hpp"

namespace statera {

namespace {
template <class T>
Boundaries find(Arena& memory, const T* p, const Rows& outer, std::span<const int64_t> inner_start) {
  const int64_t sequences = outer.sequences(), total = outer.total();
  int32_t* offsets = memory.allocate_array<int32_t>(sequences + 1);
  int64_t* start = memory.allocate_array<int64_t>(sequences);
  int32_t* outer_row = memory.allocate_array<int32_t>(total);
  int32_t* inner_row = memory.allocate_array<int32_t>(total);
  int32_t count = 0;
  offsets[0] = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    start[s] = outer.start[static_cast<size_t>(s)] > 0 ? inner_start[static_cast<size_t>(s)] : 0;
    for (int64_t t = outer.begin(s); t < outer.begin(s) + outer.length(s); ++t) {
      if (p[t] > T(0.5)) outer_row[count++] = static_cast<int32_t>(t);
      inner_row[t] = count > offsets[s] ? count - 1 : static_cast<int32_t>(-1 - s);
    }
    offsets[s + 1] = count;
  }
  const auto s = static_cast<size_t>(sequences);
  return {
      {{offsets, s + 1}, {start, s}}, {outer_row, static_cast<size_t>(count)}, {inner_row, static_cast<size_t>(total)}};
}
}  // namespace

std::span<const int32_t> breaks_within(Arena& memory, const Rows& outer, const Rows& inner,
                                       std::span<const int32_t> outer_row, int64_t break_every) {
  int32_t* breaks = memory.allocate_array<int32_t>(inner.total());
  size_t count = 0, next = 0;  // next: the first break of the outer stack that no row has reached yet
  for (int64_t s = 0; s < outer.sequences(); ++s) {
    const int64_t begin = outer.begin(s), start = outer.start[static_cast<size_t>(s)];
    const auto stretch = [&](int64_t row) { return break_every > 0 ? (start + row - begin) / break_every : 0; };
    int64_t before = stretch(begin);
    for (int64_t i = inner.begin(s); i < inner.begin(s) + inner.length(s); ++i) {
      const int64_t row = outer_row[static_cast<size_t>(i)];
      bool cut = stretch(row) != before;
      before = stretch(row);
      for (; next < outer.breaks.size() && outer.breaks[next] <= row; ++next) cut = true;
      if (cut) breaks[count++] = static_cast<int32_t>(i);
    }
  }
  return {breaks, count};
}

Boundaries find_boundaries(Arena& memory, const View& p, const Rows& outer, std::span<const int64_t> inner_start,
                           int64_t break_every) {
  check_rows("boundaries", outer, p.rows());
  require(p.shape.rank() == 1 && static_cast<int64_t>(inner_start.size()) == outer.sequences(), ErrorCode::shape,
          "[boundaries] expected p [N] and a start for each of ", outer.sequences(), " sequences, got ", p.shape,
          " and ", inner_start.size());
  Boundaries found = p.dtype == DType::f64 ? find(memory, p.as<double>(), outer, inner_start)
                                           : find(memory, p.as<float>(), outer, inner_start);
  found.inner.breaks = breaks_within(memory, outer, found.inner, found.outer_row, break_every);
  return found;
}

}  // namespace statera
