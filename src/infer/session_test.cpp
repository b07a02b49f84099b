// Session: prefill = steps = score, fork, snapshot, restore, rewind, saved states; sampler; generate.
#include "statera/session.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "conformance/model_cases.hpp"
#include "core/exec.hpp"
#include "core/rows.hpp"
#include "infer/snapshot_fuzz.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/error.hpp"
#include "statera/sampler.hpp"
#include "support/file_tensors.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

const std::string text =
    "In the beginning was the word, and the word was counted in bytes; and there were many of them. ";

std::vector<int32_t> ids(const std::string& s) { return std::vector<int32_t>(s.begin(), s.end()); }
std::vector<float> copy_of(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

class Sessions : public testing::TestWithParam<test::ModelCase> {
 protected:
  Sessions() : model(GetParam().config, Device::cpu({.threads = 2}), {.training = false}) { model.init(9); }
  Model model;
};

TEST_P(Sessions, ForksAndSnapshotsContinueExactly) {
  Session session(model);
  session.prefill(text);
  Session fork = session.fork();
  const Snapshot snapshot = session.snapshot();
  const std::vector<float> expected = copy_of(session.prefill("what came next"));
  session.prefill("something else");
  EXPECT_EQ(copy_of(fork.prefill("what came next")), expected);
  session.restore(snapshot);
  EXPECT_EQ(session.position(), static_cast<int64_t>(text.size()));
  EXPECT_EQ(copy_of(session.prefill("what came next")), expected);
  const std::string path = testing::TempDir() + "statera_snapshot.safetensors";
  snapshot.save(path);
  Session other(model);
  other.restore(Snapshot::load(path, model));
  EXPECT_EQ(copy_of(other.prefill("what came next")), expected);
}

TEST_P(Sessions, ScoreIsTheCostOfEachByte) {
  Session whole(model), steps(model);
  const std::vector<float> costs = whole.score(ids(text));
  std::vector<float> logits = copy_of(steps.prefill(""));
  for (size_t i = 0; i < text.size(); ++i) {
    double sum = 0;
    for (float l : logits) sum += std::exp(static_cast<double>(l));
    ASSERT_NEAR(costs[i], std::log(sum) - static_cast<double>(logits[static_cast<size_t>(text[i])]), 1e-4) << i;
    logits = copy_of(steps.step(text[i]));
  }
  Session halves(model);
  std::vector<float> joined = halves.score(ids(text.substr(0, 64)));
  const std::vector<float> rest = halves.score(ids(text.substr(64)));
  joined.insert(joined.end(), rest.begin(), rest.end());
  for (size_t i = 0; i < joined.size(); ++i) EXPECT_NEAR(joined[i], costs[i], 1e-4);
}

TEST_P(Sessions, RewindReplays) {
  Session session(model, {.rewind_every = 16});
  std::vector<std::vector<float>> at;
  for (char c : text) at.push_back(copy_of(session.step(c)));
  for (const int64_t position : {90, 33, 32, 5}) {
    session.rewind(position);
    EXPECT_EQ(session.position(), position);
    const std::vector<float> logits = copy_of(session.logits());
    for (size_t i = 0; i < logits.size(); ++i)
      ASSERT_NEAR(logits[i], at[static_cast<size_t>(position) - 1][i], 1e-4) << position;
  }
  session.rewind(0);
  EXPECT_EQ(session.position(), 0);
}

TEST_P(Sessions, RewindBeyondWhatIsKeptIsAnError) {
  Session session(model, {.rewind_bytes = 1, .rewind_every = 16});
  session.prefill(text);
  EXPECT_THROW(session.rewind(3), Error);
  session.rewind(0);
  EXPECT_EQ(session.position(), 0);
}

TEST_P(Sessions, ARefusedRewindLosesNothing) {
  Session begin(model, {.rewind_every = 16});
  begin.prefill(text.substr(0, 40));
  Session session(model, {.rewind_every = 16});
  session.restore(begin.snapshot());  // what came before 40 is not kept
  session.prefill(text.substr(40));
  EXPECT_THROW(session.rewind(41), Error);
  session.rewind(50);
  EXPECT_EQ(session.position(), 50);
  EXPECT_THROW(session.rewind(46), Error);
}

// A snapshot stands on every 16th position, begin counted, however the ids came: with room for few of them, the last
// ones are in reach and the first are not.
TEST_P(Sessions, ScoreKeepsPlacesToRewindTo) {
  Session session(model, {.rewind_every = 16});
  session.score(ids(text));
  const size_t bytes = session.snapshot().bytes();
  Session small(model, {.rewind_bytes = 2 * bytes, .rewind_every = 16});
  small.score(ids(text));
  EXPECT_THROW(small.rewind(8), Error);
  small.rewind(static_cast<int64_t>(text.size()) - 16);
}

TEST(Session, ATextIsForModelsOverBytes) {
  const Model model(ModelConfig::parse(
      R"({"d_model": 8, "vocab_size": 300, "mixers": {"m": {"type": "swiglu", "d_ff": 8}}, "layers": "m"})", "test"));
  Session session(model);
  EXPECT_THROW(session.prefill("text"), Error);
  EXPECT_EQ(session.position(), 0);
  EXPECT_EQ(session.prefill(std::vector<int32_t>{299, 3}).size(), 300u);
}

TEST(Session, WithoutRewindBytesOnlyTheStartIsInReach) {
  Model model(ModelConfig::load(test::any_preset(test::Keeps::fixed)), Device::cpu({.threads = 1}),
              {.training = false});
  model.init(1);
  Session session(model, {.rewind_bytes = 0});
  session.prefill("some text");
  EXPECT_THROW(session.rewind(3), Error);
  session.rewind(0);
  EXPECT_EQ(session.position(), 0);
}

// Nothing is read of what does not fit.
TEST(Session, BehindTheLastLearnedPositionIsAnError) {
  Model model(ModelConfig::parse(
      R"({"d_model": 8, "learned_positions": 2500, "mixers": {"m": {"type": "swiglu", "d_ff": 8}}, "layers": "m"})",
      "test"));
  model.init(1);
  Session session(model);
  session.prefill("12345678");
  for (const size_t more : {2492u, 9000u}) {
    try {
      session.prefill(std::string(more, 'x'));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      EXPECT_NE(std::string(error.what()).find(" positions are more than the 2500 of learned_positions"),
                std::string::npos)
          << error.what();
    }
    EXPECT_EQ(session.position(), 8);  // the begin that stands before a text is one more of the 2500
  }
  session.prefill(std::string(2491, 'x'));
  EXPECT_EQ(session.position(), 2499);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Sessions, testing::ValuesIn(test::model_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(Session, WarnsOncePastTheTrainedContextAndSlides) {
  Model model(ModelConfig::load(test::any_preset(test::Keeps::growing)), Device::cpu({.threads = 1}),
              {.training = false});
  model.init(1);
  model.set_context(64);
  int warnings = 0;
  Session session(model, {.rewind_bytes = 0, .warn = [&](const std::string&) { ++warnings; }});
  session.prefill(std::string(50, 'a'));
  EXPECT_EQ(warnings, 0);
  session.prefill(std::string(150, 'b'));
  const size_t then = session.state_bytes();
  session.prefill(std::string(640, 'b'));
  EXPECT_EQ(warnings, 1);
  EXPECT_LE(session.state_bytes(), then + then / 2);
}

TEST(Snapshot, OfAnotherModelIsRefused) {
  Model a(ModelConfig::load(test::any_preset(test::Keeps::growing)), Device::cpu({.threads = 1}), {.training = false}),
      b(ModelConfig::load(test::any_preset(test::Keeps::growing, "small")), Device::cpu({.threads = 1}),
        {.training = false});
  a.init(1);
  b.init(1);
  Session session(a), other(b);
  session.prefill("abc");
  EXPECT_THROW(other.restore(session.snapshot()), Error);
  const std::string path = testing::TempDir() + "statera_other_snapshot.safetensors";
  session.snapshot().save(path);
  EXPECT_THROW(Snapshot::load(path, b), Error);
}

TEST(Snapshot, ReplacesSnapshotsAndNoOtherFileOfOurs) {
  const std::string folder = testing::TempDir() + "statera_snapshot_folder";
  Model model(ModelConfig::load(test::any_preset(test::Keeps::growing)), Device::cpu({.threads = 1}),
              {.training = false});
  model.init(1);
  model.save(folder);
  {
    const Snapshot of_a_model_that_was_not_read = Session(model).snapshot();
    for (const char* name : {"/model.safetensors", "/config.json"})
      EXPECT_THROW(of_a_model_that_was_not_read.save(folder + name), Error) << name;
  }
  const Model loaded = Model::load(folder, Device::cpu({.threads = 1}));
  Session session(loaded);
  session.prefill("abc");
  std::filesystem::remove(folder + "/statera.json");
  for (const char* name : {"/model.safetensors", "/config.json"})
    EXPECT_THROW(session.snapshot().save(folder + name), Error) << name;
  EXPECT_EQ(Model::load(folder, Device::cpu({.threads = 1})).fingerprint(), model.fingerprint());
  for (int64_t position : {3, 4}) {
    session.snapshot().save(folder + "/snapshot");
    EXPECT_EQ(Snapshot::load(folder + "/snapshot", loaded).position(), position);
    session.prefill("d");
  }
  std::filesystem::remove_all(folder);
}

TEST(Snapshot, OfTheSameShapeWithOtherWeightsIsRefused) {
  const auto make = [](uint64_t seed) {
    Model model(ModelConfig::load(test::any_preset(test::Keeps::growing)), Device::cpu({.threads = 1}),
                {.training = false});
    model.init(seed);
    return model;
  };
  Model model = make(1);
  const Model same = make(1), other = make(2);
  Session session(model);
  session.prefill("abc");
  const Snapshot snapshot = session.snapshot();
  const std::string path = testing::TempDir() + "statera_weights_snapshot.safetensors";
  snapshot.save(path);
  Session twin(same), stranger(other);
  twin.restore(snapshot);
  twin.restore(Snapshot::load(path, same));
  const auto refused = [](const auto& run) {
    try {
      run();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      EXPECT_NE(std::string(error.what()).find("of another model, or of other weights of this one"), std::string::npos)
          << error.what();
    }
  };
  refused([&] { stranger.restore(snapshot); });
  refused([&] { Snapshot::load(path, other); });
  model.parameters().back()->value.as<float>()[0] += 1;
  model.parameters().back()->changed();
  refused([&] { session.restore(snapshot); });
  refused([&] { Snapshot::load(path, model); });
  model = make(1);
  model.set_context(64);
  refused([&] { Snapshot::load(path, model); });
}

TEST(Model, TheFingerprintIsOfConfigAndWeightsAsTheyAreKept) {
  const auto make = [](WeightFormat weights) {
    Model model(ModelConfig::load(test::any_preset(test::Keeps::fixed)), Device::cpu({.threads = 1}),
                {.training = false, .weights = weights});
    model.init(1);
    return model;
  };
  std::set<uint64_t> seen;
  for (const WeightFormat weights : {WeightFormat::f32, WeightFormat::int8, WeightFormat::int4}) {
    const Model model = make(weights);
    EXPECT_TRUE(seen.insert(model.fingerprint()).second);
    EXPECT_EQ(model.fingerprint(), make(weights).fingerprint());
    const std::string folder = testing::TempDir() + "statera_fingerprint";
    model.save(folder);
    EXPECT_EQ(Model::load(folder).fingerprint(), model.fingerprint());
  }
}

// A snapshot of the fuzzer's model after `text`, and the same with a change to its bytes.
class SnapshotFile : public testing::Test {
 protected:
  void SetUp() override { STATERA_NEEDS(snapshot_fuzz_mixers); }
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string saved(const std::string& read) const {
    Session session(model, {.warn = [](const std::string&) {}});
    if (!read.empty()) session.prefill(read);
    session.snapshot().save(path);
    return bytes_of(path);
  }
  void rewrite(const std::vector<NamedView>& views, const std::map<std::string, std::string>& metadata) const {
    write_safetensors(path + ".new", views, metadata);
    std::filesystem::rename(path + ".new", path);
  }
  // The same in the format from before there was a checksum: what is wrong with it is named.
  std::string saved_without_checksum(const std::string& read) const {
    saved(read);
    const SafetensorsFile file = SafetensorsFile::open(path);
    std::map<std::string, std::string> metadata = file.metadata();
    metadata["format"] = "statera snapshot 2";
    test::FileTensors tensors(file);
    for (NamedView& view : tensors.views)
      if (const size_t part = view.name.find(".mixer."); part != std::string::npos) view.name.erase(part, 6);
    rewrite(tensors.views, metadata);
    return bytes_of(path);
  }
  // What loading these bytes says: io or config, in one line; "" if they are good.
  std::string error_of(const std::string& bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      Session(model).restore(Snapshot::load(path, model));
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.find('\n'), std::string::npos);
      EXPECT_EQ(what.rfind(path + ": ", 0), 0u) << what;
      return what.substr(path.size() + 2);
    }
    return "";
  }
  static std::string changed(std::string bytes, const std::string& from, const std::string& to) {
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_EQ(from.size(), to.size());
    return bytes.replace(at, from.size(), to);
  }
  static bool has(const std::string& whole, const std::string& part) { return whole.find(part) != std::string::npos; }

  const Model model = test::lacking(snapshot_fuzz_mixers).empty() ? snapshot_fuzz_model() : Model(test::hybrid());
  const std::string path = testing::TempDir() + "statera_snapshot_file";
};

TEST_F(SnapshotFile, IsChecked) {
  const std::string good = saved_without_checksum(std::string(200, 'x'));  // 201 rows: the window begins in block 2
  EXPECT_EQ(error_of(good), "");
  const auto says = [&](const std::string& from, const std::string& to, const std::string& what) {
    const std::string error = error_of(changed(good, from, to));
    EXPECT_PRED2(has, error, what) << from << " -> " << to;
  };
  says("\"rows\":\"201\"", "\"rows\":\"211\"", "211 rows at position 200 do not fit");
  says("\"rows\":\"201\"", "\"rows\":\"-01\"", "not a count");
  says("\"rows\":\"201\"", "\"rows\":\"2e1\"", "not a count");
  says("\"position\":\"200\"", "\"position\":\"900\"", "do not fit");
  says("\"position\"", "\"positiom\"", "'position' is missing");
  says("\"model\"", "\"mopel\"", "'model' is missing");
  says("statera snapshot 2", "statera snapshot 9", "format 'statera snapshot 9', expected 'statera snapshot 4'");
  says("statera snapshot 2", "statera snapshot 3", "'statera_checksum' is missing");
  says("statera snapshot 2", "statera snapshot 1", "is of an older statera");
  says("\"format\"", "\"formal\"", "is no snapshot of statera");
  says(fingerprint_text(model.fingerprint()), "0000000000000000", "of another model");
  says("\"logits\"", "\"logitz\"", "no tensor 'logits'");
  std::string infinite = good;
  const float bad = INFINITY;
  std::memcpy(infinite.data() + infinite.size() - 4, &bad, 4);
  EXPECT_PRED2(has, error_of(infinite), "not finite");
  for (size_t size = 0; size < good.size(); size += 97) EXPECT_NE(error_of(good.substr(0, size)), "") << size;
}

TEST_F(SnapshotFile, AFlippedBitIsSeen) {
  const std::string good = saved(std::string(200, 'x'));
  EXPECT_EQ(error_of(good), "");
  for (size_t at = 0; at < good.size(); at += 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    EXPECT_NE(error_of(bad), "") << at;
  }
}

// Whatever stands in a tensor's place: another type or shape of as many bytes, or a tensor that no layer has.
TEST_F(SnapshotFile, TensorsOfAnotherKindAreRefused) {
  saved_without_checksum("some text");
  const SafetensorsFile good = SafetensorsFile::open(path);
  const auto metadata = good.metadata();
  const test::FileTensors tensors(good);
  const auto refused = [&](const std::vector<NamedView>& views, const std::string& name) {
    rewrite(views, metadata);
    const std::string error = error_of(bytes_of(path));
    EXPECT_PRED2(has, error, "the file is damaged") << name;
    EXPECT_PRED2(has, error, name);
  };
  for (size_t bad = 0; bad < tensors.views.size(); ++bad) {
    const auto& [name, view] = tensors.views[bad];
    std::vector<NamedView> views = tensors.views;
    views[bad].view = View(view.data, DType::i32, view.shape);
    refused(views, name);
    views[bad].view = view.reshaped({view.elements(), 1});
    refused(views, name);
  }
  std::vector<NamedView> one_more = tensors.views;
  one_more.push_back({"layers.9.k", tensors.views[0].view});
  refused(one_more, "layers.9.k");
}

// The fuzzer's first inputs are real files of format 2, which had no checksum that a change would break. They go on as
// if nothing had happened.
TEST_F(SnapshotFile, OnesOfAnOlderVersionGoOn) {
  const std::pair<const char*, std::string> inputs[] = {
      {"new", ""}, {"short", "abc"}, {"window", std::string(200, 'y')}};
  for (const auto& [name, read] : inputs) {
    const std::string file = test::source_path("tests/fuzz/snapshot/") + name + ".snapshot";
    const std::string bytes = bytes_of(file);
    ASSERT_NE(bytes.find(any_model), std::string::npos) << file;
    EXPECT_EQ(error_of(with_fingerprint(bytes, model)), "") << file;
    Session old(model, {.warn = [](const std::string&) {}}), fresh(model, {.warn = [](const std::string&) {}});
    old.restore(Snapshot::load(path, model));
    if (!read.empty()) fresh.prefill(read);
    EXPECT_EQ(old.position(), fresh.position());
    const std::vector<float> after = copy_of(old.prefill("more")), expected = copy_of(fresh.prefill("more"));
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(after[i], expected[i], 1e-5) << file;
  }
}

TEST(Sampler, Filters) {
  const std::vector<float> logits = {0, 3, 1, 2};
  EXPECT_EQ(Sampler({.temperature = 0})(logits), 1);
  EXPECT_EQ(Sampler({.top_k = 1})(logits), 1);
  EXPECT_EQ(Sampler({.top_p = 0.1f})(logits), 1);
  EXPECT_EQ(Sampler({.min_p = 0.9f})(logits), 1);
  std::vector<int> counts(4);
  Sampler sample({.top_k = 2, .seed = 3});
  for (int i = 0; i < 4000; ++i) ++counts[static_cast<size_t>(sample(logits))];
  EXPECT_EQ(counts[0] + counts[2], 0);
  EXPECT_NEAR(counts[1] / 4000.0, 1 / (1 + std::exp(-1.0)), 0.03);
  Sampler penalised({.temperature = 0, .repetition_penalty = 10});
  EXPECT_EQ(penalised(logits), 1);
  EXPECT_EQ(penalised(logits), 3);  // 3/10 < 2
}

TEST(Sampler, TheSameSeedDrawsTheSame) {
  const std::vector<float> flat(256, 0.5f);
  Sampler a({.seed = 11}), b({.seed = 11}), c({.seed = 12});
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    const int32_t id = a(flat);
    EXPECT_EQ(id, b(flat));
    differ += id != c(flat);
  }
  EXPECT_GT(differ, 50);
}

