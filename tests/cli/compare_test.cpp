// statera compare through the program: what a user meets, what an interrupted comparison leaves, what a later call
// adds.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "report/report_fixture.hpp"

namespace statera {
namespace {

class Compare : public Program {
 protected:
  Compare() {
    std::string text;
    uint32_t x = 1;
    for (int i = 0; i < 2500; ++i)
      text += "line " + std::to_string((x = x * 1664525 + 1013904223) >> 22) + " of the text\n";
    write("text.txt", text);
    write("ssm.json", test::config_of(test::Keeps::fixed, 16));
    write("keys.json", test::config_of(test::Keeps::growing, 16));
  }
  std::string usual(const std::string& out) const { return with_budget(enough()) + out + " "; }
  std::string one_candidate(const std::string& out) const {
    return "compare text.txt --candidates ssm.json --length 32 --batch 2 --learning-rates 1 --budget " + enough() +
           " --out " + out;
  }
  std::string enough() const {
    static const std::string budget = std::to_string(2 * least_budget()) + "s";
    return budget;
  }
  // Seconds that buy all of a comparison here, noise too; a sanitized build needs more of them.
  int least_budget() const {
    for (int seconds = 1; seconds < 200; seconds *= 2) {
      const std::string out = "budget" + std::to_string(seconds);
      if (run(with_budget(std::to_string(seconds) + "s") + out).code != 0) continue;
      const nlohmann::json all = report(out)["candidates"];
      if (std::all_of(all.begin(), all.end(), [](const nlohmann::json& c) { return c.contains("noise"); }))
        return seconds;
    }
    ADD_FAILURE() << "no budget is enough";
    return 200;
  }
  static std::string with_budget(const std::string& budget) {
    return "compare text.txt --candidates ssm.json,keys.json --budget " + budget +
           " --length 32 --batch 2 --learning-rates 3 --out ";
  }
  nlohmann::json report(const std::string& out) const { return nlohmann::json::parse(read(out + "/report.json")); }
  // What must not depend on when a comparison was cut.
  static nlohmann::json results(nlohmann::json report) {
    nlohmann::json all;
    for (const auto& c : report["candidates"])
      all.push_back({c["name"], c["learning_rates"], c["lr"], c["steps"], c["bits_per_byte"], c["curve"],
                     c["by_position"], c["recall"], c["learning_bits_per_byte"]});
    return all;
  }
};

TEST_F(Compare, DataThatWereCutAreReadAgainAsFar) {
  ASSERT_EQ(mkfifo(path("open").c_str(), 0600), 0);
  const int writer = ::open(path("open").c_str(), O_RDWR);  // so that the pipe never ends
  const std::string text = read("text.txt").substr(0, 40'000);
  ASSERT_EQ(::write(writer, text.data(), text.size()), std::ssize(text));
  const std::string begin = "compare - --candidates ssm.json",
                    rest = " --length 32 --batch 2 --learning-rates 1 --out a <";
  const Ran first = run(begin + rest + "open --budget " + std::to_string(4 * least_budget()) + "s");
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.err.find("was over while the standard input was read"), std::string::npos) << first.err;
  ::close(writer);
  const Ran second = run(begin + ",keys.json" + rest + "text.txt");
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_NE(second.err.find("of the standard input no more is read than before"), std::string::npos) << second.err;
  EXPECT_EQ(report("a")["data"]["bytes"], 40'000);
  EXPECT_EQ(report("a")["candidates"].size(), 2u);
}

TEST_F(Compare, MeasuresRecommendsAndShows) {
  const Ran ran = run(usual("a"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = report("a");
  EXPECT_EQ(unlisted_keys(nlohmann::ordered_json(json)), std::vector<std::string>());
  EXPECT_TRUE(json["complete"]);
  ASSERT_EQ(json["candidates"].size(), 2u);
  for (const auto& c : json["candidates"]) {
    EXPECT_EQ(c["status"], "done") << c;
    EXPECT_LT(c["bits_per_byte"].get<double>(), 8);
    EXPECT_EQ(c["learning_rates"].size(), 3u);
    EXPECT_GE(c["curve"].size(), 10u);
    EXPECT_EQ(c["noise"].size(), 3u);
    EXPECT_EQ(c["contexts"].back()["context"], 65536);
    EXPECT_EQ(c["speed"]["prefill_bytes"], c["length"]);
    for (const char* key : {"by_position", "recall", "speed", "memory"}) EXPECT_FALSE(c[key].empty()) << key;
  }
  EXPECT_EQ(json["candidates"][0].contains("difference") + json["candidates"][1].contains("difference"), 1);
  // on a busy machine the slowest may be given up, which is then noted
  const bool given_up = json.dump().find("context mixing: not finished") != std::string::npos;
  EXPECT_EQ(json["baselines"].size(), given_up ? 9u : 10u);
  for (const auto& c : json["candidates"]) {
    ASSERT_EQ(c.contains("mixed_bits_per_byte"), !given_up);
    if (given_up) continue;
    const double counted = json["baselines"].back()["bits_per_byte"], mixed = c["mixed_bits_per_byte"];
    EXPECT_LT(mixed, std::min(counted, c["learning_bits_per_byte"].get<double>()) + 0.1);
    EXPECT_NE(mixed, counted);
  }
  std::istringstream lines(ran.out);
  std::string words;  // of the output, however it is wrapped
  for (std::string line; std::getline(lines, line); words += line + " ") EXPECT_LE(line.size(), 100u) << line;
  for (const std::string sentence : json["recommendation"]["sentences"])
    EXPECT_NE(words.find(sentence), std::string::npos) << ran.out;
  EXPECT_NE(read("a/report.html").find("</html>"), std::string::npos);
  if (json["recommendation"].contains("winner")) {
    EXPECT_EQ(run("score a/winner text.txt").code, 0);
  }
  EXPECT_EQ(run(usual("a")).code, 0);  // nothing is left to do
  EXPECT_EQ(results(report("a")), results(json));
  EXPECT_FALSE(std::filesystem::exists(path("a/compare.sqlite-journal")));
  std::filesystem::remove(path("a/winner"));  // as while it runs
  for (const char* inside : {"a/models/mine", "a/winner"})
    fails("train text.txt --steps 2 --out " + std::string(inside), 1, "belongs to the comparison in");
  EXPECT_EQ(run("train text.txt --config ssm.json --length 32 --batch 2 --steps 2 --no-baselines --out other").code, 0);
  const std::string weights = "a/models/ssm/model.safetensors";
  std::filesystem::copy_file(path("other/model.safetensors"), path(weights),
                             std::filesystem::copy_options::overwrite_existing);
  fails(usual("a"), 1, weights + ": is not the model that this comparison trained");
}

TEST_F(Compare, ALaterCallAddsACandidate) {
  ASSERT_EQ(run(one_candidate("a") + " --weight-decay 0.3 --dropout 0.1").code, 0);
  const std::string before_command = report("a")["command"];
  const auto before = report("a")["candidates"][0];
  const Ran ran = run("compare text.txt --candidates keys.json --out a");  // settings are the folder's
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto after = report("a");
  ASSERT_EQ(after["candidates"].size(), 2u);
  EXPECT_EQ(after["candidates"][0]["bits_per_byte"], before["bits_per_byte"]);
  EXPECT_EQ(after["candidates"][0]["steps"], before["steps"]);
  EXPECT_EQ(after["candidates"][1]["name"], "keys");
  EXPECT_EQ(after["candidates"][1]["status"], "done");
  const std::string again = after["command"];
  EXPECT_EQ(again, before_command + "\nstatera compare text.txt --candidates keys.json --out a");
  ASSERT_EQ(run("compare text.txt --candidates keys.json --out a").code, 0);  // brings no candidate
  EXPECT_EQ(report("a")["command"], again);
  EXPECT_NE(after["terms"]["equal"].get<std::string>().find("; weight decay 0.3; dropout 0.1"), std::string::npos)
      << after["terms"];
  for (const char* name : {"ssm", "keys"}) {
    const std::string checkpoint = read(std::string("a/models/") + name + "/checkpoint/state.safetensors");
    for (const char* option : {R"(weight_decay\":0.3,)", R"(dropout\":0.1,)"})
      EXPECT_NE(checkpoint.find(option), std::string::npos) << name << " " << option;
  }
}

TEST_F(Compare, AFolderOfTheUsersInAComparisonStays) {
  ASSERT_EQ(run(one_candidate("a")).code, 0);
  std::filesystem::create_directories(path("a/models/keys"));
  write("a/models/keys/model.safetensors", "mine");
  fails("compare text.txt --candidates keys.json --out a", 1, "a/models/keys: was not written by this comparison");
  EXPECT_EQ(read("a/models/keys/model.safetensors"), "mine");
  EXPECT_EQ(run(one_candidate("a")).code, 0) << read("err.txt");
  const std::string page = read("a/report.html");
  std::filesystem::remove(path("a/statera.json"));  // then the page must say itself that it is ours
  write("a/report.html", "mine");
  fails("report a", 1, "a/report.html: was not written by statera");
  EXPECT_EQ(read("a/report.html"), "mine");
  write("a/report.html", page);
  EXPECT_EQ(run("report a").code, 0) << read("err.txt");
  std::filesystem::remove(path("a/statera.json"));  // which names the page alone
  write("a/compare.sqlite-wal", "mine");
  fails(one_candidate("a"), 1, "a/compare.sqlite-wal: was not written by statera");
  EXPECT_EQ(read("a/compare.sqlite-wal"), "mine");
  std::filesystem::remove(path("a/compare.sqlite-wal"));
  write("a/compare.sqlite", "");
  for (int again = 0; again < 2; ++again)
    fails(one_candidate("a"), 1,
          "a/compare.sqlite: is empty or damaged: it knows of no candidate, though a/models/ssm is there");
}

TEST_F(Compare, ReadingATextManyTimesIsNoted) {
  write("short.txt", read("text.txt").substr(0, 3000));
  for (const bool drops : {false, true}) {
    const std::string out = drops ? "dropped" : "plain";
    const Ran ran =
        run("compare short.txt --candidates ssm.json --length 32 --batch 2 --learning-rates 1 --noise-share 0 --out " +
            out + " --budget " + enough() + (drops ? " --dropout 0.1" : ""));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(report(out)["notes"].dump().find("ssm read the training text up to ") == std::string::npos, drops)
        << report(out)["notes"];
    if (drops) continue;
    // A model that is gone is trained again, though its checkpoint is there and has worse weights.
    const std::string checkpoint = read("plain/models/ssm/checkpoint/state.safetensors"),
                      weights = "plain/models/ssm/model.safetensors", before = read(weights);
    EXPECT_EQ(checkpoint.find(R"(\"best_step\":)" +
                              std::to_string(report(out)["candidates"][0]["steps"].get<int64_t>()) + ","),
              std::string::npos);
    std::filesystem::remove(path(weights));
    EXPECT_EQ(run("compare short.txt --candidates ssm.json --out " + out).code, 0) << read("err.txt");
    EXPECT_EQ(read(weights), before);
  }
}

TEST_F(Compare, CutAnywhereItEndsTheSame) {
  const auto in_bf16 = [&](const char* out) { return usual(out) + "--precision bf16"; };
  const Ran cut = run_and_signal(in_bf16("a"), "a/trials", SIGINT, 150);
  ASSERT_EQ(cut.code, 130) << cut.err;
  EXPECT_NE(cut.err.find("run the same command again to continue"), std::string::npos) << cut.err;
  EXPECT_FALSE(report("a")["complete"]);
  EXPECT_NE(read("a/report.html").find("</html>"), std::string::npos);
  std::filesystem::copy(path("a"), path("b"), std::filesystem::copy_options::recursive);
  ASSERT_EQ(run(in_bf16("a")).code, 0);
  int kills = 0;
  for (int milliseconds : {200, 600, 1100})
    kills += run_and_signal(in_bf16("b"), "b/compare.sqlite", SIGKILL, milliseconds).code == 128 + SIGKILL;
  EXPECT_GT(kills, 0);
  ASSERT_EQ(run(in_bf16("b")).code, 0);
  EXPECT_NE(report("a")["terms"]["equal"].get<std::string>().find("training in bf16"), std::string::npos);
  EXPECT_EQ(results(report("a")), results(report("b"))) << kills << " kills";
  // On a busy machine one of them may have given the counts up.
  const auto a = report("a"), b = report("b");
  for (size_t i = 0; i < a["candidates"].size(); ++i)
    if (const auto& one = a["candidates"][i], &other = b["candidates"][i];
        one.contains("mixed_bits_per_byte") && other.contains("mixed_bits_per_byte")) {
      EXPECT_EQ(one["mixed_bits_per_byte"], other["mixed_bits_per_byte"]);
    }
}

TEST_F(Compare, ARefusedBudgetLeavesNothingAndNamesOneThatIsAccepted) {
  const std::string flags = "compare text.txt --candidates " + test::any_preset(test::Keeps::fixed) +
                            ",keys.json --length 64 --batch 2 --budget ",
                    refused = "the budget is too small for 2 candidates";
  fails(flags + "0.1s --out new/below", 1, refused);
  EXPECT_FALSE(std::filesystem::exists(path("new")));
  std::filesystem::create_directory(path("mine"));
  write("mine/notes.txt", "mine");
  fails(flags + "0.1s --out mine", 1, refused);
  std::vector<std::string> left;
  for (const auto& file : std::filesystem::directory_iterator(path("mine")))
    left.push_back(file.path().filename().string());
  EXPECT_EQ(left, std::vector<std::string>{"notes.txt"});
  const std::string message = read("err.txt"), give = "give --budget ";
  const size_t at = message.find(give);
  ASSERT_NE(at, std::string::npos) << message;
  const std::string budget = message.substr(at + give.size(), message.find(',', at) - at - give.size());
  const Ran accepted = run_and_signal(flags + budget + " --out a", "a/models", SIGINT, 0);
  EXPECT_EQ(accepted.code, 130) << budget << "\n" << accepted.err;
  EXPECT_EQ(accepted.out, "") << "a table of nothing";
  EXPECT_FALSE(report("a")["candidates"].empty());
}

// The numbers of steps are fixed, so it takes longer.
TEST_F(Compare, AMachineThatIsSlowerThanItWasIsNamed) {
  const pid_t child = start(usual("a"), "a/trials");
  kill(child, SIGSTOP);
  sleep(5);
  kill(child, SIGCONT);
  EXPECT_EQ(end(child, 0), 0);
  const std::string err = read("err.txt"), line = "\nthis machine is slower than when it was measured: about ";
  const size_t at = err.find(line);
  ASSERT_NE(at, std::string::npos) << err;
  EXPECT_EQ(err.find(line, at + 1), std::string::npos) << err;
  EXPECT_NE(read("a/compare.log").find(line.substr(1)), std::string::npos);
}

TEST_F(Compare, ANameNeedNotBeUtf8) {
  write("caf\xe9.txt", read("text.txt"));
  write("x\nINJECTED\xc2\x9b.json", read("ssm.json"));
  const Ran ran =
      run("compare caf\xe9.txt --candidates \"$(printf 'x\\nINJECTED\\302\\233').json\" --length 32 --batch 2 "
          "--learning-rates 1 --noise-share 0 --out a --budget " +
          enough());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(report("a")["data"]["name"], "caf\\xe9.txt");
  const std::string log = "\n" + read("a/compare.log");  // a line for each note, whatever the candidate is called
  EXPECT_NE(log.find("  x\\x0aINJECTED\\xc2\\x9b: train"), std::string::npos) << log;
  EXPECT_EQ(log.find("\nINJECTED"), std::string::npos);
}

TEST_F(Compare, BadInputIsOneLine) {
  const std::string preset = test::any_preset(test::Keeps::fixed);
  fails("compare text.txt --candidates ssm.json --length 0 --out no", 1, "length is 0; it must be at least 2");
  fails("compare text.txt --candidates mamba7", 1, "unknown candidate 'mamba7'");
  fails("compare text.txt --candidates ssm.json,ssm.json", 1, "two candidates are called 'ssm'");
  fails("compare text.txt --candidates " + preset + ",keys.json --budget 0.1s --length 64 --batch 2 --out small", 1,
        "the budget is too small for 2 candidates");
  EXPECT_EQ(run(one_candidate("small")).code, 0);  // and binds nobody
  fails("compare text.txt --candidates ssm.json --budget 0", 2, "--budget '0' is no span of time");
  fails("compare nothing.txt", 1, "nothing.txt");
  write("short.txt", "short");
  fails("compare short.txt --out short", 1, "too few to train on");
  fails("compare text.txt --size huge", 1, "unknown size 'huge'; known: ");
  fails("compare text.txt --candidates ssm.json --match luck", 2, "match");
  fails(
      "compare text.txt --candidates ssm.json," + preset + " --match params --budget 2s --length 32 --batch 2 --out p",
      1, "parameters and " + preset);
  ASSERT_EQ(run(one_candidate("a")).code, 0);
  fails("compare text.txt --candidates ssm.json --length 64 --out a", 1, "other settings (lengths: \"32\" and \"64\"");
  fails("compare text.txt --candidates ssm.json --held-out-bytes 500 --out few", 1, "--held-out-bytes 500 are too few");
  write("other.txt", read("text.txt") + "more\n");
  fails("compare other.txt --candidates ssm.json --out a", 1, "other data (text.txt)");
  write("a/compare.sqlite", std::string(3000, 'x'));
  fails("compare text.txt --candidates ssm.json --out a", 1, "a/compare.sqlite: file is not a database");
}

}  // namespace
}  // namespace statera
