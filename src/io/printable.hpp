// Names from files and the command line, made fit for a one-line message. A byte that is a control character or not
// UTF-8 becomes \xNN.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace statera {

// In quotes, and cut after `most` bytes.
std::string in_quotes(std::string_view, size_t most = 80);
// Complete and without quotes.
std::string printable(std::string_view);
// "; did you mean 'NAME'?" with the one of `names` that `name` was probably meant to be; empty if none is close.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> names);

}  // namespace statera