TEST(Sampler, BadOptionsAndLogits) {
  EXPECT_THROW(Sampler({.temperature = -1}), Error);
  EXPECT_THROW(Sampler({.top_p = 0}), Error);
  EXPECT_THROW(Sampler()(std::vector<float>{1, std::nanf(""), 2}), Error);
}

// A long text is read in slices; the bits are those of one pass over it.
void expect_that_slices_change_no_bit(const Model& model, int length) {
  std::vector<int32_t> long_text;
  for (int i = 0; i < length; ++i) long_text.push_back(i % 7 == 3 ? ' ' : (i * i / 7 + i % 5) % 256);
  Session session(model, {.warn = [](const std::string&) {}});
  const std::vector<float> in_slices = copy_of(session.prefill(long_text));
  Session unkept(model, {.rewind_bytes = 0, .warn = [](const std::string&) {}});
  EXPECT_EQ(copy_of(unkept.prefill(long_text)), in_slices);
  State state = modules_of(model).new_state(model.dtype()), *states[] = {&state};
  Arena scratch;
  const Tensor logits(DType::f32, {1, model.config().vocab_size});
  AdvancePass pass{.exec = {pool_of(model.device()), scratch, model.device().kernels()},
                   .max_keys = model.config().context,
                   .states = states};
  const auto read = [&](std::span<const int32_t> some) {
    const int32_t offsets[] = {0, static_cast<int32_t>(some.size())};
    const int64_t start[] = {state.position()};
    modules_of(model).advance(pass, some, {offsets, start}, logits);
  };
  const auto begin = static_cast<int32_t>(model.config().vocab_size);
  read({&begin, 1});  // which stands before each text, alone
  read(long_text);
  EXPECT_EQ(copy_of({logits.as<float>(), in_slices.size()}), in_slices);
}

