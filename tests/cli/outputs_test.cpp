// What the program writes harms nothing: folders and files that are not its own, two at once, outputs that are inputs,
// pipes, closed descriptors.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

class Outputs : public Program {
 protected:
  Outputs() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i * i % 997) + " of the text\n";
    write("text.txt", text);
    write("config.json", test::config_of(test::Keeps::fixed, 32));
  }
  static std::string train(const std::string& out, int steps = 3) {
    return "train text.txt --config config.json --length 32 --batch 4 --no-baselines --steps " + std::to_string(steps) +
           " --out " + out + " ";
  }
  void train_model() const { ASSERT_EQ(run(train("m")).code, 0) << read("err.txt"); }
  // Lines of metrics.jsonl; every one must be JSON.
  size_t steps_logged(const std::string& out) const {
    std::istringstream lines(read(out + "/metrics.jsonl"));
    size_t n = 0;
    for (std::string line; std::getline(lines, line); ++n) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    return n;
  }
  // For `before` of run(): the program with its descriptors as `redirect` says.
  static std::string with(const std::string& redirect) { return "with() { \"$@\" " + redirect + "; }; with"; }
};

TEST_F(Outputs, AFolderThatIsNotOursIsRefused) {
  fs::create_directories(path("o/last"));
  write("o/last/thesis.txt", "years");
  write("o/config.json", "{}");
  for (const char* how : {"", "--overwrite", "--resume"})
    fails(train("o") + how, 1, "o/config.json: was not written by statera");
  EXPECT_EQ(read("o/config.json") + read("o/last/thesis.txt"), "{}years");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("o")), {}), 2);
  fs::create_directory(path("c"));
  for (const char* name : {"report.html", "report.json", "compare.sqlite", "compare.sqlite-journal",
                           "compare.sqlite-wal", "compare.sqlite-shm", "winner"}) {
    write("c/" + std::string(name), "mine");
    fails("compare nowhere.txt --out c", 1, name);  // seen before anything is read
    EXPECT_EQ(read("c/" + std::string(name)), "mine");
    fs::remove(path("c/" + std::string(name)));
  }
  EXPECT_TRUE(fs::is_empty(path("c")));
}

TEST_F(Outputs, ARefusalChangesNothing) {
  train_model();
  const std::string weights = read("m/model.safetensors");
  for (const auto& [list, why] : {std::pair(R"({"format_version":99,"files_of_statera":[]})",
                                            "m/statera.json: format_version 99, this program reads 1"),
                                  {R"({"format_version":1,"files_of_statera":[]})", "was not written by statera"}}) {
    write("m/statera.json", list);
    for (int again = 0; again < 2; ++again) {
      for (const char* how : {"", "--overwrite", "--resume"}) fails(train("m") + how, 1, how[0] == '-' ? why : "m");
      fails("convert m --weights int8 --out m", 1, "m");
      fails("compare nowhere.txt --out m", 1, "");  // which would not touch the model
    }
    EXPECT_EQ(read("m/statera.json"), list);
    EXPECT_TRUE(read("m/model.safetensors") == weights);
  }
}

TEST_F(Outputs, AModelThatComparePutsNowhereStays) {
  train_model();
  fs::create_directories(path("q/models/c"));
  for (const char* name : {"config.json", "model.safetensors"})
    fs::copy(path("m/" + std::string(name)), path("q/models/c/" + std::string(name)));
  const auto refused = [&](const std::string& folder, const std::string& why) {
    fails("compare nowhere.txt --out " + folder, 1, why);  // before anything is read
    EXPECT_FALSE(fs::exists(path(folder + "/statera.json")));
  };
  refused("q", "q/models: holds something that was not written by this command");
  fs::remove_all(path("q/models/c"));
  ASSERT_EQ(run("convert m --weights int8 --out q/models/c").code, 0) << read("err.txt");
  refused("q", "q/models: holds something that was not written by this command");
  EXPECT_NE(run("score q/models/c text.txt").out.find("weights in int8"), std::string::npos);
  fs::create_directory(path("o"));
  write("o/models", "x");
  refused("o", "o/models: is no folder");
  EXPECT_EQ(read("o/models"), "x");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("o")), {}), 1);
}

