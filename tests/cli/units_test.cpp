// Models over tokens through the program: trained, resumed, read, compared, and always judged per byte.
#include <algorithm>
#include <filesystem>
#include <span>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "io/safetensors.hpp"
#include "support/file_tensors.hpp"

namespace statera {
namespace {

using nlohmann::json;

class Units : public Program {
 protected:
  Units() {
    std::string text;
    uint32_t x = 1;
    for (int i = 0; i < 1500; ++i)
      text += "the line " + std::to_string((x = x * 1664525 + 1013904223) >> 24) + " of the <|endoftext|> text\n";
    write("text.txt", text);
    write("config.json", R"({"d_model": 32, "mixers": )" + test::two_mixers(32) + R"(, "layers": "m A"})");
  }
  std::string train(const std::string& more) const {
    return "train text.txt --config config.json --length 16 --batch 4 --no-baselines " + more;
  }
  Ran good(const std::string& command) const {
    Ran ran = run(command);
    EXPECT_EQ(ran.code, 0) << command << "\n" << ran.err;
    return ran;
  }
  // A comparison with a budget that is enough here; a sanitized build needs more. Later calls have the same one.
  Ran compared(const std::string& arguments) {
    for (const char* budget : {"6s", "30s", "150s"}) {
      if (!budget_.empty() && budget_ != budget) continue;
      Ran ran = run("compare " + arguments + " --budget " + budget);
      if (ran.code != 0 && ran.err.find("the budget is too small") != std::string::npos) continue;
      EXPECT_EQ(ran.code, 0) << arguments << "\n" << ran.err;
      budget_ = budget;
      return ran;
    }
    ADD_FAILURE() << "no budget is enough for " << arguments;
    return {};
  }
  int64_t bytes_of(const std::string& file) const { return std::ssize(read(file)); }

