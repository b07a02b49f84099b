#include "lab/segments/segments.hpp"

#include <gtest/gtest.h>

#include "statera/error.hpp"
#include "support/any_mixer.hpp"

namespace statera {
namespace {

Model model_of(const std::string& layers, const std::string& inner) {
  Model model(ModelConfig::parse(R"({"d_model": 8, "mixers": {"f": {"type": "ffn", "d_ff": 12}}, "layers": ")" +
                                     layers + "\"" + (inner.empty() ? "" : ", \"inner\": " + inner) + "}",
                                 "x.json"),
              Device::cpu({.threads = 1}), {.training = false});
  model.init(1);
  return model;
}

std::vector<int64_t> begins(const SegmentStage& stage) {
  std::vector<int64_t> all;
  for (const Segment& s : stage.segments) all.push_back(s.begin);
  return all;
}

// `begin` is row 0 and belongs to the first segment; the second stage counts segments of the first.
TEST(Segments, AreOfTheBytesOfTheText) {
  STATERA_NEEDS({"hnet"});
  const Model model = model_of("f [ f [ f ] f ] f", R"([{"type": "hnet", "router": "spaces"},
                                                       {"type": "hnet", "router": "stride", "ratio": 2}])");
  const std::string text = "a bc def gh";
  size_t read = 0;
  const auto stages = segments_of(model, text, [&](size_t bytes) { read = bytes; });
  EXPECT_EQ(read, text.size());
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(begins(stages[0]), (std::vector<int64_t>{0, 1, 4, 8}));
  EXPECT_EQ(begins(stages[1]), (std::vector<int64_t>{0, 4}));
  EXPECT_DOUBLE_EQ(stages[1].bytes_per_segment, 5.5);
  EXPECT_EQ(stages[0].segments[1].probability, 1);
  // over the end of a slice
  const std::string long_text = std::string(511, 'x') + " y z";
  EXPECT_EQ(begins(segments_of(model, long_text)[0]), (std::vector<int64_t>{0, 511, 513}));
}

TEST(Segments, HaveTheProbabilityOfTheirCut) {
  STATERA_NEEDS({"hnet"});
  const std::string text = "Call me Ishmael. Some years ago - never mind how long precisely";
  const auto segments = segments_of(model_of("f [ f ] f", R"([{"type": "hnet"}])"), text).at(0).segments;
  ASSERT_GT(segments.size(), 2u);
  EXPECT_EQ(segments.front().probability, 1);
  for (size_t i = 1; i < segments.size(); ++i) {
    EXPECT_GT(segments[i].begin, segments[i - 1].begin);
    EXPECT_GT(segments[i].probability, 0.5);
    EXPECT_LT(segments[i].probability, 1);
  }
}

TEST(Segments, AModelWithoutAnInnerStackHasNone) {
  try {
    segments_of(model_of("f2", ""), "text");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("no inner stack"), std::string::npos);
  }
}

std::string page_of(std::string_view text, std::vector<Segment> segments) {
  const SegmentStage stage{std::move(segments), 2};
  const std::string page = segments_page("a<b", text, {&stage, 1});
  EXPECT_NE(page.find("<title>a&lt;b: segments</title>"), std::string::npos);
  const size_t begin = page.find("<div class=\"text\">") + 18;
  return page.substr(begin, page.find("</div>", begin) - begin);
}

TEST(SegmentsPage, ShowsEveryByteOnce) {
  EXPECT_EQ(page_of("a<\n", {{0, 1}, {1, 0.75}}),
            "<span style=\"--p:1.000\" title=\"byte 0, p = 1.000\">a</span>"
            "<span style=\"--p:0.750\" title=\"byte 1, p = 0.750\">&lt;\n</span>");
  // U+4E2D with a cut within, a byte that is no UTF-8, a control character, the C1 control U+0085
  EXPECT_EQ(
      page_of("\xe4\xb8\xad\xff\x01\xc2\x85", {{0, 1}, {1, 0.6}}),
      "<span style=\"--p:1.000\" title=\"byte 0, p = 1.000\"><u>\xe4\xb8\xad</u></span>"
      "<span style=\"--p:0.600\" title=\"byte 1, p = 0.600\"><i>\\xff</i><i>\\x01</i><i>\\xc2</i><i>\\x85</i></span>");
}

}  // namespace
}  // namespace statera
