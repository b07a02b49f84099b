// Which format a file has, and where the files of a folder are.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "core/check.hpp"
#include "core/input_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "tokenizers/tokenizer_impl.hpp"

namespace statera {

using namespace tokenizers;

namespace {

constexpr size_t most_file_bytes = size_t{4} << 30;
constexpr uint64_t most_gguf_bytes = uint64_t{1} << 28;  // of metadata

// Of a GGUF file only the beginning, since weights follow.
std::string read_plain_file(const std::string& path) {
  const InputFile file = InputFile::open(path);
  char magic[4] = {};
  if (file.size() >= sizeof magic) file.read(0, magic, sizeof magic);
  if (std::string_view(magic, sizeof magic) != "GGUF") return file.text(most_file_bytes);
  std::string begin(std::min(file.size(), most_gguf_bytes), '\0');
  file.read(0, begin.data(), begin.size());
  return begin;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// The tokenizer of a folder, the most complete form first.
std::string file_in(const std::string& folder) {
  constexpr std::array names{"tokenizer.json",          "tokenizer.model", "spiece.model",
                             "sentencepiece.bpe.model", "vocab.json",      "encoder.json",
                             "rwkv_vocab_v20230424.txt"};
  std::string looked_for;
  for (const char* name : names) {
    const std::string path = folder + (folder.ends_with('/') ? "" : "/") + name;
    if (exists(path)) return path;
    looked_for += looked_for.empty() ? name : std::string(", ") + name;
  }
  fail(ErrorCode::io, printable(folder), ": no tokenizer in this folder; looked for ", looked_for);
}

// GPT-2's vocabulary: an object of tokens and ids, without anything around it.
bool is_vocabulary(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos || text[begin] != '{') return false;
  const size_t colon = text.find_first_not_of(" \t\r\n", begin + 1);
  if (colon == text.npos || text[colon] != '"') return false;
  for (size_t at = colon + 1; at < text.size(); ++at) {  // to the end of the first key
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      at = text.find_first_not_of(" \t\r\n:", at + 1);
      return at != text.npos && text[at] >= '0' && text[at] <= '9';
    }
  }
  return false;
}

// The file beside `path` in whose name `from` is replaced by `to`; empty if the name does not have it or there is none.
std::string sibling(const std::string& path, std::string_view from, std::string_view to) {
  const size_t at = path.rfind(from);
  if (at == path.npos || at < path.rfind('/') + 1) return {};
  std::string other = path;
  other.replace(at, from.size(), to);
  return exists(other) ? other : std::string();
}

std::shared_ptr<Tokenizer::Impl> load_vocabulary(const std::string& path, std::string_view text,
                                                 const Tokenizer::ReadFile& read) {
  std::string merges = sibling(path, "vocab.json", "merges.txt");
  if (merges.empty()) merges = sibling(path, "vocab.json", "vocab.bpe");
  if (merges.empty()) merges = sibling(path, "encoder.json", "vocab.bpe");
  require(!merges.empty(), ErrorCode::io, printable(path),
          ": this is a vocabulary without its merges; put them beside it as merges.txt (and name this one vocab.json)");
  return read_vocab_and_merges(text, read(merges), printable(path), printable(merges));
}

std::shared_ptr<Tokenizer::Impl> read_any(std::string_view bytes, const std::string& where) {
  require(!bytes.empty(), ErrorCode::config, where, ": the file is empty");
  if (bytes.starts_with("GGUF")) return read_gguf(bytes, where);
  const size_t begin = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (begin != bytes.npos && bytes[begin] == '{') {
    require(!is_vocabulary(bytes), ErrorCode::unsupported, where,
            ": this is a vocabulary, which needs its merges beside it; load it by its path");
    return read_tokenizer_json(bytes, where);
  }
  if (is_rwkv_vocabulary(bytes)) return read_rwkv(bytes, where);
  require(bytes[0] == '\x0A', ErrorCode::unsupported, where,
          ": no tokenizer that is known here; expected tokenizer.json, vocab.json with merges.txt, a SentencePiece "
          "model, an RWKV vocabulary or a GGUF file");
  return read_sentencepiece(bytes, where);
}

Tokenizer complete(std::shared_ptr<Tokenizer::Impl> impl) {
  impl->highest_id = impl->model->highest_id();
  for (const AddedToken& token : impl->added.all()) impl->highest_id = std::max(impl->highest_id, token.id);
  impl->model->set_specials(impl->added.special_ids());
  return Tokenizer(std::move(impl));
}

constexpr std::string_view gguf_ending = ".gguf", after_example = "\n__ggml_vocab_test__\n";

std::string after_colon(std::string_view ids) { return ids.empty() ? " nothing" : std::string(ids); }

// Checks the examples that stand beside a GGUF file in llama.cpp's form, and returns how many there are. X.gguf.out has
// a line of ids for each text of X.gguf.inp, or of ggml-vocab-test.inp, the texts that several files share.
int64_t check_examples(const Tokenizer& tokenizer, const std::string& path, const Tokenizer::ReadFile& read) {
  const size_t end = path.rfind(gguf_ending);  // what follows is the ending of a packed file
  if (end == path.npos || end < path.rfind('/') + 1) return 0;
  const std::string begin = path.substr(0, end + gguf_ending.size()), out = begin + ".out";
  std::string in = begin + ".inp";
  if (!exists(in)) in = path.substr(0, path.rfind('/') + 1) + "ggml-vocab-test.inp";
  if (!exists(in) || !exists(out)) return 0;
  const std::string texts = read(in);
  std::istringstream lines(read(out));
  int64_t count = 0;
  std::string line;
  for (size_t at = 0, next; (next = texts.find(after_example, at)) != texts.npos; at = next + after_example.size()) {
    require(static_cast<bool>(std::getline(lines, line)), ErrorCode::config, printable(out), " has ", count,
            " lines, and ", printable(in), " more texts; expected a line for each");
    const std::string text = texts.substr(at, next - at);
    std::string expected, got;
    std::istringstream words(line);
    for (std::string id; words >> id;) expected += " " + id;
    for (const int32_t id : tokenizer.encode(text, {.specials = false}).ids) got += " " + std::to_string(id);
    ++count;
    if (got != expected)
      fail(ErrorCode::config, printable(out), ": line ", count, ": ", in_quotes(text), " became", after_colon(got),
           "; expected", after_colon(expected),
           ". The examples are of another tokenizer, or this one is read wrongly; it is read without a check if you "
           "move them away");
  }
  require(!std::getline(lines, line), ErrorCode::config, printable(out), " has more lines than the ", count,
          " texts of ", printable(in), "; expected one for each");
  return count;
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& path, const ReadFile& read) {
  const ReadFile reader = read ? read : read_plain_file;
  const std::string file = is_folder(path) ? file_in(path) : path;
  std::string bytes = reader(file);
  if (is_vocabulary(bytes)) return complete(load_vocabulary(file, bytes, reader));
  if (!bytes.starts_with("GGUF")) return parse(std::move(bytes), printable(file));
  const std::shared_ptr<Tokenizer::Impl> impl = read_any(bytes, printable(file));
  const Tokenizer tokenizer = complete(impl);
  impl->self_tests = check_examples(tokenizer, file, reader);
  return tokenizer;
}

Tokenizer Tokenizer::parse(std::string bytes, const std::string& name) { return complete(read_any(bytes, name)); }

}  // namespace statera
