#include "lab/compare/folder.hpp"

#include "lab/report/page.hpp"

namespace statera {

OutputFiles comparison_files() {
  OutputFiles files = page_files();
  // SQLite removes or reads files with these names beside the database.
  for (const char* ending : {"", "-journal", "-wal", "-shm"})
    files.names.push_back(std::string("compare.sqlite") + ending);
  for (const char* name : {"compare.log", "report.json", "winner"}) files.names.emplace_back(name);
  files.link = "winner";
  files.folders = {"models", "trials"};
  return files;
}

}  // namespace statera
