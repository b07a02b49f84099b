#include "tokenizers/normalizers.hpp"

#include <utility>

#include "core/check.hpp"

namespace statera::tokenizers {

namespace {

// Writes a text anew from left to right, and keeps track of what comes from the first character of the input.
class Rewriter {
 public:
  explicit Rewriter(Text& text) : text_(text) { out_.bytes.reserve(text.bytes.size()); }
  ~Rewriter() { std::swap(text_, out_); }
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;
  std::string_view in() const { return text_.bytes; }
  // Calls write(out, character) for every character.
  template <class Write>
  void each(Write write) {
    for (size_t at = 0; at < in().size();) {
      const Character c = character_at(in(), at);
      put(at, [&](std::string& out) { write(out, c.code); });
      at += c.size;
    }
  }
  // What `write` appends comes from what stood at `at`.
  template <class Write>
  void put(size_t at, Write write) {
    write(out_.bytes);
    require(out_.bytes.size() <= most_text_bytes, ErrorCode::unsupported, "a normalizer makes more than ",
            most_text_bytes >> 20, " MiB of a text; cut it");
    if (at < text_.from_first) out_.from_first = out_.bytes.size();
  }
  void copy(size_t begin, size_t end) {
    out_.bytes.append(in().substr(begin, end - begin));
    if (begin < text_.from_first) out_.from_first = out_.bytes.size() - (end - std::min(end, text_.from_first));
  }

 private:
  Text& text_;
  Text out_;
};

class EachCharacter : public Normalizer {
 public:
  using Write = void (*)(std::string& out, char32_t c);
  explicit EachCharacter(Write write) : write_(write) {}
  void normalize(Text& text) const override { Rewriter(text).each(write_); }

 private:
  Write write_;
};

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(Form form) : form_(form) {}
  void normalize(Text& text) const override {
    // The first character may melt into those after it; at least one character of the result comes from it.
    const bool begins = text.from_first > 0;
    const std::string first = begins ? normalized(text.bytes.substr(0, text.from_first), form_) : "";
    text.bytes = normalized(text.bytes, form_);
    text.from_first = 0;
    if (!begins || text.bytes.empty()) return;
    text.from_first = std::string_view(text.bytes).starts_with(first) && !first.empty()
                          ? first.size()
                          : character_at(text.bytes, 0).size;
  }

 private:
  Form form_;
};

void put_lower(std::string& out, char32_t c) { append_lower(out, c); }
void put_without_mark(std::string& out, char32_t c) {
  if (!is_old_mark(c)) append(out, c);
}
void put_without_accent(std::string& out, char32_t c) {
  if (!is_old_accent(c)) append(out, c);
}
void put_clean(std::string& out, char32_t c) {
  const bool line = c == '\t' || c == '\n' || c == '\r';
  if (c == 0 || c == 0xFFFD || (!line && is_old_control(c))) return;
  if (is_white_space(c))
    out += ' ';
  else
    append(out, c);
}
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}
void put_apart(std::string& out, char32_t c) {
  if (is_chinese(c)) out += ' ';
  append(out, c);
  if (is_chinese(c)) out += ' ';
}
void put_nmt(std::string& out, char32_t c) {
  if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return;
  const bool blank = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                     c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  if (blank)
    out += ' ';
  else
    append(out, c);
}

class Bert : public Normalizer {
 public:
  explicit Bert(const BertNormalizerOptions& options) : options_(options) {}
  void normalize(Text& text) const override {
    if (options_.clean_text) Rewriter(text).each(put_clean);
    if (options_.handle_chinese_chars) Rewriter(text).each(put_apart);
    if (options_.strip_accents) {
      UnicodeForm(Form::nfd).normalize(text);
      Rewriter(text).each(put_without_accent);
    }
    if (options_.lowercase) Rewriter(text).each(put_lower);
  }

 private:
  BertNormalizerOptions options_;
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void normalize(Text& text) const override {
    const std::string_view all = text.bytes;
    size_t begin = 0, end = all.size();
    for (Character c{}; left_ && begin < end; begin += c.size)
      if (c = character_at(all, begin); !is_white_space(c.code)) break;
    while (right_ && end > begin) {
      const size_t before = character_before(all, end);
      if (!is_white_space(character_at(all, before).code)) break;
      end = before;
    }
    text.from_first = std::max(begin, std::min(text.from_first, end)) - begin;
    text.bytes = text.bytes.substr(begin, end - begin);
  }

 private:
  bool left_, right_;
};

