// What a report from outside may not be, on a fixture of made-up figures (tests/report/fixture.json).
#include "lab/report/report.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "report/report_fixture.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

using Json = nlohmann::ordered_json;

std::string error_of(const std::string& text) {
  try {
    parse_report(text, "x/report.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
  return "no error";
}

std::string error_after(const std::function<void(Json&)>& change) {
  Json report = Json::parse(fixture_text());
  change(report);
  return error_of(report.dump());
}

TEST(Report, IsReadAsItWasWritten) { EXPECT_EQ(parse_report(fixture_text(), "x"), Json::parse(fixture_text())); }

TEST(Report, WhatCouldNotBeMeasuredMayBeAbsent) {
  Json report = Json::parse(fixture_text());
  Json& candidate = report["candidates"][1];
  candidate = {{"name", "attention"}, {"status", "stopped"}, {"parameters", 1855872}};
  report["complete"] = false;
  report["recommendation"].erase("winner");
  report.erase("notes");
  EXPECT_EQ(parse_report(report.dump(), "x"), report);
}

TEST(Report, AnotherVersionIsRefusedNamingBoth) {
  EXPECT_EQ(error_after([](Json& r) { r["format_version"] = 2; }),
            "x/report.json: format_version '2', this program reads 1; make the page with the program that wrote the "
            "report, or compare again");
  EXPECT_NE(
      error_after([](Json& r) { r["format_version"] = "1\n"; }).find("format_version '\"1\\n\"', this program reads 1"),
      std::string::npos);
  EXPECT_NE(error_after([](Json& r) { r["format_version"] = {1}; }).find("format_version array"), std::string::npos);
  EXPECT_NE(error_of("{}").find("the key format_version is missing"), std::string::npos);
}

TEST(Report, NamesTheKeyThatIsWrong) {
  const auto expect = [](const std::function<void(Json&)>& change, const std::string& message) {
    EXPECT_EQ(error_after(change), "x/report.json: " + message);
  };
  expect([](Json& r) { r.erase("terms"); }, "the key terms is missing");
  expect([](Json& r) { r["candidates"][2].erase("name"); }, "the key candidates[2].name is missing");
  expect([](Json& r) { r["candidates"][0]["curve"][3]["seconds"] = "4"; },
         "candidates[0].curve[3].seconds: expected a number from 0 to 1e30, got string");
  expect([](Json& r) { r["candidates"][0]["parameters"] = -4; },
         "candidates[0].parameters: expected a number from 0 to 1e30, got -4");
  expect([](Json& r) { r["data"]["bytes"] = 1e31; }, "data.bytes: expected a number from 0 to 1e30, got 1e+31");
  expect([](Json& r) { r["candidates"] = 3; }, "candidates: expected a list, got 3");
  expect([](Json& r) { r["notes"] = {1}; }, "notes[0]: expected a string, got 1");
  expect([](Json& r) { r["settings"]["length"] = {512}; }, "settings.length: expected a plain value, got array");
  expect([](Json& r) { r["candidates"][1]["speed"] = nullptr; }, "candidates[1].speed: expected an object, got null");
  expect([](Json& r) { r["complete"] = "yes"; }, "complete: expected true or false, got string");
  expect([](Json& r) { r["candidates"][1]["name"] = "hybrid"; }, "the candidate 'hybrid' occurs twice");
  expect([](Json& r) { r["candidates"][1]["name"] = ""; }, "a candidate's name is empty");
  expect([](Json& r) { r["recommendation"]["winner"] = "gru\x1b[2J"; },
         "recommendation.winner 'gru\\x1b[2J' is none of the candidates");
}

TEST(Report, EveryKeyIsListed) {
  Json report = Json::parse(fixture_text());
  EXPECT_EQ(unlisted_keys(report), std::vector<std::string>());
  report["candidates"][1]["curve"][0]["bit_per_byte"] = report["weather"] = 1;
  EXPECT_EQ(unlisted_keys(report), (std::vector<std::string>{"candidates.curve.bit_per_byte", "weather"}));
}

// Its example has each key and no other.
TEST(Report, IsExplained) {
  std::ifstream file(test::source_path("src/lab/report/report.md"));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::set<std::string> explained, listed = {key::format_version};
  const std::regex quoted("\"(\\w+)\":");
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) explained.insert((*at)[1]);
  const std::function<void(std::span<const ReportKey>)> collect = [&](std::span<const ReportKey> keys) {
    for (const ReportKey& one : keys) {
      listed.insert(one.name);
      collect(one.keys);
      if (one.kind == KeyKind::settings)
        explained.erase("match"), explained.erase("budget"), explained.erase("lengths");
    }
  };
  collect(report_keys());
  EXPECT_EQ(explained, listed);
}

TEST(Report, WhatIsNoReport) {
  EXPECT_EQ(error_of("[]"), "x/report.json: expected a JSON object, got array");
  EXPECT_NE(error_of(fixture_text().substr(0, 4000)).find("no valid JSON"), std::string::npos);
  EXPECT_NE(error_of(std::string(100, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(error_of(std::string(max_report_bytes + 1, ' ')).find("bytes of JSON, more than"), std::string::npos);
  EXPECT_NE(error_of("{\"format_version\": 1, \"format_version\": 1}").find("occurs twice"), std::string::npos);
}

}  // namespace
}  // namespace statera
