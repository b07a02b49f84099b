// vocab.json and merges.txt that do not belong together, or are cut.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"

namespace statera {
namespace {

const std::string vocabulary_path = test::source_path("tests/golden/tokenizers/published/gpt2_vocab.json.xz");

// What comes of these contents: the tokenizer, or its error, in which the names are short.
Tokenizer load(const std::string& vocabulary, const std::string& merges) {
  return Tokenizer::load(vocabulary_path, [&](const std::string& path) {
    return path.find("merges.txt") != path.npos ? merges : vocabulary;
  });
}
std::string error(const std::string& vocabulary, const std::string& merges) {
  try {
    load(vocabulary, merges);
  } catch (const Error& e) {
    std::string what = e.what();
    const std::string folder = test::source_path("tests/golden/tokenizers/published/");
    for (size_t at; (at = what.find(folder)) != what.npos;) what.erase(at, folder.size());
    return what;
  }
  return "no error";
}

// Wherever the file of merges ends too early.
TEST(Gpt2Files, CutMergesAreAnError) {
  const std::string vocabulary = test::unpacked(vocabulary_path);
  const std::string merges = test::unpacked(test::source_path("tests/golden/tokenizers/published/gpt2_merges.txt.xz"));
  const size_t last = merges.rfind('\n', merges.size() - 2) + 1;  // "Ġg azed"
  EXPECT_EQ(merges.substr(last), "\xC4\xA0g azed\n");
  EXPECT_EQ(load(vocabulary, merges.substr(0, merges.size() - 1)).encode(" gazed").ids,
            std::vector<int32_t>{50255});  // all of it but the end of the last line
  EXPECT_EQ(error(vocabulary, merges.substr(0, last)),
            "gpt2_merges.txt.xz: no merge makes the token '\xC4\xA0gazed' (id 50255) of gpt2_vocab.json.xz, so merges "
            "are missing; fetch the file again");
  EXPECT_NE(error(vocabulary, merges.substr(0, last + 6)).find("'\xC4\xA0gazed' (id 50255)"), std::string::npos)
      << error(vocabulary, merges.substr(0, last + 6));  // "Ġg az" is a merge, too
  EXPECT_EQ(error(vocabulary, merges.substr(0, last + 3)),
            "gpt2_merges.txt.xz: line 50001: expected two tokens, got '\xC4\xA0g'");
  for (size_t part = 0; part < 3; ++part)
    EXPECT_EQ(error(vocabulary, merges.substr(0, merges.size() * part / 3 + 1)).find("gpt2_merges.txt.xz: "), 0u)
        << part;
  // The beginning or the middle may be missing as well.
  EXPECT_NE(error(vocabulary, merges.substr(merges.find('\n', 1000) + 1)).find("which no merge before it makes"),
            std::string::npos);
  std::string gap = merges;
  gap.erase(last, merges.size() - last);
  const size_t before = gap.rfind('\n', gap.size() - 2) + 1;
  gap = merges.substr(0, before) + merges.substr(last);
  EXPECT_NE(error(vocabulary, gap).find("(id 50254)"), std::string::npos) << error(vocabulary, gap);
}

// A token of several words is special, whatever it looks like; one that merges could make is not.
TEST(Gpt2Files, OnlyWhatNoTextMakesIsSpecial) {
  const auto small = [](const std::string& more) {
    return nlohmann::json{{"a", 0}, {"b", 1}, {"ab", 2}, {more, 3}}.dump();
  };
  for (const char* special : {"<|endoftext|>", "<s>", "[MASK]", "madeupword0000", "\xE4\xB8\xAD", "a b"})
    EXPECT_TRUE(load(small(special), "a b\n").is_special(3)) << special;
  for (const char* missing : {"abab", "<>", "\xC3\xA4\xC2\xB8"})  // the last one: the first two bytes of a character
    EXPECT_EQ(error(small(missing), "a b\n"), std::string("gpt2_merges.txt.xz: no merge makes the token '") + missing +
                                                  "' (id 3) of gpt2_vocab.json.xz, so merges are missing; fetch the "
                                                  "file again");
  EXPECT_EQ(error(small("<s>"), "a b\nab b\n"),
            "gpt2_merges.txt.xz: the merge of 'ab' and 'b' needs the token 'abb', which is not in the vocabulary");
  // Merges of another kind, whose words end in a mark of their own.
  EXPECT_EQ(error(small("b</w>"), "a b\na b</w>\n"),
            "gpt2_merges.txt.xz: the merge of 'a' and 'b</w>' needs 'b</w>', which no merge before it makes; is the "
            "file cut, or of another tokenizer? Fetch it again");
}

}  // namespace
}  // namespace statera
