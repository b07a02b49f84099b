// The laws of docs/design.md for every line of the registry, over the configs in the mixers' own folders.
#include <gtest/gtest.h>

#include <filesystem>

#include "conformance/mixer_run.hpp"
#include "statera/error.hpp"
#include "support/paths.hpp"

namespace statera::test {
namespace {

const Device reference = Device::cpu({.threads = 1, .kernels = KernelChoice::reference});
const Device fast = Device::cpu({.threads = 2});

class MixerLaws : public testing::TestWithParam<MixerCase> {
 protected:
  void SetUp() override { Arena::set_poison(true); }
  void TearDown() override { Arena::set_poison(false); }
};

void expect_within(const char* law, const NamedDoubles& truth, const NamedDoubles& plain, const NamedDoubles& values,
                   int64_t reduction) {
  for (const auto& [name, t] : truth) {
    const double allowed = computed_tolerance(relative_l2(plain.at(name), t), reduction, t.size());
    EXPECT_LE(relative_l2(values.at(name), t), allowed) << law << ": " << name;
  }
}

CarriedState as_initial(const OpResult& at, DType dtype) {
  CarriedState states;
  for (size_t i = 0; at.outputs.count("last." + std::to_string(i)); ++i) {
    const std::string name = "last." + std::to_string(i);
    std::vector<double> rounded = at.outputs.at(name);
    for (double& v : rounded) v = static_cast<float>(v);
    states.slots.push_back(to_tensor(dtype, at.shapes.at(name), rounded));
  }
  states.positions = at.ended;
  return states;
}

// Law 1, 7: forward and every gradient, for packed sequences of odd lengths that go on from a state.
TEST_P(MixerLaws, FastIsReferenceInDouble) {
  const MixerUnderTest exact(GetParam(), DType::f64), single(GetParam(), DType::f32);
  const Ragged before({7, 7, 7}), ragged({37, 130, 1}, 7);
  const CarriedState initial64 =
      as_initial(exact.forward(reference, exact.input(21, 5), before.rows(), nullptr, false), DType::f64);
  CarriedState initial32{.slots = {}, .positions = initial64.positions};
  for (const Tensor& t : initial64.slots) initial32.slots.push_back(to_tensor(DType::f32, t.shape(), to_doubles(t)));
  const OpResult truth = exact.forward(reference, exact.input(ragged.total(), 1), ragged.rows(), &initial64);
  const OpResult plain = single.forward(reference, single.input(ragged.total(), 1), ragged.rows(), &initial32);
  const OpResult quick = single.forward(fast, single.input(ragged.total(), 1), ragged.rows(), &initial32);
  const int64_t reduction = std::max(ragged.total(), exact.widest());
  expect_within("forward", truth.outputs, plain.outputs, quick.outputs, reduction);
  expect_within("backward", truth.grads, plain.grads, quick.grads, reduction);
}

// Law 3: advance in one piece, in pieces and row by row = forward; the states too.
TEST_P(MixerLaws, AdvanceIsForward) {
  const int64_t n = 70;
  const MixerUnderTest exact(GetParam(), DType::f64), single(GetParam(), DType::f32);
  const Ragged ragged({static_cast<int32_t>(n)});
  const Tensor x64 = exact.input(n, 2), x32 = single.input(n, 2);
  const NamedDoubles truth = {{"y", exact.forward(reference, x64, ragged.rows(), nullptr, false).outputs.at("y")}};
  const NamedDoubles plain = {{"y", single.forward(reference, x32, ragged.rows(), nullptr, false).outputs.at("y")}};
  for (const auto& split :
       std::vector<std::vector<int64_t>>{{70}, {64, 6}, {1, 69}, {30, 2, 38}, std::vector<int64_t>(70, 1)}) {
    for (const bool in_double : {true, false}) {
      const MixerUnderTest& m = in_double ? exact : single;
      State state = m.state();
      std::vector<double> y;
      for (int64_t begin = 0; int64_t length : split) {
        const std::vector<double> part =
            m.advance_one(in_double ? reference : fast, (in_double ? x64 : x32).view().row_range(begin, length), state);
        y.insert(y.end(), part.begin(), part.end());
        begin += length;
      }
      if (in_double)
        EXPECT_LE(max_error(y, truth.at("y")), 1e-9) << split.size() << " pieces";
      else
        expect_within("advance", truth, plain, {{"y", y}}, std::max(n, exact.widest()));
    }
  }
}

// Law 3, the part about bits: a split on the chunk grid changes none.
TEST_P(MixerLaws, SplitOnTheChunkGridChangesNoBit) {
  const MixerUnderTest m(GetParam(), DType::f32);
  const int64_t grid = std::max<int64_t>(m.layout().grid, 8);
  const Tensor x = m.input(3 * grid + 8, 6);
  State whole = m.state(), parts = m.state();
  const std::vector<double> y = m.advance_one(fast, x, whole);
  std::vector<double> joined;
  for (int64_t begin = 0; int64_t length : {grid, 2 * grid, int64_t{8}}) {
    const std::vector<double> part = m.advance_one(fast, x.view().row_range(begin, length), parts);
    joined.insert(joined.end(), part.begin(), part.end());
    begin += length;
  }
  EXPECT_EQ(y, joined);
}

// Law 4: packed sequences = the same sequences one by one. In double, so that nothing hides in the rounding.
TEST_P(MixerLaws, NothingLeaksBetweenSequences) {
  const MixerUnderTest m(GetParam(), DType::f64);
  const std::vector<int32_t> lengths{5, 1, 66, 3};
  const Ragged packed({5, 1, 66, 3});
  const Tensor x = m.input(packed.total(), 7);
  const OpResult together = m.forward(reference, x, packed.rows());
  for (size_t s = 0; s < lengths.size(); ++s) {
    const Ragged alone({lengths[s]});
    Tensor part(DType::f64, {lengths[s], x.shape()[1]});
    copy(x.view().row_range(packed.offsets[s], lengths[s]), part);
    const std::vector<double> y = m.forward(reference, part, alone.rows(), nullptr, false).outputs.at("y");
    const auto first = together.outputs.at("y").begin() + packed.offsets[s] * x.shape()[1];
    EXPECT_LE(max_error(std::vector<double>(first, first + static_cast<ptrdiff_t>(y.size())), y), 1e-12)
        << "sequence " << s;
  }
}

// Law 4: a new sequence ignores the state in its slot.
TEST_P(MixerLaws, ANewSequenceStartsFromNothing) {
  const MixerUnderTest m(GetParam(), DType::f64);
  const Ragged before({9, 9}), anew({12, 12});
  const CarriedState stale =
      as_initial(m.forward(reference, m.input(18, 8), before.rows(), nullptr, false), DType::f64);
  const Tensor x = m.input(24, 9);
  const OpResult with = m.forward(reference, x, anew.rows(), &stale), without = m.forward(reference, x, anew.rows());
  EXPECT_EQ(with.outputs.at("y"), without.outputs.at("y"));
  for (size_t i = 0; i < stale.slots.size(); ++i)
    EXPECT_EQ(norm(with.grads.at("initial." + std::to_string(i))), 0) << i;
}

TEST_P(MixerLaws, StatesAreReturnedToThoseWhoAsk) {
  const MixerUnderTest m(GetParam(), DType::f32);
  const Ragged rows({5, 3});
  EXPECT_EQ(m.last_states(fast, m.input(8, 13), rows.rows()), m.slots());
}

// Law 5 and 8: a fork continues exactly as the original, whatever the original does meanwhile.
TEST_P(MixerLaws, AForkContinuesExactly) {
  const MixerUnderTest m(GetParam(), DType::f32);
  const Tensor x = m.input(100, 10), other = m.input(40, 11);
  State original = m.state();
  m.advance_one(fast, x.view().row_range(0, 60), original);
  State fork = original;
  const std::vector<double> expected = m.advance_one(fast, x.view().row_range(60, 40), original);
  State second = fork;
  m.advance_one(fast, other, second);
  EXPECT_EQ(m.advance_one(fast, x.view().row_range(60, 40), fork), expected);
}

// Law 6: in double, along random directions, those into the initial and from the final state included.
TEST_P(MixerLaws, GradientIsTheFiniteDifference) {
  if (GetParam().surrogate)
    GTEST_SKIP() << "its gradient is on purpose not that of its function; golden files check it";
  const MixerUnderTest m(GetParam(), DType::f64);
  const Ragged before({5, 5}), ragged({13, 6}, 5);
  CarriedState initial = as_initial(m.forward(reference, m.input(10, 12), before.rows(), nullptr, false), DType::f64);
  Tensor x = m.input(ragged.total(), 13);
  const OpResult at = m.forward(reference, x, ragged.rows(), &initial);
  const auto check = [&](const std::string& name, const View& v, Parameter* parameter) {
    const std::vector<double> grad = at.grads.at(name), saved = to_doubles(v);
    const Random random(14, name);
    double expected = 0;
    std::vector<double> direction(saved.size());
    for (size_t i = 0; i < direction.size(); ++i) expected += (direction[i] = random.normal(i)) * grad[i];
    const double h = 2e-5;
    const auto moved = [&](double by) {
      for (size_t i = 0; i < saved.size(); ++i) v.as<double>()[i] = saved[i] + by * direction[i];
      if (parameter) parameter->changed();
      return objective(m.forward(reference, x, ragged.rows(), &initial, false));
    };
    const double slope = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
    moved(0);
    EXPECT_NEAR(slope, expected, 2e-6 * std::max(1.0, std::abs(expected))) << name;
  };
  check("x", x, nullptr);
  for (Parameter* p : m.parameters()) check(p->name, p->value, p);
  for (size_t i = 0; i < initial.slots.size();
       ++i)  // detached ones (keys and values of an earlier batch) have no gradient
    if (norm(at.grads.at("initial." + std::to_string(i))) > 0)
      check("initial." + std::to_string(i), initial.slots[i], nullptr);
}

// Law 8: threads, the other sequences of the batch and the slot change no bit.
TEST_P(MixerLaws, ThreadsChangeNoBit) {
  const MixerUnderTest m(GetParam(), DType::f32);
  const Ragged ragged({37, 66, 3});
  const Tensor x = m.input(ragged.total(), 15);
  const OpResult one = m.forward(Device::cpu({.threads = 1}), x, ragged.rows());
  for (int threads : {2, 3}) {
    const OpResult many = m.forward(Device::cpu({.threads = threads}), x, ragged.rows());
    EXPECT_EQ(one.outputs, many.outputs) << threads;
    EXPECT_EQ(one.grads, many.grads) << threads;
  }
}

TEST_P(MixerLaws, TheBatchChangesNoBit) {
  const MixerUnderTest m(GetParam(), DType::f32);
  const int64_t n = 70, width = m.input(1, 0).shape()[1];
  const Tensor x = m.input(n, 16);
  State alone = m.state();
  std::vector<double> expected = m.advance_one(fast, x.view().row_range(0, 69), alone);
  const std::vector<double> last = m.advance_one(fast, x.view().row_range(69, 1), alone);
  for (const size_t slot : {size_t{0}, size_t{3}, size_t{7}}) {
    std::vector<State> states;
    for (size_t s = 0; s < 8; ++s) states.push_back(m.state());
    std::vector<int32_t> lengths{3, 64, 1, 20, 65, 2, 33, 9}, offsets{0};
    lengths[slot] = 69;
    for (int32_t length : lengths) offsets.push_back(offsets.back() + length);
    const Tensor all = m.input(offsets.back(), 17 + slot);
    copy(x.view().row_range(0, 69), all.view().row_range(offsets[slot], 69));
    std::vector<State*> pointers;
    for (State& s : states) pointers.push_back(&s);
    const std::vector<int64_t> zeros(8, 0);
    const std::vector<double> y = m.advance(fast, all, {offsets, zeros}, pointers);
    EXPECT_EQ(std::vector<double>(y.begin() + offsets[slot] * width, y.begin() + (offsets[slot] + 69) * width),
              expected)
        << "slot " << slot;
    const Tensor next = m.input(8, 30);
    copy(x.view().row_range(69, 1), next.view().row_range(static_cast<int64_t>(slot), 1));
    const std::vector<int32_t> steps{0, 1, 2, 3, 4, 5, 6, 7, 8};
    std::vector<int64_t> starts;
    for (const State& s : states) starts.push_back(s.position());
    const std::vector<double> y_step = m.advance(fast, next, {steps, starts}, pointers);
    EXPECT_EQ(std::vector<double>(y_step.begin() + static_cast<ptrdiff_t>(slot) * width,
                                  y_step.begin() + static_cast<ptrdiff_t>(slot + 1) * width),
              last)
        << "slot " << slot;
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, MixerLaws, testing::ValuesIn(mixer_cases()),
                         [](const auto& info) { return info.param.type + "_" + info.param.name; });

// A type without a case would be under none of these laws.
TEST(MixerCases, EveryTypeOfTheRegistryHasOne) {
  for (const std::string_view type : mixer_types())
    EXPECT_NE(std::ranges::find(mixer_cases(), type, &MixerCase::type), mixer_cases().end()) << type;
}

// Where a mixer of each kind is there, these are what is asked for, and nothing stands in for them.
TEST(MixerCases, AnyMixerKeepsWhatItIsAskedFor) {
  EXPECT_EQ(lacking({"ffn", "swiglu"}), "");
  for (const Keeps what : {Keeps::fixed, Keeps::growing, Keeps::windowed}) {
    STATERA_NEEDS(what);
    const MixerUnderTest mixer({"any", "any", any_mixer(what, 16), 16}, DType::f32);
    bool grows = false, window = false;
    for (const StateSlot& slot : mixer.layout().slots) grows |= slot.grows, window |= slot.window > 0;
    EXPECT_EQ(grows, what != Keeps::fixed);
    EXPECT_EQ(window, what == Keeps::windowed);
  }
}

// The excuse for a mixer that is not there is that it was deleted, by the tool.
TEST(MixerCases, AMixerThatNobodyDeletedMayNotBeMissing) {
  if (std::filesystem::exists(source_path("deleted-mixers.txt"))) GTEST_SKIP() << "this is a tree without one";
  EXPECT_THROW(lacking({"mamba7"}), Error);
}

}  // namespace
}  // namespace statera::test
