// What the program is given: slow and endless inputs within a budget, names that a terminal or JSON cannot take, an
// interrupt while it reads.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

class Inputs : public Program {
 protected:
  Inputs() {
    std::string text;
    for (int i = 0; i < 4000; ++i) text += "line " + std::to_string(i * i % 997) + " of the text\n";
    write("text.txt", text);
    write("config.json", test::config_of(test::Keeps::fixed, 32));
  }
  static std::string train(const std::string& file, const std::string& out, const std::string& how = "--steps 3") {
    return "train " + file + " --config config.json --length 32 --batch 4 --no-baselines --threads 1 " + how +
           " --out " + out;
  }
  static bool has(const std::string& whole, const std::string& part) { return whole.find(part) != std::string::npos; }
  // Every byte fit for a terminal: line ends, and what can be seen.
  static bool is_plain(const std::string& text) {
    return std::ranges::all_of(
        text, [](char c) { return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
  }
};

// The writer never closes the pipe, so that without a limit this would wait for ever.
TEST_F(Inputs, AStreamThatDoesNotEndIsCutWithinTheBudget) {
  ASSERT_EQ(mkfifo(path("open").c_str(), 0600), 0);
  const int writer = ::open(path("open").c_str(), O_RDWR);
  const std::string text = read("text.txt").substr(0, 50'000);
  ASSERT_EQ(::write(writer, text.data(), text.size()), 50'000);
  const Ran pipe = run(train("-", "p", "--budget 1s") + " <open");
  EXPECT_EQ(pipe.code, 0) << pipe.err;
  EXPECT_PRED2(
      has, pipe.err,
      "half of the budget of 1 s was over while the standard input was read: the first 50.0 KB are all that is used");
  // To go on, the same bytes are read again, whatever else there is by now.
  const Ran again = run(train("-", "p", "--resume") + " <text.txt");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_PRED2(has, again.err,
               "of the standard input no more is read than before: the first 50.0 KB are all that is used");
  write("other.txt", "another " + text);
  fails(train("-", "p", "--resume") + " <other.txt", 1, "other data");
  ::close(writer);
  const Ran zeros = run(train("/dev/zero", "z", "--budget 1s"));
  EXPECT_EQ(zeros.code, 0) << zeros.err;
  EXPECT_PRED2(has, zeros.err, "was over while /dev/zero was read");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  for (const char* verb : {"train fifo --budget 1s --out f", "compare fifo --budget 1s --out c"})
    fails(verb, 1, "nothing came from fifo in the 0.5 s that reading may take");
}

TEST_F(Inputs, WhatIsNoFileInAFolderIsNamed) {
  fs::create_directory(path("d"));
  fs::copy_file(path("text.txt"), path("d/text.txt"));
  ASSERT_EQ(mkfifo(path("d/fifo").c_str(), 0600), 0);
  fails(train("d", "m"), 1, "d/fifo: is a pipe, a socket or a device in a folder of files");
}

// Names are bytes: JSON gets U+FFFD for what is no UTF-8, a terminal \xNN.
TEST_F(Inputs, NamesThatAreNoUtf8OrMoveTheCursorAreShownPlainly) {
  const std::string evil = "e\xff\x1b[31m\nx";
  fs::copy_file(path("config.json"), path(evil + ".json"));
  fs::copy_file(path("text.txt"), path(evil + ".txt"));
  const std::string config = "\"$(printf 'e\\377\\033[31m\\nx').json\"",
                    text = "\"$(printf 'e\\377\\033[31m\\nx').txt\"";
  for (const std::string& verb : {"bench --start " + config + " --length 32",
                                  "bench --train " + config + " --length 32 --batch 1", "info " + config}) {
    const Ran json = run(verb + " --json");
    EXPECT_EQ(json.code, 0) << verb << ": " << json.err;
    EXPECT_TRUE(nlohmann::json::accept(json.out)) << verb << ": " << json.out;
    const Ran lines = run(verb);
    EXPECT_EQ(lines.code, 0) << verb;
    EXPECT_TRUE(is_plain(lines.out + lines.err)) << lines.out << lines.err;
    EXPECT_PRED2(has, lines.out, "\\x1b[31m\\x0ax.json") << verb;
  }
  const Ran trained =
      run("train " + text + " --config " + config + " --length 32 --batch 4 --no-baselines --threads 1 --steps 3");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(is_plain(trained.out + trained.err)) << trained.out << trained.err;
  EXPECT_PRED2(has, trained.out, "the model is in out/e\\xff\\x1b[31m\\x0ax;");
  const std::string model = "out/\"$(printf 'e\\377\\033[31m\\nx')\"";
  const Ran converted = run("convert " + model + " --weights int8 --out " + model + "-8");
  EXPECT_EQ(converted.code, 0) << converted.err;
  EXPECT_TRUE(is_plain(converted.out + converted.err)) << converted.out;
  for (const std::string& verb :
       {"info " + model, "score " + model + " " + text, "generate " + model + " --max-bytes 3 --prompt " + text,
        "convert " + model + " --weights int8 --out " + model + "-9"}) {
    const Ran json = run(verb + " --json");
    EXPECT_EQ(json.code, 0) << verb << ": " << json.err;
    EXPECT_TRUE(nlohmann::json::accept(json.out)) << verb << ": " << json.out;
  }
  fails("train " + text + " --out " + model, 1, "x holds a model already (");
  EXPECT_TRUE(is_plain(read("err.txt"))) << read("err.txt");
}

TEST_F(Inputs, AHyphenIsNoOutput) {
  ASSERT_EQ(run(train("text.txt", "m")).code, 0) << read("err.txt");
  fails("score m text.txt --per-byte -", 2,
        "--per-byte - would be a file that is called '-'; standard output is /dev/stdout");
  fails("bench --roof --out -", 2, "--out - would be a file");
  for (const char* verb : {"train text.txt", "compare text.txt", "convert m --weights int8"})
    fails(std::string(verb) + " --out -", 2, "--out - would be a folder");
  EXPECT_FALSE(fs::exists(path("-")));
}

// While it waits for its input, and while it works.
TEST_F(Inputs, AnInterruptedScoreLeavesNoPartOfItsTable) {
  ASSERT_EQ(run(train("text.txt", "m")).code, 0) << read("err.txt");
  fs::create_directory(path("t"));
  write("t/costs.tsv", "of before");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  std::string large;
  while (large.size() < 30'000'000) large += read("text.txt");
  write("large.txt", large);
  for (const char* file : {"fifo", "large.txt"}) {
    fs::remove(path("err.txt"));
    const Ran ran = run_and_signal(std::string("score m ") + file + " --threads 1 --force --per-byte t/costs.tsv",
                                   "err.txt", SIGINT, 700);
    EXPECT_EQ(ran.code, 130) << file << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << file;
    EXPECT_EQ(read("t/costs.tsv"), "of before");
    EXPECT_EQ(std::distance(fs::directory_iterator(path("t")), {}), 1) << file;
  }
  EXPECT_PRED2(has, read("err.txt"), " bytes, without a result and without a table\n");
}

}  // namespace
}  // namespace statera
