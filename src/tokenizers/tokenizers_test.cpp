// The parts by themselves, and files that are wrong.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/charsmap.hpp"
#include "tokenizers/regex.hpp"

namespace statera::tokenizers {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;
using Found = std::vector<std::pair<size_t, size_t>>;

Found all(const Regex& regex, std::string_view text) {
  Found found;
  regex.each(text, [&](size_t begin, size_t end) { found.emplace_back(begin, end); });
  return found;
}
Found all(const char* pattern, std::string_view text) { return all(Regex(pattern), text); }

TEST(Characters, AreReadWholeAndBrokenBytesOneByOne) {
  const std::string_view text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8D\x8E\xC3\x28\xED\xA0\x80\xC0\x80\xF4\x90\x80\x80";
  std::vector<char32_t> codes;
  for (size_t at = 0; at < text.size(); at += character_at(text, at).size) codes.push_back(character_at(text, at).code);
  const char32_t x = broken;
  EXPECT_EQ(codes, (std::vector<char32_t>{'a', 0xE9, 0x20AC, 0x1F34E, x, '(', x, x, x, x, x, x, x, x, x}));
  EXPECT_EQ(first_broken(text), 10u);
  EXPECT_EQ(first_broken("\xC3\xA9"), std::string_view::npos);
  EXPECT_EQ(character_before(text, 10), 6u);
  EXPECT_EQ(character_before(text, 11), 10u);
  EXPECT_EQ(with_replacements("a\xE2\x82z\xE2\x82"), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
}

TEST(Characters, KnowWhatTheLibraryKnows) {
  EXPECT_TRUE(is_white_space(0x3000) && is_white_space(0x85) && is_white_space('\v'));
  EXPECT_FALSE(is_white_space(0x200B) || is_white_space(0x180E) || is_white_space(broken));
  EXPECT_TRUE(is_word('_') && is_word(0xE9) && is_word(0x300) && is_word(0x200D));
  EXPECT_FALSE(is_word('-') || is_word(0xB2));
  EXPECT_TRUE(is_numeric(0xBD) && is_numeric('7'));
  EXPECT_TRUE(is_old_punctuation('$') && is_old_punctuation(0x3002) && is_old_punctuation(0x166D));
  EXPECT_FALSE(is_old_punctuation('a') || is_old_punctuation(' ') || is_old_punctuation(0x2E52));
  EXPECT_TRUE(is_old_mark(0x301) && is_old_mark(0x1CF2));
  EXPECT_FALSE(is_old_mark('a') || is_old_mark(0x8CA));  // later than Unicode 9
  EXPECT_EQ(normalized("\xC3\xA9", Form::nfd), "e\xCC\x81");
  EXPECT_EQ(normalized("e\xCC\x81\xEF\xAC\x81", Form::nfkc),
            "\xC3\xA9"
            "fi");
  EXPECT_EQ(normalized("\xF0\x9F\x84\xAD\xE3\x8B\xBF", Form::nfkc), "CD\xE3\x8B\xBF");  // U+32FF came with Unicode 12.1
  std::string lower;
  for (const char32_t c : {U'A', U'\u0130', U'\u03A3'}) append_lower(lower, c);
  EXPECT_EQ(lower, "ai\xCC\x87\xCF\x83");
}

TEST(Regex, FindsWhatOnigurumaFinds) {
  EXPECT_EQ(all("a*", "baac"), (Found{{0, 0}, {1, 3}, {4, 4}}));
  EXPECT_EQ(all("", "a\xC3\xA9"), (Found{{0, 0}, {1, 1}, {3, 3}}));
  EXPECT_EQ(all("$", "a\nb\n"), (Found{{1, 1}, {3, 3}, {4, 4}}));
  EXPECT_EQ(all("^.", "a\nb"), (Found{{0, 1}, {2, 3}}));
  EXPECT_EQ(all("(?m:.)+", "a\nb"), (Found{{0, 3}}));
  EXPECT_EQ(all("\\h+", "xfF09g"), (Found{{1, 5}}));
  EXPECT_EQ(all("\\w+", "a\xC2\xB2-"), (Found{{0, 3}}));            // a raised digit is a letter outside of brackets,
  EXPECT_EQ(all("[^\\w]", "a\xC2\xB2-"), (Found{{1, 3}, {3, 4}}));  // but not within
  EXPECT_EQ(all("\\s", "\xE1\xA0\x8E\xE3\x80\x80"), (Found{{3, 6}}));
  EXPECT_EQ(all("[a[bc]]+", "abcd"), (Found{{0, 3}}));
  EXPECT_EQ(all("\\p{^L}", "a1"), (Found{{1, 2}}));
  EXPECT_EQ(all("\\p{Han}", "a\xE4\xB8\xAD\xE3\x83\xBC"), (Found{{1, 4}}));
  EXPECT_EQ(all("x{,2}y", "xxxy"), (Found{{1, 4}}));
  EXPECT_EQ(all("[[:punct:]]", "$-a"), (Found{{0, 1}, {1, 2}}));
  EXPECT_EQ(all("\\p{Punct}", "$-a"), (Found{{1, 2}}));
  EXPECT_EQ(all("\\u4e2d|\\bb", "b\xE4\xB8\xAD"), (Found{{0, 1}, {1, 4}}));
  EXPECT_EQ(all(".",
                "a\xFF"
                "b"),
            (Found{{0, 1}, {2, 3}}));  // a broken byte matches nothing
  EXPECT_EQ(all(Regex::literal("a.b"), "a.ba-b"), (Found{{0, 3}}));
}

TEST(Regex, RefusesWhatHasNoCounterpart) {
  for (const char* pattern : {"[a&&b]", "(?~a)", "a{2}+", "a{2}?", "\\y", "[^a[^b]]", "[\\W]", "\\pL", "[[:odd:]]",
                              "a(?i)b|c", "(?i:ss)", "[a-[bc]]", "\\xC3\\xA9"})
    EXPECT_THROW(Regex{pattern}, Error) << pattern;
  for (const char* pattern : {"(", "[a", "a{3,2}", "\\", "\\p{Nonsense}", "*"})
    EXPECT_THROW(Regex{pattern}, Error) << pattern;
  EXPECT_THROW(all("(a|aa)+$", std::string(4000, 'a') + "c"), Error);  // takes for ever
}

TEST(Charsmap, DamagedOnesAreErrorsOrReplaceNothing) {
  EXPECT_THROW(Charsmap("\x04", "x"), Error);
  EXPECT_THROW(Charsmap(std::string("\x05\0\0\0abcdefgh\0", 13), "x"), Error);
  EXPECT_THROW(Charsmap(std::string("\x04\0\0\0abcdefgh", 12), "x"), Error);
  const Charsmap wild(std::string("\x08\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                  "a\0",
                                  14),
                      "x");
  EXPECT_FALSE(wild.longest("abc"));
  EXPECT_EQ(from_base64("aGk=", "x"), "hi");
  for (const char* wrong : {"aGk", "a===", "a*k="}) EXPECT_THROW(from_base64(wrong, "x"), Error) << wrong;
}

json small() {
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"pre_tokenizer", {{"type", "Whitespace"}}},
          {"decoder", nullptr},
          {"model", {{"type", "WordLevel"}, {"vocab", {{"a", 0}, {"b", 1}, {"?", 2}}}, {"unk_token", "?"}}}};
}

