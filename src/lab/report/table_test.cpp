#include "lab/report/table.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/report_fixture.hpp"
#include "text/columns.hpp"

namespace statera {
namespace {

using Json = nlohmann::ordered_json;

Json fixture() { return Json::parse(fixture_text()); }

std::string line_of(const std::string& table, const std::string& begin) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);)
    if (line.rfind(begin, 0) == 0) return line;
  return "no line begins with " + begin;
}

void fits(const std::string& table) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns_of(line), 100u) << line;
  }
}

TEST(Table, ARowForEachCandidateAndBaseline) {
  const std::string table = report_table(fixture());
  fits(table);
  EXPECT_EQ(line_of(table, "* hybrid"),
            "* hybrid             2.018          best   1.940   1.690  1.87 M  58.9 K    159  1.47 MB    231 MB");
  EXPECT_EQ(line_of(table, "  mamba2"),
            "  mamba2             2.050  0.033, 0.021   1.980   1.710  1.87 M  61.2 K    151  1.08 MB    212 MB");
  EXPECT_EQ(line_of(table, "  xz"), "  xz                                       2.520");
  EXPECT_EQ(line_of(table, "  n-gram order 4"), "  n-gram order 4     2.410         0.392");
  EXPECT_NE(line_of(table, "equal:").find("calibrated time"), std::string::npos);
  EXPECT_NE(table.find("\nnot equal: steps, bytes read and FLOPs"), std::string::npos);
  EXPECT_NE(table.find("\nnote: A fixture for tests"), std::string::npos);
  EXPECT_EQ(table.find("Stopped"), std::string::npos);
}

TEST(Table, ABaselineSaysWhetherItLearnsAndFromWhat) {
  Json report = fixture();
  report["baselines"] = {
      {{"name", "n-gram order 5"}, {"bits_per_byte", 2.41}, {"learned", "last 8.00 MB"}},
      {{"name", "n-gram order 5, learning"}, {"bits_per_byte", 2.21}, {"learns", true}, {"learned", "last 8.00 MB"}}};
  const std::string table = report_table(report);
  fits(table);
  EXPECT_EQ(line_of(table, "  n-gram order 5 "),
            "  n-gram order 5     2.410         0.392  learned from the last 8.00 MB");
  // with the name that it has on the page, though the column of names is narrower
  EXPECT_EQ(line_of(table, "  n-gram order 5,"),
            "  n-gram order 5, learning                 2.210  learned from the last 8.00 MB");
}

TEST(Table, ALongNameHidesNoFigure) {
  Json report = fixture();
  report["candidates"][1]["name"] = "attention:shakespeare-bpe-51200";
  const std::string table = report_table(report);
  fits(table);
  EXPECT_NE(line_of(table, "  attention:").find("264 MB"), std::string::npos) << table;
}

// Candidates over tokens: the share of the embedding instead of the memory of the training.
TEST(Table, TokensShowTheShareOfTheEmbedding) {
  Json report = fixture();
  Json& tokens = report["candidates"][1];
  tokens["units"] = "bpe-4096";
  tokens["embedding_parameters"] = tokens["parameters"].get<double>() / 4;
  const std::string table = report_table(report);
  fits(table);
  EXPECT_NE(table.find("embed-"), std::string::npos);
  EXPECT_NE(line_of(table, "  attention").find(" 25 %"), std::string::npos) << table;
  EXPECT_NE(table.find("Embedding: its share"), std::string::npos) << table;
}

TEST(Table, SentencesAreWrapped) {
  Json report = fixture();
  report["recommendation"]["sentences"] = {std::string("\x1b[2J take ") + std::string(120, 'x') + " or not.",
                                           "Second."};
  const std::string text = report_sentences(report);
  fits(text);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("or not.\nSecond.\n"), std::string::npos) << text;
}

TEST(Table, AFullLineIsAsGoodAsAnother) {
  Json report = fixture();
  for (int length = 1; length < 110; ++length) {
    std::string words;
    while (words.size() < 400) words += std::string(static_cast<size_t>(length), 'x') + " ";
    report["recommendation"]["sentences"] = {words};
    report["notes"] = {words};
    fits(report_table(report) + report_sentences(report));
  }
}

TEST(Table, ADifferenceInsideItsDoubtIsMarked) {
  Json report = fixture();
  report["candidates"][0]["difference"]["doubt"] = 0.0327;
  EXPECT_NE(line_of(report_table(report), "  mamba2").find("  ~ 0.033, 0.033  "), std::string::npos);
  report["candidates"][0]["difference"]["doubt"] = 0.0325;
  EXPECT_NE(line_of(report_table(report), "  mamba2").find("  0.033, 0.033  "), std::string::npos);
}