TEST_F(Outputs, ASecondWriterOfAFolderIsRefused) {
  const pid_t first = start(train("m", 1000000), "m/checkpoint/state.safetensors", "first.txt", "first_err.txt");
  for (const char* how : {"", "--overwrite", "--resume"})
    fails(train("m") + how, 1, "m: process " + std::to_string(first) + " on ");
  EXPECT_EQ(end(first, SIGKILL), 128 + SIGKILL);
  ASSERT_GT(read("m/checkpoint/state.safetensors").size(), 0u);
  EXPECT_EQ(run(train("m") + "--overwrite").code, 0) << read("err.txt");
  EXPECT_EQ(steps_logged("m"), 3u);
  EXPECT_FALSE(fs::exists(path("m/.statera.lock")));
}

TEST_F(Outputs, AFolderIsHeldWhileDataAreRead) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int writer = ::open(path("pipe").c_str(), O_RDWR | O_CLOEXEC);
  const std::string from_pipe = "train - --config config.json --length 32 --batch 4 --no-baselines --steps 3 --out ";
  pid_t first = start(from_pipe + "p/q <pipe", "p/q/.statera.lock", "first.txt", "first_err.txt");
  fails(train("p/q"), 1, "p/q: process " + std::to_string(first) + " on ");
  EXPECT_EQ(end(first, SIGINT), 130);
  EXPECT_FALSE(fs::exists(path("p")));
  first = start(from_pipe + "p <pipe", "p/.statera.lock", "first.txt", "first_err.txt");
  const std::string text = read("text.txt");
  EXPECT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(writer);
  EXPECT_EQ(end(first, 0), 0) << read("first_err.txt");
  EXPECT_EQ(steps_logged("p"), 3u);
}

TEST_F(Outputs, AFolderThatIsSwappedMeanwhileIsNotTouched) {
  train_model();
  const pid_t first = start(train("sw", 1000000), "sw/metrics.jsonl", "first.txt", "first_err.txt");
  fs::rename(path("sw"), path("sw.old"));
  fs::copy(path("m"), path("sw"), fs::copy_options::recursive);
  EXPECT_EQ(end(first, 0), 1);  // by itself
  EXPECT_NE(read("first_err.txt")
                .find("\nstatera train: error: sw: this folder was moved while it was written into, and is now "),
            std::string::npos)
      << read("first_err.txt");
  for (const char* name :
       {"model.safetensors", "last/model.safetensors", "checkpoint/state.safetensors", "metrics.jsonl"})
    EXPECT_TRUE(read("sw/" + std::string(name)) == read("m/" + std::string(name))) << name;
  EXPECT_GT(steps_logged("sw.old"), 0u);
  EXPECT_FALSE(fs::exists(path("sw.old/.statera.lock")));
}

TEST_F(Outputs, AFolderInsideOfARunIsRefused) {
  train_model();
  const pid_t first = start(train("ne", 1000000), "ne/checkpoint/state.safetensors", "first.txt", "first_err.txt");
  const auto refused = [&] {
    for (const char* inside : {"ne/last", "ne/checkpoint"}) {
      fails(train(inside), 1, "belongs to the model in");
      fails("convert m --weights int8 --out " + std::string(inside), 1, "belongs to the model in");
      fails("compare text.txt --out " + std::string(inside), 1, "belongs to the model in");
    }
    fails("score m text.txt --per-byte ne/last/config.json", 1, "is a file of a model");
  };
  refused();
  EXPECT_EQ(end(first, SIGKILL), 128 + SIGKILL);
  refused();
  ASSERT_EQ(run(train("other/last")).code, 0);
  fails(train("other"), 1, "other/last: is the folder of another model");
}

