#include "values.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>

#include "io/printable.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
constexpr char mark = '\x01';

// Where the value in `--flag=value` begins; npos for any other word.
size_t value_of_flag(const std::string& word) {
  const size_t sign = word.starts_with("--") ? word.find('=') : word.npos;
  return sign == word.npos ? sign : sign + 1;
}

std::string marked(std::string word) {
  const size_t value = value_of_flag(word);
  if (value != word.npos)
    word.insert(value, 1, mark);
  else if (word.starts_with('[') || word.starts_with(mark))
    word.insert(0, 1, mark);
  return word;
}

std::string unmarked(std::string word) {
  const size_t value = value_of_flag(word), at = word.starts_with(mark) ? 0 : value;
  if (at < word.size() && word[at] == mark) word.erase(at, 1);
  return word;
}

// What is wrong with an integer; "" if nothing is.
std::string read_whole_number(const std::string& text, int64_t least, int64_t& value) {
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range && read == end)
    return "'" + text + "' does not fit a whole number of 64 bits";
  if (error != std::errc() || read != end) return "'" + text + "' is no whole number";
  return value >= least ? "" : "'" + text + "' is less than " + std::to_string(least);
}

// What is wrong with the value of an option of this type; "" if nothing is. Removes leading zeros and the like.
std::string check_value(const std::string& type, std::string& text) {
  if (type == "INT" || type == "UINT") {
    int64_t value = 0;
    const std::string wrong = read_whole_number(text, type == "UINT" ? 0 : INT64_MIN, value);
    if (wrong.empty()) text = std::to_string(value);
    return wrong;
  }
  if (type == "FLOAT") {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || read != end) return "'" + text + "' is no number";
    if (!std::isfinite(value)) return "'" + text + "' is no finite number";
    if (std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) return "'" + text + "' is too large";
  }
  if (type.starts_with("TEXT") && text.empty()) return "'' is empty; give a value, or leave it out";
  if (type.empty() && text.empty()) return "'' is neither true nor false";  // the value of a flag
  return {};
}

bool takes_several(const CLI::Option& option) {
  return !option.get_positional() &&
         (option.get_items_expected_max() > 1 || option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll);
}

Words split(const std::string& list, const std::string& flag) {
  // of a flag that may stand alone, or an empty word, which means nothing to whoever takes it
  if (list.empty()) return {list};
  Words parts(1);
  for (const char c : list)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  if (std::ranges::any_of(parts, &std::string::empty))
    throw UsageError(flag + " '" + list + "' has an empty part; write a list as a,b");
  return parts;
}
}  // namespace

Words marked_arguments(int argc, char** argv) {
  Words words;
  for (int i = argc - 1; i > 0; --i) words.push_back(marked(argv[i]));
  return words;
}

const CLI::App& chosen_verb(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : chosen_verb(*chosen.front());
}

std::string chosen_words(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return app.get_name() + (chosen.empty() ? "" : " " + chosen_words(*chosen.front()));
}

void read_values_as_typed(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({})) {
    read_values_as_typed(*verb);
    for (CLI::Option* option : verb->get_options()) {
      if (!option->get_positional()) option->allow_extra_args(false);
      const std::string with_checks = option->get_type_name(), type = with_checks.substr(0, with_checks.find(':'));
      option->transform(CLI::Validator(
          [type](std::string& text) {
            text = unmarked(text);
            return check_value(type, text);
          },
          ""));
    }
  }
}

std::string without_marks(std::string message) {
  std::erase(message, mark);
  return message;
}

CLI::Option* add_list(CLI::App& verb, const std::string& name, const std::function<void(const Words&)>& take,
                      const std::string& help) {
  const auto read = [name, take](const Words& lists) {
    Words all;
    for (const std::string& list : lists)
      for (std::string& part : split(list, name)) all.push_back(std::move(part));
    take(all);
  };
  return verb.add_option_function<Words>(name, read, help)->type_name("TEXT,TEXT");
}

CLI::Option* add_list(CLI::App& verb, const std::string& name, Words& values, const std::string& help) {
  return add_list(
      verb, name, [&values](const Words& all) { values = all; }, help);
}

