// Ids and texts of the libraries that the formats come from (tests/golden/README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"

namespace statera {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using test::unpacked;

std::string golden(const std::string& name) { return test::source_path("tests/golden/tokenizers/" + name); }

std::vector<json> rows_of(const std::string& name) {
  std::vector<json> rows;
  const std::string text = unpacked(golden(name));
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    rows.push_back(json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

using Ids = std::vector<int32_t>;
Ids ids_of(const json& row, const char* key, const char* otherwise = "ids") {
  return row[row.contains(key) ? key : otherwise].get<Ids>();
}
std::string text_of(const json& row, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (row.contains(key)) return row[key].get<std::string>();
  ADD_FAILURE() << "none of the keys in " << row.dump();
  return {};
}

// All tokenizers of the folder, by the name that their rows have, too.
std::map<std::string, std::string> small_tokenizers() {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(golden("")))
    for (const std::string suffix : {".json.xz", ".model.xz"})
      if (const std::string name = entry.path().filename().string(); name.ends_with(suffix))
        all[name.substr(0, name.size() - suffix.size())] = entry.path().string();
  return all;
}

std::vector<std::string> names_of(const std::map<std::string, std::string>& all) {
  std::vector<std::string> names;
  for (const auto& [name, path] : all) names.push_back(name);
  return names;
}

class SmallTokenizer : public ::testing::TestWithParam<std::string> {
 protected:
  Tokenizer tokenizer() const { return Tokenizer::load(small_tokenizers().at(GetParam()), unpacked); }
};

TEST_P(SmallTokenizer, GivesTheIdsAndTextsOfTheLibrary) {
  const Tokenizer tokenizer = this->tokenizer();
  for (const json& row : rows_of(GetParam() + ".jsonl.xz")) {
    SCOPED_TRACE(row.dump().substr(0, 300));
    if (row.contains("pair")) {
      const Encoding both = tokenizer.encode(row["text"].get<std::string>(), row["pair"].get<std::string>());
      EXPECT_EQ(both.ids, ids_of(row, "ids"));
      EXPECT_EQ(both.type_ids, ids_of(row, "type_ids"));
      continue;
    }
    if (row.contains("text")) {
      const std::string text = row["text"];
      EXPECT_EQ(tokenizer.encode(text).ids, ids_of(row, "ids"));
      EXPECT_EQ(tokenizer.encode(text, {.specials = false}).ids, ids_of(row, "plain"));
    }
    const Ids ids = ids_of(row, "ids_only");
    EXPECT_EQ(tokenizer.decode(ids, true), text_of(row, {"decoded", "text"}));
    EXPECT_EQ(tokenizer.decode(ids), text_of(row, {"decoded_all", "decoded", "text"}));
  }
}

// One id after the other gives the same text, in whole characters.
TEST_P(SmallTokenizer, StreamsTheSameText) {
  const Tokenizer tokenizer = this->tokenizer();
  for (const json& row : rows_of(GetParam() + ".jsonl.xz")) {
    const Ids ids = ids_of(row, "ids_only");
    TokenStream bytes(tokenizer), characters(tokenizer);
    std::string raw, text;
    for (const int32_t id : ids) {
      raw += bytes.push_bytes(id);
      const std::string part = characters.push(id);
      ASSERT_NO_THROW(json(part).dump()) << "not whole characters";
      text += part;
    }
    text += characters.finish();
    EXPECT_EQ(raw, tokenizer.decode_bytes(ids)) << row.dump();
    if (tokenizer.decode_bytes(ids) == tokenizer.decode(ids)) {
      EXPECT_EQ(text, raw);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, SmallTokenizer, ::testing::ValuesIn(names_of(small_tokenizers())),
                         [](const auto& name) { return name.param; });

// Four pieces of equal scores: sums in floats decide, as in SentencePiece 0.2.3, which gave these ids.
TEST(GoldenText, CutsThatDifferInTheLastDigitOfAFloat) {
  const Tokenizer tokenizer = Tokenizer::load(small_tokenizers().at("sp_unigram_nmt_nfkc"), unpacked);
  const Ids expected = {4, 72, 12, 3, 4, 0, 12, 0, 10, 394, 4, 0, 16, 8, 5, 15, 5, 95, 4, 124, 139, 139, 139};
  EXPECT_EQ(tokenizer.encode("ka, \u00d0a\u00f0.x 1/2/03oes's t\t-------").ids, expected);
}

TEST(GoldenText, TwentyThousandCharactersOfShakespeare) {
  const auto all = rows_of("bpe_1024_tinyshakespeare_text.jsonl.xz");
  const std::string text = unpacked(test::source_path("data/tinyshakespeare.txt.xz"));
  const Tokenizer tokenizer = Tokenizer::load(small_tokenizers().at("bpe_1024_tinyshakespeare"), unpacked);
  const size_t from = all[0]["from_char"], chars = all[0]["chars"];  // the text is ASCII
  EXPECT_EQ(tokenizer.encode(std::string_view(text).substr(from, chars)).ids, ids_of(all[0], "ids"));
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// Tokenizers of published models on awkward strings.
class Published : public ::testing::Test {
 protected:
  Published() {
    for (const json& row : rows_of("published/strings.jsonl.xz"))
      strings_[row["id"]] = row.contains("hex") ? from_hex(row["hex"]) : row["text"].get<std::string>();
    for (const json& row : rows_of("published/decode.jsonl.xz")) decodes_[row["tokenizer"]].push_back(row);
  }
  static Tokenizer load(const std::string& file) { return Tokenizer::load(golden("published/" + file), unpacked); }
  const std::string& string(const json& row) const { return strings_.at(row["id"]); }
  void check_bytes(const Tokenizer& tokenizer, const std::string& name) {
    ASSERT_FALSE(decodes_[name].empty());
    for (const json& row : decodes_[name])
      EXPECT_EQ(tokenizer.decode_bytes(row["ids"].get<Ids>()), from_hex(row["bytes"])) << row.dump().substr(0, 200);
  }

 private:
  std::map<int, std::string> strings_;
  std::map<std::string, std::vector<json>> decodes_;
};

TEST_F(Published, GptNeoX) {
  const Tokenizer tokenizer = load("20B_tokenizer.json.xz");
  for (const json& row : rows_of("published/neox.jsonl.xz")) {
    SCOPED_TRACE(row["id"]);
    const Ids ids = ids_of(row, "ids");
    EXPECT_EQ(tokenizer.encode(string(row)).ids, ids);
    const std::string text = row.contains("decoded") ? row["decoded"].get<std::string>() : string(row);
    EXPECT_EQ(tokenizer.decode(ids), text);
    EXPECT_EQ(tokenizer.decode(ids, true),
              row.contains("decoded_skip_special") ? row["decoded_skip_special"].get<std::string>() : text);
  }
  check_bytes(tokenizer, "neox");
  EXPECT_EQ(tokenizer.vocabulary_size(), 50277);
}

TEST_F(Published, Gpt2FromVocabularyAndMerges) {
  const Tokenizer tokenizer = load("gpt2_vocab.json.xz");
  for (const json& row : rows_of("published/gpt2.jsonl.xz")) {
    SCOPED_TRACE(row["id"]);
    EXPECT_EQ(tokenizer.encode(string(row), {.plain = true}).ids, ids_of(row, "ids"));
    EXPECT_EQ(tokenizer.encode(string(row)).ids, ids_of(row, "ids_special"));
    EXPECT_EQ(tokenizer.decode_bytes(ids_of(row, "ids")), string(row));
  }
  check_bytes(tokenizer, "gpt2");
  EXPECT_EQ(tokenizer.encode("<|endoftext|>").ids, Ids{50256});
  EXPECT_TRUE(tokenizer.is_special(50256));
  EXPECT_FALSE(tokenizer.is_special(50255));
}

TEST_F(Published, RwkvWorld) {
  const Tokenizer tokenizer = load("rwkv_vocab_v20230424.txt.xz");
  for (const json& row : rows_of("published/rwkv.jsonl.xz")) {
    SCOPED_TRACE(row["id"]);
    EXPECT_EQ(tokenizer.encode(string(row)).ids, ids_of(row, "ids"));
    EXPECT_EQ(tokenizer.decode_bytes(ids_of(row, "ids")), string(row));
  }
  check_bytes(tokenizer, "rwkv");
  EXPECT_EQ(tokenizer.decode(Ids{0}), "");
}

// What a byte-level tokenizer reads, it gives back, whatever bytes it is.
TEST_F(Published, AnyBytesComeBack) {
  std::string noise;
  uint32_t x = 5;
  for (int i = 0; i < 3000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  for (const char* file : {"gpt2_vocab.json.xz", "rwkv_vocab_v20230424.txt.xz"}) {
    const Tokenizer tokenizer = load(file);
    EXPECT_TRUE(tokenizer.takes_any_bytes());
    EXPECT_EQ(tokenizer.decode_bytes(tokenizer.encode(noise).ids), noise) << file;
  }
  const Tokenizer neox = load("20B_tokenizer.json.xz");  // which normalizes
  EXPECT_FALSE(neox.takes_any_bytes());
  EXPECT_THROW(neox.encode(noise), Error);
}

}  // namespace
}  // namespace statera
