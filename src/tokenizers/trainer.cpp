// Trains byte-level BPE. Equal words are merged once, and only where a pair occurs.
#include <algorithm>
#include <array>
#include <queue>
#include <unordered_map>
#include <utility>

#include "core/check.hpp"
#include "core/thread_pool.hpp"
#include "io/json.hpp"
#include "statera/tokenizer.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/normalizers.hpp"
#include "tokenizers/pre_tokenizers.hpp"
#include "tokenizers/regex.hpp"
#include "tokenizers/trained_here.hpp"
#include "tokenizers/word_counts.hpp"

namespace statera {

using namespace tokenizers;

namespace {

constexpr size_t chunk_bytes = size_t{1} << 20, longest_chunk = 16 * chunk_bytes, longest_word = 4096;
constexpr int64_t chunks_at_once = 8;
constexpr std::string_view end_of_text = "<|endoftext|>";
constexpr int64_t least_count = 2;  // a pair that occurs once saves nothing elsewhere

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Where a chunk of the text ends that begins at its beginning: where a blank follows something else, which is where no
// word goes on; if there is no such place for long, anywhere. What comes after longest_chunk makes no difference.
size_t chunk_end(std::string_view text) {
  if (text.size() <= chunk_bytes) return text.size();
  const size_t most = std::min(text.size(), longest_chunk);
  for (size_t end = chunk_bytes; end < most; ++end)
    if (is_blank(text[end]) && !is_blank(text[end - 1]) && static_cast<uint8_t>(text[end - 1]) < 0x80) return end;
  return most;
}

void count_words(const Regex& pattern, std::string_view text, WordCounts& counts) {
  const auto add = [&](size_t begin, size_t end) {
    for (; begin < end; begin += longest_word) counts.add(text.substr(begin, std::min(end - begin, longest_word)), 1);
  };
  size_t done = 0;
  pattern.each(text, [&](size_t begin, size_t end) {
    add(done, begin);  // bytes that are no characters
    add(begin, end);
    done = end;
  });
  add(done, text.size());
}

using Pair = std::pair<int32_t, int32_t>;
struct PairHash {
  size_t operator()(const Pair& pair) const {
    const uint64_t both = uint64_t{static_cast<uint32_t>(pair.first)} << 32 | static_cast<uint32_t>(pair.second);
    return (both * 0x9e3779b97f4a7c15u) >> 17;
  }
};

// The words as ids, and which pairs occur where.
class Merger {
 public:
  Merger(const WordCounts& counts, const std::array<int32_t, 256>& ids) {
    for (const WordCounts::Word& word : counts.words()) {
      if (word.size < 2) continue;
      const auto index = static_cast<uint32_t>(words_.size());
      words_.push_back({symbols_.size(), word.size, word.count});
      for (const char byte : counts.text_of(word)) symbols_.push_back(ids[static_cast<uint8_t>(byte)]);
      const int32_t* s = symbols_.data() + words_.back().begin;
      for (uint32_t i = 0; i + 1 < word.size; ++i) change({s[i], s[i + 1]}, word.count, index);
    }
    push_changed();
  }

  // The most frequent pair; its count is below least_count if none is left that is worth it.
  std::pair<Pair, int64_t> best() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const int64_t count = pairs_.at(top.pair).count;
      if (count == top.count) return {top.pair, count};
      if (count > 0) queue_.push({count, top.pair});
    }
    return {{}, 0};
  }

  void merge(const Pair& pair, int32_t id) {
    std::vector<uint32_t> where = std::move(pairs_.at(pair).words);
    pairs_.at(pair).words.clear();
    for (const uint32_t index : where) merge_in(index, pair, id);
    push_changed();
  }

 private:
  struct Word {
    size_t begin;
    uint32_t size;
    int64_t count;
  };
  struct Occurrences {
    int64_t count = 0;
    std::vector<uint32_t> words = {};  // where it may occur; a word may be there twice
    bool changed = false;
  };
  struct Candidate {
    int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  // `index`: the word that has it now.
  void change(const Pair& pair, int64_t by, uint32_t index) {
    Occurrences& here = pairs_[pair];
    here.count += by;
    if (by < 0) return;
    if (here.words.empty() || here.words.back() != index) here.words.push_back(index);
    if (!std::exchange(here.changed, true)) changed_.push_back(pair);
  }

