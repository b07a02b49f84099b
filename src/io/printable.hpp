// Names from files, made fit for a one-line message.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace statera {

// In quotes; control characters and bytes that are not UTF-8 become \xNN, and what is longer than `most` bytes is cut.
std::string in_quotes(std::string_view, size_t most = 80);
// All of it without quotes, made fit in the same way.
std::string printable(std::string_view);
// The one of `names` that was probably meant by `name`; empty if none is near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> names);

}  // namespace statera