CLI::Option* add_list(CLI::App& verb, const std::string& name, std::vector<int64_t>& values, const std::string& help) {
  const auto take = [&values, name](const Words& all) {
    values.clear();
    for (const std::string& text : all)
      if (const std::string wrong = read_whole_number(text, INT64_MIN, values.emplace_back()); !wrong.empty())
        throw UsageError(name + ": " + wrong);
  };
  return add_list(verb, name, take, help)->type_name("INT,INT");
}

std::string several_values_hint(const CLI::App& verb, int argc, char** argv, const std::string& message) {
  for (int i = 2; i + 2 < argc; ++i) {
    const std::string flag = argv[i], value = argv[i + 1], word = argv[i + 2];
    const CLI::Option* option = flag.starts_with("--") ? verb.get_option_no_throw(flag) : nullptr;
    std::error_code ignored;
    if (!option || !takes_several(*option) || value.starts_with("--") || word.starts_with("-")) continue;
    if (std::filesystem::exists(word, ignored) && !message.ends_with(" " + word)) continue;
    return "; several values are given as " + flag + " " + value + " " + flag + " " + word;
  }
  return {};
}

namespace {

std::string joined(const Words& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

std::string hint(std::string_view name, const Words& names) {
  return did_you_mean(name, std::vector<std::string_view>(names.begin(), names.end()));
}

}  // namespace

std::string plain_message(const CLI::App& app, int argc, char** argv, std::string message) {
  const CLI::App& chosen = chosen_verb(app);
  const auto inner = chosen.get_subcommands({});
  int next = 1;  // the word after those of the chosen verb
  for (const CLI::App* verb = &chosen; verb != &app; verb = verb->get_parent()) ++next;
  if (!inner.empty() && argc > next && argv[next][0] != '-') {
    Words verbs;
    for (const CLI::App* verb : inner) verbs.push_back(verb->get_name());
    const std::string meant = hint(argv[next], verbs);
    return "no verb '" + std::string(argv[next]) + "'" + meant + (meant.empty() ? "; the" : " The") +
           " verbs: " + joined(verbs);
  }
  std::error_code ignored;
  for (int i = next; &chosen != &app && i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string word = argv[i], flag = word.substr(0, word.find('='));
    if (word.size() > 1 && word.starts_with('-') && !chosen.get_option_no_throw(flag) &&
        std::filesystem::exists(word, ignored))
      return word + " is no option; for a file of that name write ./" + word;
    if (flag.starts_with("--") && flag.size() > 2 && !chosen.get_option_no_throw(flag)) {
      Words options;
      for (const CLI::Option* option : chosen.get_options())
        for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
      return "no option '" + flag + "'" + hint(flag, options);
    }
  }
  constexpr std::string_view at_most_once = ": At Most 1 required but received ";
  if (const size_t at = message.find(at_most_once); at != message.npos)
    return message.substr(0, at) + " is given " + message.substr(at + at_most_once.size()) + " times; give it once";
  return message;
}

std::string without_foreign_advice(const CLI::App& verb, std::string message) {
  const size_t flag = message.rfind(" --");
  if (flag == message.npos || message.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", flag + 1) != message.npos ||
      verb.get_option_no_throw(message.substr(flag + 1)))
    return message;
  const auto begin = [&](const char* of_advice) {
    const size_t at = message.rfind(of_advice, flag);
    return at == message.npos ? 0 : at;
  };
  if (const size_t advice = std::max(begin("; "), begin(", or ")); advice > 0) message.resize(advice);
  return message;
}

std::string without_rooms(std::string message, int argc, char** argv) {
  const auto is_typed = [&](const std::string& text) {
    return std::any_of(argv, argv + argc, [&](const char* word) { return std::strstr(word, text.c_str()) != nullptr; });
  };
  for (size_t at = message.find('['), from = 0; at != message.npos; at = message.find('[', from)) {
    from = at + 1;
    const std::string_view before = std::string_view(message).substr(0, at);
    if (!before.empty() && !before.ends_with(": ") && !before.ends_with('(')) continue;
    const size_t end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at + 1);
    if (end == message.npos || end == at + 1 || message.compare(end, 2, "] ") != 0) continue;
    if (const std::string room = message.substr(at, end + 2 - at); !is_typed(room)) {
      message.erase(at, room.size());
      from = at;
    }
  }
  return message;
}

}  // namespace statera::cli