TEST_F(Outputs, NamesBesideTheFilesAreTheUsersToo) {
  const std::string text = read("text.txt");
  fs::create_directory(path("h"));
  fs::create_hard_link(path("text.txt"), path("h/.statera.lock"));
  fails(train("h"), 1, "h/.statera.lock: is not a lock file of statera");
  EXPECT_EQ(read("text.txt"), text);
  fs::remove(path("h/.statera.lock"));
  for (const char* name :
       {"h/.config.json.statera-partial", "h/.statera.json.statera-partial", ".table.statera-partial"})
    fs::create_hard_link(path("text.txt"), path(name));
  ASSERT_EQ(run(train("h")).code, 0) << read("err.txt");
  ASSERT_EQ(run(train("h") + "--overwrite").code, 0) << read("err.txt");
  ASSERT_EQ(run("score h text.txt --per-byte table").code, 0) << read("err.txt");
  EXPECT_EQ(fs::hard_link_count(path("text.txt")), 4u);
  EXPECT_EQ(read("text.txt"), text);
}

TEST_F(Outputs, AModelStaysUntilThereIsAnother) {
  train_model();
  const std::string before = read("m/model.safetensors") + read("m/last/model.safetensors");
  fs::remove(path("m/metrics.jsonl"));
  const pid_t first =
      start("train text.txt --init m --out m --overwrite --no-baselines --steps 1000000 --evaluate-every 1000000",
            "m/metrics.jsonl");
  EXPECT_EQ(end(first, SIGKILL), 128 + SIGKILL);
  EXPECT_TRUE(read("m/model.safetensors") + read("m/last/model.safetensors") == before);
  EXPECT_EQ(run("score m text.txt").code, 0) << read("err.txt");
}

TEST_F(Outputs, AnOutputIsNoInput) {
  train_model();
  const std::string text = read("text.txt"), weights = read("m/model.safetensors"), config = read("config.json"),
                    metrics = read("m/metrics.jsonl");
  fs::create_hard_link(path("text.txt"), path("hard.txt"));
  fs::create_symlink("text.txt", path("soft.txt"));
  fs::create_directory(path("texts"));
  fs::create_hard_link(path("text.txt"), path("texts/text.txt"));
  for (const char* name : {"text.txt", "./m/../text.txt", "hard.txt", "soft.txt"}) {
    fails("score m text.txt --force --per-byte " + std::string(name), 1, "is one of the files that were read");
    fails("score m - --force --per-byte " + std::string(name) + " <text.txt", 1, "is one of the files that were read");
    fails("score m texts --force --per-byte " + std::string(name), 1, "is one of the files that were read");
    EXPECT_EQ(read("text.txt"), text);
  }
  for (const char* name : {"m/model.safetensors", "m/config.json", "m/last/model.safetensors", "m/metrics.jsonl"}) {
    fails("score m text.txt --force --per-byte " + std::string(name), 1, "is a file of a model");
    fails("bench --start " + test::any_preset(test::Keeps::fixed) + " --out " + std::string(name), 1,
          "is a file of a model");
  }
  fails("bench --start config.json --out ./config.json", 1, "is one of the files that were read");
  fs::create_directory(path("theirs"));  // without a list, and with weights that do not say whose they are
  std::string foreign = weights;
  for (const auto& [ours, other] :
       {std::pair<std::string, std::string>("\"statera ", "\"another "), {"statera_checksum", "another_checksum"}})
    foreign.replace(foreign.find(ours), ours.size(), other);
  write("theirs/model.safetensors", foreign);
  std::string written_by_hand = read("m/config.json");
  written_by_hand.replace(written_by_hand.find("\"format_version\": "), 18, "\"format_version\":");
  write("theirs/config.json", written_by_hand);
  for (const char* name : {"theirs/model.safetensors", "theirs/config.json"})
    fails("score theirs text.txt --force --per-byte " + std::string(name), 1, "is one of the files that were read");
  fails("bench --start theirs --out theirs/config.json", 1, "is one of the files that were read");
  EXPECT_TRUE(read("theirs/model.safetensors") == foreign && read("theirs/config.json") == written_by_hand);
  fails("train m/metrics.jsonl --config config.json --steps 3 --out m --overwrite", 1,
        "m/metrics.jsonl: is one of the files to read");
  EXPECT_TRUE(read("m/model.safetensors") == weights && read("config.json") == config &&
              read("m/metrics.jsonl") == metrics);
}