 private:
  std::string budget_;
};

TEST_F(Units, AModelCarriesItsTokenizerAndReadsText) {
  const json trained = json::parse(good(train("--units bpe-300 --steps 20 --json --out m")).out);
  EXPECT_EQ(trained["held_out_bytes"], (bytes_of("text.txt") + 9) / 10);
  EXPECT_LT(trained["held_out_positions"], trained["held_out_bytes"]) << "tokens are fewer than bytes";
  EXPECT_EQ(json::parse(good("info m --json").out)["config"]["vocab_size"], 300);
  EXPECT_NE(good("info m").out.find("reads tokens: the 300 of its tokenizer.json"), std::string::npos);
  // the tokenizer in the folder is one that any program can use
  EXPECT_NE(good("tokenize show m/tokenizer.json").out.find("300 ids"), std::string::npos);
  EXPECT_LE(json::parse(good("generate m --prompt \"the \" --max-bytes 30 --json").out)["bytes"], 30);
  // every byte has a cost, and they add up
  const json scored = json::parse(good("score m text.txt --per-byte table.tsv --json").out);
  EXPECT_EQ(scored["bytes"], bytes_of("text.txt"));
  const std::string table = read("table.tsv");
  EXPECT_EQ(std::ranges::count(table, '\n'), bytes_of("text.txt") + 1);
  double sum = 0;
  for (size_t at = table.find('\n') + 1; at < table.size(); at = table.find('\n', at) + 1)
    sum += std::stod(table.substr(table.find('\t', table.find('\t', at) + 1) + 1, 12));
  EXPECT_NEAR(sum / static_cast<double>(bytes_of("text.txt")), scored["bits_per_byte"].get<double>(), 1e-3);
}

// Two files, one after the other: what was learned from the first is kept.
TEST_F(Units, WhatWasLearnedIsKeptFromFileToFile) {
  good(train("--units bpe-300 --steps 20 --out m"));
  const std::string text = read("text.txt");
  write("monday", text.substr(0, 6000));
  write("tuesday", text.substr(6000, 6000));
  std::filesystem::create_directory(path("days"));
  write("days/1", read("monday"));
  write("days/2", read("tuesday"));
  const auto adaptive = [&](const std::string& what) {
    return json::parse(good("score m " + what + " --adapt --json").out)["adaptive_bits_per_byte"].get<double>();
  };
  const double first = adaptive("monday --adapt-lr 0.002 --adapt-save learned"),
               second = adaptive("tuesday --adapt-from learned --adapt-save learned"),
               both = adaptive("days --adapt-lr 0.002");
  EXPECT_NEAR((first + second) / 2, both, 1e-3);
  EXPECT_LT(second, adaptive("tuesday --adapt-lr 0.002"));
  EXPECT_NE(run("score m tuesday --adapt --adapt-save text.txt").code, 0);
  EXPECT_EQ(read("text.txt"), text);
}

TEST_F(Units, ATableReplacesOnlyATable) {
  good(train("--steps 5 --out m"));
  write("notes.txt", "mine");
  const Ran refused = run("score m text.txt --per-byte notes.txt");
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("notes.txt: exists already"), std::string::npos) << refused.err;
  EXPECT_EQ(read("notes.txt"), "mine");
  good("score m text.txt --per-byte notes.txt --force");
  good("score m text.txt --per-byte notes.txt");
}

TEST_F(Units, ASpecialTokenIsTextUnlessAFlagSaysOtherwise) {
  good(train("--units bpe-300 --steps 5 --out m"));
  const auto bits = [&](const std::string& more) {
    return json::parse(good("score m text.txt --json" + more).out)["bits_per_byte"].get<double>();
  };
  EXPECT_NE(bits(""), bits(" --special-tokens"));
}

// A model that cannot read the special token: in its embedding the token's row is above any number, so that whoever
// reads it gets no finite logits. What gives finite ones has not read it.
TEST_F(Units, NoSpecialTokenComesOutOfWhatAUserWrites) {
  json config = json::parse(read("config.json"));
  config.update({{"format_version", 2}, {"tied", false}, {"embedding_scale", 16}});
  write("config.json", config.dump());
  good(train("--units bpe-300 --steps 5 --out m"));
  const std::string weights = path("m/model.safetensors");
  {
    const SafetensorsFile file = SafetensorsFile::open(weights);
    const test::FileTensors tensors(file);
    const auto table = std::ranges::find(tensors.views, "embedding.weight", &NamedView::name);
    ASSERT_NE(table, tensors.views.end());
    ASSERT_EQ(table->view.rows(), 301);  // 299 is the special token, 300 stands before each text
    std::ranges::fill(std::span(table->view.row_range(299, 1).as<float>(), 32), 3e38f);
    write_with_checksum({weights + ".new"}, tensors.views, file.metadata());
  }
  std::filesystem::rename(weights + ".new", weights);
  const std::string ends = "<|endoftext|>";
  for (const std::string& text : {ends, "the " + ends, ends + " the line", "the line" + ends + ends + " of\n"}) {
    write("prompt.txt", text);
    for (const std::string& command :
         {std::string("generate m --max-bytes 9 --prompt - <prompt.txt"),
          std::string("generate m --max-bytes 9 --prompt \"$(cat prompt.txt)\""), std::string("score m prompt.txt"),
          std::string("score m prompt.txt --per-byte costs.tsv"), std::string("score m prompt.txt --adapt")}) {
      good(command);
      // the last id of a text is predicted, and read by nobody
      if (command.starts_with("score") && text.ends_with(ends)) continue;
      const size_t verb_and_model = command.find(" m ") + 3;
      const Ran special = run(std::string(command).insert(verb_and_model, "--special-tokens "));
      EXPECT_EQ(special.code, 1) << command << "\n" << text;
      const char* error = command.starts_with("score") ? "finite" : "is nan";
      EXPECT_NE(special.err.find(error), std::string::npos) << command << "\n" << special.err;
    }
  }
}

TEST_F(Units, KilledAndResumedIsTheUncutRun) {
  const std::string usual = train("--units bpe-280 --steps 150 --checkpoint-every 0.05 ");
  good(usual + "--out whole");
  ASSERT_EQ(run_and_signal(usual + "--out cut", "cut/checkpoint/state.safetensors", SIGKILL, 50).code, 128 + SIGKILL);
  good(usual + "--out cut --resume");
  for (const char* file : {"/model.safetensors", "/tokenizer.json", "/last/model.safetensors"})
    EXPECT_EQ(read(std::string("whole") + file), read(std::string("cut") + file)) << file;
  const Ran other = run(train("--units bpe-290 --steps 150 --out cut --resume"));
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("with other units than bpe-290"), std::string::npos) << other.err;
}

