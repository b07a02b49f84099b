#include "lab/units.hpp"

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "core/check.hpp"
#include "core/input_file.hpp"
#include "statera/tokenizer.hpp"

namespace statera {

namespace {
constexpr std::string_view bpe = "bpe-";
constexpr size_t most_file_bytes = size_t{1} << 30;

// The vocabulary of "bpe-1024"; empty for anything else.
std::optional<int64_t> bpe_vocabulary(const std::string& spec) {
  if (!spec.starts_with(bpe)) return {};
  int64_t ids = 0;
  const char* const end = spec.data() + spec.size();
  const auto read = std::from_chars(spec.data() + bpe.size(), end, ids);
  return read.ec == std::errc() && read.ptr == end ? std::optional(ids) : std::nullopt;
}
}  // namespace

std::string units_name(const std::string& spec) {
  if (spec == byte_units()->name() || bpe_vocabulary(spec)) return spec;
  const std::filesystem::path path(spec);
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), ErrorCode::config, "unknown units '", spec,
          "'; known: bytes, bpe-1024 (or another number of tokens), or the path of a tokenizer.json (there is no such "
          "file)");
  const std::string name = path.stem().string();
  require(name != byte_units()->name() && !bpe_vocabulary(name), ErrorCode::config, "'", spec, "' would be called ",
          name, ", which means something else; rename the file");
  return name;
}

std::shared_ptr<const Units> make_units(const std::string& spec, const ByteSource& text, const UnitsOptions& options) {
  const std::string name = units_name(spec);
  if (spec == byte_units()->name()) return byte_units();
  const std::optional<int64_t> vocabulary = bpe_vocabulary(spec);
  if (!vocabulary) {
    std::shared_ptr<const Units> units =
        units_from(InputFile::open(spec).text(most_file_bytes), name, options.specials);
    require(units->takes_any_bytes(), ErrorCode::unsupported, spec,
            ": this tokenizer takes whole characters only, and data are cut between bytes, to train and to judge; take "
            "one that reads any bytes (byte-level BPE), such as those of statera tokenize train");
    return units;
  }
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