TEST_F(Outputs, PipesAndLinksStayWhatTheyAre) {
  const std::string bench = "bench --start config.json --length 32 --threads 1 --out ";
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(run(bench + "pipe", "with() { cat pipe >got.json & \"$@\"; code=$?; wait; return $code; }; with").code, 0)
      << read("err.txt");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  write("old.json", "old");
  fs::create_symlink("old.json", path("link.json"));
  EXPECT_EQ(run(bench + "link.json").code, 0) << read("err.txt");
  EXPECT_TRUE(fs::is_symlink(path("link.json")));
  EXPECT_TRUE(nlohmann::json::accept(read("old.json")));
  EXPECT_TRUE(nlohmann::json::accept(read("got.json"))) << read("got.json");
}

TEST_F(Outputs, WhatCannotBeWrittenIsSeenBeforeTheWork) {
  fails("train nowhere.txt --out text.txt", 1, "text.txt");
  fails("compare nowhere.txt --out text.txt/x", 1, "text.txt/x");
  fails("convert nowhere --weights int8 --out text.txt", 1, "text.txt");
  fails("score nowhere text.txt --per-byte no/such/table", 1, "no/such/table");
  fails("bench --start " + test::any_preset(test::Keeps::fixed) + " --out no/such/table", 1, "no/such/table");
  fails("bench --start " + test::any_preset(test::Keeps::fixed) + " --out /dev/stdin </dev/null", 1,
        "/dev/stdin: cannot write the file: Bad file descriptor");
  EXPECT_FALSE(fs::exists(path("no")));
}

TEST_F(Outputs, ClosedDescriptorsAreNoFilesOfOurs) {
  EXPECT_EQ(run(train("e", 8) + "--evaluate-every 2", with("2>&-")).code, 0);
  EXPECT_EQ(steps_logged("e"), 8u);
  EXPECT_EQ(run(train("n", 8) + "--evaluate-every 2", with("<&- 2>&- >&-")).code, 1);  // the result could not be said
  EXPECT_EQ(steps_logged("n"), 8u);
  EXPECT_EQ(read("n/last/model.safetensors"), read("e/last/model.safetensors"));
  const Ran ran = run("info " + test::any_preset(test::Keeps::fixed), with(">&-"));
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("cannot write the output"), std::string::npos) << ran.err;
}

TEST_F(Outputs, ADeadPipeEndsNoWork) {
  static_cast<void>(run(train("e", 20) + "--evaluate-every 1", with("2>&1 | true")));
  EXPECT_EQ(steps_logged("e"), 20u);
  EXPECT_TRUE(fs::exists(path("e/last/model.safetensors")));
  static_cast<void>(
      run("generate e --max-bytes 200000", "with() { { \"$@\"; echo $? >code.txt; } | head -c 10; }; with"));
  EXPECT_EQ(read("code.txt"), std::to_string(128 + SIGPIPE) + "\n");
  EXPECT_EQ(read("err.txt").find("cannot write"), std::string::npos) << read("err.txt");
  const Ran ran = run_and_signal(train("h", 1000000), "h/checkpoint/state.safetensors", SIGHUP, 200);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_TRUE(fs::exists(path("h/last/model.safetensors")));
}

TEST_F(Outputs, StandardOutputHasTheWholeTable) {
  train_model();
  for (const char* name : {"/dev/stdout", "/proc/self/fd/1", "out.txt"}) {
    const Ran ran = run("score m text.txt --per-byte " + std::string(name));
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out.rfind("position\tbyte\tbits\n0\t108\t", 0), 0u) << ran.out.substr(0, 100);
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), static_cast<int64_t>(read("text.txt").size()) + 2)
        << name;
    EXPECT_NE(ran.out.find("\n" + run("score m text.txt").out), std::string::npos) << name;
  }
}