TEST(Table, AReportWithoutDoubtHasTwiceItsErrors) {
  Json report = fixture();
  report["candidates"][0]["difference"] = {
      {"from", "hybrid"}, {"bits_per_byte", 0.0326}, {"standard_error", 0.003}, {"seed_error", 0.004}};
  EXPECT_NE(line_of(report_table(report), "  mamba2").find("0.033, 0.010"), std::string::npos);
}

TEST(Table, AnUnfinishedCandidateIsNotBehind) {
  Json report = fixture();
  report["candidates"][0]["unfinished"] = true;
  const std::string line = line_of(report_table(report), "  mamba2");
  EXPECT_NE(line.find("unfinished"), std::string::npos);
  EXPECT_EQ(line.find("0.033"), std::string::npos);
}

TEST(Table, TheBestAtEachLength) {
  Json report = fixture();
  EXPECT_EQ(report_table(report).find("best at"), std::string::npos);
  for (Json& candidate : report["candidates"]) candidate["name"] = candidate["name"].get<std::string>() + "@8192";
  report["recommendation"]["winner"] = "hybrid@8192";
  report["candidates"][1]["length"] = 8192;
  report["candidates"][1]["unfinished"] = true;
  report["by_length"] = {
      {{"length", 512},
       {"best", "hybrid@512"},
       {"bits_per_byte", 2.0176},
       {"within_doubt", {"mamba2@512", "mamba1@512"}}},
      {{"length", 8192}, {"best", "\x1b[2Jm"}, {"bits_per_byte", 2.05}, {"within_doubt", Json::array()}}};
  const std::string table = report_table(report);
  fits(table);
  EXPECT_EQ(line_of(table, "best at 512 "),
            "best at 512 bytes:   hybrid@512, 2.018 bits per byte; not told apart from it: mamba2@512, mamba1@512");
  EXPECT_EQ(line_of(table, "best at 8192 "),
            "best at 8192 bytes:  \\x1b[2Jm, 2.050 bits per byte; unfinished: attention@8192");
  report["by_length"][0]["length"] = 1e30;
  report["by_length"][0]["best"] = std::string(300, 'x');
  fits(report_table(report));
}

TEST(Table, WhatIsAbsentIsADash) {
  Json report = fixture();
  report["candidates"][1] = {{"name", "attention"}, {"status", "stopped"}, {"parameters", 1855872}};
  report["complete"] = false;
  const std::string table = report_table(report);
  EXPECT_EQ(line_of(table, "  attention"),
            "  attention        stopped             -       -       -  1.86 M       -      -        -         -");
  EXPECT_NE(table.find("\nStopped before all candidates were done.\n"), std::string::npos);
}

TEST(Table, LongAndHostileNamesStayInTheirColumn) {
  Json report = fixture();
  std::string wide;
  for (int i = 0; i < 80; ++i) wide += "\u00e4";
  report["candidates"][0]["name"] = wide;
  report["candidates"][1]["name"] = "\x1b[2J\n\x07" + std::string(300, 'x');
  report["candidates"][1]["bits_per_byte"] = 1e30;
  report["candidates"][1]["parameters"] = 1e30;
  report["candidates"][1]["contexts"][3]["step_seconds"] = 1e30;
  report["baselines"][0]["name"] = std::string(200, 'y');
  report["terms"]["equal"] = std::string(250, 'z') + " " + wide + "\x1b[0m end";
  report["notes"].push_back("");
  const std::string table = report_table(report);
  fits(table);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(table.find('\x07'), std::string::npos);
  EXPECT_NE(table.find("end\n"), std::string::npos);  // wrapped, not cut
}

TEST(Table, WideCharactersMoveNoColumn) {
  Json report = fixture();
  report["candidates"][0]["name"] = "\u732b\u732b";
  report["terms"]["equal"] = "";
  for (int i = 0; i < 120; ++i) report["terms"]["equal"].get_ref<std::string&>() += "\u732b";
  const std::string table = report_table(report);
  fits(table);
  const std::string cat = line_of(table, "  \u732b\u732b"), other = line_of(table, "  attention");
  EXPECT_EQ(columns_of(cat), columns_of(other)) << table;
}

}  // namespace
}  // namespace statera
