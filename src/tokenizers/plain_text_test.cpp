// Text that is taken as plain text gives no special token, whatever the vocabulary holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/gguf.hpp"

namespace statera {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

json special(const char* content, int id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

json file(json model, std::initializer_list<json> specials) {
  return {{"version", "1.0"},
          {"added_tokens", json::array_t(specials)},
          {"pre_tokenizer", nullptr},
          {"decoder", nullptr},
          {"model", std::move(model)}};
}

// Byte-level BPE, of texts that are not cut into words.
json byte_level(json vocabulary, std::vector<const char*> merges, std::initializer_list<json> specials,
                bool ignore_merges = false) {
  json all = file({{"type", "BPE"},
                   {"vocab", std::move(vocabulary)},
                   {"merges", std::move(merges)},
                   {"ignore_merges", ignore_merges}},
                  specials);
  all["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  all["decoder"] = {{"type", "ByteLevel"}};
  return all;
}

Tokenizer parsed(const json& file) { return Tokenizer::parse(file.dump(), "t.json"); }
Ids plain(const Tokenizer& tokenizer, std::string_view text) { return tokenizer.encode(text, {.plain = true}).ids; }

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The whole text is a token of the vocabulary.
TEST(PlainText, OfBpeThatIgnoresMerges) {
  const json one = byte_level({{"<", 0}, {"|", 1}, {"e", 2}, {">", 3}, {"<|e|>", 4}, {"|e", 5}}, {"| e"},
                              {special("<|e|>", 4)}, true);
  const Tokenizer tokenizer = parsed(one);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(tokenizer.encode("<|e|>").ids, Ids{4});
    EXPECT_EQ(plain(tokenizer, "<|e|>"), (Ids{0, 5, 1, 3}));
    EXPECT_EQ(plain(tokenizer, "|e"), Ids{5});
  }
  // train, score and generate read in this way
  const auto units = token_units(one.dump(), "t.json");
  EXPECT_EQ(units->ids("<|e|>"), (Ids{0, 5, 1, 3}));
  EXPECT_EQ(units->encode("<|e|>").bytes, (Ids{1, 2, 1, 1}));
  EXPECT_EQ(token_units_with_specials(one.dump(), "t.json")->ids("<|e|>"), Ids{4});
}

// A special token that merges make falls back into what it was merged of, also within what is special itself.
TEST(PlainText, OfBpeWhoseMergesMakeASpecialToken) {
  json vocabulary = {{"<", 0}, {"e", 1}, {">", 2}, {"<e", 3}, {"<e>", 4}, {"<e><e>", 5}};
  const std::vector<const char*> merges = {"< e", "<e >", "<e> <e>"};
  const Tokenizer one = parsed(byte_level(vocabulary, merges, {special("<e>", 4)}));
  EXPECT_EQ(one.encode("<e>").ids, Ids{4});
  EXPECT_EQ(plain(one, "<e>"), (Ids{3, 2}));
  EXPECT_EQ(plain(one, "<e><e><e>"), (Ids{5, 3, 2}));
  const Tokenizer three =
      parsed(byte_level(vocabulary, merges, {special("<e>", 4), special("<e", 3), special("<e><e>", 5)}));
  EXPECT_EQ(plain(three, "<e><e><e>"), (Ids{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  std::string many;
  for (int i = 0; i < 200; ++i) many += "<e>";
  EXPECT_EQ(plain(three, many).size(), 600u);
}

// Tokens that share an id, and a merge with nothing, could be taken apart for ever.
TEST(PlainText, TakingApartComesToAnEnd) {
  const Tokenizer tokenizer = parsed(byte_level({{"a", 0}, {"b", 1}, {"ab", 0}, {"", 2}, {"bb", 3}},
                                                {"a b", "b ", " b", "b b"}, {special("ab", 0), special("bb", 3)}));
  EXPECT_EQ(plain(tokenizer, "bbb"), (Ids{1, 1, 1}));
  EXPECT_NE(error_of([&] { plain(tokenizer, "ab"); }).find("is special"), std::string::npos);
}

TEST(PlainText, ALetterThatHasNoOtherTokenIsAnError) {
  const json one = byte_level({{"a", 0}, {"!", 1}, {"!!", 2}}, {"! !"}, {special("!", 1)});
  const Tokenizer tokenizer = parsed(one);
  EXPECT_EQ(tokenizer.encode("a!").ids, (Ids{0, 1}));
  EXPECT_EQ(plain(tokenizer, "a!!"), (Ids{0, 2}));
  EXPECT_EQ(error_of([&] { plain(tokenizer, "a!"); }),
            "t.json: model: the text has '!', whose token 1 is special, and no other token stands for it, so it cannot "
            "be read as plain text; take a tokenizer in which that token is not special");
  const auto units = token_units(one.dump(), "t.json");
  EXPECT_EQ(units->ids("a!!a"), (Ids{0, 2, 0}));
  EXPECT_NE(error_of([&] { units->ids("a!"); }).find("has '!', whose token 1 is special"), std::string::npos);
  EXPECT_NE(error_of([&] { units->encode("a!"); }).find("has '!', whose token 1 is special"), std::string::npos);
}

TEST(PlainText, OfBpeOverCharacters) {
  json model = {{"type", "BPE"},
                {"vocab", {{"a", 0}, {"x", 1}, {"<0x78>", 2}, {"?", 3}, {"<?>", 4}, {"<", 5}, {">", 6}, {"<?", 7}}},
                {"merges", {"< ?", "<? >"}},
                {"byte_fallback", true},
                {"unk_token", nullptr}};
  const auto specials = {special("x", 1), special("<?>", 4)};
  EXPECT_EQ(plain(parsed(file(model, specials)), "ax<?>"), (Ids{0, 2, 7, 6}));
  // without bytes it is unknown; the unknown token's own text is not
  model["byte_fallback"] = false;
  model["unk_token"] = "<?>";
  const Tokenizer tokenizer = parsed(file(model, specials));
  EXPECT_EQ(plain(tokenizer, "ax<?>"), (Ids{0, 4, 7, 6}));
  EXPECT_EQ(plain(tokenizer, "a\xC3\xA9<?>"), (Ids{0, 4, 7, 6}));
  EXPECT_EQ(tokenizer.encode("ax<?>").ids, (Ids{0, 1, 4}));
}

TEST(PlainText, OfUnigram) {
  json vocabulary = json::array();
  const std::pair<const char*, double> tokens[] = {{"<unk>", 0}, {"a", -1}, {"</s>", 0}, {" ", -1},        {"b", -1},
                                                   {"<", -5},    {"/", -5}, {"s", -5},   {">", -5},        {"/s", -6},
                                                   {"u", -5},    {"n", -5}, {"k", -5},   {"\xC3\xA9", -2}, {"zz", 0}};
  for (const auto& [token, score] : tokens) vocabulary.push_back(json::array({token, score}));
  const json one = file({{"type", "Unigram"}, {"vocab", vocabulary}, {"unk_id", 0}},
                        {special("<unk>", 0), special("</s>", 2), special("\xC3\xA9", 13), special("zz", 14)});
  const Tokenizer tokenizer = parsed(one);
  EXPECT_EQ(tokenizer.encode("a </s> b").ids, (Ids{1, 3, 2, 3, 4}));
  EXPECT_EQ(plain(tokenizer, "a </s> b"), (Ids{1, 3, 5, 9, 8, 3, 4}));
  EXPECT_EQ(plain(tokenizer, "<unk>"), (Ids{5, 10, 11, 12, 8}));
  EXPECT_EQ(tokenizer.encode("azz").ids, (Ids{1, 14}));
  EXPECT_EQ(plain(tokenizer, "azz"), (Ids{1, 0})) << "unknown letters that together are a special token";
  EXPECT_EQ(plain(tokenizer, "a\xC3\xA9\xC3\xA8"), (Ids{1, 0})) << "only what is unknown is";
  const auto units = token_units(one.dump(), "t.json");
  EXPECT_EQ(units->ids("a </s> b"), (Ids{1, 3, 5, 9, 8, 3, 4}));
  EXPECT_NE(
      error_of([&] { units->ids("a\xC3\xA8"); }).find("t.json: a part of the text became the special token '<unk>'"),
      std::string::npos);
}

TEST(PlainText, OfModelsThatLookUpWords) {
  const Tokenizer words = parsed(file(
      {{"type", "WordLevel"}, {"vocab", {{"a", 0}, {"[S]", 1}, {"?", 2}}}, {"unk_token", "?"}}, {special("[S]", 1)}));
  EXPECT_EQ(words.encode("[S]").ids, Ids{1});
  EXPECT_EQ(plain(words, "[S]"), Ids{2});
  EXPECT_EQ(plain(words, "a"), Ids{0});
  json shared = file({{"type", "WordLevel"}, {"vocab", {{"a", 0}, {"<s>", 0}, {"?", 1}}}, {"unk_token", "?"}},
                     {special("<s>", 0), special("a", 0)});
  shared["added_tokens"][1]["special"] = false;
  EXPECT_EQ(parsed(shared).encode("a").ids, Ids{0});
  EXPECT_EQ(plain(parsed(shared), "a"), Ids{1}) << "its id is that of a special token";
  const Tokenizer parts = parsed(file({{"type", "WordPiece"},
                                       {"vocab", {{"[", 0}, {"[S]", 1}, {"?", 2}, {"##S", 3}, {"##]", 4}}},
                                       {"unk_token", "?"},
                                       {"continuing_subword_prefix", "##"},
                                       {"max_input_chars_per_word", 100}},
                                      {special("[S]", 1)}));
  EXPECT_EQ(parts.encode("[S]").ids, Ids{1});
  EXPECT_EQ(plain(parts, "[S]"), (Ids{0, 3, 4}));
}

// A special token that has to stand alone is a word for the model elsewhere, and is remembered as such.
TEST(PlainText, RemembersWordsOfItsOwn) {
  json one = file({{"type", "WordPiece"},
                   {"vocab", {{"hi", 0}, {"h", 1}, {"##i", 2}, {"_", 3}, {"?", 4}}},
                   {"unk_token", "?"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100}},
                  {special("hi", 0)});
  one["added_tokens"][0]["single_word"] = true;
  one["pre_tokenizer"] = {{"type", "Punctuation"}, {"behavior", "Isolated"}};
  const Tokenizer tokenizer = parsed(one);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(tokenizer.encode("hi_").ids, (Ids{0, 3}));
    EXPECT_EQ(plain(tokenizer, "hi_"), (Ids{1, 2, 3}));
  }
}

// A control token of one letter is a token of the model as well.
TEST(PlainText, OfGguf) {
  constexpr int32_t normal = 1, unknown = 2, control = 3;
  test::Gguf llama;
  llama.text("tokenizer.ggml.model", "llama");
  llama.texts("tokenizer.ggml.tokens", {"<unk>", "a", "x", "b"});
  llama.reals("tokenizer.ggml.scores", {0, -1, -2, -3});
  llama.numbers("tokenizer.ggml.token_type", {unknown, normal, control, normal});
  llama.flag("tokenizer.ggml.add_space_prefix", false);
  llama.flag("tokenizer.ggml.add_bos_token", false);
  const Tokenizer letters = Tokenizer::parse(llama.bytes(), "x.gguf");
  EXPECT_EQ(letters.encode("axb").ids, (Ids{1, 2, 3}));
  EXPECT_EQ(plain(letters, "axb"), (Ids{1, 0, 3}));
  test::Gguf rwkv;
  rwkv.text("tokenizer.ggml.model", "rwkv");
  rwkv.texts("tokenizer.ggml.tokens", {"ab", "a", "b"});
  rwkv.numbers("tokenizer.ggml.token_type", {unknown, normal, normal});
  EXPECT_EQ(plain(Tokenizer::parse(rwkv.bytes(), "x.gguf"), "aab"), (Ids{1, 1, 2}));
}

// Whatever the text is, the units of a model give no special token or an error.
TEST(PlainText, OfUnitsIsNeverSpecial) {
  const json vocabulary = {{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}, {"ba", 4}, {"abab", 5}, {"bb", 6}};
  uint32_t state = 1;
  const auto draw = [&](uint32_t most) { return ((state = state * 1664525 + 1013904223) >> 16) % most; };
  const std::vector<const char*> names = {"a", "b", "ab", "aba", "ba", "abab", "bb"};
  int encoded = 0, refused = 0;
  for (int round = 0; round < 300; ++round) {
    json one = byte_level(vocabulary, {"a b", "ab a", "b a", "ab ab", "b b"}, {}, round % 2 == 0);
    for (size_t id = 0; id < names.size(); ++id)
      if (draw(4) == 0) one["added_tokens"].push_back(special(names[id], static_cast<int>(id)));
    const auto units = token_units(one.dump(), "t.json");
    std::string text;
    for (uint32_t i = draw(120); i > 0; --i) text += draw(2) ? 'a' : 'b';
    try {
      const Ids ids = units->ids(text);
      EXPECT_TRUE(std::none_of(ids.begin(), ids.end(), [&](int32_t id) { return units->ends_text(id); })) << text;
      const UnitIds with_bytes = units->encode(text);
      EXPECT_EQ(with_bytes.ids, ids);
      const auto reader = units->reader();
      std::string back;
      for (const int32_t id : ids) back += reader->push(id);
      EXPECT_EQ(back, text);
      ++encoded;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("is special"), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(encoded, 50);
  EXPECT_GT(refused, 50);
}

// Rows that are filled up are no text.
TEST(PlainText, OfUnitsIsNotFilledUp) {
  json one = byte_level({{"a", 0}, {"<p>", 1}}, {}, {special("<p>", 1)});
  one["padding"] = {
      {"strategy", {{"Fixed", 4}}}, {"direction", "Right"}, {"pad_to_multiple_of", nullptr}, {"pad_id", 1},
      {"pad_type_id", 0},           {"pad_token", "<p>"}};
  EXPECT_EQ(parsed(one).encode("a").ids, (Ids{0, 1, 1, 1}));
  for (const auto& of : {token_units, token_units_with_specials}) {
    const auto units = of(one.dump(), "t.json");
    EXPECT_EQ(units->ids("a"), Ids{0});
    EXPECT_EQ(units->encode("aa").bytes, (Ids{1, 1}));
  }
}

// A prompt, a text to score and training text are read to their end. The file asks for fewer tokens, and encode()
// obeys.
TEST(PlainText, OfUnitsIsNotCut) {
  json one = byte_level({{"a", 0}, {"b", 1}}, {}, {});
  for (const char* strategy : {"LongestFirst", "OnlyFirst", "OnlySecond"}) {
    one["truncation"] = {{"direction", "Right"}, {"max_length", 2}, {"strategy", strategy}, {"stride", 0}};
    if (std::string(strategy) != "OnlySecond") {
      EXPECT_EQ(parsed(one).encode("abba").ids, (Ids{0, 1}));
    }
    for (const auto& of : {token_units, token_units_with_specials}) {
      const auto units = of(one.dump(), "t.json");
      EXPECT_EQ(units->ids("abba"), (Ids{0, 1, 1, 0})) << strategy;
      EXPECT_EQ(units->encode("abba").bytes, (Ids{1, 1, 1, 1})) << strategy;
      EXPECT_EQ(units->file(), one.dump()) << "the folder of a model carries the file as it is";
    }
  }
}

}  // namespace
}  // namespace statera
