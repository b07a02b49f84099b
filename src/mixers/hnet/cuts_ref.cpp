// The loop of cuts.hpp.
#include "mixers/hnet/cuts.hpp"

namespace statera {

namespace {
template <class T>
void fixed(const FixedCuts<T>& a, Exec&) noexcept {
  for (int64_t s = 0; s < a.sequences; ++s) {
    int64_t position = a.start[s];
    bool ended = position > 0 && a.initial && a.initial[s][0] > 0;
    for (int32_t n = a.offsets[s]; n < a.offsets[s + 1]; ++n, ++position) {
      bool cut = position == 0;
      if (a.every > 0) {
        cut = position % a.every == 0;
      } else {
        const bool ends = a.ids[n] >= 0 && a.ids[n] < 256 && (*a.cut)[static_cast<size_t>(a.ids[n])];
        cut = cut || (ends && !ended);
        ended = ends;
      }
      a.p[n] = cut ? T(1) : T(0);
    }
    if (a.last) a.last[s][0] = ended ? T(1) : T(0);
  }
}
}  // namespace

const CutsKernels<double> cuts_ref_f64{.fixed = fixed<double>};
const CutsKernels<float> cuts_ref_f32{.fixed = fixed<float>};

}  // namespace statera