json added(const char* content, int id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", false}};
}

// What comes of `change`d files: an error that has this part.
TEST(TokenizerJson, WhatIsNotUnderstoodIsNamed) {
  const auto error = [](const std::function<void(json&)>& change) -> std::string {
    json file = small();
    change(file);
    try {
      Tokenizer::parse(file.dump(), "t.json").encode("a b c");
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const auto expect = [&](const char* part, const std::function<void(json&)>& change) {
    EXPECT_NE(error(change).find(part), std::string::npos) << error(change) << "\nexpected: " << part;
  };
  expect("no error", [](json&) {});
  expect("t.json: 'chat' is not known", [](json& f) { f["chat"] = 1; });
  expect("version '2.0'", [](json& f) { f["version"] = "2.0"; });
  expect("t.json: 'model' is missing", [](json& f) { f.erase("model"); });
  expect("t.json: model: the type 'Neural'", [](json& f) { f["model"]["type"] = "Neural"; });
  expect("model.vocab: the id of 'a' is -1", [](json& f) { f["model"]["vocab"]["a"] = -1; });
  expect("unk_token '!' is not in the vocabulary", [](json& f) { f["model"]["unk_token"] = "!"; });
  expect("normalizer: the type 'NFZ'", [](json& f) { f["normalizer"] = {{"type", "NFZ"}}; });
  expect("normalizer.normalizers[0]: the type 'x'", [](json& f) {
    f["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array({{{"type", "x"}}})}};
  });
  expect("pre_tokenizer: the pattern '('", [](json& f) {
    f["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}, {"invert", false}};
  });
  expect("expected Removed, Isolated", [](json& f) {
    f["pre_tokenizer"] = {{"type", "Punctuation"}, {"behavior", "x"}};
  });
  expect("post_processor: the type 'x'", [](json& f) { f["post_processor"] = {{"type", "x"}}; });
  expect("decoder: 'type' is missing", [](json& f) { f["decoder"] = json::object(); });
  expect("has the id 7, but the next one after the vocabulary is 3",
         [](json& f) { f["added_tokens"].push_back(added("c", 7)); });
  expect("has the id 3, but in the vocabulary it has 0", [](json& f) { f["added_tokens"].push_back(added("a", 3)); });
  expect("occurs twice", [](json& f) {
    f["added_tokens"].push_back(added("c", 3));
    f["added_tokens"].push_back(added("c", 3));
  });
  expect("dropout", [](json& f) {
    f["model"] = {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", json::array()}, {"dropout", 0.1}};
  });
  expect("the merge of 'a' and 'b' needs the token 'ab'", [](json& f) {
    f["model"] = {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", json::array({"a b"})}};
  });
  expect("leaves no room", [](json& f) {
    f["truncation"] = {{"max_length", 1}, {"strategy", "LongestFirst"}, {"stride", 0}};
    f["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"b", 1}}, {"cls", {"a", 0}}};
  });
  expect("is the same as another one once it is normalized", [](json& f) {
    f["normalizer"] = {{"type", "Lowercase"}};
    f["added_tokens"] = json::array({added("<X>", 3), added("<x>", 4)});
    for (json& token : f["added_tokens"]) token["normalized"] = true;
  });
  expect("decoder.suffix: an empty string", [](json& f) { f["decoder"] = {{"type", "BPEDecoder"}, {"suffix", ""}}; });
  expect("is nothing once it is normalized", [](json& f) {
    f["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
    f["added_tokens"].push_back(added(" ", 3));
    f["added_tokens"][0]["normalized"] = true;
  });
}

// The vocabulary has 1025 tokens and leaves ids out. Files of the library's releases 0.13 and 0.23 have the ids from
// 1025 on, those of 0.14 to 0.22 the ones after the highest that is added.
TEST(TokenizerJson, AddedTokensAreCountedAsTheLibraryDid) {
  json file = small();
  json& vocabulary = file["model"]["vocab"];
  for (int i = 3; i < 1024; ++i) vocabulary["t" + std::to_string(i)] = i;
  vocabulary["zzzz"] = 2000;
  const auto with = [&](std::vector<json> tokens) {
    json changed = file;
    changed["added_tokens"] = std::move(tokens);
    return changed.dump();
  };
  const auto ids = [&](std::vector<json> tokens, std::string_view text) {
    return Tokenizer::parse(with(std::move(tokens)), "t.json").encode(text).ids;
  };
  const auto error = [&](std::vector<json> tokens) -> std::string {
    try {
      Tokenizer::parse(with(std::move(tokens)), "t.json");
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(ids({added("zzzz", 2000), added("<a>", 1025), added("<b>", 1026)}, "zzzz<a><b>a"),
            (Ids{2000, 1025, 1026, 0}));
  EXPECT_EQ(ids({added("zzzz", 2000), added("<a>", 2001), added("<b>", 2002)}, "zzzz<a><b>a"),
            (Ids{2000, 2001, 2002, 0}));
  // what is below the number of tokens, or comes later, does not raise them
  EXPECT_EQ(ids({added("a", 0), added("<a>", 1025), added("zzzz", 2000), added("<b>", 2001)}, "<a>zzzz<b>"),
            (Ids{1025, 2000, 2001}));
  EXPECT_EQ(ids({added("<a>", 1025), added("zzzz", 2000), added("<b>", 1026)}, "<a>zzzz<b>"), (Ids{1025, 2000, 1026}));
  EXPECT_EQ(error({added("zzzz", 2000), added("<a>", 1026)}),
            "t.json: added_tokens[1]: the token '<a>' has the id 1026, but the next one after the vocabulary is 1025; "
            "save the file again with the library that wrote it");
  for (const int wrong : {1024, 2000, 2002})
    EXPECT_NE(error({added("zzzz", 2000), added("<a>", wrong)}), "no error") << wrong;
  EXPECT_NE(error({added("<a>", 2001), added("zzzz", 2000)}), "no error");
}

TEST(TokenizerJson, TextMustBeUtf8WhereTheModelReadsCharacters) {
  const Tokenizer tokenizer = Tokenizer::parse(small().dump(), "t.json");
  EXPECT_FALSE(tokenizer.takes_any_bytes());
  try {
    tokenizer.encode("ab\xFF");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "t.json: the text is not UTF-8 at byte 2, and this tokenizer takes characters only; give text");
  }
}

TEST(Tokenizer, ThreadsGiveTheSameIdsAndTheFirstError) {
  const Tokenizer tokenizer = Tokenizer::parse(small().dump(), "t.json");
  std::vector<std::string_view> texts(100, "a b a");
  texts[50] = "b";
  for (const int threads : {1, 3}) {
    const auto encoded = tokenizer.encode_all(texts, {}, threads);
    ASSERT_EQ(encoded.size(), texts.size());
    EXPECT_EQ(encoded[50].ids, Ids{1});
    EXPECT_EQ(encoded[99].ids, (Ids{0, 1, 0}));
  }
  texts[50] = "\xFF";
  EXPECT_THROW(tokenizer.encode_all(texts, {}, 3), Error);
}

// Of many added tokens each is found by its id and by its text. (A look at each of them for each would take far
// longer.)
TEST(Tokenizer, ManyAddedTokensAreFound) {
  constexpr int count = 60'000;
  json file = small();
  for (int i = 0; i < count; ++i) {
    file["added_tokens"].push_back(added(("<" + std::to_string(i) + ">").c_str(), 3 + i));
    file["added_tokens"].back()["special"] = i % 3 == 0;
  }
  file["added_tokens"].push_back(added("b", 1));  // in the vocabulary as well
  const Tokenizer tokenizer = Tokenizer::parse(file.dump(), "t.json");
  for (int i = 0; i < count; ++i) {
    const std::string content = "<" + std::to_string(i) + ">";
    ASSERT_EQ(tokenizer.id_of(content), 3 + i);
    ASSERT_EQ(tokenizer.token_of(3 + i), content);
    ASSERT_EQ(tokenizer.is_special(3 + i), i % 3 == 0);
  }
  for (const char* token : {"a", "b", "?"}) EXPECT_EQ(tokenizer.token_of(*tokenizer.id_of(token)), token);
  EXPECT_FALSE(tokenizer.is_special(1));
  EXPECT_EQ(tokenizer.id_of("<60000>"), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(3 + count), std::nullopt);
  EXPECT_EQ(tokenizer.encode("b<17><59999>a").ids, (Ids{1, 20, 60'002, 0}));
}

// Neither a word without end nor blanks without end take a time that grows with their square.
TEST(Tokenizer, LongTextsTakeLinearTime) {
  json file = small();
  file["model"] = {{"type", "WordPiece"},
                   {"vocab", {{"a", 0}, {"##a", 1}, {"?", 2}}},
                   {"unk_token", "?"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100'000'000}};
  file["pre_tokenizer"] = nullptr;
  file["added_tokens"].push_back(added("<l>", 3));
  file["added_tokens"][0]["lstrip"] = true;
  const Tokenizer tokenizer = Tokenizer::parse(file.dump(), "t.json");
  EXPECT_EQ(tokenizer.encode(std::string(300'000, 'a')).ids.size(), 300'000u);
  std::string blanks;
  for (int i = 0; i < 50'000; ++i) blanks += "<l>  ";
  EXPECT_EQ(tokenizer.encode(blanks).ids.size(), 50'001u);
  // A pattern whose stack does not fit that of the just-in-time compiler is run without it.
  std::string long_word;
  for (int i = 0; i < 100'000; ++i) long_word += "a-1";
  EXPECT_EQ(all("(?:[a-z]|-[0-9])+", long_word).size(), 1u);
}

// What is dropped before the first token is dropped there alone, however many special tokens come in between.
TEST(TokenStream, TheFirstTokenStaysTheFirst) {
  json file = small();
  file["model"]["vocab"] = {{"\xE2\x96\x81"
                             "a",
                             0},
                            {"b", 1},
                            {"?", 2}};
  file["decoder"] = {{"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", "always"}};
  file["added_tokens"].push_back(added("<s>", 3));
  file["added_tokens"][0]["special"] = true;
  const Tokenizer tokenizer = Tokenizer::parse(file.dump(), "t.json");
  Ids ids = {0};
  ids.insert(ids.end(), 200, 3);
  ids.push_back(0);
  TokenStream stream(tokenizer, true);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  EXPECT_EQ(text, "a a");
  EXPECT_EQ(text, tokenizer.decode(ids, true));
}

// Any beginning of any golden file is an error of one line, or a tokenizer.
TEST(Tokenizer, CutFilesAreErrors) {
  namespace fs = std::filesystem;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(test::source_path("tests/golden/tokenizers"))) {
    const std::string path = entry.path().string();
    if (path.find(".jsonl") != path.npos || !path.ends_with(".xz")) continue;
    const std::string whole = test::unpacked(path);
    ++files;
    for (size_t part = 0; part < 40; ++part) try {
        const Tokenizer cut = Tokenizer::parse(whole.substr(0, whole.size() * part / 40), "x");
        cut.encode("abc");
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
  }
  EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace statera::tokenizers
