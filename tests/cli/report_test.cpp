// statera report through the program, on a report with made-up figures (tests/report/fixture.json).
#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "report/report_fixture.hpp"

namespace statera {
namespace {

using nlohmann::json;

class ReportVerb : public Program {
 protected:
  ReportVerb() { std::filesystem::create_directory(path("out")); }
  void write_report(const json& report) const { write("out/report.json", report.dump()); }
};

TEST_F(ReportVerb, MakesThePageAgainAndPrintsTheTable) {
  write("out/report.json", fixture_text());
  const Ran ran = run("report out");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("\n* hybrid "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\nOn fixture.txt, at equal time"), std::string::npos);
  EXPECT_NE(ran.out.find("\nthe page: out/report.html\n"), std::string::npos);
  const std::string page = read("out/report.html");
  EXPECT_NE(page.find("<title>fixture.txt: which model fits</title>"), std::string::npos);
  std::filesystem::remove(path("out/report.html"));
  EXPECT_EQ(json::parse(run("report out --json").out), json::parse(fixture_text()));
  EXPECT_EQ(read("out/report.html"), page);
}

TEST_F(ReportVerb, AFolderThatCannotBeWrittenToIsReadAllTheSame) {
  write("out/report.json", fixture_text());
  namespace fs = std::filesystem;
  const fs::perms readable =
      fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec;
  fs::permissions(path("out"), readable);
  fs::permissions(path("."), readable);
  // root may write everywhere
  const std::string nobody = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "";
  const Ran table = run("report out", nobody), object = run("report out --json", nobody);
  for (const Ran& ran : {table, object}) {
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find("statera report: out: cannot be written to ("), std::string::npos) << ran.err;
  }
  EXPECT_NE(table.out.find("\n* hybrid "), std::string::npos) << table.out;
  EXPECT_EQ(json::parse(object.out), json::parse(fixture_text()));
  for (const char* folder : {"out", "."}) fs::permissions(path(folder), fs::perms::owner_all);
}

TEST_F(ReportVerb, BadReports) {
  fails("report nowhere", 1, "nowhere: no folder");
  fails("report out", 1, "out/report.json: no such file");
  json report = json::parse(fixture_text());
  report["format_version"] = 7;
  write_report(report);
  fails("report out", 1, "out/report.json: format_version '7', this program reads 1");
  report["format_version"] = 1;
  report["candidates"][1].erase("status");
  write_report(report);
  fails("report out", 1, "the key candidates[1].status is missing");
  write("out/report.json", "");
  fails("report out", 1, "out/report.json: the file is empty");
  EXPECT_FALSE(std::filesystem::exists(path("out/report.html")));
  write("out/report.json", fixture_text());
  std::filesystem::create_directories(path("out/report.html/x"));
  fails("report out", 1, "out/report.html");
  EXPECT_EQ(read("err.txt").find("--out"), std::string::npos) << read("err.txt");  // which this verb does not have
}

}  // namespace
}  // namespace statera
