// Session::advance: several sessions in one call are the same sessions one by one, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "conformance/model_cases.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"
#include "support/preset.hpp"

namespace statera {
namespace {

const std::string text =
    "In the beginning was the word, and the word was counted in bytes; and there were many of them, one behind the "
    "other, without end. ";
constexpr int64_t context = 48;  // fewer than some of the sessions have read: keys slide

std::vector<float> copy_of(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

// The cases of the laws, and every preset.
std::vector<test::ModelCase> cases() {
  std::vector<test::ModelCase> all = test::model_cases();
  for (std::string name : ModelConfig::presets()) {
    if (name.starts_with("tiny-")) continue;
    ModelConfig config = test::preset(name);
    std::replace(name.begin(), name.end(), '-', '_');
    all.push_back({name, std::move(config)});
  }
  return all;
}

Model model_of(const ModelConfig& config, int threads, WeightFormat weights = WeightFormat::f32) {
  Model model(config, Device::cpu({.threads = threads}), {.training = false, .weights = weights});
  model.init(9);
  model.set_context(context);
  return model;
}

// Sessions at positions from 0 on, one of them a fork of another and one that a snapshot was taken of.
struct Several {
  explicit Several(const Model& model) {
    const SessionOptions options{
        .rewind_bytes = size_t{256} << 20, .rewind_every = 16, .warn = [](const std::string&) {}};
    for (const size_t read : {0, 3, 130, 0, 62, 46}) {
      sessions.push_back(std::make_unique<Session>(model, options));
      if (read > 0) sessions.back()->prefill(text.substr(0, read));
    }
    sessions.push_back(std::make_unique<Session>(sessions[4]->fork()));
    sessions.push_back(std::make_unique<Session>(sessions[0]->fork()));
    shared.push_back(sessions[2]->snapshot());
  }
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<Snapshot> shared;
};

// The logits of each session after each of these calls: some of the sessions, in an order of its own, together or one
// by one.
std::vector<std::vector<float>> run(const Model& model, bool together) {
  const std::vector<std::vector<size_t>> calls = {{0, 1, 2, 3, 4, 5, 6, 7}, {7, 2, 0}, {4},
                                                  {6, 5, 4, 3, 2, 1, 0},    {1, 7},    {0, 1, 2, 3, 4, 5, 6, 7}};
  Several several(model);
  std::vector<std::vector<float>> logits;
  int32_t id = 100;
  for (const std::vector<size_t>& call : calls) {
    std::vector<Session*> sessions;
    std::vector<int32_t> ids;
    for (size_t s : call) {
      sessions.push_back(several.sessions[s].get());
      ids.push_back(id = (id * 7 + 3) % 256);
    }
    if (together)
      Session::advance(sessions, ids);
    else
      for (size_t i = 0; i < ids.size(); ++i) sessions[i]->step(ids[i]);
    for (const auto& session : several.sessions) logits.push_back(copy_of(session->logits()));
  }
  for (const auto& session : several.sessions) {  // and each goes on alone, back to where it was, and on
    const int64_t there = session->position();
    logits.push_back(copy_of(session->prefill(text.substr(0, 20))));
    session->rewind(there);
    logits.push_back(copy_of(session->step('x')));
  }
  return logits;
}

class SessionBatches : public testing::TestWithParam<test::ModelCase> {};

TEST_P(SessionBatches, HaveTheBitsOfOneByOneForAnyNumberOfThreads) {
  const auto expected = run(model_of(GetParam().config, 1), false);
  for (const int threads : {1, 2, 5})
    EXPECT_TRUE(run(model_of(GetParam().config, threads), true) == expected) << threads << " threads";
}

INSTANTIATE_TEST_SUITE_P(All, SessionBatches, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(SessionBatch, SmallWeightsHaveTheSameBitsToo) {
  for (const WeightFormat weights : {WeightFormat::int8, WeightFormat::int4}) {
    const Model model = model_of(test::with_layers_that_count(test::hybrid()), 2, weights);
    EXPECT_TRUE(run(model, true) == run(model, false)) << name_of(weights);
  }
}

TEST(SessionBatch, NoSessionsAreNoWork) { Session::advance({}, {}); }

// The session that gets past the context says so once, and the others have moved on when its function throws.
TEST(SessionBatch, AWarningThatThrowsStopsNoSession) {
  const Model model = model_of(test::preset(test::any_preset(test::Keeps::growing)), 1);
  Session first(model, {.warn = [](const std::string&) { throw std::runtime_error("enough"); }}),
      second(model, {.warn = [](const std::string&) {}});
  for (Session* session : {&first, &second}) session->prefill(std::string(context - 1, 'a'));
  Session twin = second.fork();
  Session* both[] = {&first, &second};
  const int32_t ids[] = {'b', 'c'};
  EXPECT_THROW(Session::advance(both, ids), std::runtime_error);
  EXPECT_EQ(first.position(), context);
  EXPECT_EQ(second.position(), context);
  EXPECT_EQ(copy_of(second.logits()), copy_of(twin.step('c')));
}

// Whether there is a function to warn or none, the library itself writes nothing.
TEST(Session, PassesTheContextWithoutAWord) {
  const Model model = model_of(test::preset(test::any_preset(test::Keeps::growing)), 1);
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Session(model).prefill(std::string(context + 1, 'a'));
  int warnings = 0;
  Session(model, {.warn = [&](const std::string& line) { warnings += line.find("48 positions") != line.npos; }})
      .prefill(std::string(context + 1, 'a'));
  EXPECT_EQ(testing::internal::GetCapturedStderr() + testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(warnings, 1);
}

TEST(SessionBatch, WhatIsRefusedChangesNoSession) {
  const Model model = model_of(test::with_layers_that_count(test::hybrid()), 1),
              same = model_of(test::with_layers_that_count(test::hybrid()), 1);
  Session a(model), b(model), fresh(model), stranger(same), gone(model);
  a.prefill("abc");
  b.prefill("defgh");
  stranger.prefill("xyz");
  const Session taken = std::move(gone);
  const auto refused = [&](std::vector<Session*> sessions, std::vector<int32_t> ids, ErrorCode code,
                           const std::string& what) {
    std::vector<std::pair<int64_t, std::vector<float>>> before;
    for (Session* session : {&a, &b, &fresh, &stranger})
      before.emplace_back(session->position(), copy_of(session->logits()));
    try {
      Session::advance(sessions, ids);
      ADD_FAILURE() << "no error: " << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
    size_t i = 0;
    for (Session* session : {&a, &b, &fresh, &stranger})
      EXPECT_TRUE(before[i++] == std::pair(session->position(), copy_of(session->logits()))) << what;
  };
  refused({&a, &b}, {1}, ErrorCode::shape, "2 sessions to advance, but 1 ids");
  refused({}, {1}, ErrorCode::shape, "0 sessions to advance, but 1 ids");
  refused({&fresh, &a, &b, &a}, {1, 2, 3, 4}, ErrorCode::shape,
          "number 1 and number 3 of the sessions to advance are one session");
  refused({&fresh, &a, &stranger}, {1, 2, 3}, ErrorCode::config,
          "number 2 of the sessions to advance is of another model");
  refused({&fresh, &a, &b}, {1, 2, 256}, ErrorCode::shape, "id 256 is not in 0 to 255");
  refused({&fresh, nullptr}, {1, 2}, ErrorCode::shape, "number 1 of the sessions to advance is null");
  refused({&fresh, &gone}, {1, 2}, ErrorCode::shape, "number 1 of the sessions to advance is one that was moved from");
  const Model short_model = model_of(
      ModelConfig::parse(
          R"({"d_model": 8, "learned_positions": 4, "mixers": {"m": {"type": "swiglu", "d_ff": 8}}, "layers": "m"})",
          "test"),
      1);
  Session full(short_model), empty(short_model);
  full.prefill("abc");
  refused({&empty, &full}, {1, 2}, ErrorCode::config, "5 positions are more than the 4 of learned_positions");
  EXPECT_TRUE(empty.logits().empty());
  Session new_one(model);
  EXPECT_EQ(copy_of(fresh.step('a')), copy_of(new_one.step('a'))) << "the one that was new has not read `begin` twice";
}

}  // namespace
}  // namespace statera