TEST_F(Outputs, APipeThatNobodyReadsIsLeft) {
  train_model();
  static_cast<void>(
      run("score m text.txt --per-byte /dev/stdout", "with() { { \"$@\"; echo $? >code.txt; } | head -n 1; }; with"));
  EXPECT_EQ(read("code.txt"), std::to_string(128 + SIGPIPE) + "\n");
  EXPECT_EQ(read("err.txt").find("cannot write"), std::string::npos) << read("err.txt");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const Ran ran = run_and_signal("score m text.txt --per-byte pipe", "err.txt", SIGINT, 500);
  EXPECT_EQ(ran.code, 130) << ran.err;
}

TEST_F(Outputs, TablesOfOursAreNoData) {
  train_model();
  fs::create_directory(path("d"));
  fs::copy_file(path("text.txt"), path("d/text.txt"));
  const auto size = read("text.txt").size();
  for (int again = 0; again < 2; ++again) {  // the table may be made again
    const Ran ran = run("score m d --per-byte d/out.tsv --json");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(nlohmann::json::parse(ran.out)["bytes"], size);
    EXPECT_EQ(ran.err.find("d: 1 file that statera wrote is left out\n") == std::string::npos, again == 0) << ran.err;
    EXPECT_EQ(ran.err.find("hidden"), std::string::npos) << ran.err;  // its own partial file
  }
  ASSERT_EQ(run("bench --start config.json --length 32 --threads 1 --out d/b.json").code, 0) << read("err.txt");
  ASSERT_EQ(run("bench --start config.json --length 32 --threads 1 --out d/b.json").code, 0) << read("err.txt");
  const Ran ran = run("score m d --json");
  EXPECT_EQ(nlohmann::json::parse(ran.out)["bytes"], size);
  EXPECT_NE(ran.err.find("d: 2 files that statera wrote are left out\n"), std::string::npos) << ran.err;
}

TEST_F(Outputs, WhatAKilledScoreLeftIsRemoved) {
  train_model();
  fs::create_directory(path("t"));
  std::string large;
  while (large.size() < 30'000'000) large += read("text.txt");
  write("large.txt", large);
  EXPECT_EQ(run_and_signal("score m large.txt --threads 1 --per-byte t/costs.tsv", "t/.costs.tsv.statera-partial",
                           SIGKILL, 700)
                .code,
            128 + SIGKILL);
  ASSERT_GT(fs::file_size(path("t/.costs.tsv.statera-partial")), 0u);
  fs::copy_file(path("t/.costs.tsv.statera-partial"), path("t/.costs.tsv.2.statera-partial"));
  write("t/.costs.tsv.3.statera-partial", "mine");
  EXPECT_EQ(run("score m text.txt --per-byte t/costs.tsv").code, 0) << read("err.txt");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("t")), {}), 2);
  EXPECT_EQ(read("t/.costs.tsv.3.statera-partial"), "mine");
}

// One Ctrl-C may reach it twice, through a program that passes it on.
TEST_F(Outputs, ASignalThatComesTwiceAtOnceIsOne) {
  const pid_t child = start(train("m", 1000000), "m/checkpoint/state.safetensors", "out.txt", "err.txt");
  for (const int signal : {SIGINT, SIGINT, SIGHUP}) {
    kill(child, signal);
    usleep(5'000);
  }
  EXPECT_EQ(end(child, SIGINT), 130) << read("err.txt");
  EXPECT_TRUE(fs::exists(path("m/last/model.safetensors")));
}

TEST_F(Outputs, ItsOwnOutputIsNoDataBesideTheUsers) {
  fs::create_directory(path("n"));
  fs::copy_file(path("text.txt"), path("n/text.txt"));
  const std::string command = "train n --config config.json --length 32 --batch 4 --no-baselines --steps 3 --out n ";
  ASSERT_EQ(run(command).code, 0) << read("err.txt");
  EXPECT_EQ(run(command + "--resume").code, 0) << read("err.txt");
  const Ran ran = run("score n n --json");
  EXPECT_EQ(nlohmann::json::parse(ran.out)["bytes"], read("text.txt").size()) << ran.err;
}

}  // namespace
}  // namespace statera
