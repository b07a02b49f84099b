#include "lab/compare/folder.hpp"

#include "lab/report/page.hpp"

namespace statera {

OutputFiles comparison_files() {
  OutputFiles files = page_files();
  for (const char* name : {"compare.sqlite", "compare.sqlite-journal", "compare.log", "report.json", "winner"}) files.names.emplace_back(name);
  files.link = "winner";
  files.folders = {"models", "trials"};
  return files;
}

}  // namespace statera