TEST_P(Sessions, SlicesChangeNoBit) { expect_that_slices_change_no_bit(model, 1300); }

// Inner stacks whose layers compute in chunks. The data decide when a learned one advances, and one that cuts at
// spaces, so their chunks also end where the stack around them may be cut.
TEST(Session, SlicesChangeNoBitOfChunksInInnerStacks) {
  STATERA_NEEDS({"hnet", "mamba2"});
  const auto model_of = [](const std::string& layers, const std::string& inner) {
    Model model(ModelConfig::parse(R"({"d_model": 16, "mixers": {"m": {"type": "mamba2", "d_state": 8, "headdim": 8,
        "chunk_size": 16}}, "layers": ")" +
                                       layers + R"(", "inner": [)" + inner + "]}",
                                   "x.json"),
                Device::cpu({.threads = 2}), {.training = false});
    model.init(9);
    return model;
  };
  const std::string learned = R"({"type": "hnet"})", spaces = R"({"type": "hnet", "router": "spaces"})",
                    third = R"({"type": "hnet", "router": "stride", "ratio": 3})";
  const std::string two = "m [ m [ m ] m ] m";
  struct Case {
    std::string layers, inner;
    int64_t grid;
    int length;
  };
  for (const Case& c : {Case{"m [ m ] m", learned, 512, 1300},
                        {"m [ m ] m", spaces, 512, 1300},
                        {two, learned + ", " + learned, 512, 1300},
                        {two, learned + ", " + third, 512, 1300},
                        {two, spaces + ", " + learned, 512, 1300},
                        {two, third + ", " + learned, 1536, 3300}}) {
    SCOPED_TRACE(c.layers + " " + c.inner);
    const Model model = model_of(c.layers, c.inner);
    EXPECT_EQ(modules_of(model).layout().grid, c.grid);
    expect_that_slices_change_no_bit(model, c.length);
  }
}

