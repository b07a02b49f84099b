// Dropout in vectors: one byte per element says whether it is kept. Philox runs with one draw per vector lane of 64
// bits. Its 32-bit words are the lower halves of the vector lanes. The upper halves hold leftovers of the products,
// which no later operation reads.
#include "statera/random.hpp"
#include "ops/dropout/dropout.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dropout/dropout_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

void Draw(const DropoutDraw& a, int64_t first, int64_t end) {
  int64_t i = first;
#if HWY_TARGET != HWY_SCALAR
  using P = PhiloxConstants;
  const hn::ScalableTag<uint64_t> d;
  const hn::RepartitionToNarrow<decltype(d)> half;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto mul = [&](auto v, uint64_t by)
                       HWY_ATTR { return hn::MulEven(hn::BitCast(half, v), hn::BitCast(half, hn::Set(d, by))); };
  for (; i + lanes <= end; i += lanes) {
    auto c0 = hn::Iota(d, static_cast<uint64_t>(i)), c1 = hn::Set(d, a.counter[1]), c2 = hn::Set(d, a.counter[2]),
         c3 = hn::Set(d, a.counter[3]);
    uint32_t k0 = a.key[0], k1 = a.key[1];
    for (int round = 0; round < P::rounds; ++round, k0 += P::add[0], k1 += P::add[1]) {
      const auto p0 = mul(c0, P::multiply[0]), p1 = mul(c2, P::multiply[1]);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
      c1 = p1;
      c3 = p0;
    }
    // 16 random bits plus kept_from reach bit 16 exactly if they are at least `dropped`: then the element is kept.
    const auto bits = hn::Set(d, 0xffff), kept_from = hn::Set(d, 0x10000 - a.dropped);
    auto keep = hn::Zero(d);
    const auto put = [&](auto word, int at) HWY_ATTR {
      const auto low = hn::ShiftRight<16>(hn::Add(hn::And(word, bits), kept_from));
      const auto high = hn::ShiftRight<16>(hn::Add(hn::And(hn::ShiftRight<16>(word), bits), kept_from));
      keep = hn::Or(keep, hn::ShiftLeftSame(hn::Or(low, hn::ShiftLeft<8>(high)), at));
    };
    put(c0, 0), put(c1, 16), put(c2, 32), put(c3, 48);
    hn::StoreU(keep, d, reinterpret_cast<uint64_t*>(a.keep + 8 * i));
  }
#endif
  dropout_draw_ref(a, i, end);
}

void Apply(const float* x, const uint8_t* keep, float* y, int64_t count, float scale) {
  const LanesTag d;
  const hn::RebindToUnsigned<LanesTag> wide;
  const hn::Rebind<uint8_t, LanesTag> narrow;
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR {
    const auto kept = hn::Ne(hn::PromoteTo(wide, hn::LoadU(narrow, keep + i)), hn::Zero(wide));
    io.store(hn::IfThenElseZero(hn::RebindMask(d, kept), hn::Mul(io.load(x + i), hn::Set(d, scale))), y + i);
  });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(Draw);
HWY_EXPORT(Apply);

void draw(const DropoutDraw& a, int64_t first, int64_t end) noexcept { HWY_DYNAMIC_DISPATCH(Draw)(a, first, end); }

void apply(const float* x, const uint8_t* keep, float* y, int64_t count, float scale) noexcept {
  HWY_DYNAMIC_DISPATCH(Apply)(x, keep, y, count, scale);
}
}  // namespace

const DropoutKernels<float> dropout_cpu{.draw = draw, .apply = apply};

}  // namespace statera
#endif
