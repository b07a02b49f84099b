// Tokenizers in GGUF metadata.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/files_on_disk.hpp"
#include "support/gguf.hpp"
#include "support/paths.hpp"
#include "support/unpacked.hpp"
#include "tokenizers/gguf_patterns.hpp"
#include "tokenizers/pre_tokenizers.hpp"

namespace statera {
namespace {

using test::Gguf;
using Ids = std::vector<int32_t>;
constexpr int32_t normal = 1, unknown = 2, control = 3, user_defined = 4, byte = 6;

std::string error_of(const std::string& bytes) {
  try {
    Tokenizer::parse(bytes, "x.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// A file of GPT-2's kind with the vocabulary of a golden tokenizer, and that itself.
struct Shakespeare {
  Shakespeare() : text(test::unpacked(test::source_path("tests/golden/tokenizers/bpe_1024_tinyshakespeare.json.xz"))) {
    const auto model = nlohmann::json::parse(text)["model"];
    tokens.resize(model["vocab"].size());
    for (const auto& [token, id] : model["vocab"].items()) tokens[id] = token;
    for (const auto& merge : model["merges"]) merges.push_back(std::string(merge[0]) + " " + std::string(merge[1]));
  }
  Gguf file(const std::string& pre) const {
    Gguf file;
    std::vector<int32_t> types(tokens.size(), normal);
    types[0] = control;
    file.text("general.architecture", "gpt2");
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", pre);
    file.texts("tokenizer.ggml.tokens", tokens);
    file.numbers("tokenizer.ggml.token_type", types);
    file.texts("tokenizer.ggml.merges", merges);
    return file;
  }
  std::string text;
  std::vector<std::string> tokens, merges;
};

const std::string sample =
    "<|endoftext|>I'll  give 1234567 things,\n\nmy LORD's don't-know \xE4\xB8\xAD\xE6\x96\x87 \t x!? ";

TEST(Gguf, Gpt2GivesTheIdsOfTokenizerJson) {
  const Shakespeare shakespeare;
  const Tokenizer a = Tokenizer::parse(shakespeare.text, "a.json");
  const Tokenizer b = Tokenizer::parse(shakespeare.file("gpt-2").bytes(), "b.gguf");
  for (const bool plain : {false, true})
    EXPECT_EQ(a.encode(sample, {.plain = plain}).ids, b.encode(sample, {.plain = plain}).ids);
  EXPECT_EQ(b.encode(sample).ids[0], 0);
  EXPECT_EQ(b.decode_bytes(b.encode(sample).ids), sample);
}

// Where a named pre-tokenizer cuts, with a bar after each piece.
std::string cuts(const char* name, const std::string& text) {
  const tokenizers::GgufPatterns* named = tokenizers::gguf_patterns(name);
  if (!named) return "not known";
  tokenizers::Pieces pieces{text, {{0, text.size()}}};
  for (const std::string_view pattern : named->patterns)
    split(tokenizers::Regex(pattern), tokenizers::Behavior::isolated, false)->split(pieces);
  std::string all;
  for (const tokenizers::Piece& piece : pieces.pieces) (all += pieces[piece]) += '|';
  return all;
}

TEST(Gguf, NamedPreTokenizersCutAsTheirModelsDo) {
  const std::string text = "I'LL  pay HTMLpage 12345,--\n\nhe's o\xCC\x81k";
  const std::pair<const char*, const char*> expected[] = {
      {"gpt-2", "I|'|LL| | pay| HTMLpage| 12345|,--|\n|\n|he|'s| o|\xCC\x81|k|"},
      {"llama3",
       "I|'LL| | pay| HTMLpage| |123|45|,--\n\n|he|'s| o|\xCC\x81"
       "k|"},
      {"qwen2",
       "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he|'s| o|\xCC\x81"
       "k|"},
      {"qwen35",
       "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he|'s| o\xCC\x81"
       "k|"},
      {"gpt-4o",
       "I'LL| | pay| HTMLpage| |123|45|,--\n\n|he's| o\xCC\x81"
       "k|"},
      {"tekken",
       "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he|'s| o\xCC\x81"
       "k|"},
      {"starcoder", "I|'|LL| | pay| HTMLpage| |1|2|3|4|5|,--|\n|\n|he|'s| o|\xCC\x81|k|"},
      {"falcon", "I|'|LL| | pay| HTMLpage| |123|45|,--|\n|\n|he|'|s| o|\xCC\x81|k|"},
      {"deepseek-coder", "I|'|LL| | pay| HTMLpage| |1|2|3|4|5|,--|\n|\n|he|'|s| o|\xCC\x81|k|"},
      {"deepseek-v3",
       "I|'LL| | pay| HTMLpage| |123|45|,--\n\n|he|'s| o\xCC\x81"
       "k|"},
      {"bloom",
       "I'LL| | pay| HTMLpage| 12345|,|--|\n\n|he's| o\xCC\x81"
       "k|"},
      {"viking",
       "I'LL| | pay| HTMLpage| |1|2|3|4|5|,|--|\n\n|he's| o\xCC\x81"
       "k|"},
  };
  for (const auto& [name, all] : expected) EXPECT_EQ(cuts(name, text), all) << name;
  EXPECT_EQ(tokenizers::gguf_patterns("sideways"), nullptr);
}

// The same of more names, for that text and for another one; the cuts are those that Hugging Face's library makes with
// the patterns that llama.cpp lists.
TEST(Gguf, MoreNamedPreTokenizersCutAsLlamaCppLists) {
  const std::string other =
      "don't \u00dcber \u2126 \u4e2d\u6587\u3002\uff01 1234567\u00b2 a b\t\n   if(x)//z \ud55c\u3105";
  struct Cuts {
    const char *name, *of_text, *of_other;
  };
  const Cuts expected[] = {
      {"roberta-bpe", "I|'|LL| | pay| HTMLpage| 12345|,--|\n|\n|he|'s| o|\u0301|k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| 1234567\u00b2| a| b|\t\n  | if|(|x|)//|z| \ud55c\u3105|"},
      {"default", "I|'|LL| | pay| HTMLpage| |123|45|,--|\n|\n|he|'|s| o|\u0301|k|",
       "don|'|t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |123|456|7\u00b2| a| b|\t\n  | if|(|x|)//|z| "
       "\ud55c\u3105|"},
      {"deepseek-llm", "I|'|LL| | pay| HTMLpage| |12345|,--|\n|\n|he|'|s| o|\u0301|k|",
       "don|'|t| \u00dc|ber| |\u2126| |\u4e2d\u6587|\u3002|\uff01| |1234567\u00b2| a| b|\t|\n|  | if|(|x|)//|z| "
       "|\ud55c\u3105|"},
      {"minicpm5", "I|'LL| | pay| HTMLpage| |123|45|,--\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |123|456|7\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"jais-2", "I|'LL| | pay| HTMLpage| |123|45|,--\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |123|456|7\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"bailingmoe", "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"seed-coder", "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--|\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"exaone-moe", "I|'LL| | pay HTMLpage| |1|2|3|4|5|,--\n|\n|he|'s| o\u0301k|",
       "don|'t| \u00dcber \u2126 \u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a b|\t\n|  | if|(x|)//|z "
       "\ud55c\u3105|"},
      {"ufakzeka", "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"laguna", "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--|\n\n|he|'s| o|\u0301k|",
       "don|'t| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t|\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"tiny_aya", "I'LL| | pay| HTMLpage| |12|345|,--\n\n|he's| o\u0301k|",
       "don't| \u00dcber| \u2126| \u4e2d\u6587|\u3002\uff01| |123|456|7\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"youtu", "I'LL| | pay| HTMLpage| |1|2|3|4|5|,--\n\n|he's| o\u0301k|",
       "don't| \u00dcber| \u2126| |\u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t\n|  | if|(x|)//|z| "
       "|\ud55c|\u3105|"},
      {"spark2_5", "I|'LL| | pay| HTMLpage| |1|2|3|4|5|,--|\n|\n|he|'s| o\u0301k|",
       "don|'t| \u00dcber| \u2126| |\u4e2d\u6587|\u3002\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t\n  | if|(x|)//|z| "
       "\ud55c\u3105|"},
      {"chameleon", "I|'|LL|  |pay| HTMLpage| |1|2|3|4|5|,|-|-|\n|\n|he|'|s| o|\u0301|k|",
       "don|'|t| \u00dcber| \u2126| \u4e2d\u6587|\u3002|\uff01| |1|2|3|4|5|6|7|\u00b2| a| b|\t|\n|  | if|(|x|)|/|/|z| "
       "\ud55c\u3105|"},
  };
  for (const auto& [name, of_text, of_other] : expected) {
    EXPECT_EQ(cuts(name, "I'LL  pay HTMLpage 12345,--\n\nhe's o\u0301k"), of_text) << name;
    EXPECT_EQ(cuts(name, other), of_other) << name;
  }
  for (const auto& [name, like] :
       std::initializer_list<std::pair<const char*, const char*>>{{"jina-v1-en", "gpt-2"},
                                                                  {"jina-v2-code", "gpt-2"},
                                                                  {"jina-v5-nano", "llama3"},
                                                                  {"f2llmv2", "qwen2"},
                                                                  {"talkie", "gpt-4o"},
                                                                  {"mellum2", "starcoder"},
                                                                  {"hy_v4", "deepseek-v3"},
                                                                  {"bailingmoe2", "bailingmoe"},
                                                                  {"llada-moe", "bailingmoe"},
                                                                  {"cohere2moe", "tiny_aya"}}) {
    const auto *a = tokenizers::gguf_patterns(name), *b = tokenizers::gguf_patterns(like);
    ASSERT_TRUE(a && b) << name;
    EXPECT_EQ(a->patterns, b->patterns) << name;
    EXPECT_EQ(a->ignore_merges, b->ignore_merges) << name;
    EXPECT_EQ(a->add_bos, b->add_bos) << name;
  }
  for (const char* name : {"minicpm5", "youtu"}) EXPECT_TRUE(tokenizers::gguf_patterns(name)->ignore_merges) << name;
  EXPECT_TRUE(tokenizers::gguf_patterns("chameleon")->add_bos);
  // what llama.cpp does by code of its own, or with patterns that are not those of the model
  for (const char* name : {"kimi-k2", "afmoe", "superbpe", "granite-embed-multi-97m", "gemma4", "sarvam-moe", ""})
    EXPECT_EQ(tokenizers::gguf_patterns(name), nullptr) << name;
}

TEST(Gguf, PreTokenizersThatNeedMoreSaySo) {
  const Shakespeare shakespeare;
  // A file without a begin token cannot add one.
  EXPECT_NE(error_of(shakespeare.file("llama-bpe").bytes()).find("does not say which"), std::string::npos);
  Gguf llama = shakespeare.file("llama-bpe");
  llama.number("tokenizer.ggml.bos_token_id", 0);
  const Tokenizer tokenizer = Tokenizer::parse(llama.bytes(), "x.gguf");
  EXPECT_EQ(tokenizer.encode("the").ids[0], 0);
  EXPECT_NE(tokenizer.encode("the", {.specials = false}).ids[0], 0);
  EXPECT_NE(error_of(shakespeare.file("sideways").bytes()).find("'sideways' is not known"), std::string::npos);
}

Gguf llama() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {unknown, control, control};
  for (int i = 0; i < 256; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i));
    tokens.push_back(name);
    types.push_back(byte);
  }
  for (const char* piece : {"\xE2\x96\x81", "h", "e", "he", "\xE2\x96\x81he", "<x>"})
    tokens.push_back(piece);  // 259..264
  types.insert(types.end(), {normal, normal, normal, normal, normal, user_defined});
  std::vector<float> scores(tokens.size(), 0);
  for (size_t i = 259; i < tokens.size(); ++i) scores[i] = -static_cast<float>(i);
  Gguf file;
  file.text("tokenizer.ggml.model", "llama");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.reals("tokenizer.ggml.scores", scores);
  file.numbers("tokenizer.ggml.token_type", types);
  return file;
}

TEST(Gguf, Llama) {
  const Tokenizer tokenizer = Tokenizer::parse(llama().bytes(), "x.gguf");
  EXPECT_EQ(tokenizer.encode("he he").ids, (Ids{1, 263, 263}));
  EXPECT_EQ(tokenizer.encode("he", {.specials = false}).ids, Ids{263});
  EXPECT_EQ(tokenizer.encode("\xC3\xA9\xFF", {.specials = false}).ids, (Ids{259, 3 + 0xC3, 3 + 0xA9, 3 + 0xFF}));
  // Special tokens are text if they are to be; user-defined ones never are.
  EXPECT_EQ(tokenizer.encode("he</s>he<x>", {.specials = false}).ids, (Ids{263, 2, 263, 264}));
  EXPECT_EQ(tokenizer.encode("<x></s>", {.specials = false, .plain = true}).ids.size(), 6u);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("he he").ids, true), "he he");
  EXPECT_EQ(tokenizer.decode_bytes(Ids{3 + 0xFF}), "\xFF");
  EXPECT_THROW(tokenizer.encode("he", "he"), Error);  // nobody says how
  Gguf without = llama();
  without.flag("tokenizer.ggml.add_space_prefix", false);
  without.flag("tokenizer.ggml.add_bos_token", false);
  EXPECT_EQ(Tokenizer::parse(without.bytes(), "x.gguf").encode("he").ids, Ids{262});
}

