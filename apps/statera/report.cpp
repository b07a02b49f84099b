// statera report DIR: makes the page of a comparison again from its report.json, and prints its table.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/report/page.hpp"
#include "lab/report/report.hpp"
#include "print_report.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string folder;
  bool json = false;
};

void run(const Flags& flags) {
  const nlohmann::ordered_json report = read_report(flags.folder);
  if (flags.json)
    std::printf("%s\n", json_text(report).c_str());
  else
    print_report(report);
  if (access(flags.folder.c_str(), W_OK) != 0) {
    std::fprintf(stderr, "statera report: %s: cannot be written to (%s): the page was not made again\n",
                 printable(flags.folder).c_str(), std::strerror(errno));
    return;
  }
  write_page(json_text(report), flags.folder);
  if (!flags.json) std::printf("the page: %s/report.html\n", printable(flags.folder).c_str());
}
}  // namespace

void add_report(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("report", "print the table of a comparison and write its page again");
  verb->add_option("DIR", flags->folder,
                   "the folder that statera compare wrote: DIR/report.json is read, DIR/report.html written")
      ->required();
  verb->add_flag("--json", flags->json, "print the report as one JSON object instead of the table");
  verb->footer("Examples:\n  statera report out/book-compare\n  statera report out/book-compare --json");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