// The text is the same, but not the tokens.
TEST_F(Units, ARunGoesOnWithTheSpecialTokensItHadOnly) {
  const std::string usual = train("--units bpe-280 --steps 150 --checkpoint-every 0.05 --out m ");
  ASSERT_EQ(run_and_signal(usual + "--special-tokens", "m/checkpoint/state.safetensors", SIGKILL, 50).code,
            128 + SIGKILL);
  const Ran without = run(usual + "--resume");
  EXPECT_EQ(without.code, 1);
  EXPECT_NE(without.err.find("the same files and flags"), std::string::npos) << without.err;
  good(usual + "--special-tokens --resume");
}

TEST_F(Units, AModelTrainsFurtherWithItsTokenizer) {
  good(train("--units bpe-300 --steps 5 --out m"));
  good("train text.txt --init m --length 16 --batch 4 --no-baselines --steps 5 --out further");
  EXPECT_EQ(read("m/tokenizer.json"), read("further/tokenizer.json"));
  good(train("--units m/tokenizer.json --steps 5 --out from-file"));
  EXPECT_EQ(read("m/tokenizer.json"), read("from-file/tokenizer.json"));
  ASSERT_EQ(std::system(("xz -k " + path("m/tokenizer.json")).c_str()), 0);
  good(train("--units m/tokenizer.json.xz --steps 5 --out from-packed"));
  EXPECT_EQ(read("m/tokenizer.json"), read("from-packed/tokenizer.json"));
}

// Its ids are not the bytes that it would compare with.
TEST_F(Units, TokensAreNotCutAtSpaces) {
  STATERA_NEEDS({"hnet"});
  json config = json::parse(read("config.json"));
  config["layers"] = "m h m";
  config["mixers"]["h"] = {{"type", "hnet"},
                           {"router", "spaces"},
                           {"stack", {{"d_model", config["d_model"]}, {"layers", "m"}, {"mixers", config["mixers"]}}}};
  config["mixers"]["h"]["stack"]["mixers"].erase("h");
  write("spaces.json", config.dump());
  const Ran refused =
      run("train text.txt --config spaces.json --units bpe-300 --steps 2 --length 16 --batch 2 --out m");
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("the router spaces cuts at bytes, and this model reads 300 tokens"), std::string::npos)
      << refused.err;
  good("train text.txt --config spaces.json --no-baselines --steps 2 --length 16 --batch 2 --out m");
}

