// statera train through the program: what a user meets, and what a killed run leaves.
#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

class Train : public Program {
 protected:
  Train() {
    std::string text;
    for (int i = 0; i < 700; ++i) text += "line " + std::to_string(i * i % 997) + " of the text\n";
    write("text.txt", text);
    write("config.json", R"({"d_model": 32, "mixers": )" + test::two_mixers(32) + R"(, "layers": "m A"})");
  }
  std::string usual(const std::string& out) const {
    return "train text.txt --config config.json --length 32 --batch 4 --no-baselines --out " + out + " ";
  }
  std::string weights(const std::string& out) const {
    return read(out + "/last/model.safetensors") + read(out + "/model.safetensors");
  }
};

TEST_F(Train, MakesAModelAndSaysWhatItCosts) {
  const Ran ran = run("train text.txt --config config.json --length 32 --batch 4 --steps 30 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["model"], "out/text");
  EXPECT_TRUE(json["finished"]);
  EXPECT_LT(json["held_out_bits_per_byte"].get<double>(), 8);
  ASSERT_EQ(json["baselines"].size(), 10u);  // n-gram orders 0 to 5, the best of them as it learns, PPMd, xz, counts
  EXPECT_EQ(json["baselines"].back()["name"], "context mixing");
  EXPECT_GT(json["baselines"].back()["bits_per_byte"].get<double>(), 0);
  EXPECT_EQ(json["held_out_positions"], json["held_out_bytes"]);
  for (const char* file :
       {"config.json", "model.safetensors", "last/model.safetensors", "checkpoint/state.safetensors", "metrics.jsonl"})
    EXPECT_TRUE(std::filesystem::exists(path(std::string("out/text/") + file))) << file;
  EXPECT_NE(ran.err.find("forecast: "), std::string::npos);
  EXPECT_EQ(ran.err.find('\r'), std::string::npos);  // no terminal: plain lines
}

// A figure in bits per byte is worth as much as its bytes: of several files, with spaces, line ends and bytes that are
// no text, each counts once.
TEST_F(Train, EveryPathCountsEachByteOnce) {
  std::filesystem::create_directory(path("d"));
  const std::string odd = std::string("  two  spaces\r\n\n\ttab \0 zero \xff\xfe", 30) + "\xc3\xa4 ";
  int64_t total = 0;
  for (int i = 0; i < 40; ++i) {
    std::string file;
    for (int j = 0; j <= i; ++j) file += odd + std::to_string(i * j);
    write("d/" + std::to_string(i), file);
    total += std::ssize(file);
  }
  const Ran trained = run("train d --config config.json --length 32 --batch 4 --steps 10 --json --out m");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto json = nlohmann::json::parse(trained.out);
  const int64_t held_out = json["held_out_bytes"];
  EXPECT_EQ(held_out, (total + 9) / 10);
  EXPECT_EQ(json["held_out_positions"], held_out);
  const Ran scored = run("score m d --per-byte table.tsv --json");
  ASSERT_EQ(scored.code, 0) << scored.err;
  EXPECT_EQ(nlohmann::json::parse(scored.out)["bytes"], total);
  const std::string table = read("table.tsv");
  EXPECT_EQ(std::ranges::count(table, '\n'), total + 1) << "a line of names, and one for each byte";
  const Ran compared =
      run("compare d --candidates config.json --length 32 --batch 4 --learning-rates 1 --noise-share 0 --budget 8s "
          "--out c --json");
  ASSERT_EQ(compared.code, 0) << compared.err;
  const auto data = nlohmann::json::parse(compared.out)["data"];
  EXPECT_EQ(data["bytes"], total);
  EXPECT_EQ(data["train_bytes"].get<int64_t>() + data["validation_bytes"].get<int64_t>() +
                data["held_out_bytes"].get<int64_t>(),
            total)
      << data;
}

// After the last step nothing trains any more, and each figure says what it is about.
TEST_F(Train, TheEndSaysWhatRunsAndWhatTheFiguresAre) {
  const Ran ran = run("train text.txt --config config.json --length 32 --batch 4 --steps 30 --lr 0.01 --out m");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const size_t last = ran.err.find("step 30/30  "), then = ran.err.find('\n', last);
  ASSERT_NE(last, std::string::npos) << ran.err;
  EXPECT_NE(ran.err.substr(last, then - last).find("  last measurement, "), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.rfind("last measurement", last), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("trained and saved; now n-gram models, PPMd, xz and context mixing on the same data", then),
            then + 1)
      << ran.err;
  EXPECT_EQ(ran.out.rfind("held-out bits per byte, on 1.", 0), 0u) << ran.out;
  EXPECT_NE(ran.out.find("KB that were not trained on\n  this model "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.substr(0, ran.out.find("\n  n-gram")).find("on all of them"), std::string::npos) << ran.out;
}

TEST_F(Train, PrecisionIsChosenKeptAndSaid) {
  const Ran chosen = run(usual("auto") + "--steps 3 --precision auto --json");
  ASSERT_EQ(chosen.code, 0) << chosen.err;
  const std::string taken = nlohmann::json::parse(chosen.out)["precision"];
  EXPECT_NE(chosen.err.find("precision: " + taken), std::string::npos) << chosen.err;
  EXPECT_EQ(nlohmann::json::parse(run(usual("bf16") + "--steps 3 --precision bf16 --json").out)["precision"], "bf16");
  EXPECT_NE(run(usual("bf16") + "--steps 3 --precision fp32 --resume").err.find("precision"), std::string::npos);
  EXPECT_EQ(run(usual("bf16") + "--steps 3 --resume").code, 0);
  EXPECT_EQ(run(usual("half") + "--steps 3 --precision fp16").code, 2);
}

TEST_F(Train, KilledAndResumedIsTheUncutRun) {
  ASSERT_EQ(run(usual("uncut") + "--steps 150").code, 0);
  const std::string cut = usual("cut") + "--steps 150 --checkpoint-every 0.05 --resume",
                    state = "cut/checkpoint/state.safetensors";
  int kills = 0;
  for (int milliseconds : {0, 100, 200})
    kills += run_and_signal(cut, state, SIGKILL, milliseconds).code == 128 + SIGKILL;
  EXPECT_GT(kills, 0);
  const Ran last = run(cut);
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_TRUE(weights("cut") == weights("uncut")) << kills << " kills";
}

TEST_F(Train, AnInterruptSavesAndTellsHowToGoOn) {
  const std::string command = usual("a") + "--steps 1000000 --resume", state = "a/checkpoint/state.safetensors";
  Ran ran = run_and_signal(command, state, SIGINT, 300);
  EXPECT_EQ(ran.code, 130);
  EXPECT_NE(ran.err.find("starting from the beginning"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("with --resume to continue"), std::string::npos) << ran.err;
  const size_t at = ran.err.find("stopped and saved at step ");
  ASSERT_NE(at, std::string::npos) << ran.err;
  const std::string step = ran.err.substr(at + 21, ran.err.find(" of", at) - at - 21);
  ran = run_and_signal(usual("a") + "--resume", state, SIGTERM, 2000);
  EXPECT_EQ(ran.code, 130);
  EXPECT_NE(ran.err.find("resuming at " + step + " of 1000000"), std::string::npos) << ran.err;
  EXPECT_FALSE(read("a/model.safetensors").empty());
}

// As a shell without job control runs a program in the background: a Ctrl-C is not meant for it.
TEST_F(Train, AnInterruptThatWasIgnoredBeforeIsNotHeard) {
  const auto before = std::signal(SIGINT, SIG_IGN);  // the program inherits it
  const pid_t child = start(usual("a") + "--steps 300", "a/metrics.jsonl");
  std::signal(SIGINT, before);
  EXPECT_EQ(end(child, SIGINT), 0) << read("err.txt");
  EXPECT_EQ(read("err.txt").find("stopped"), std::string::npos);
}

// After the last step, n-gram models, PPMd and xz take seconds on so much text: they end, and what was trained is
// shown.
TEST_F(Train, AnInterruptOfTheBaselinesShowsTheResult) {
  std::string much;
  for (int i = 0; i < 400'000; ++i) much += std::to_string(i * 7919LL) + " ";
  write("much.txt", much);
  const pid_t child =
      start("train much.txt --config config.json --length 32 --batch 4 --steps 1 --out a", "a/last/model.safetensors");
  for (int waits = 0; waits < 6000 && read("err.txt").find("n-gram models") == std::string::npos; ++waits)
    usleep(10'000);
  const int code = end(child, SIGINT);
  const Ran ran{code, read("out.txt"), read("err.txt")};
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_NE(ran.out.find("this model"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("not finished"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("the model is in a"), std::string::npos) << ran.out;
}

TEST_F(Train, ReadsStandardInput) {
  EXPECT_EQ(run("train - --config config.json --length 32 --steps 3 --no-baselines <text.txt").code, 0);
  EXPECT_TRUE(std::filesystem::exists(path("out/stdin/model.safetensors")));
}

// A log that is rotated while it is trained on: the training had read it.
TEST_F(Train, AFileThatShrinksMeanwhileChangesNothing) {
  std::string text;
  for (int i = 0; i < 9000; ++i) text += "line " + std::to_string(i * i % 997) + " of the log\n";
  write("log.txt", text);
  const std::string train =
      "train log.txt --config config.json --length 32 --batch 4 --no-baselines --steps 200 --checkpoint-every 0 --out ";
  ASSERT_EQ(run(train + "whole").code, 0);
  const Ran cut = run(train + "cut",
                      "{ (for i in $(seq 3000); do [ -e cut/checkpoint/state.safetensors ] && : >log.txt && break; "
                      "sleep 0.01; done) & } &&");
  ASSERT_EQ(cut.code, 0) << cut.err;
  EXPECT_TRUE(read("log.txt").empty());
  EXPECT_TRUE(weights("cut") == weights("whole"));
}

// By what they hold, not by their names; the same for a file, a folder and standard input. A pipe can be read only
// once.
TEST_F(Train, PackedBytesAreUnpackedOrNamed) {
  const std::string flags = " --config config.json --length 32 --batch 4 --steps 3 --no-baselines --json";
  const auto loss = [&](const std::string& arguments, const std::string& before = "") {
    const Ran ran = run("train " + arguments + flags + " --overwrite --out packed", before);
    EXPECT_EQ(ran.code, 0) << arguments << "\n" << ran.err;
    return nlohmann::json::parse(ran.out, nullptr, false).value("held_out_bits_per_byte", -1.0);
  };
  const double plain = loss("text.txt");
  ASSERT_EQ(
      std::system(("cd " + path(".") + " && mkdir f && gzip -c text.txt >f/X.GZ && cp f/X.GZ packed.txt && mkfifo f.gz")
                      .c_str()),
      0);
  EXPECT_GT(plain, 0);
  EXPECT_EQ(loss("f"), plain);
  EXPECT_EQ(loss("f/X.GZ"), plain);
  EXPECT_EQ(loss("packed.txt"), plain);
  EXPECT_EQ(loss("- <packed.txt"), plain);
  EXPECT_EQ(loss("f.gz", "{ (timeout 60 cat packed.txt >f.gz) & } && timeout 60"), plain);
  write("packed.bin", "BZh91AY&SY and so on");
  std::filesystem::copy_file(path("packed.bin"), path("f/packed.bin"));
  for (const char* input : {"packed.bin", "f", "- <packed.bin"})
    fails("train " + std::string(input), 1, "packed by bzip2");
}

// The folder that is trained on has the model in it.
TEST_F(Train, ItsOwnOutputIsNoData) {
  const std::string train =
      "train . --config config.json --length 32 --batch 4 --no-baselines --steps 4 --out out/here ";
  ASSERT_EQ(run(train).code, 0);
  EXPECT_EQ(run(train + "--resume").code, 0) << read("err.txt");
}

TEST_F(Train, GoesOnFromATrainedModel) {
  ASSERT_EQ(run(usual("a") + "--steps 3").code, 0);
  EXPECT_EQ(run("train text.txt --out a --resume --no-baselines").code, 0);  // all options from the checkpoint
  EXPECT_EQ(run("train text.txt --init a --out b --length 32 --steps 3 --no-baselines").code, 0);
  EXPECT_TRUE(weights("a") != weights("b"));
  fails("train text.txt --init nowhere --out c --steps 3", 1, "'nowhere' is not a model folder");
}

TEST_F(Train, NothingIsOverwrittenUnasked) {
  ASSERT_EQ(run(usual("a") + "--steps 3").code, 0);
  const std::string before = weights("a");
  fails(usual("a") + "--steps 4", 1,
        "a holds a model already (model.safetensors), which would be lost: --resume continues");
  EXPECT_TRUE(weights("a") == before);
  fails("train nowhere.txt --out a --overwrite", 1, "nowhere.txt");  // nor before all is checked
  fails("train text.txt --config nowhere --out a --overwrite", 1, "nowhere");
  EXPECT_TRUE(weights("a") == before);
  EXPECT_EQ(run("train text.txt --init a --out a --overwrite --length 32 --steps 2 --no-baselines").code, 0);
  EXPECT_TRUE(weights("a") != before);
  EXPECT_EQ(run(usual("a") + "--steps 3 --overwrite").code, 0);
  EXPECT_TRUE(weights("a") == before);
}

TEST_F(Train, BadInputGetsOneClearLine) {
  std::filesystem::create_directory(path("empty_folder"));
  write("empty.txt", "");
  write("short.txt", "too short");
  fails("train nowhere.txt", 1, "nowhere.txt");
  fails("train empty.txt", 1, "empty.txt");
  fails("train empty_folder", 1, "empty_folder");
  fails("train short.txt --steps 5", 1, "fewer than one sequence");
  fails("train", 2, "FILE");
  fails("fly", 2, "");
  fails("train text.txt --fly", 2, "--fly");
  for (const char* budget : {"0", "-3", "0m", "soon", "5x", "m", "1e999", "99999d", "nan", "''"})
    fails("train text.txt --budget " + std::string(budget), 2, "--budget");
  fails("train text.txt --steps 0", 2, "--steps");
  for (const char* number : {"99999999999999999999", "1.5", "1e3", "x", "''"})
    for (const char* flag : {"--steps", "--seed", "--batch"})
      fails("train text.txt " + std::string(flag) + " " + number, 2, flag);
  fails("train text.txt --steps 5 --accumulate 100000", 1, "accumulate");
  fails("train text.txt --steps 5 --checkpoint-every -1", 1, "checkpoints");
  fails("train text.txt --steps 5 --budget 5m", 2, "--budget");
  fails("train text.txt --steps 5 --threads -2", 2, "--threads");
  fails("train text.txt --steps 5 --batch 0", 1, "batch");
  fails("train text.txt --steps 5 --length 999999999999", 1, "length");
  fails("train text.txt --steps 5 --lr 0", 1, "lr");
  fails("train text.txt --steps 5 --lr nan", 2, "lr");
  fails("train text.txt --steps 5 --dropout 1", 1, "dropout is 1");
  fails("train text.txt --steps 5 --schedule up", 2, "schedule");
  fails("train text.txt --steps 5 --val-fraction 2", 2, "--val-fraction");
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(Train, BadConfigsGetOneClearLine) {
  const auto bad = [&](const std::string& text, const std::string& part) {
    write("bad.json", text);
    fails("train text.txt --steps 3 --config bad.json", 1, part);
  };
  fails("train text.txt --steps 3 --config nowhere", 1, "presets: ");
  const std::string preset = test::any_preset(test::Keeps::fixed), addition = ModelConfig::additions().front();
  fails("train text.txt --steps 3 --config " + preset + "+typo", 1,
        "'" + preset + "+typo': there is no addition '+typo'; known: +");
  fails("train text.txt --steps 3 --config " + preset + "+" + addition + "+", 1, "there is no addition '+'; known: +");
  fails("train text.txt --steps 3 --config nowhere+" + addition, 1, "no preset and no file is called 'nowhere'");
  bad(R"({"d_model": 8, "d_modle": 8, "mixers": {"A": {"type": "swiglu"}}, "layers": "A"})", "d_modle");
  bad(R"({"d_model": 8, "mixers": {"A": {"type": "swiglu", "heads": 2}}, "layers": "A"})", "heads");
  bad(R"({"d_model": 8, "mixers": {"A": {"type": "swigllu"}}, "layers": "A"})", "swigllu");
  bad(R"({"d_model": 8, "mixers": {"A": {"type": "swiglu", "d_ff": -1}}, "layers": "A"})", "d_ff");
  bad(R"({"d_model": 1000000, "mixers": {"A": {"type": "swiglu", "d_ff": 1000000}}, "layers": "A4000"})", "GB");
  bad(R"({"d_model": 8, "mixers": {"A": {"type": "swiglu"}}, "layers": "B"})", "'B'");
  bad(R"({"d_model": 8, "begin": false, "mixers": {"A": {"type": "swiglu", "d_ff": 8}}, "layers": "A"})", "begin");
  bad(std::string(100000, '['), "bad.json");
  bad("", "bad.json");
}

TEST_F(Train, ACheckpointOfAnotherRunIsRefused) {
  ASSERT_EQ(run(usual("a") + "--steps 3").code, 0);
  const std::string before = read("a/checkpoint/state.safetensors");
  write("other.txt", read("text.txt") + "more");
  fails("train other.txt --out a --resume", 1, "other data");
  fails(usual("a") + "--resume --steps 9", 1, "steps");
  fails(usual("a") + "--resume --seed 9", 1, "seed");
  fails("train text.txt --out a --resume --config " + test::any_preset(test::Keeps::fixed), 1, "another model");
  EXPECT_TRUE(read("a/checkpoint/state.safetensors") == before);
  write("a/checkpoint/state.safetensors", before.substr(0, before.size() / 2));
  fails(usual("a") + "--resume --steps 3", 1, "state.safetensors");
}

TEST_F(Train, OnAFullDiskTheLastCheckpointStays) {
  ASSERT_EQ(run(usual("a") + "--steps 3").code, 0);
  const std::string before = read("a/checkpoint/state.safetensors");
  const Ran full = run(usual("a") + "--resume", "ulimit -f 16;");  // 16 blocks of 512 bytes
  EXPECT_EQ(full.code, 1) << full.err;
  EXPECT_NE(full.err.find(".safetensors: cannot write"), std::string::npos) << full.err;
  EXPECT_TRUE(read("a/checkpoint/state.safetensors") == before);
}

}  // namespace
}  // namespace statera
