// Values reach the verbs as they were typed, and no option takes the words after its value.
#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

// A model in the folder `m` that always writes "[a,b] Q 1 ", trained on that alone.
class Values : public Program {
 protected:
  Values() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "[a,b] Q 1 ";
    write("text.txt", text);
    write("config.json", test::config_of(test::Keeps::fixed, 32));
    EXPECT_EQ(run("train text.txt " + terms() + "--steps 60 --lr 0.01 --out m").code, 0);
  }
  static std::string terms() { return "--config config.json --length 32 --batch 4 --no-baselines --threads 1 "; }
  std::string text_of(const std::string& arguments) const {
    const Ran ran = run("generate --temperature 0 --max-bytes 60 " + arguments);
    EXPECT_EQ(ran.code, 0) << arguments << "\n" << ran.err;
    return ran.out;
  }
};

TEST_F(Values, StopTextsAreWhatWasTyped) {
  const std::string all = text_of("m --prompt 'Q 1 '"), cycle = "[a,b] Q 1 ";
  ASSERT_EQ(all.substr(0, 2 * cycle.size()), cycle + cycle);
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop '[1]'"), all);
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop '[b,Q]'"), all);
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop '[a,b]'"), "");
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop=',b]'"), "[a");
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' '--stop=[1]'"), all);
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop '%%' --stop '\"Q\"' --stop --stop=Q"), all);
  EXPECT_EQ(text_of("m --prompt 'Q 1 ' --stop ' 1' --stop ' Q'"), "[a,b]");
}

TEST_F(Values, AnOptionTakesOneValue) {
  const std::string until_q = text_of("m --prompt 'Q 1 ' --stop Q");
  EXPECT_EQ(until_q, "[a,b] ");
  EXPECT_EQ(text_of("--prompt 'Q 1 ' --stop Q m"), until_q);
  EXPECT_EQ(text_of("--stop Q --prompt 'Q 1 ' -- m"), until_q);
  fails("generate --stop Q b m", 2, "several values are given as --stop Q --stop b");
  EXPECT_EQ(text_of("--prompt= m --seed 1"), text_of("m --prompt '' --seed 1"));
  fails("compare --candidates config.json,no.json text.txt", 1, "no.json");
  fails("compare --candidates config.json nowhere.txt", 1,
        "several values are given as --candidates config.json --candidates nowhere.txt");
  fails("bench --train --length 32 64", 2, "several values are given as --length 32 --length 64");
  fails("bench --train config.json config.json", 2,
        "several values are given as --train config.json --train config.json");
  fails("bench --train --length 32,,64", 2, "empty part");
  const Ran ran = run("bench --train config.json --length 64 --length 32 --batch 1,2 --threads 1 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["training"].size(), 4u);
}

TEST_F(Values, NamesOfFilesAreWhatWasTyped) {
  const std::string text = read("text.txt");
  for (const std::string name : {"[x]", "[a,b]", "%%", "a,b", "report", "'x'", "\x01y", "--z=1"}) {
    write(name, text);
    const std::string quoted = "\"" + name + "\"";
    const Ran ran = run("train " + terms() + "--steps 2 --overwrite --json --out 'o" +
                        std::string(name == "'x'" ? "" : name) + "' -- text.txt " + quoted);
    EXPECT_EQ(ran.code, 0) << name << "\n" << ran.err;
    const Ran score = run("score m --json -- " + quoted);
    ASSERT_EQ(score.code, 0) << name << "\n" << score.err;
    EXPECT_EQ(nlohmann::json::parse(score.out)["file"], name == "\x01y" ? "\x01y" : name);
  }
  std::filesystem::remove(path("[x]"));
  write("x", text);
  fails("train '[x]' " + terms(), 1, "[x]");
  fails("train text.txt '[nowhere]' " + terms(), 1, "[nowhere]: ");
  fails("score m text.txt '[x]'", 2, ": [x] ");
}

TEST_F(Values, AnEmptyTextIsRefused) {
  for (const char* flags :
       {"score m text.txt --per-byte ''", "score m text.txt --per-byte=", "score m ''", "score '' text.txt",
        "train text.txt --out ''", "train text.txt ''", "train text.txt --config ''", "train text.txt --init ''",
        "train text.txt --budget ''", "compare text.txt --out ''", "compare text.txt --candidates ''",
        "convert m --weights int8 --out ''", "bench --start config.json --out ''", "bench --config ''", "report ''",
        "info ''", "generate m --stop ''"})
    fails(flags, 2, "'' is empty; give a value, or leave it out");
}

TEST_F(Values, NumbersAreFinite) {
  for (const char* number : {"inf", "-inf", "nan", "INFINITY"})
    for (const char* flag : {"--weight-decay", "--clip", "--lr", "--dropout", "--val-fraction", "--checkpoint-every"})
      fails("train text.txt " + std::string(flag) + " " + number, 2,
            std::string(flag) + ": '" + number + "' is no finite number");
  for (const char* flag : {"weight-decay", "clip"})
    fails("train text.txt " + terms() + "--out n --steps 3 --" + flag + " -1", 1,
          flag == std::string("clip") ? "clip is -1; expected a finite number, 0 or more"
                                      : "weight_decay is -1; expected a finite number, 0 or more");
  EXPECT_FALSE(std::filesystem::exists(path("n")));
}

TEST_F(Values, NumbersAreWholeWords) {
  for (const char* number : {"''", "0x1", "' 1'", "1,5", "1e999", "1e-999", "1e", "many"})
    fails("train text.txt --lr " + std::string(number), 2, "is no number");
  for (const char* flags : {"--lr= --steps 3", "--steps= 3", "--seed 010x", "--json="})
    fails("train text.txt " + std::string(flags), 2, "--");
  fails("generate m --temperature ''", 2, "--temperature");
  fails("bench --train --length ''", 2, "--length");
}

}  // namespace
}  // namespace statera
