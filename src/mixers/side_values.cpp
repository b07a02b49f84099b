#include <algorithm>

#include "core/check.hpp"
#include "mixers/mixer.hpp"

namespace statera {

namespace {
constexpr const char* same_width = "; what reads it must have the width of what sets it";
}

size_t SideValues::set(const std::string& name, int64_t width, const std::string& where) {
  require(std::ranges::find(all_, name, &Side::name) == all_.end(), ErrorCode::config, "the side value '", name,
          "' is set twice (", where, ")");
  all_.push_back({name, width});
  used_.set.push_back(all_.size() - 1);
  return all_.size() - 1;
}

size_t SideValues::read(const std::string& name, int64_t width, const std::string& where) {
  const auto at = std::ranges::find(all_, name, &Side::name);
  require(at != all_.end(), ErrorCode::config, "the side value '", name, "' is read before any layer sets it (", where,
          ")");
  require(at->width == width, ErrorCode::config, "the side value '", name, "' is ", at->width, " wide, not ", width,
          " (", where, ")", same_width);
  const auto i = static_cast<size_t>(at - all_.begin());
  const auto listed = [&](const std::vector<size_t>& numbers) {
    return std::ranges::find(numbers, i) != numbers.end();
  };
  if (!listed(used_.set) && !listed(used_.read)) used_.read.push_back(i);
  return i;
}

int64_t SideValues::width(const std::string& name, const std::string& where) const {
  const auto at = std::ranges::find(all_, name, &Side::name);
  require(at != all_.end(), ErrorCode::config, "the side value '", name, "' is read before any layer sets it (", where,
          ")");
  return at->width;
}

}  // namespace statera
