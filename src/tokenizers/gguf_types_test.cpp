// The types of tokens in GGUF files: which tokens are found in a text, and what they stand for in one. The rules are
// those of llama.cpp (src/llama-vocab.cpp: tokenizer_st_partition, token_to_piece).
#include <gtest/gtest.h>

#include <algorithm>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/gguf.hpp"

namespace statera {
namespace {

using test::Gguf;
using Ids = std::vector<int32_t>;
constexpr int32_t undefined = 0, normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6;

struct Typed {
  std::string text;
  int32_t type;
};
// Of GPT-2's kind, without merges: what is no added token is letters.
Gguf byte_level(const std::vector<Typed>& all, const std::string& model = "") {
  Gguf file;
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  for (const auto& [text, type] : all) {
    tokens.push_back(text);
    types.push_back(type);
  }
  if (!model.empty()) file.text("general.name", model);
  file.text("tokenizer.ggml.model", "gpt2");
  file.text("tokenizer.ggml.pre", "gpt-2");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.numbers("tokenizer.ggml.token_type", types);
  file.texts("tokenizer.ggml.merges", {});
  return file;
}
Tokenizer tokenizer(const std::vector<Typed>& all, const std::string& model = "") {
  return Tokenizer::parse(byte_level(all, model).bytes(), "x.gguf");
}
std::string error_of(const Gguf& file) {
  try {
    Tokenizer::parse(file.bytes(), "x.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

const std::vector<Typed> letters = {{"a", normal}, {"b", normal}, {"c", normal},       {"d", normal},
                                    {"<", normal}, {">", normal}, {"\xC4\xA0", normal}};
std::vector<Typed> with(std::vector<Typed> more) {
  more.insert(more.begin(), letters.begin(), letters.end());
  return more;
}

TEST(GgufTypes, ControlTokensAreFoundIfAllowedAndUserDefinedOnesAlways) {
  const Tokenizer t =
      tokenizer(with({{"<a>", control}, {"<b>", user_defined}, {"<c>", unknown}, {"ab", user_defined}}));
  EXPECT_EQ(t.encode("<a><b><c>cab").ids, (Ids{7, 8, 9, 2, 10}));
  EXPECT_EQ(t.encode("<a><b><c>cab", {.plain = true}).ids, (Ids{4, 0, 5, 8, 4, 2, 5, 2, 10}));
  EXPECT_TRUE(t.is_special(7) && t.is_special(9));
  EXPECT_FALSE(t.is_special(8) || t.is_special(10) || t.is_special(0));
  // One that takes the blanks before it, in the models that were trained so.
  EXPECT_EQ(tokenizer(with({{"[MASK]", control}}), "Modern-BERT").encode("a  [MASK] b").ids, (Ids{0, 7, 6, 1}));
  EXPECT_EQ(tokenizer(with({{"[MASK]", control}})).encode("a [MASK] b").ids, (Ids{0, 6, 7, 6, 1}));
  // A user-defined token is found before the words are cut, and across them.
  EXPECT_EQ(tokenizer(with({{"b a", user_defined}})).encode("ab a").ids, (Ids{0, 7}));
}

TEST(GgufTypes, TheLongestTokenIsFound) {
  // One is the beginning of another, in either order.
  for (const int32_t type : {control, user_defined}) {
    EXPECT_EQ(tokenizer(with({{"<a", type}, {"<a>", type}})).encode("<a><a").ids, (Ids{8, 7}));
    EXPECT_EQ(tokenizer(with({{"<a>", type}, {"<a", type}})).encode("<a><a").ids, (Ids{7, 8}));
    // A longer one further right goes before a shorter one on its left.
    EXPECT_EQ(tokenizer(with({{"ab", type}, {"bcd", type}})).encode("abcd").ids, (Ids{0, 8}));
    // Of equally long ones the first in the list, wherever it is; of one token the leftmost place.
    EXPECT_EQ(tokenizer(with({{"bc", type}, {"ab", type}})).encode("abc").ids, (Ids{0, 7}));
    EXPECT_EQ(tokenizer(with({{"ab", type}, {"bc", type}})).encode("abc").ids, (Ids{7, 2}));
    EXPECT_EQ(tokenizer(with({{"aa", type}})).encode("aaaaa").ids, (Ids{7, 7, 0}));
  }
  // A control token that is text hides no user-defined one, neither within it nor beside it.
  const Tokenizer hidden = tokenizer(with({{"<a><b>", control}, {"<a>", user_defined}, {"<b", user_defined}}));
  EXPECT_EQ(hidden.encode("<a><b>").ids, Ids{7});
  EXPECT_EQ(hidden.encode("<a><b>", {.plain = true}).ids, (Ids{8, 9, 5}));
}

// Step by step as llama.cpp does it: for each token, the longest first, all places in what is still text.
Ids step_by_step(const std::vector<Typed>& all, std::string_view text, bool plain, bool takes_blanks) {
  struct Part {
    std::string text;
    int32_t id;
  };
  std::vector<Part> parts = {{std::string(text), -1}};
  std::vector<size_t> order;
  for (size_t id = 0; id < all.size(); ++id)
    if (all[id].type == user_defined || (all[id].type == control && !plain)) order.push_back(id);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return all[a].text.size() > all[b].text.size(); });
  for (const size_t id : order) {
    std::vector<Part> next;
    for (Part& part : parts) {
      for (size_t at; part.id < 0 && (at = part.text.find(all[id].text)) != std::string::npos;) {
        if (at > 0) next.push_back({part.text.substr(0, at), -1});
        next.push_back({"", static_cast<int32_t>(id)});
        part.text.erase(0, at + all[id].text.size());
        if (takes_blanks) part.text.erase(0, part.text.find_first_not_of(" \n"));
      }
      if (part.id >= 0 || !part.text.empty()) next.push_back(part);
    }
    parts = std::move(next);
  }
  Ids ids;
  for (const Part& part : parts) {
    if (part.id >= 0) ids.push_back(part.id);
    for (const char c : part.text)
      for (size_t id = 0; id < letters.size(); ++id)
        if (letters[id].text == (c == ' ' ? "\xC4\xA0" : std::string(1, c))) ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

TEST(GgufTypes, ManyTokensAreFoundAsStepByStep) {
  uint32_t x = 3;
  const auto random = [&x](uint32_t below) { return ((x = x * 1664525 + 1013904223) >> 8) % below; };
  const auto random_text = [&](size_t size) {
    std::string text;
    while (text.size() < size) text += "ab<  "[random(5)];
    return text;
  };
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Typed> all = letters;
    for (uint32_t more = 1 + random(6); more > 0; --more)
      if (std::string text = random_text(1 + random(4));
          std::ranges::none_of(all, [&](const Typed& one) { return one.text == text; }))
        all.push_back({std::move(text), random(3) == 0 ? control : user_defined});
    for (const bool takes_blanks : {false, true}) {
      const Tokenizer t = tokenizer(all, takes_blanks ? "Phi-3 mini" : "");
      for (const bool plain : {false, true}) {
        const std::string text = random_text(random(60));
        const Ids ids = t.encode(text, {.plain = plain}).ids;
        ASSERT_EQ(ids, step_by_step(all, text, plain, takes_blanks)) << text << round;
        found += static_cast<int>(std::ranges::count_if(ids, [](int32_t id) { return id >= std::ssize(letters); }));
      }
    }
  }
  EXPECT_GT(found, 2000);
}

// A long run of what several tokens are made of takes a time that grows with its length alone.
TEST(GgufTypes, LongRunsOfBlanks) {
  std::vector<Typed> all = letters;
  for (size_t size = 2; size <= 32; ++size) all.push_back({std::string(size, ' '), user_defined});
  const Ids ids = tokenizer(all).encode(std::string(1'000'000 - 2, ' ')).ids;
  EXPECT_EQ(ids.size(), 31'250u);
  EXPECT_EQ(ids.front(), 7 + 30);
  EXPECT_EQ(ids.back(), 7 + 28);
}

TEST(GgufTypes, TokensDecodeByTheirType) {
  const Tokenizer t = tokenizer({{"\xC4\xA0"
                                  "a",
                                  normal},                  // a blank's letter
                                 {"\xC3\xA9", normal},      // the letter of byte E9
                                 {"\xC4\xA0<s>", control},  // what control, unknown and user-defined tokens say
                                 {"\xC4\xA0<u>", unknown},  // is no letters
                                 {"\xC3\xA9!", user_defined},
                                 {"<0xC3>", byte},
                                 {"<0xa9>", byte},
                                 {"<0x41>", normal},
                                 {"[PAD1]", unused},
                                 {"[PAD2]", undefined}});
  const auto bytes = [&](int32_t id) { return t.decode_bytes(Ids{id}); };
  EXPECT_EQ(bytes(0), " a");
  EXPECT_EQ(bytes(1), "\xE9");
  EXPECT_EQ(bytes(2), "\xC4\xA0<s>");
  EXPECT_EQ(bytes(3), "\xC4\xA0<u>");
  EXPECT_EQ(bytes(4), "\xC3\xA9!");
  EXPECT_EQ(bytes(5), "\xC3");
  EXPECT_EQ(bytes(7), "<0x41>");
  EXPECT_EQ(bytes(8) + bytes(9), "");
  EXPECT_EQ(t.decode(Ids{5, 6, 5}), "\xC3\xA9\xEF\xBF\xBD");
  EXPECT_EQ(t.decode_bytes(Ids{2, 0, 3, 4}, true), " a\xC3\xA9!");
  EXPECT_EQ(t.token_of(0),
            "\xC4\xA0"
            "a");  // as the file spells it
  EXPECT_THROW(t.decode(Ids{10}), Error);
  EXPECT_THROW(t.decode(Ids{-1}), Error);
  // Special tokens are left out by id: this normal token says the same as one.
  const Tokenizer twins = tokenizer({{" a", control},
                                     {"\xC4\xA0"
                                      "a",
                                      normal}});
  EXPECT_EQ(twins.decode(Ids{0, 1}, true), " a");
  TokenStream stream(t);
  std::string text;
  for (const int32_t id : {0, 5, 6, 8, 4}) text += stream.push(id) + "|";
  EXPECT_EQ(text, " a||\xC3\xA9||\xC3\xA9!|");
}

TEST(GgufTypes, SentencePieceTokensDecodeByTheirType) {
  Gguf file;
  file.text("tokenizer.ggml.model", "llama");
  file.texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "\xE2\x96\x81", "a",
                                       "\xE2\x96\x81"
                                       "a",
                                       "<0x41>", "\xE2\x96\x81<x>", "<pad>", "  "});
  file.reals("tokenizer.ggml.scores", {0, 0, 0, -1, -2, -3, -4, 0, 0, 0});
  file.numbers("tokenizer.ggml.token_type",
               {unknown, control, control, normal, normal, normal, normal, user_defined, unused, user_defined});
  const Tokenizer t = Tokenizer::parse(file.bytes(), "x.gguf");
  EXPECT_EQ(t.decode_bytes(Ids{5, 5}), "a a");
  EXPECT_EQ(t.decode_bytes(Ids{5, 6, 7, 8, 5}), "a<0x41>\xE2\x96\x81<x> a");
  EXPECT_EQ(t.decode_bytes(Ids{1, 5}), "<s> a");
  EXPECT_EQ(t.decode_bytes(Ids{1, 5, 2}, true), "a");
  // Two blanks are one token before blanks become signs, and the text behind begins anew.
  EXPECT_EQ(t.encode("a  a", {.specials = false}).ids, (Ids{5, 9, 5}));
}

TEST(GgufTypes, WhatIsNotKnownIsNamed) {
  EXPECT_EQ(error_of(byte_level({{"a", normal}, {"b", 7}})), "x.gguf: the token 'b' has the type 7; expected 0 to 6");
  EXPECT_EQ(error_of(byte_level({{"a", -1}})), "x.gguf: the token 'a' has the type -1; expected 0 to 6");
  EXPECT_EQ(error_of(byte_level({{"a", byte}})), "x.gguf: the byte token 'a' does not have the form <0x00>");
  EXPECT_NE(error_of(byte_level({{"<a>", control}, {"<a>", user_defined}})).find("'<a>' is the same"),
            std::string::npos)
      << error_of(byte_level({{"<a>", control}, {"<a>", user_defined}}));
}

}  // namespace
}  // namespace statera