TEST_F(Units, OfAComparisonAreAnAxis) {
  const Ran ran = compared(
      "text.txt --candidates config.json --units bytes,bpe-300 --length 32 --batch 2 --learning-rates 1 "
      "--noise-share 0 --out c");
  const json report = json::parse(read("c/report.json"));
  ASSERT_EQ(report["candidates"].size(), 2u);
  const json &bytes = report["candidates"][0], &tokens = report["candidates"][1];
  EXPECT_EQ(bytes["name"], "config");
  EXPECT_EQ(tokens["name"], "config:bpe-300");
  EXPECT_EQ(tokens["units"], "bpe-300");
  EXPECT_EQ(bytes["bytes_per_id"], 1);
  EXPECT_GT(tokens["bytes_per_id"], 1.5);
  EXPECT_EQ(bytes["embedding_parameters"], 257 * 32);
  EXPECT_EQ(tokens["embedding_parameters"], 301 * 32);
  EXPECT_GT(tokens["prepare_seconds"], 0);
  EXPECT_EQ(tokens["seeds"].size(), bytes["seeds"].size());
  EXPECT_TRUE(tokens.contains("learning_bits_per_byte"));
  EXPECT_FALSE(tokens.contains("mixed_bits_per_byte")) << "counts are of bytes";
  const bool counted =
      std::ranges::any_of(report["baselines"], [](const json& b) { return b["name"] == "context mixing"; });
  EXPECT_EQ(bytes.contains("mixed_bits_per_byte"), counted);  // if there was time for it
  EXPECT_NE(ran.out.find("bpe-300: "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("embed-"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(path("c/models/config:bpe-300/tokenizer.json")));
  EXPECT_FALSE(std::filesystem::exists(path("c/models/config/tokenizer.json")));
  // each byte of the file is in one part, and counts once however it was cut into ids: the text that no model saw costs
  // the same when `score` reads it as bytes of a file
  const auto held_out = report["data"]["held_out_bytes"].get<size_t>();
  EXPECT_EQ(report["data"]["train_bytes"].get<int64_t>() + report["data"]["validation_bytes"].get<int64_t>() +
                static_cast<int64_t>(held_out),
            bytes_of("text.txt"));
  write("held_out.txt", read("text.txt").substr(read("text.txt").size() - held_out));
  for (const json& candidate : {bytes, tokens}) {
    const std::string name = candidate["name"];
    const json scored = json::parse(good("score 'c/models/" + name + "' held_out.txt --json").out);
    EXPECT_EQ(scored["bytes"], held_out) << name;
    EXPECT_NEAR(scored["bits_per_byte"], candidate["seeds"][0]["bits_per_byte"], 1e-9) << name;
  }
  // more units in a later call, with the tokenizer that is stored
  compared(
      "text.txt --candidates config.json --units bpe-300,bpe-280 --length 32 --batch 2 --learning-rates 1 "
      "--noise-share 0 --out c");
  EXPECT_EQ(json::parse(read("c/report.json"))["candidates"].size(), 3u);
}

// Whatever a call that failed did, and whatever files are called, the tokens are those of these data and of this file.
TEST_F(Units, OfAComparisonAreNeverThoseOfAnother) {
  const std::string usual =
      "--candidates config.json --length 32 --batch 2 --learning-rates 1 --noise-share 0 --out c ";
  EXPECT_NE(run("compare text.txt --units bpe-300 --budget 0.01s " + usual).code, 0);
  std::string upper = read("text.txt");
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  write("upper.txt", upper);
  compared("upper.txt --units bpe-300 " + usual);
  EXPECT_NE(read("c/models/config:bpe-300/tokenizer.json").find("LINE"), std::string::npos);
  // two files with one name
  std::filesystem::create_directory(path("d"));
  good("tokenize train text.txt --vocab 290 --out tok.json");
  good("tokenize train upper.txt --vocab 280 --out d/tok.json");
  compared("upper.txt --units tok.json " + usual);
  const Ran other = run("compare upper.txt --units d/tok.json " + usual);
  EXPECT_NE(other.code, 0);
  EXPECT_NE(other.err.find("holds other units called 'tok'"), std::string::npos) << other.err;
  for (const char* name : {"bytes.json", "bpe-300.json"}) {
    write(name, read("tok.json"));
    EXPECT_NE(run(std::string("compare upper.txt --units ") + name + " " + usual).err.find("rename the file"),
              std::string::npos);
  }
}

TEST_F(Units, ATokenizerOfTheUsersIsLeftAlone) {
  good(train("--steps 5 --out m"));
  write("m/tokenizer.json", "{\"mine\": true}");
  run(train("--steps 5 --overwrite --out m"));
  EXPECT_EQ(read("m/tokenizer.json"), "{\"mine\": true}");
}

TEST_F(Units, AFolderStandsForItsTokenizerAndARefusedCallLeavesNothing) {
  std::filesystem::create_directory(path("t"));
  good("tokenize train text.txt --vocab 290 --out t/tokenizer.json");
  good(train("--units t --steps 5 --out m"));
  EXPECT_EQ(read("m/tokenizer.json"), read("t/tokenizer.json"));
  for (const char* units : {"bpe-100", "text.txt", "nowhere"}) {
    EXPECT_NE(run(std::string("compare text.txt --out c --units ") + units).code, 0);
    EXPECT_FALSE(std::filesystem::exists(path("c"))) << units;
  }
  EXPECT_NE(run("compress text.txt --model m").err.find("m: reads 290 tokens"), std::string::npos);
}

// A file of another program brings nothing to check its ids with. That is said once, and not of what was made here.
TEST_F(Units, OfAnotherProgramAreSaidToBeUnchecked) {
  const std::string remark = "other.json: the file has no examples, so its ids are not checked\n";
  const auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  good("tokenize train text.txt --vocab 290 --out own.json");
  write("other.json", json::parse(read("own.json")).dump(2));
  const Ran other = good(train("--units other.json --steps 5 --out m --json"));
  EXPECT_EQ(count(other.err, remark), 1) << other.err;
  EXPECT_EQ(count(other.out, "not checked"), 0);
  for (const char* units : {"own.json", "bytes", "bpe-290"}) {
    const Ran ran = good(train(std::string("--overwrite --steps 5 --out m --units ") + units));
    EXPECT_EQ(count(ran.err, "not checked"), 0) << units << "\n" << ran.err;
  }
  write("config2.json", read("config.json"));
  const Ran both = compared(
      "text.txt --candidates config.json,config2.json --units other.json --length 32 --batch 2 "
      "--learning-rates 1 --noise-share 0 --out c");
  EXPECT_EQ(count(both.err, remark), 1) << both.err;
  EXPECT_EQ(count(both.err, "not checked"), 1) << both.err;
}

TEST_F(Units, BadOnesGetOneClearLine) {
  good(train("--units bpe-300 --steps 5 --out m"));
  const auto refused = [&](const std::string& command, const std::string& what) {
    const Ran ran = run(command);
    EXPECT_NE(ran.code, 0) << command;
    EXPECT_NE(ran.err.find(what), std::string::npos) << command << "\n" << ran.err;
  };
  refused(train("--units words"), "unknown units 'words'; known: bytes, bpe-1024");
  refused(train("--units bpe-100"), "100");
  refused(train("--units text.txt --out x"), "a model can carry a tokenizer.json only");
  refused("compare text.txt --units bpe-300,bpe-300 --out c", "two of the units are called 'bpe-300'");
  refused("score m text.txt --counts", "reads tokens");
  good(train("--steps 5 --out b"));
  refused("score b text.txt --special-tokens", "b reads bytes");
  refused(train("--special-tokens --out x"), "goes with --units of tokens");
  good("tokenize train text.txt --vocab 290 --out tok.json");
  json characters = json::parse(read("tok.json"));
  characters["pre_tokenizer"] = {{"type", "Whitespace"}};
  characters["decoder"] = nullptr;
  write("characters.json", characters.dump());
  refused(train("--units characters.json --out x"), "takes whole characters only");
  write("m/tokenizer.json", read("m/tokenizer.json") + " ");
  refused("score m text.txt", "is not the tokenizer that the weights");
  std::filesystem::remove(path("m/tokenizer.json"));
  refused("generate m", "tokenizer.json");
}

}  // namespace
}  // namespace statera
