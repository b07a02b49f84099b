// The page as text: what it is made of, and that nothing from the report becomes markup. tests/report/ opens it in a
// browser.
#include "lab/report/page.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "report/report_fixture.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

using Json = nlohmann::ordered_json;

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++n;
  return n;
}

// The report as the page's script gets it.
Json inside(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"report\">";
  const size_t from = page.find(begin) + begin.size();
  return Json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(Page, HoldsEverythingItNeeds) {
  const std::string page = report_page(fixture_text(), "x");
  EXPECT_EQ(inside(page), Json::parse(fixture_text()));
  EXPECT_NE(page.find("Chart.js v3"), std::string::npos);
  EXPECT_NE(page.find("Released under the MIT License"), std::string::npos);
  EXPECT_EQ(page.find("{{"), page.find("{{", page.find("Chart.js v3")));  // no placeholder is left before the library
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(count(page, " src="), 0u);
  EXPECT_EQ(count(page, "<link"), 0u);
}

TEST(Page, NothingFromTheReportBecomesMarkup) {
  const std::string hostile = "</script><img src=x onerror=alert(1)>{{page.css}}<!--&\"'";
  Json report = Json::parse(fixture_text());
  report["data"]["name"] = hostile;
  report["candidates"][0]["name"] = hostile;
  report["notes"].push_back(hostile);
  report["settings"][hostile] = hostile;
  const std::string page = report_page(report.dump(), "x"), usual = report_page(fixture_text(), "x");
  for (const char* markup : {"<img", "</script>", "<!--", "<script", "<style"})
    EXPECT_EQ(count(page, markup), count(usual, markup)) << markup;
  EXPECT_EQ(inside(page), report);
}

TEST(Page, ABadReportLeavesTheOldPage) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("statera_page_test_" + std::to_string(::getpid()))).string();
  write_page(fixture_text(), folder);
  const auto size = std::filesystem::file_size(folder + "/report.html");
  EXPECT_THROW(write_page("{\"format_version\": 2}", folder), Error);
  EXPECT_EQ(std::filesystem::file_size(folder + "/report.html"), size);
  EXPECT_THROW(write_page(fixture_text(), folder + "/report.html"), Error);
  std::filesystem::remove(folder + "/statera.json");  // the page itself says whose it is
  write_page(fixture_text(), folder);
  EXPECT_EQ(std::filesystem::file_size(folder + "/report.html"), size);
  std::filesystem::remove(folder + "/statera.json");
  std::ofstream(folder + "/report.html") << "somebody else's";
  EXPECT_THROW(write_page(fixture_text(), folder), Error);
  EXPECT_EQ(std::filesystem::file_size(folder + "/report.html"), 15u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace statera
