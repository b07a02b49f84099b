// A Model is a handle: what was made from it goes on when the object is moved, assigned or destroyed.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "statera/session.hpp"
#include "support/any_mixer.hpp"
#include "support/preset.hpp"

namespace statera {
namespace {

Model make(uint64_t seed) {
  Model model(test::with_layers_that_count(test::hybrid()), Device::cpu({.threads = 2}), {.training = false});
  model.init(seed);
  return model;
}

std::vector<float> copy_of(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

// The logits of everything that a session does after its first text.
std::vector<std::vector<float>> go_on(Session& session) {
  std::vector<std::vector<float>> all = {copy_of(session.step('x'))};
  const Snapshot snapshot = session.snapshot();
  all.push_back(copy_of(session.prefill("what came next")));
  Session fork = session.fork();
  all.push_back(copy_of(fork.step('y')));
  session.restore(snapshot);
  all.push_back(copy_of(session.step('z')));
  session.reset();
  all.push_back(session.score(std::vector<int32_t>{1, 2, 3}));
  return all;
}

TEST(ModelHandle, ASessionGoesOnWhenItsModelIsMovedAssignedOrDestroyed) {
  const Model kept = make(1);
  Session alone(kept);
  alone.prefill("abc");
  const auto expected = go_on(alone);

  Model moved = make(1);
  Session of_moved(moved);
  of_moved.prefill("abc");
  const Model elsewhere = std::move(moved);
  EXPECT_EQ(go_on(of_moved), expected);
  EXPECT_EQ(elsewhere.fingerprint(), kept.fingerprint());

  Model assigned = make(1);
  Session of_assigned(assigned);
  of_assigned.prefill("abc");
  assigned = make(2);
  EXPECT_EQ(go_on(of_assigned), expected);
  Session of_the_new(assigned);
  of_the_new.prefill("abc");
  EXPECT_NE(go_on(of_the_new), expected);

  auto destroyed = std::make_unique<Model>(make(1));
  Session of_destroyed(*destroyed);
  of_destroyed.prefill("abc");
  destroyed.reset();
  EXPECT_EQ(go_on(of_destroyed), expected);
}

TEST(ModelHandle, CopiesShareConfigAndWeights) {
  Model model = make(1);
  const Model copy = model;
  EXPECT_EQ(copy.parameters(), model.parameters());
  Session a(model), b(copy);
  Session* both[] = {&a, &b};
  const int32_t ids[] = {'a', 'a'};
  Session::advance(both, ids);  // of one model
  EXPECT_EQ(copy_of(a.logits()), copy_of(b.logits()));
  model.init(2);
  model.set_context(7);
  EXPECT_EQ(copy.fingerprint(), model.fingerprint());
  EXPECT_EQ(copy.config().context, 7);
}

}  // namespace
}  // namespace statera
