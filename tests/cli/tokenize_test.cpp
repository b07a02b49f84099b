// statera tokenize: lines in, lines out, and what is wrong with them.
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "support/sentencepiece.hpp"

namespace statera {
namespace {

using nlohmann::json;

class Tokenize : public Program {
 protected:
  Tokenize() { write("t.json", byte_tokenizer().dump()); }
  // Bytes as GPT-2's letters, one merge, a special token and one at the beginning.
  static json byte_tokenizer() {
    json vocabulary = {{"h", 0}, {"i", 1}, {"hi", 2}, {"<end>", 3}, {"Ã", 4},  {"©", 5}, {"Ġ", 6},
                       {"<", 7}, {"e", 8}, {"n", 9},  {"d", 10},    {">", 11}, {"ÿ", 12}};
    const json end = {{"id", 3},         {"content", "<end>"},  {"single_word", false}, {"lstrip", false},
                      {"rstrip", false}, {"normalized", false}, {"special", true}};
    const json piece = {{"SpecialToken", {{"id", "<end>"}, {"type_id", 0}}}};
    const json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
    return {{"version", "1.0"},
            {"added_tokens", json::array({end})},
            {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
            {"post_processor",
             {{"type", "TemplateProcessing"},
              {"single", json::array({piece, a})},
              {"pair", json::array({piece, a, b})},
              {"special_tokens",
               {{"<end>", {{"id", "<end>"}, {"ids", json::array({3})}, {"tokens", json::array({"<end>"})}}}}}}},
            {"decoder", {{"type", "ByteLevel"}}},
            {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array({json::array({"h", "i"})})}}}};
  }
  Ran lines(const std::string& arguments, const std::string& input) const {
    write("in.jsonl", input);
    return run("tokenize " + arguments + " --jsonl <in.jsonl");
  }
  // Fails with one line that names the line of the input.
  void refuses(const std::string& verb, const std::string& input, const std::string& part) const {
    const Ran ran = lines(verb + " t.json", input);
    EXPECT_EQ(ran.code, 1) << input;
    EXPECT_EQ(ran.err.rfind("statera tokenize " + verb + ": ", 0), 0u) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
};

TEST_F(Tokenize, EncodesLinesOfTextOrHex) {
  const Ran ran =
      lines("encode t.json", "{\"text\": \"hi<end>\"}\n{\"hex\": \"68C3A9ff\"}\n{\"text\": \"hi\", \"pair\": \"d\"}");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "{\"ids\":[3,2,3],\"type_ids\":[0,0,0]}\n{\"ids\":[3,0,4,5,12],\"type_ids\":[0,0,0,0,0]}\n"
            "{\"ids\":[3,2,10],\"type_ids\":[0,0,1]}\n");
  EXPECT_EQ(lines("encode t.json --no-specials", "{\"text\": \"hi<end>\"}\n").out,
            "{\"ids\":[2,3],\"type_ids\":[0,0]}\n");
  EXPECT_EQ(lines("encode t.json --plain --no-specials", "{\"text\": \"<end>\"}\n").out,
            "{\"ids\":[7,8,9,10,11],\"type_ids\":[0,0,0,0,0]}\n");
  EXPECT_EQ(lines("encode t.json", "").out, "");
}

// The text of the special token is a token of the model, too.
TEST_F(Tokenize, PlainTextGivesNoSpecialToken) {
  json whole = byte_tokenizer();
  whole["model"]["ignore_merges"] = true;
  whole["pre_tokenizer"]["use_regex"] = false;
  write("whole.json", whole.dump());
  const std::string input = "{\"text\": \"<end>\"}\n";
  EXPECT_EQ(lines("encode whole.json --no-specials", input).out, "{\"ids\":[3],\"type_ids\":[0]}\n");
  EXPECT_EQ(lines("encode whole.json --no-specials --plain", input).out,
            "{\"ids\":[7,8,9,10,11],\"type_ids\":[0,0,0,0,0]}\n");
}

TEST_F(Tokenize, SaysWhetherASentencePieceModelPassedItsSelfTest) {
  test::SentencePieceModel model(1);
  model.piece("<unk>", 0, 2).piece("a", -1).piece("b", -2);
  write("none.model", model.bytes());
  EXPECT_NE(run("tokenize show none.model").out.find("self-test: the file has no examples"), std::string::npos);
  write("good.model", model.example("ab", "a b").bytes());
  EXPECT_NE(run("tokenize show good.model").out.find("self-test: passed, on 1 example\n"), std::string::npos);
  write("bad.model", model.example("ba", "a b").bytes());
  fails("tokenize show bad.model", 1, "bad.model: its self-test fails: 'ba' became 'b a'; expected 'a b'");
  fails("tokenize encode bad.model --jsonl <none.model", 1, "bad.model: its self-test fails");
}

// Lines are answered on all cores: the answers are in order, and those before a wrong line are printed.
TEST_F(Tokenize, AnswersManyLinesInOrder) {
  std::string input, expected;
  for (int i = 0; i < 3000; ++i) {
    input += i % 2 ? "{\"text\": \"hi\"}\n" : "{\"hex\": \"68C3A9ff\"}\n";
    expected += i % 2 ? "{\"ids\":[2],\"type_ids\":[0]}\n" : "{\"ids\":[0,4,5,12],\"type_ids\":[0,0,0,0]}\n";
  }
  EXPECT_TRUE(lines("encode t.json --no-specials", input).out == expected);
  const Ran cut = lines("encode t.json --no-specials", input + "{}\n" + input);
  EXPECT_EQ(cut.code, 1);
  EXPECT_TRUE(cut.out == expected);
  EXPECT_NE(cut.err.find("line 3001"), std::string::npos) << cut.err;
}

TEST_F(Tokenize, DecodesToTextAndHex) {
  const Ran ran = lines("decode t.json", "{\"ids\": [2, 4, 3]}\n{\"ids\": []}\n");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "{\"hex\":\"6869c33c656e643e\",\"text\":\"hi\xEF\xBF\xBD<end>\"}\n{\"hex\":\"\",\"text\":\"\"}\n");
  EXPECT_EQ(lines("decode t.json --no-specials", "{\"ids\": [2, 3]}\n").out, "{\"hex\":\"6869\",\"text\":\"hi\"}\n");
}

