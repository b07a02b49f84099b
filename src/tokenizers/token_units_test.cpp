// Tokenizers as the units of a model.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"

namespace statera {
namespace {

std::string trained(const std::string& text, int64_t vocabulary) {
  TokenizerTrainer trainer({.vocabulary = vocabulary});
  trainer.add(text);
  return trainer.finish();
}

const std::string song = "row, row, row your boat, gently down the stream. merrily, merrily, merrily, merrily";

void expect_whole(const Units& units, const std::string& text) {
  const UnitIds ids = units.encode(text);
  ASSERT_EQ(ids.bytes.size(), ids.ids.size());
  EXPECT_EQ(std::accumulate(ids.bytes.begin(), ids.bytes.end(), int64_t{0}), std::ssize(text));
  const auto reader = units.reader();
  std::string back;
  for (size_t i = 0; i < ids.ids.size(); ++i) {
    const std::string piece = reader->push(ids.ids[i]);
    EXPECT_EQ(std::ssize(piece), ids.bytes[i]) << text << " " << i;
    back += piece;
  }
  EXPECT_EQ(back, text);
}

TEST(TokenUnits, GiveAnyBytesBack) {
  const auto units = token_units(trained(song + song, 300), "song");
  EXPECT_EQ(units->name(), "song");
  EXPECT_EQ(units->size(), Tokenizer::parse(units->file(), "song").vocabulary_size());
  EXPECT_LT(units->encode(song).ids.size(), song.size());
  for (const std::string& text :
       {song, std::string("  two\n\n\t \xff\xfe\0 zero", 16), std::string("\xe4\xb8"), std::string()})
    expect_whole(*units, text);
}

TEST(TokenUnits, ASpecialTokenInATextIsTextUnlessItIsAskedFor) {
  const std::string file = trained(song + song, 300), text = "row<|endoftext|>row";
  const int32_t end = *Tokenizer::parse(file, "song").id_of("<|endoftext|>");
  const auto plain = token_units(file, "song"), special = token_units_with_specials(file, "song");
  EXPECT_EQ(std::ranges::count(plain->encode(text).ids, end), 0);
  EXPECT_EQ(std::ranges::count(special->encode(text).ids, end), 1);
  expect_whole(*plain, text);
  expect_whole(*special, text);
  EXPECT_TRUE(plain->ends_text(end));
  EXPECT_FALSE(plain->ends_text('r'));
}

// The decoder leaves out the space before the first token, and only there.
constexpr const char* with_prefix_space = R"({
  "added_tokens": [], "normalizer": null, "post_processor": null,
  "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true},
  "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true},
  "model": {"type": "BPE", "vocab": {"\u2581": 0, "a": 1, "b": 2, "\u2581a": 3}, "merges": ["\u2581 a"],
            "unk_token": null, "fuse_unk": false, "byte_fallback": false, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "dropout": null}})";

TEST(TokenUnits, KnowTheBytesOfTokensWhoseDecoderLooksAtTheFirstOne) {
  const auto units = token_units(with_prefix_space, "prefix");
  const UnitIds ids = units->encode("a ab b");
  EXPECT_EQ(ids.bytes, (std::vector<int32_t>{1, 2, 1, 1, 1}));
  expect_whole(*units, "a ab b");
}

TEST(TokenUnits, ATextThatTheTokensDoNotGiveBackIsAnError) {
  auto json = nlohmann::json::parse(with_prefix_space);
  json["normalizer"] = {{"type", "Lowercase"}};
  const auto units = token_units(json.dump(), "lower");
  expect_whole(*units, "ab");
  try {
    units->encode("a Ab");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_NE(std::string(error.what()).find("lower: its tokens do not give back the text at byte 1"),
              std::string::npos)
        << error.what();
  }
}

TEST(TokenUnits, OnlyATokenizerJsonCanGoWithAModel) {
  EXPECT_THROW(token_units("\x0A model", "spm"), Error);
  EXPECT_THROW(token_units("", "empty"), Error);
}

}  // namespace
}  // namespace statera