  void push_changed() {
    for (const Pair& pair : changed_) {
      Occurrences& here = pairs_.at(pair);
      here.changed = false;
      if (here.count > 0) queue_.push({here.count, pair});
    }
    changed_.clear();
  }

  void merge_in(uint32_t index, const Pair& pair, int32_t id) {
    Word& word = words_[index];
    int32_t* s = symbols_.data() + word.begin;
    uint32_t to = 0;
    for (uint32_t from = 0; from < word.size; ++to) {
      if (s[from] != pair.first || from + 1 == word.size || s[from + 1] != pair.second) {
        s[to] = s[from++];
        continue;
      }
      if (to > 0) {
        change({s[to - 1], pair.first}, -word.count, index);
        change({s[to - 1], id}, word.count, index);
      }
      if (from + 2 < word.size) {
        change({pair.second, s[from + 2]}, -word.count, index);
        change({id, s[from + 2]}, word.count, index);
      }
      s[to] = id;
      from += 2;
    }
    word.size = to;
  }

  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  std::unordered_map<Pair, Occurrences, PairHash> pairs_;
  std::vector<Pair> changed_;
  std::priority_queue<Candidate> queue_;
};

nlohmann::ordered_json tokenizer_json(const std::vector<std::string>& tokens,
                                      const std::vector<std::pair<std::string, std::string>>& merges) {
  using json = nlohmann::ordered_json;
  json vocabulary = json::object();
  for (size_t id = 0; id < tokens.size(); ++id) vocabulary[tokens[id]] = id;
  json pairs = json::array();
  for (const auto& [left, right] : merges) pairs.push_back(json::array({left, right}));
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const json end = {{"id", tokens.size()}, {"content", end_of_text}, {"single_word", false}, {"lstrip", false},
                    {"rstrip", false},     {"normalized", false},    {"special", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", json::array({end})},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", std::move(vocabulary)},
            {"merges", std::move(pairs)}}}};
}

}  // namespace

// Writes the file again from its tokens and merges.
bool tokenizers::is_trained_here(std::string_view file) {
  constexpr size_t most_bytes = size_t{1} << 30;
  if (!file.starts_with("{\"version\":\"1.0\",")) return false;
  try {
    const nlohmann::json document = parse_json(file, "tokenizer.json", most_bytes);
    const nlohmann::json& model = document.at("model");
    std::vector<std::string> tokens(model.at("vocab").size());
    for (const auto& [token, id] : model.at("vocab").items()) tokens.at(id.get<size_t>()) = token;
    std::vector<std::pair<std::string, std::string>> merges;
    for (const auto& merge : model.at("merges"))
      merges.emplace_back(merge.at(0).get<std::string>(), merge.at(1).get<std::string>());
    return tokenizer_json(tokens, merges).dump() + "\n" == file;
  } catch (const std::exception&) {  // no tokenizer of this form
    return false;
  }
}

struct TokenizerTrainer::State {
  TokenizerTrainingOptions options;
  Regex pattern{gpt2_pattern};
  ThreadPool pool{options.threads};
  WordCounts counts = {};
  std::string pending = {};  // of a document of which not all has come
  int64_t bytes = 0, forgotten = 0;
  int64_t merges_wanted() const { return options.vocabulary - 257; }
  void tell(int64_t merges) const {
    if (options.progress) options.progress(bytes, merges, merges_wanted());
  }
  void count(const std::vector<std::string_view>& chunks);
  size_t count_beginning(std::string_view text, size_t rest);
};

TokenizerTrainer::TokenizerTrainer(const TokenizerTrainingOptions& options) {
  require(options.vocabulary >= 257 && options.vocabulary <= 1'000'000, ErrorCode::config, "a vocabulary of ",
          options.vocabulary, " ids: expected 257 to 1000000 (256 bytes, ", end_of_text, ", and merges)");
  require(options.threads >= 1 && options.most_words >= 1000, ErrorCode::config,
          "training a tokenizer needs a thread and room for 1000 words; got ", options.threads, " and ",
          options.most_words);
  state_.reset(new State{options});
}

TokenizerTrainer::~TokenizerTrainer() = default;