class Replace : public Normalizer {
 public:
  Replace(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void normalize(Text& text) const override {
    Rewriter rewriter(text);
    size_t done = 0;
    pattern_.each(rewriter.in(), [&](size_t begin, size_t end) {
      rewriter.copy(done, begin);
      // what stands instead of several characters comes from the last of them
      const size_t last = end > begin ? character_before(rewriter.in().substr(begin, end - begin), end - begin) : 0;
      rewriter.put(begin + last, [&](std::string& out) { out += content_; });
      done = end;
    });
    rewriter.copy(done, rewriter.in().size());
  }

 private:
  Regex pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void normalize(Text& text) const override {
    if (text.bytes.empty()) return;
    text.bytes.insert(0, prefix_);
    if (text.from_first > 0) text.from_first += prefix_.size();
  }

 private:
  std::string prefix_;
};

class ByteLetters : public Normalizer {
 public:
  void normalize(Text& text) const override {
    Rewriter rewriter(text);
    for (size_t at = 0; at < rewriter.in().size(); ++at)
      rewriter.put(at, [&](std::string& out) { out += byte_letters()[static_cast<uint8_t>(rewriter.in()[at])]; });
  }
};

// User-perceived characters of less than six bytes are looked up as a whole, all else character by character.
class Precompiled : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {}
  void normalize(Text& text) const override {
    Rewriter rewriter(text);
    const std::string_view in = rewriter.in();
    Graphemes graphemes(in);
    size_t begin = 0;
    for (size_t end = graphemes.next(); end != in.npos; begin = end, end = graphemes.next()) {
      if (end - begin < 6 && put_mapped(rewriter, begin, end)) continue;
      for (size_t at = begin; at < end;) {
        const size_t size = character_at(in, at).size;
        if (!put_mapped(rewriter, at, at + size)) rewriter.copy(at, at + size);
        at += size;
      }
    }
  }

 private:
  bool put_mapped(Rewriter& rewriter, size_t begin, size_t end) const {
    const auto mapped = map_.shortest(rewriter.in().substr(begin, end - begin));
    if (mapped) rewriter.put(begin, [&](std::string& out) { out += *mapped; });
    return mapped.has_value();
  }
  Charsmap map_;
};

class Several : public Normalizer {
 public:
  explicit Several(Parts<Normalizer> all) : all_(std::move(all)) {}
  void normalize(Text& text) const override {
    for (const auto& one : all_) one->normalize(text);
  }

 private:
  Parts<Normalizer> all_;
};

}  // namespace

std::unique_ptr<Normalizer> unicode_form(Form form) { return std::make_unique<UnicodeForm>(form); }
std::unique_ptr<Normalizer> lowercase() { return std::make_unique<EachCharacter>(put_lower); }
std::unique_ptr<Normalizer> strip_accents() { return std::make_unique<EachCharacter>(put_without_mark); }
std::unique_ptr<Normalizer> nmt() { return std::make_unique<EachCharacter>(put_nmt); }
std::unique_ptr<Normalizer> strip(bool left, bool right) { return std::make_unique<Strip>(left, right); }
std::unique_ptr<Normalizer> replace(Regex pattern, std::string content) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}
std::unique_ptr<Normalizer> prepend(std::string text) { return std::make_unique<Prepend>(std::move(text)); }
std::unique_ptr<Normalizer> byte_level_letters() { return std::make_unique<ByteLetters>(); }
std::unique_ptr<Normalizer> precompiled(Charsmap map) { return std::make_unique<Precompiled>(std::move(map)); }
std::unique_ptr<Normalizer> normalizers(Parts<Normalizer> all) { return std::make_unique<Several>(std::move(all)); }
std::unique_ptr<Normalizer> bert_normalizer(const BertNormalizerOptions& options) {
  return std::make_unique<Bert>(options);
}

const std::array<std::string, 256>& byte_letters() {
  static const auto letters = [] {
    std::array<std::string, 256> all;
    char32_t others = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      append(all[static_cast<size_t>(byte)], visible ? static_cast<char32_t>(byte) : others++);
    }
    return all;
  }();
  return letters;
}

std::string to_byte_letters(std::string_view bytes) {
  std::string letters;
  for (const char byte : bytes) letters += byte_letters()[static_cast<uint8_t>(byte)];
  return letters;
}

int byte_of_letter(char32_t letter) {
  static const auto bytes = [] {
    std::array<int, 0x180> all;
    all.fill(-1);
    for (int byte = 0; byte < 256; ++byte) all[character_at(byte_letters()[static_cast<size_t>(byte)], 0).code] = byte;
    return all;
  }();
  return letter < bytes.size() ? bytes[letter] : -1;
}

}  // namespace statera::tokenizers
