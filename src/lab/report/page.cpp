#include "lab/report/page.hpp"

#include <nlohmann/json.hpp>

#include "core/check.hpp"
#include "io/atomic_file.hpp"
#include "lab/report/keys.hpp"
#include "lab/report/page_files.hpp"
#include "lab/report/report.hpp"
#include "lab/report/table.hpp"

namespace statera {

namespace {
constexpr const char* page_name = "report.html";

std::string for_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

// JSON that may stand inside <script>. Outside of strings JSON has no '<', and inside \u003c means the same. So nothing
// in it can end the element or open a comment.
std::string for_script(const std::string& json) {
  std::string out;
  for (char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

// The text for {{name}} in page.html: a file of the page, or a part of the report.
std::string part(std::string_view name, const nlohmann::ordered_json& report) {
  if (name == "data") return for_html(report.at(key::data).at(key::name).get<std::string>());
  if (name == "table") return for_html(report_table(report));
  if (name == "keys") return report_keys_json();
  if (name == "report") return for_script(report.dump());
  const std::string_view file = page_file(name);
  require(!file.empty(), ErrorCode::config, "page.html: nothing stands for {{", name, "}}");
  return std::string(file);
}
}  // namespace

std::string report_page(std::string_view report_json, const std::string& where) {
  const nlohmann::ordered_json report = parse_report(report_json, where);
  std::string_view rest = page_file("page.html");
  std::string page;
  for (size_t open; (open = rest.find("{{")) != rest.npos;) {  // a single pass, so inserted text is not searched again
    const size_t close = rest.find("}}", open);
    page += rest.substr(0, open);
    page += part(rest.substr(open + 2, close - open - 2), report);
    rest.remove_prefix(close + 2);
  }
  return page.append(rest);
}

OutputFiles page_files() { return {.names = {page_name}, .known_by = {"compare.sqlite", page_name}, .link = {}}; }

void write_page(const std::string& report_json, const std::string& folder) {
  const std::string page = report_page(report_json, "the report in " + folder);
  OutputFolder claimed(folder, page_files());
  write_file(claimed.at(page_name), page);
  claimed.check_place();
}

}  // namespace statera