// A folder that was written before there were blocks, format_version 1: it reads a text as it did then (the cost is
// that program's).
TEST(Models, AFolderOfAnEarlierVersionLoads) {
  STATERA_NEEDS({"mamba2", "attention"});
  const Model model = Model::load(test::source_path("tests/old/model"), Device::cpu({.threads = 1}));
  EXPECT_EQ(model.config().format_version, 1);
  uint32_t x = 1;
  std::string lines;
  while (lines.size() < 3000)
    lines +=
        (lines.empty() ? "line " : "\nline ") + std::to_string((x = x * 1664525 + 1013904223) >> 22) + " of the text";
  lines.resize(3000);
  Session session(model, {.warn = [](const std::string&) {}});
  double nats = 0;
  for (const float cost : session.score(ids(lines))) nats += static_cast<double>(cost) / 3000;
  EXPECT_NEAR(nats, 0.33711063496, 1e-6);
  GenerateOptions options;
  options.max_bytes = 44;
  options.temperature = 0;
  options.raw = true;
  options.warn = [](const std::string&) {};
  EXPECT_EQ(generate(model, "line 5", options), "00 of the text\nline 1000 of the text\nline 10");
}

TEST(Generate, StopsAndStreams) {
  Model model(ModelConfig::load(test::any_preset(test::Keeps::growing)), Device::cpu({.threads = 1}),
              {.training = false});
  model.init(1);
  GenerateOptions options{.max_bytes = 60, .temperature = 1, .seed = 4};
  std::string streamed;
  int pieces = 0;
  const auto collect = [&](std::string_view piece) {
    streamed += piece;
    return ++pieces < 1000;
  };
  const int64_t bytes = generate(model, "abc", options, collect);
  EXPECT_EQ(bytes, static_cast<int64_t>(streamed.size()));
  const std::string all = generate(model, "abc", options);
  EXPECT_EQ(all, streamed);
  EXPECT_NE(all.find("\xEF\xBF\xBD"), std::string::npos)
      << "a model that knows nothing writes bytes that are no character";
  EXPECT_LE(all.size(), 60u);
  EXPECT_GE(all.size(), 57u);
  pieces = 997;
  streamed.clear();
  generate(model, "abc", options, collect);
  EXPECT_EQ(pieces, 1000);
  EXPECT_EQ(all.rfind(streamed, 0), 0u);
  options.stop = {all.substr(10, 3)};
  EXPECT_EQ(generate(model, "abc", options), all.substr(0, all.find(options.stop[0])));
}

}  // namespace
}  // namespace statera
