#include "tokenizers/pre_tokenizers.hpp"

#include <unicode/uscript.h>

#include <utility>

#include "tokenizers/characters.hpp"
#include "tokenizers/normalizers.hpp"

namespace statera::tokenizers {

namespace {

// A part of a piece, and whether it is one of the places to split at.
struct Section {
  size_t begin, end;
  bool match;
};

// Replaces each piece that is not a token yet by the pieces that cut(view, sections) leaves. Empty ones are left out.
template <class Cut>
void split_pieces(Pieces& pieces, Cut cut) {
  std::vector<Piece> all;
  all.reserve(pieces.pieces.size() * 2);
  std::vector<Section> sections;
  for (const Piece& piece : pieces.pieces) {
    if (piece.id >= 0) {
      all.push_back(piece);
      continue;
    }
    sections.clear();
    cut(pieces[piece], sections);
    for (const Section& section : sections)
      if (section.begin < section.end)
        all.push_back({piece.begin + section.begin, piece.begin + section.end, piece.first_ends});
  }
  pieces.pieces = std::move(all);
}

// Joins or drops sections as the behavior says.
void arrange(std::vector<Section>& sections, Behavior behavior) {
  if (behavior == Behavior::isolated) return;
  if (behavior == Behavior::removed) {
    std::erase_if(sections, [](const Section& section) { return section.match; });
    return;
  }
  const bool backwards = behavior == Behavior::merged_with_next;
  if (backwards) std::reverse(sections.begin(), sections.end());
  std::vector<Section> joined;
  bool previous = false;
  for (const Section& section : sections) {
    const bool joins = behavior == Behavior::contiguous ? section.match == previous : section.match && !previous;
    if (!joins || joined.empty())
      joined.push_back(section);
    else if (backwards)
      joined.back().begin = section.begin;
    else
      joined.back().end = section.end;
    previous = section.match;
  }
  if (backwards) std::reverse(joined.begin(), joined.end());
  sections = std::move(joined);
}

class Split : public PreTokenizer {
 public:
  Split(Regex pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](std::string_view text, std::vector<Section>& sections) {
      size_t done = 0;
      pattern_.each(text, [&](size_t begin, size_t end) {
        if (done != begin) sections.push_back({done, begin, invert_});
        sections.push_back({begin, end, !invert_});
        done = end;
      });
      if (done != text.size()) sections.push_back({done, text.size(), invert_});
      arrange(sections, behavior_);
    });
  }

 private:
  Regex pattern_;
  Behavior behavior_;
  bool invert_;
};

// Splits at single characters.
template <class Is>
class SplitAt : public PreTokenizer {
 public:
  SplitAt(Is is, Behavior behavior) : is_(is), behavior_(behavior) {}
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](std::string_view text, std::vector<Section>& sections) {
      size_t done = 0;
      for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text, at);
        if (is_(c.code)) {
          if (done < at) sections.push_back({done, at, false});
          sections.push_back({at, at + c.size, true});
          done = at + c.size;
        }
        at += c.size;
      }
      if (done < text.size()) sections.push_back({done, text.size(), false});
      arrange(sections, behavior_);
    });
  }

 private:
  Is is_;
  Behavior behavior_;
};

class Whitespace : public PreTokenizer {
 public:
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [](std::string_view text, std::vector<Section>& sections) {
      int before = -1;
      for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text, at);
        const int kind = is_white_space(c.code) || c.code == broken ? 0 : is_word(c.code) ? 1 : 2;
        if (kind != 0 && kind == before)
          sections.back().end += c.size;
        else if (kind != 0)
          sections.push_back({at, at + c.size, true});
        before = kind;
        at += c.size;
      }
    });
  }
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(size_t characters) : characters_(characters) {}
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](std::string_view text, std::vector<Section>& sections) {
      size_t count = 0;
      for (size_t at = 0; at < text.size();) {
        const size_t size = character_at(text, at).size;
        if (count++ % characters_ == 0) sections.push_back({at, at, true});
        sections.back().end = at += size;
      }
    });
  }

 private:
  size_t characters_;
};