TEST_F(Tokenize, NamesTheLineThatIsWrong) {
  refuses("encode", "{\"text\": \"hi\"}\n{\"txt\": 1}\n", "line 2: expected {\"text\": ...}");
  EXPECT_EQ(read("out.txt"), "{\"ids\":[3,2],\"type_ids\":[0,0]}\n");  // what came before is there
  refuses("encode", "{\"text\": \"hi\", \"hex\": \"00\"}\n", "line 1: expected {\"text\": ...}");
  refuses("encode", "[]\n", "line 1: expected an object");
  refuses("encode", "{\"text\": \"hi\"\n", "line 1: no valid JSON");
  refuses("encode", "{\"text\": 7}\n", "line 1: \"text\": expected a string");
  refuses("encode", "{\"hex\": \"6\"}\n", "line 1: \"hex\": expected pairs of hexadecimal digits");
  refuses("encode", "{\"hex\": \"6g\"}\n", "line 1: \"hex\": expected pairs of hexadecimal digits");
  refuses("decode", "{\"ids\": [99]}\n", "line 1: t.json: the id 99 is no token; expected 0 to 12");
  refuses("decode", "{\"ids\": [-1]}\n", "line 1: expected ids, got -1");
  refuses("decode", "{\"ids\": 3}\n", "line 1: expected {\"ids\": [...]}");
}

TEST_F(Tokenize, SaysWhatIsWrongWithTheTokenizer) {
  fails("tokenize encode none.json --jsonl <t.json", 1, "none.json");
  write("empty.json", "");
  fails("tokenize encode empty.json --jsonl <t.json", 1, "empty.json");
  write("other", "what is this");
  fails("tokenize encode other --jsonl <t.json", 1, "other: no tokenizer that is known here");
  json changed = byte_tokenizer();
  changed["decoder"]["type"] = "Sideways";
  write("changed.json", changed.dump());
  fails("tokenize encode changed.json --jsonl <t.json", 1, "changed.json: decoder: the type 'Sideways' is not known");
  changed = byte_tokenizer();
  changed["pre_tokenizer"]["mirror"] = true;
  write("changed.json", changed.dump());
  fails("tokenize encode changed.json --jsonl <t.json", 1, "changed.json: pre_tokenizer: 'mirror' is not known here");
}

