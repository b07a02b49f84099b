#include "lab/units.hpp"

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "statera/data.hpp"
#include "statera/tokenizer.hpp"
#include "tokenizers/trained_here.hpp"

namespace statera {

namespace {
constexpr std::string_view bpe = "bpe-";
constexpr int64_t most_file_bytes = int64_t{1} << 30;

// The vocabulary of "bpe-1024"; empty for anything else.
std::optional<int64_t> bpe_vocabulary(const std::string& spec) {
  if (!spec.starts_with(bpe)) return {};
  int64_t ids = 0;
  const char* const end = spec.data() + spec.size();
  const auto read = std::from_chars(spec.data() + bpe.size(), end, ids);
  return read.ec == std::errc() && read.ptr == end ? std::optional(ids) : std::nullopt;
}

// A folder stands for the tokenizer.json in it, and is called by its own name.
std::string file_of(const std::string& spec) {
  std::error_code ignored;
  return std::filesystem::is_directory(spec, ignored) ? spec + "/tokenizer.json" : spec;
}

}  // namespace

namespace {
bool is_packed(const std::string& ending) { return ending == ".gz" || ending == ".xz" || ending == ".zst"; }
}  // namespace

std::string units_name(const std::string& spec) {
  if (spec == byte_units()->name() || bpe_vocabulary(spec)) return spec;
  const std::filesystem::path path = std::filesystem::path(spec).lexically_normal();
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), ErrorCode::config, "unknown units '", spec,
          "'; known: bytes, bpe-1024 (or another number of tokens), or a tokenizer.json, which is not there");
  const std::string name = std::filesystem::is_directory(path, ignored) && !path.has_filename()
                               ? path.parent_path().filename().string()
                               : (is_packed(path.extension().string()) ? path.stem() : path).stem().string();
  require(!name.empty() && name != byte_units()->name() && !bpe_vocabulary(name), ErrorCode::config, "'", spec,
          "' would be called '", name, "', which means something else; rename the file");
  return name;
}

namespace {
std::string content_of(const std::string& file) {
  const ByteSource source(file, {.bytes = most_file_bytes});  // unpacks
  const std::span<const uint8_t> bytes = source.document(0);
  return {bytes.begin(), bytes.end()};
}

std::shared_ptr<const Units> read_units(const std::string& spec, bool specials) {
  const std::string file = file_of(spec);
  std::string text = content_of(file);
  const bool any_bytes = token_units(text, file)->takes_any_bytes();  // its errors name the file
  require(
      any_bytes, ErrorCode::unsupported, file,
      ": this tokenizer takes whole characters only (it is not byte-level, or it has a normalizer), and data are cut "
      "between bytes, to train and to judge; take one that reads any bytes, such as those of statera tokenize train");
  return units_from(std::move(text), units_name(spec), specials);
}

}  // namespace

// A tokenizer.json never brings examples; SentencePiece models may, but are no units.
std::string units_remark(const std::string& spec) {
  if (bpe_vocabulary(spec) || units_name(spec) == byte_units()->name()) return {};
  const std::string file = file_of(spec);
  if (tokenizers::is_trained_here(content_of(file))) return {};
  return printable(file) + ": the file has no examples, so its ids are not checked";
}

void check_units(const std::string& spec) {
  if (const auto vocabulary = bpe_vocabulary(spec))
    static_cast<void>(TokenizerTrainer({.vocabulary = *vocabulary}));
  else if (units_name(spec) != byte_units()->name())
    static_cast<void>(read_units(spec, false));
}

std::shared_ptr<const Units> make_units(const std::string& spec, const ByteSource& text, const UnitsOptions& options) {
  const std::string name = units_name(spec);
  if (spec == byte_units()->name()) return byte_units();
  const std::optional<int64_t> vocabulary = bpe_vocabulary(spec);
  if (!vocabulary) return read_units(spec, options.specials);
  TokenizerTrainer trainer({.vocabulary = *vocabulary, .threads = options.threads, .progress = [&](auto...) {
                              if (options.often) options.often();
                            }});
  for (int64_t d = 0; d < text.documents(); ++d)
    trainer.add({reinterpret_cast<const char*>(text.document(d).data()), text.document(d).size()});
  return units_from(trainer.finish(), name, options.specials);
}

std::shared_ptr<const Units> units_from(std::string file, const std::string& name, bool specials) {
  if (file.empty()) return byte_units();
  return specials ? token_units_with_specials(std::move(file), name) : token_units(std::move(file), name);
}

}  // namespace statera