// A piece begins where the script changes. Kana counts as Han, and a blank has none. What stands before the first
// change of a piece that begins without a script is left out, as the library does.
class UnicodeScripts : public PreTokenizer {
 public:
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [](std::string_view text, std::vector<Section>& sections) {
      std::optional<int> last;
      for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text, at);
        const int script = script_for(c.code);
        if (script != any && script != last) sections.push_back({at, at, true});
        if (script != any) last = script;
        at += c.size;
        if (!sections.empty()) sections.back().end = at;
      }
    });
  }

 private:
  static constexpr int any = -1;
  static int script_for(char32_t c) {
    if (c == ' ') return any;
    const int script = old_script_of(c);
    if (script == USCRIPT_UNKNOWN) return any;
    const bool kana = script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || c == 0x30FC;
    return kana ? static_cast<int>(USCRIPT_HAN) : script;
  }
};

// Writes the pieces anew: what prefix(piece, view) returns, and what put(out, byte) appends for each byte.
template <class Prefix, class Put>
void rewrite(Pieces& pieces, Prefix prefix, Put put) {
  std::string out;
  out.reserve(pieces.text.size() + pieces.text.size() / 4);
  for (Piece& piece : pieces.pieces) {
    if (piece.id >= 0) continue;
    const std::string_view text = pieces[piece];
    const size_t begin = out.size(), first = std::clamp(piece.first_ends, piece.begin, piece.end) - piece.begin;
    out += prefix(piece, text);
    for (const char byte : text.substr(0, first)) put(out, byte);
    const size_t first_ends = first > 0 ? out.size() : 0;
    for (const char byte : text.substr(first)) put(out, byte);
    piece = {begin, out.size(), first_ends};
  }
  pieces.text = std::move(out);
}

void put_byte(std::string& out, char byte) { out += byte; }

class PrefixBlank : public PreTokenizer {
 public:
  void split(Pieces& pieces) const override {
    const auto prefix = [](const Piece&, std::string_view text) { return text.starts_with(' ') ? "" : " "; };
    rewrite(pieces, prefix, put_byte);
  }
};

class ByteLettersOfPieces : public PreTokenizer {
 public:
  void split(Pieces& pieces) const override {
    const auto prefix = [](const Piece&, std::string_view) { return ""; };
    rewrite(pieces, prefix, [](std::string& out, char byte) { out += byte_letters()[static_cast<uint8_t>(byte)]; });
  }
};

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const MetaspaceOptions& options)
      : options_(options),
        split_(options.split ? tokenizers::split(Regex::literal(options.replacement), Behavior::merged_with_next, false)
                             : nullptr) {}
  void split(Pieces& pieces) const override {
    const std::string_view mark = options_.replacement;
    const auto prefix = [&](const Piece& piece, std::string_view text) {
      const bool wanted =
          options_.prepend == Prefixed::always || (options_.prepend == Prefixed::first && piece.begins_input());
      return wanted && !text.starts_with(mark) && !text.starts_with(' ') ? mark : "";
    };
    rewrite(pieces, prefix, [&](std::string& out, char byte) {
      if (byte == ' ')
        out += mark;
      else
        out += byte;
    });
    if (split_) split_->split(pieces);
  }

 private:
  MetaspaceOptions options_;
  std::unique_ptr<PreTokenizer> split_;
};

}  // namespace

std::unique_ptr<PreTokenizer> split(Regex pattern, Behavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}
std::unique_ptr<PreTokenizer> split_at(Which which, Behavior behavior) {
  return std::make_unique<SplitAt<Which>>(which, behavior);
}
std::unique_ptr<PreTokenizer> split_at_character(char32_t c, Behavior behavior) {
  const auto is = [c](char32_t other) { return other == c; };
  return std::make_unique<SplitAt<decltype(is)>>(is, behavior);
}
std::unique_ptr<PreTokenizer> whitespace() { return std::make_unique<Whitespace>(); }
std::unique_ptr<PreTokenizer> fixed_length(size_t characters) { return std::make_unique<FixedLength>(characters); }
std::unique_ptr<PreTokenizer> unicode_scripts() { return std::make_unique<UnicodeScripts>(); }
std::unique_ptr<PreTokenizer> prefix_blank() { return std::make_unique<PrefixBlank>(); }
std::unique_ptr<PreTokenizer> byte_letters_of_pieces() { return std::make_unique<ByteLettersOfPieces>(); }
std::unique_ptr<PreTokenizer> metaspace(const MetaspaceOptions& options) {
  return std::make_unique<Metaspace>(options);
}

}  // namespace statera::tokenizers