int64_t TokenizerTrainer::forgotten() const { return state_->forgotten; }

void TokenizerTrainer::State::count(const std::vector<std::string_view>& chunks) {
  std::vector<WordCounts> of_chunk(chunks.size());
  std::vector<std::exception_ptr> errors(chunks.size());
  pool.run(static_cast<int64_t>(chunks.size()), [&](int64_t task, int) {
    const auto i = static_cast<size_t>(task);
    try {
      count_words(pattern, chunks[i], of_chunk[i]);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (size_t i = 0; i < chunks.size(); ++i) {  // in the order of the text, so that the same words are forgotten
    if (errors[i]) std::rethrow_exception(errors[i]);
    bytes += static_cast<int64_t>(chunks[i].size());
    counts.add(of_chunk[i]);
    forgotten += counts.words().size() > static_cast<size_t>(options.most_words)
                     ? counts.keep(static_cast<size_t>(options.most_words) / 2)
                     : 0;
  }
  tell(0);
}

// Counts the beginning of the text, chunk by chunk, until less than `rest` bytes are left; of an empty rest nothing is.
// Returns how many bytes were counted.
size_t TokenizerTrainer::State::count_beginning(std::string_view text, size_t rest) {
  size_t done = 0;
  while (done < text.size() && text.size() - done >= rest) {
    std::vector<std::string_view> chunks;
    while (std::ssize(chunks) < chunks_at_once && done < text.size() && text.size() - done >= rest) {
      chunks.push_back(text.substr(done, chunk_end(text.substr(done))));
      done += chunks.back().size();
    }
    count(chunks);
  }
  return done;
}

void TokenizerTrainer::add(std::string_view document) {
  end_document();
  state_->count_beginning(document, 0);
}

// A chunk is counted when longest_chunk bytes of it have come, so that it ends where it ends in the whole.
void TokenizerTrainer::add_piece(std::string_view piece) {
  std::string& pending = state_->pending;
  while (!piece.empty()) {
    const size_t taken = std::min(piece.size(), 2 * longest_chunk - pending.size());
    pending.append(piece.substr(0, taken));
    piece.remove_prefix(taken);
    if (pending.size() == 2 * longest_chunk) pending.erase(0, state_->count_beginning(pending, longest_chunk));
  }
}

void TokenizerTrainer::end_document() {
  state_->count_beginning(state_->pending, 0);
  state_->pending.clear();
}

std::string TokenizerTrainer::finish() {
  end_document();
  State& s = *state_;
  s.pending = {};
  require(s.bytes > 0, ErrorCode::config, "there is no text to train a tokenizer on");
  // As the library numbers them: by letter.
  std::vector<std::string> tokens(byte_letters().begin(), byte_letters().end());
  std::sort(tokens.begin(), tokens.end(), [](const std::string& a, const std::string& b) {
    return character_at(a, 0).code < character_at(b, 0).code;
  });
  std::array<int32_t, 256> ids{};
  for (size_t id = 0; id < tokens.size(); ++id)
    ids[static_cast<size_t>(byte_of_letter(character_at(tokens[id], 0).code))] = static_cast<int32_t>(id);
  Merger merger(s.counts, ids);
  std::vector<std::pair<std::string, std::string>> merges;
  std::unordered_map<std::string, int32_t> known;
  for (size_t id = 0; id < tokens.size(); ++id) known[tokens[id]] = static_cast<int32_t>(id);
  while (static_cast<int64_t>(tokens.size()) + 1 < s.options.vocabulary) {
    const auto [pair, count] = merger.best();
    if (count < least_count) break;
    const std::string &left = tokens[static_cast<size_t>(pair.first)],
                      &right = tokens[static_cast<size_t>(pair.second)];
    // Two ways to the same token are two merges.
    const auto [place, is_new] = known.emplace(left + right, static_cast<int32_t>(tokens.size()));
    merges.emplace_back(left, right);
    if (is_new) tokens.push_back(place->first);
    merger.merge(pair, place->second);
    if (merges.size() % 64 == 0) s.tell(static_cast<int64_t>(merges.size()));
  }
  s.tell(static_cast<int64_t>(merges.size()));
  return tokenizer_json(tokens, merges).dump() + "\n";
}

}  // namespace statera
