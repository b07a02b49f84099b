// Any bytes as report.json: an Error of one line, or a table of at most 100 columns and a page in which the report
// stands unchanged.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "lab/report/page.hpp"
#include "lab/report/report.hpp"
#include "lab/report/table.hpp"
#include "statera/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const nlohmann::ordered_json report = parse_report(text, "fuzz");
    size_t width = 0;
    for (const char c : report_table(report) + report_sentences(report)) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\n') || byte == 0x7F) std::abort();
      width = c == '\n' ? 0 : width + ((byte & 0xC0) != 0x80);
      if (width > 100) std::abort();
    }
    const std::string page = report_page(text, "fuzz"), begin = "id=\"report\">";
    const size_t from = page.find(begin) + begin.size();
    if (parse_report(std::string_view(page).substr(from, page.find("</script>", from) - from), "again") != report)
      std::abort();
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