TEST(Gguf, Bert) {
  Gguf file;
  file.text("tokenizer.ggml.model", "bert");
  file.texts("tokenizer.ggml.tokens", {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\xE2\x96\x81he", "llo", "\xE2\x96\x81,"});
  file.numbers("tokenizer.ggml.token_type", {control, unknown, control, control, normal, normal, normal});
  file.number("tokenizer.ggml.unknown_token_id", 1);
  file.number("tokenizer.ggml.cls_token_id", 2);
  file.number("tokenizer.ggml.seperator_token_id", 3);
  const Tokenizer tokenizer = Tokenizer::parse(file.bytes(), "x.gguf");
  EXPECT_EQ(tokenizer.encode("Hello, hey").ids, (Ids{2, 4, 5, 6, 1, 3}));
  EXPECT_EQ(tokenizer.decode(Ids{4, 5, 6, 4}), "hello, he");
}

TEST(Gguf, Rwkv) {
  Gguf file;
  file.text("tokenizer.ggml.model", "rwkv");
  file.texts("tokenizer.ggml.tokens", {"<s>", "a", "\\n", "\\xff\\x00", "ab", "\\\\", "<"});
  file.numbers("tokenizer.ggml.token_type", {control, normal, normal, normal, normal, normal, normal});
  const Tokenizer tokenizer = Tokenizer::parse(file.bytes(), "x.gguf");
  const std::string text("aab\n\xFF\0\\", 7);
  EXPECT_EQ(tokenizer.encode(text).ids, (Ids{1, 4, 2, 3, 5}));
  EXPECT_EQ(tokenizer.decode_bytes(Ids{1, 4, 2, 3, 5}), text);
  EXPECT_EQ(tokenizer.decode_bytes(Ids{0, 3, 1}), std::string("<s>\xFF\0a", 6));
  EXPECT_THROW(tokenizer.encode("b"), Error);
}

// Cut anywhere, it is an error of one line. With bytes replaced, the error says what happened.
TEST(Gguf, DamagedFilesAreErrors) {
  const std::string whole = llama().bytes();
  for (size_t size = 4; size < whole.size(); size += 7)
    EXPECT_EQ(error_of(whole.substr(0, size)).rfind("x.gguf: ", 0), 0u) << size;
  EXPECT_NE(error_of(llama().bytes(1)).find("version 1"), std::string::npos);
  std::string as_text = whole;
  as_text.replace(as_text.find("llama") - 8, 1, "\xEF\xBF\xBD");
  EXPECT_NE(error_of(as_text).find("saved as text"), std::string::npos) << error_of(as_text);
  Gguf twice = llama();
  twice.text("tokenizer.ggml.model", "llama");
  EXPECT_NE(error_of(twice.bytes()).find("occurs twice"), std::string::npos);
  Gguf other;
  other.text("tokenizer.ggml.model", "plamo2");
  other.texts("tokenizer.ggml.tokens", {"a"});
  EXPECT_NE(error_of(other.bytes()).find("'plamo2' is not known"), std::string::npos);
  EXPECT_NE(error_of(Gguf().bytes()).find("'tokenizer.ggml.tokens' is missing"), std::string::npos);
}

// llama.cpp's form: texts with a line after each, and a line of ids for each. These ids are those of the library that
// the golden tokenizer comes from.
class GgufExamples : public test::FilesOnDisk {
 protected:
  void SetUp() override {
    FilesOnDisk::SetUp();
    file = write("x.gguf", Shakespeare().file("gpt-2").bytes());
    const std::string rows =
        test::unpacked(test::source_path("tests/golden/tokenizers/bpe_1024_tinyshakespeare.jsonl.xz"));
    for (size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1) {
      const auto row = nlohmann::json::parse(rows.substr(at, rows.find('\n', at) - at));
      if (!row.contains("text")) continue;
      texts += row["text"].get<std::string>() + "\n__ggml_vocab_test__\n";
      for (const int32_t id : row[row.contains("plain") ? "plain" : "ids"].get<Ids>()) ids += " " + std::to_string(id);
      ids += "\n";
      ++rows_;
    }
    texts += "\n__ggml_vocab_test__\n", ids += "\n", ++rows_;  // the empty text
  }
  std::string error() const {
    try {
      Tokenizer::load(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::string file, texts, ids;
  int64_t rows_ = 0;
};

TEST_F(GgufExamples, AreChecked) {
  EXPECT_EQ(Tokenizer::load(file).self_tests(), 0);
  write("x.gguf.out", ids);
  EXPECT_EQ(Tokenizer::load(file).self_tests(), 0) << "without texts";
  write("ggml-vocab-test.inp", texts);
  EXPECT_GT(rows_, 50);
  EXPECT_EQ(Tokenizer::load(file).self_tests(), rows_);
  write("x.gguf.inp", "I\n__ggml_vocab_test__\n");  // of this file, so those that all share are not looked at
  write("x.gguf.out", " 41\n");
  EXPECT_EQ(Tokenizer::load(file).self_tests(), 1);
  const std::string packed_file =
      write("y.gguf.xz", packed(archive_write_add_filter_xz, Shakespeare().file("gpt-2").bytes()));
  write("y.gguf.out", ids);
  EXPECT_EQ(Tokenizer::load(packed_file, test::unpacked).self_tests(), rows_);
}

TEST_F(GgufExamples, ThatDoNotHoldAreAnError) {
  write("x.gguf.inp", "I\n__ggml_vocab_test__\nII\n\n__ggml_vocab_test__\n");
  const Ids right = Tokenizer::load(file).encode("II\n").ids;
  std::string second;
  for (const int32_t id : right) second += " " + std::to_string(id);
  write("x.gguf.out", " 41\n" + second + "\n");
  EXPECT_EQ(error(), "no error");
  write("x.gguf.out", " 41\n" + second + " 7\n");
  EXPECT_NE(error().find("x.gguf.out: line 2: 'II\\x0a' became" + second + "; expected" + second + " 7. The examples"),
            std::string::npos)
      << error();
  write("x.gguf.out", "\n" + second + "\n");
  EXPECT_NE(error().find("line 1: 'I' became 41; expected nothing"), std::string::npos) << error();
  write("x.gguf.out", " 41\n");
  EXPECT_NE(error().find("x.gguf.out has 1 lines, and "), std::string::npos) << error();
  write("x.gguf.out", " 41\n" + second + "\n\n");
  EXPECT_NE(error().find("x.gguf.out has more lines than the 2 texts"), std::string::npos) << error();
}

}  // namespace
}  // namespace statera
