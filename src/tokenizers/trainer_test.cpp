// Training: the merges of the library, whatever the threads and the pieces of the text.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"
#include "tokenizers/trained_here.hpp"

namespace statera {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

std::string trained(std::string_view text, const TokenizerTrainingOptions& options) {
  TokenizerTrainer trainer(options);
  trainer.add(text);
  return trainer.finish();
}

TEST(TokenizerTrainer, MakesTheMergesOfTheLibrary) {
  const std::string text = test::unpacked(test::source_path("data/tinyshakespeare.txt.xz"));
  const std::string file = trained(text, {.vocabulary = 768});
  const json golden =
      json::parse(test::unpacked(test::source_path("tests/golden/tokenizers/trained/tinyshakespeare.json")));
  ASSERT_EQ(golden.size(), 511u);
  EXPECT_TRUE(json::parse(file)["model"]["merges"] == golden);
  EXPECT_TRUE(trained(text, {.vocabulary = 768, .threads = 3}) == file);
  const Tokenizer tokenizer = Tokenizer::parse(file, "t.json");
  EXPECT_EQ(tokenizer.vocabulary_size(), 768);
  EXPECT_EQ(tokenizer.encode("<|endoftext|>").ids, Ids{767});
  EXPECT_TRUE(tokenizer.is_special(767));
  EXPECT_TRUE(tokenizer.takes_any_bytes());
  EXPECT_TRUE(tokenizer.decode_bytes(tokenizer.encode(text).ids) == text);
}

TEST(TokenizerTrainer, CountsOverChunksAsOverTheWhole) {
  std::string text;
  uint32_t x = 1;
  while (text.size() < (size_t{5} << 20)) {
    x = x * 1664525 + 1013904223;
    text += "word" + std::to_string(x >> 20) + (x & 1024 ? "\n\n" : "  ");
  }
  TokenizerTrainer pieces({.vocabulary = 600});
  for (size_t at = 0; at < text.size();) {  // documents that end where a blank begins
    size_t end = std::min(text.size(), at + 777'777);
    while (end < text.size() && (text[end] != ' ' || text[end - 1] == ' ')) ++end;
    pieces.add(std::string_view(text).substr(at, end - at));
    at = end;
  }
  EXPECT_TRUE(pieces.finish() == trained(text, {.vocabulary = 600}));
}

// However a document is cut into pieces, and although it is longer than what is kept of it: no word is cut, and the
// same rare words are forgotten.
TEST(TokenizerTrainer, PiecesOfADocumentCountAsTheWhole) {
  std::string text;
  uint32_t x = 1;
  const auto random = [&x](int bits) { return (x = x * 1664525 + 1013904223) >> (32 - bits); };
  const auto add_words = [&](size_t end) {
    while (text.size() < end)
      (text += (random(1) ? " \xC3\xA9" : "\n  w") + std::string(50, 'w')) += std::to_string(random(12));
  };
  add_words(size_t{22} << 20);
  while (text.size() < (size_t{40} << 20)) text += "ACGT"[random(2)];  // longer than any chunk, without a blank
  add_words(size_t{41} << 20);
  const TokenizerTrainingOptions options{.vocabulary = 400, .threads = 2, .most_words = 2000};
  TokenizerTrainer whole(options);
  whole.add(text);
  whole.add("the end");
  const std::string file = whole.finish();
  EXPECT_GT(whole.forgotten(), 0);
  TokenizerTrainer pieces(options);
  constexpr size_t size = 1'000'003;
  for (size_t at = 0; at < text.size(); at += size) pieces.add_piece(std::string_view(text).substr(at, size));
  pieces.add("the end");
  EXPECT_TRUE(pieces.finish() == file);
  EXPECT_EQ(pieces.forgotten(), whole.forgotten());
  // finish() ends a document, too, and a word that ends one does not go on in the next.
  TokenizerTrainer two({.vocabulary = 300}), one({.vocabulary = 300});
  two.add_piece("ab");
  two.add_piece("c abc");
  two.end_document();
  two.end_document();
  two.add_piece("abc");
  one.add("abc abc");
  one.add("abc");
  EXPECT_TRUE(two.finish() == one.finish());
}

TEST(TokenizerTrainer, StopsWhereNothingOccursTwice) {
  const json model = json::parse(trained("abab abab", {.vocabulary = 5000}))["model"];
  EXPECT_EQ(model["merges"], json::parse(R"([["a","b"],["ab","ab"]])"));  // "Ġabab" occurs once
  EXPECT_EQ(model["vocab"].size(), 258u);
  EXPECT_THROW(trained("", {}), Error);
  EXPECT_THROW(trained("a", {.vocabulary = 256}), Error);
}

TEST(TokenizerTrainer, KnowsItsFiles) {
  using tokenizers::is_trained_here;
  const std::string file = trained("abab abab \xC3\xA9\xC3\xA9", {.vocabulary = 5000});
  EXPECT_TRUE(is_trained_here(file));
  EXPECT_TRUE(is_trained_here(trained("a", {.vocabulary = 257})));
  json changed = json::parse(file);
  EXPECT_FALSE(is_trained_here(changed.dump(2))) << "written by another program";
  std::string other = file;
  other.replace(other.find("\"add_prefix_space\":false"), 24, "\"add_prefix_space\":true ");
  EXPECT_FALSE(is_trained_here(other));
  for (const std::string text : {"", "{}", "{\"version\":\"1.0\",", "{\"version\":\"1.0\",\"model\":{}}",
                                 "{\"version\":\"1.0\",\"model\":{\"vocab\":{\"a\":7},\"merges\":[]}}"})
    EXPECT_FALSE(is_trained_here(text)) << text;
}

TEST(TokenizerTrainer, ForgetsRareWordsToBoundItsMemory) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += " often w" + std::to_string(i);
  TokenizerTrainer bounded({.vocabulary = 300, .most_words = 1000});
  bounded.add(text);
  EXPECT_GT(bounded.forgotten(), 10'000);
  EXPECT_NE(bounded.finish().find("often"), std::string::npos);
  TokenizerTrainer whole({.vocabulary = 300});
  whole.add(text);
  EXPECT_EQ(whole.forgotten(), 0);
}

TEST(TokenizerTrainer, AnyBytesAndLongWords) {
  std::string text(3'000'000, 'A');  // one word
  for (size_t i = 0; i < text.size(); i += 3) text[i] = "CGT\xFF"[i / 3 % 4];
  const Tokenizer tokenizer = Tokenizer::parse(trained(text, {.vocabulary = 280}), "t.json");
  const std::string begin = text.substr(0, 1000);
  const Ids ids = tokenizer.encode(begin).ids;
  EXPECT_LT(ids.size(), 700u);
  EXPECT_EQ(tokenizer.decode_bytes(ids), begin);
}

TEST(TokenizerTrainer, WhatProgressThrowsEndsIt) {
  struct Stop {};
  TokenizerTrainer trainer({.progress = [](int64_t, int64_t, int64_t) { throw Stop(); }});
  EXPECT_THROW(trainer.add("some text"), Stop);
}

}  // namespace
}  // namespace statera
