// What follows from the declaration of a state's tensors, whatever mixer declares them.
#include "mixers/state.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

TEST(States, ATensorMayHaveATypeOfItsOwn) {
  StateLayout layout;
  SlotScope slots(layout, "m.");
  slots.fixed("sum", {3}, DType::f64);
  slots.fixed("last", {3});
  slots.growing("seen", {2, State::block_positions}, 0, DType::f64);
  const auto shared = std::make_shared<const StateLayout>(layout);
  State state(shared, DType::f32);
  EXPECT_EQ(state.fixed(0).dtype, DType::f64);
  EXPECT_EQ(state.fixed(1).dtype, DType::f32);
  EXPECT_EQ(state.bytes(), 3u * 8 + 3 * 4);
  EXPECT_EQ(state.snapshot_bytes(), 3u * 8 + 3 * 4 + 2 * 8 * static_cast<size_t>(State::block_positions));
  state.reserve(1);
  state.set_position(1);
  EXPECT_EQ(state.bytes(), state.snapshot_bytes());
  state.fixed(0).as<double>()[2] = 0.1;
  static_cast<double*>(state.blocks(2)[0])[1] = 0.3;
  const State fork = state;
  state.clear();
  EXPECT_EQ(state.fixed(0).dtype, DType::f64);
  EXPECT_EQ(state.fixed(0).as<double>()[2], 0);
  EXPECT_EQ(fork.fixed(0).as<double>()[2], 0.1);
  const Tensor joined = fork.join_blocks(2);
  ASSERT_EQ(joined.dtype(), DType::f64);
  state.load_blocks(2, 0, joined);
  EXPECT_EQ(static_cast<double*>(state.blocks(2)[0])[1], 0.3);
  StateLayout other = layout;
  other.slots[0].dtype.reset();
  EXPECT_FALSE(state.same_layout(State(std::make_shared<const StateLayout>(other), DType::f32)));
}

// Mixers whose chunks end together: on the grid of all, or, where the data decide the pace, at its breaks.
TEST(States, TheGridIsThatOfAllChunks) {
  StateLayout layout;
  const SlotScope slots(layout);
  slots.chunked(64);
  slots.chunked(1);
  EXPECT_EQ(layout.grid, 64);
  const SlotScope third = slots.with_clock(3);
  third.chunked(64);
  EXPECT_EQ(layout.grid, 192);
  const SlotScope any = third.with_clock(0);
  EXPECT_EQ(layout.grid, 192);
  any.chunked(48);
  any.with_clock(5).chunked(32);
  EXPECT_EQ(layout.grid, 3 * StateLayout::unknown_pace_grid);
  EXPECT_EQ(layout.clocks, 4u);
}

}  // namespace
}  // namespace statera