TEST_F(Tokenize, TrainsATokenizerAndShowsWhereItCuts) {
  write("text.txt", "hello hello hello\nhello yellow yellow");
  const Ran ran = run("tokenize train text.txt --vocab 262");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.rfind("text-bpe-262.json: 5 merges from 37 B", 0), 0u) << ran.out;
  const std::string made = read("text-bpe-262.json");
  EXPECT_EQ(json::parse(made)["model"]["vocab"].size(), 261u);
  fails("tokenize train text.txt --vocab 262", 1, "text-bpe-262.json: exists already");
  EXPECT_EQ(read("text-bpe-262.json"), made);
  ASSERT_EQ(run("tokenize train - --vocab 262 --out piped.json --json <text.txt").code, 0) << read("err.txt");
  EXPECT_EQ(json::parse(read("out.txt"))["merges"], 5);
  EXPECT_EQ(read("piped.json"), made);
  fails("tokenize train text.txt --vocab 200 --out x.json", 1, "expected 257 to 1000000");
  EXPECT_FALSE(std::filesystem::exists(path("x.json")));

  const Ran shown = run("tokenize show text-bpe-262.json text.txt");
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("text-bpe-262.json: BPE, 262 ids, reads any bytes\nself-test: the file has no examples, so "
                           "its ids are not checked\nspecial tokens: 261 <|endoftext|>\n"),
            std::string::npos)
      << shown.out;
  EXPECT_NE(shown.out.find("hello| |hello|"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("|\\n\n|"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("37 bytes, "), std::string::npos) << shown.out;
  const json counted = json::parse(run("tokenize show text-bpe-262.json text.txt --json").out);
  EXPECT_EQ(counted["bytes"], 37);
  EXPECT_EQ(counted["vocabulary"], 262);
}

// The merges that the library makes of the text, which is longer than a piece of it and packed.
TEST_F(Tokenize, TrainReadsPieceByPiece) {
  const std::string text = test::source_path("data/tinyshakespeare.txt.xz");
  ASSERT_EQ(run("tokenize train " + text + " --vocab 768 --out packed.json").code, 0) << read("err.txt");
  ASSERT_EQ(run("tokenize train - --vocab 768 --out piped.json", "xz -dc " + text + " |").code, 0) << read("err.txt");
  std::ifstream golden(test::source_path("tests/golden/tokenizers/trained/tinyshakespeare.json"));
  EXPECT_TRUE(json::parse(read("packed.json"))["model"]["merges"] == json::parse(golden));
  EXPECT_TRUE(read("piped.json") == read("packed.json"));
  std::filesystem::create_directories(path("notes/model"));
  write("notes/a.txt", "hello hello");
  write("notes/.hidden", "x");
  const Ran folder = run("tokenize train notes --vocab 260 --out notes.json");
  ASSERT_EQ(folder.code, 0) << folder.err;
  EXPECT_NE(folder.err.find("notes: 1 hidden file or folder is left out"), std::string::npos) << folder.err;
}

// A file of half a GB takes little of it.
TEST_F(Tokenize, TrainKeepsNoTextInMemory) {
  write("zeros", "hello hello");
  constexpr int64_t bytes = int64_t{1} << 29;
  std::filesystem::resize_file(path("zeros"), bytes);
  const Ran ran = run("tokenize train zeros --vocab 262 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(json::parse(ran.out)["bytes"], bytes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need memory of their own
  rusage used = {};
  ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &used), 0);
  EXPECT_LT(used.ru_maxrss, 450 * 1024) << "KiB";  // of the largest child so far
#endif
}

// Whatever stands in the text, each bar that is drawn is told apart from one of the text.
TEST_F(Tokenize, ShowEscapesWhatItDrawsWith) {
  write("text.txt", "a\\a|a");
  ASSERT_EQ(run("tokenize train text.txt --vocab 257 --out t257.json").code, 0) << read("err.txt");
  write("bars.txt", "a|\\|b\\n\n\xC3\xA9");
  const Ran shown = run("tokenize show t257.json bars.txt");
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("\n\na|\\||\\\\|\\||b|\\\\|n|\\n\n|\\xc3|\\xa9|\n"), std::string::npos) << shown.out;
  EXPECT_NE(run("tokenize show --help").out.find("A bar of the text is shown as \\|"), std::string::npos);
}

// A file may cut what it encodes to a length; `show` draws all of a text, and counts its tokens.
TEST_F(Tokenize, ShowDrawsTheWholeText) {
  json limited = byte_tokenizer();
  limited["truncation"] = {{"direction", "Right"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}};
  write("limited.json", limited.dump());
  write("text.txt", "hihihi");
  EXPECT_EQ(lines("encode limited.json --no-specials", "{\"text\": \"hihihi\"}\n").out,
            "{\"ids\":[2,2],\"type_ids\":[0,0]}\n");
  const Ran shown = run("tokenize show limited.json text.txt --json");
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_EQ(json::parse(shown.out)["tokens"], 3) << shown.out;
}

TEST_F(Tokenize, WrongUseIsExplained) {
  fails("tokenize", 2, "subcommand");
  fails("tokenize mix t.json", 2, "no verb 'mix'; the verbs: encode, decode, train, show");
  fails("tokenize encode t.json", 2, "--jsonl");
  fails("tokenize encode --jsonl", 2, "TOKENIZER is required");
  EXPECT_EQ(run("tokenize encode --help").code, 0);
}

}  // namespace
}  // namespace statera
