#include "tokenizers/decoders.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "core/check.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/normalizers.hpp"

namespace statera::tokenizers {

namespace {

std::string joined(const std::vector<std::string>& tokens, std::string_view between = "") {
  std::string all;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) all += between;
    all += tokens[i];
  }
  return all;
}

// A token that has a character which is no byte's letter stays as it is.
class ByteLevel : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens, bool raw) const override {
    std::string bytes, of_token;
    for (const std::string& token : tokens) {
      of_token.clear();
      size_t at = 0;
      while (at < token.size()) {
        const Character c = character_at(token, at);
        const int byte = byte_of_letter(c.code);
        if (byte < 0) break;
        of_token += static_cast<char>(byte);
        at += c.size;
      }
      bytes += at < token.size() ? token : of_token;
    }
    tokens = {raw ? std::move(bytes) : with_replacements(bytes)};
  }
};

// Neighbouring byte tokens are a text, or, if they are none, one U+FFFD each.
class ByteFallback : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens, bool raw) const override {
    std::vector<std::string> all;
    std::string bytes;
    const auto end_bytes = [&] {
      if (bytes.empty()) return;
      if (raw || first_broken(bytes) == bytes.npos)
        all.push_back(bytes);
      else
        all.insert(all.end(), bytes.size(), std::string(replacement_character));
      bytes.clear();
    };
    for (std::string& token : tokens)
      if (const int byte = byte_of_token(token); byte >= 0) {
        bytes += static_cast<char>(byte);
      } else {
        end_bytes();
        all.push_back(std::move(token));
      }
    end_bytes();
    tokens = std::move(all);
  }
};

class Fuse : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens, bool) const override { tokens = {joined(tokens)}; }
};

class Replace : public TokenDecoder {
 public:
  Replace(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    for (std::string& token : tokens) {
      std::string out;
      size_t done = 0;
      if (token.empty()) continue;
      pattern_.each(token, [&](size_t begin, size_t end) {
        out.append(token, done, begin - done);
        out += content_;
        done = end;
        require(out.size() <= most_text_bytes, ErrorCode::unsupported, "a decoder makes more than ",
                most_text_bytes >> 20, " MiB of a token");
      });
      token = out.append(token, done);
    }
  }

 private:
  Regex pattern_;
  std::string content_;
};

class Strip : public TokenDecoder {
 public:
  Strip(std::string character, int64_t start, int64_t stop)
      : character_(std::move(character)), start_(start), stop_(stop) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (int64_t i = 0; i < start_ && rest.starts_with(character_); ++i) rest.remove_prefix(character_.size());
      for (int64_t i = 0; i < stop_ && rest.ends_with(character_); ++i) rest.remove_suffix(character_.size());
      token = std::string(rest);
    }
  }

 private:
  std::string character_;
  int64_t start_, stop_;
};

class Metaspace : public TokenDecoder {
 public:
  Metaspace(std::string replacement, bool drops_first)
      : replacement_(std::move(replacement)), drops_first_(drops_first) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    for (size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], replacement_, i == 0 && drops_first_ ? "" : " ");
  }

 private:
  std::string replacement_;
  bool drops_first_;
};

class EndOfWord : public TokenDecoder {
 public:
  explicit EndOfWord(std::string suffix) : suffix_(std::move(suffix)) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    for (size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

// What tokenizing put between a word and what belongs to it.
void clean_up(std::string& token) {
  constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, by] : rules) replace_all(token, what, by);
}

class WordPiece : public TokenDecoder {
 public:
  WordPiece(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix_))
        tokens[i].erase(0, prefix_.size());
      else if (i > 0)
        tokens[i].insert(0, 1, ' ');
      if (cleanup_) clean_up(tokens[i]);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class Ctc : public TokenDecoder {
 public:
  Ctc(std::string pad_token, std::string delimiter, bool cleanup)
      : pad_token_(std::move(pad_token)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens, bool) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      replace_all(token, pad_token_, "");
      if (!cleanup_) continue;
      clean_up(token);
      replace_all(token, delimiter_, " ");
    }
    std::erase(tokens, "");
  }

 private:
  std::string pad_token_, delimiter_;
  bool cleanup_;
};

class Blanks : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens, bool) const override { tokens = {joined(tokens, " ")}; }
};

class Several : public TokenDecoder {
 public:
  explicit Several(Parts<TokenDecoder> all) : all_(std::move(all)) {}
  void decode(std::vector<std::string>& tokens, bool raw) const override {
    for (const auto& one : all_) one->decode(tokens, raw);
  }

 private:
  Parts<TokenDecoder> all_;
};

}  // namespace

std::unique_ptr<TokenDecoder> byte_level_decoder() { return std::make_unique<ByteLevel>(); }
std::unique_ptr<TokenDecoder> byte_fallback_decoder() { return std::make_unique<ByteFallback>(); }
std::unique_ptr<TokenDecoder> fuse_decoder() { return std::make_unique<Fuse>(); }
std::unique_ptr<TokenDecoder> replace_decoder(Regex pattern, std::string content) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}
std::unique_ptr<TokenDecoder> strip_decoder(std::string character, int64_t start, int64_t stop) {
  return std::make_unique<Strip>(std::move(character), start, stop);
}
std::unique_ptr<TokenDecoder> metaspace_decoder(std::string replacement, bool drops_first) {
  return std::make_unique<Metaspace>(std::move(replacement), drops_first);
}
std::unique_ptr<TokenDecoder> bpe_decoder(std::string suffix) { return std::make_unique<EndOfWord>(std::move(suffix)); }
std::unique_ptr<TokenDecoder> word_piece_decoder(std::string prefix, bool cleanup) {
  return std::make_unique<WordPiece>(std::move(prefix), cleanup);
}
std::unique_ptr<TokenDecoder> ctc_decoder(std::string pad_token, std::string word_delimiter_token, bool cleanup) {
  return std::make_unique<Ctc>(std::move(pad_token), std::move(word_delimiter_token), cleanup);
}
std::unique_ptr<TokenDecoder> blanks_decoder() { return std::make_unique<Blanks>(); }
std::unique_ptr<TokenDecoder> decoders(Parts<TokenDecoder> all) { return std::make_unique<Several>(std::move(all)); }

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  const int high = digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  if (what.empty()) return;
  size_t at = text.find(what);
  if (at == text.npos) return;
  std::string out;
  size_t done = 0;
  for (; at != text.npos; at = text.find(what, done)) {
    out.append(text, done, at - done);
    out += by;
    done = at + what.size();
  }
  text = out.append(text, done);
}

}  // namespace statera::tokenizers
