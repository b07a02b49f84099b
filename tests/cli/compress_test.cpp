// statera compress and decompress: data come back, nothing of the user's is lost, damage is an error.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "support/any_mixer.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

class Compress : public Program {
 protected:
  Compress() { write("licence.txt", licence()); }
  static std::string licence() {
    std::ifstream file(test::source_path("LICENSE"), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string noise(size_t size) {
    std::string bytes(size, '\0');
    uint32_t x = 7;
    for (char& byte : bytes) byte = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    return bytes;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path(""))) all.push_back(entry.path().filename().string());
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(Compress, DataComeBack) {
  const std::string long_text = licence() + noise(70'000) + licence() + std::string(250'000, '\0');
  for (const std::string& data : {std::string(), std::string("x"), licence(), noise(5000), long_text}) {
    write("data", data);
    const Ran ran = run("compress data --force --memory 16");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    EXPECT_EQ(ran.out.rfind("data.statera: ", 0), 0u) << ran.out;
    ASSERT_EQ(run("decompress data.statera --out back --force").code, 0) << read("err.txt");
    EXPECT_TRUE(read("back") == data) << data.size();
    ASSERT_EQ(run("compress - --memory 16 <data").code, 0) << read("err.txt");
    fs::rename(path("out.txt"), path("piped"));
    ASSERT_EQ(run("decompress - <piped").code, 0) << read("err.txt");
    EXPECT_TRUE(read("out.txt") == data) << data.size();
  }
  EXPECT_LT(fs::file_size(path("data.statera")), 80'000u);
  fs::remove(path("data"));
  ASSERT_EQ(run("decompress data.statera").code, 0) << read("err.txt");
  EXPECT_TRUE(read("data") == long_text);
}

TEST_F(Compress, AStreamComesBackFromPipesAndTheLengthIsNotNeeded) {
  ASSERT_EQ(run("compress - --memory 16 --out s.statera", "with() { cat licence.txt | \"$@\"; }; with").code, 0)
      << read("err.txt");
  ASSERT_EQ(run("decompress - --out back", "with() { cat s.statera | \"$@\"; }; with").code, 0) << read("err.txt");
  EXPECT_EQ(read("back"), licence());
}

TEST_F(Compress, AModelHelpsAndIsNeededToGetTheDataBack) {
  write("model.json", R"({"d_model": 32, "mixers": )" + test::two_mixers(32) + R"(, "layers": "m A"})");
  const std::string train =
      "train licence.txt --config model.json --steps 300 --batch 2 --length 64 --lr 0.005 --no-baselines --out ";
  ASSERT_EQ(run(train + "m").code, 0) << read("err.txt");
  ASSERT_EQ(run(train + "other --seed 2").code, 0) << read("err.txt");
  write("data", licence().substr(2000, 3000));
  ASSERT_EQ(run("compress data --out alone").code, 0) << read("err.txt");
  Ran ran = run("compress data --model m --adapt-segment 64");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_LT(fs::file_size(path("data.statera")), fs::file_size(path("alone")));
  for (const char* isa : {"AVX2", "EMU128"}) {
    ran = run("compress data --model m --adapt-segment 64 --threads 3 --out " + std::string(isa),
              "STATERA_ISA=" + std::string(isa));
    if (ran.err.find("[isa]") != std::string::npos) continue;  // another processor
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(read(isa), read("data.statera")) << isa;
  }
  ASSERT_EQ(run("decompress data.statera --model m --out back").code, 0) << read("err.txt");
  EXPECT_EQ(read("back"), read("data"));
  ran = run("decompress data.statera --out again");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("data.statera: was compressed with the model "), std::string::npos) << ran.err;
  ran = run("decompress data.statera --model other --out again");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("data.statera: the data were compressed with the model "), std::string::npos) << ran.err;
  // The message names the model by what `info` prints of it.
  for (const auto& [folder, place] : {std::pair("m", "with the model "), std::pair("other", ", this is ")}) {
    const auto said = nlohmann::json::parse(run(std::string("info ") + folder + " --fingerprint --json").out);
    EXPECT_NE(ran.err.find(place + said.at("fingerprint").get<std::string>()), std::string::npos) << ran.err;
  }
  ran = run("decompress alone --model m --out again");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("was compressed without a model"), std::string::npos) << ran.err;
  ran = run("compress data --model m --adapt-lr 100000 --adapt-segment 16 --out again");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("data: the model no longer predicts after byte "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("--adapt-lr"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find('['), std::string::npos) << ran.err;  // nor the room that threw it
  EXPECT_FALSE(fs::exists(path("again")));
}

TEST_F(Compress, EveryInstructionSetWritesTheSameBytes) {
  ASSERT_EQ(run("compress licence.txt").code, 0) << read("err.txt");
  for (const char* isa : {"AVX2", "EMU128"}) {
    const Ran ran = run("compress licence.txt --out " + std::string(isa), "STATERA_ISA=" + std::string(isa));
    if (ran.err.find("[isa]") != std::string::npos) continue;  // another processor
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(read(isa), read("licence.txt.statera")) << isa;
  }
}

TEST_F(Compress, JsonSaysTheSizes) {
  const Ran ran = run("compress licence.txt --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto said = nlohmann::json::parse(ran.out);
  EXPECT_EQ(said["bytes"], licence().size());
  EXPECT_EQ(said["compressed_bytes"], fs::file_size(path("licence.txt.statera")));
  EXPECT_EQ(said["out"], "licence.txt.statera");
  EXPECT_LT(said["bits_per_byte"], 3);
}

TEST_F(Compress, AnExistingFileStays) {
  write("licence.txt.statera", "mine");
  fails("compress licence.txt", 1, "licence.txt.statera: exists already; replace it with --force");
  EXPECT_EQ(read("licence.txt.statera"), "mine");
  ASSERT_EQ(run("compress licence.txt --force").code, 0) << read("err.txt");
  write("licence.txt", "changed");
  fails("decompress licence.txt.statera", 1, "licence.txt: exists already");
  EXPECT_EQ(read("licence.txt"), "changed");
  fails("compress licence.txt --out ./licence.txt --force", 1, "is one of the files that were read");
  fails("decompress licence.txt.statera --out licence.txt.statera --force", 1, "is one of the files that were read");
  EXPECT_EQ(read("licence.txt"), "changed");
  ASSERT_EQ(run("decompress licence.txt.statera --force").code, 0) << read("err.txt");
  EXPECT_EQ(read("licence.txt"), licence());
}

TEST_F(Compress, DamagedCutAndForeignFilesAreErrorsAndLeaveNothing) {
  ASSERT_EQ(run("compress licence.txt").code, 0) << read("err.txt");
  const std::string whole = read("licence.txt.statera");
  std::vector<std::string> before = names();
  before.push_back("x.statera");
  const auto refused = [&](const std::string& bytes, const std::string& why) {
    write("x.statera", bytes);
    fails("decompress x.statera", 1, why);
    EXPECT_EQ(names(), before);
  };
  std::string bytes = whole;
  bytes[whole.size() / 2] = static_cast<char>(bytes[whole.size() / 2] ^ 4);
  refused(bytes, "x.statera: is damaged: the checksum before its byte ");
  refused(whole.substr(0, whole.size() / 2), "x.statera: is damaged: it is cut off after ");
  refused(whole.substr(0, 20), "x.statera: is damaged: it is cut off after 20 bytes");
  refused(whole + "more", "x.statera: is damaged: something follows after its end");
  bytes = whole;
  bytes[8] = 9;
  refused(bytes, "x.statera: has version 9 of the format, this program reads 6 and 7: take the statera that wrote it");
  refused(licence(), "x.statera: was not written by statera compress: it begins differently");
  refused("", "x.statera: is empty");
}

TEST_F(Compress, WrongUseIsOneLine) {
  fails("compress", 2, "FILE");
  fails("compress nowhere", 1, "nowhere: cannot open: No such file or directory");
  fails("compress .", 1, ".: expected a file, got a folder; pack it first: tar c FOLDER | statera compress -");
  fails("compress licence.txt --memory 15", 2, "--memory 15 is not between 16 and 65536 (MiB)");
  fails("compress licence.txt --out no/such/file", 1, "no/such/file");
  fails("compress licence.txt --out - --json", 2, "--json and the result would both go to standard output");
  fails("decompress licence.txt", 2, "licence.txt: the name does not end in .statera");
  EXPECT_EQ(names(), (std::vector<std::string>{"err.txt", "licence.txt", "out.txt"}));
}

TEST_F(Compress, AFullDiskLeavesNothing) {
  write("noise", noise(60'000));
  fails("compress noise --out /dev/full", 1, "/dev/full: cannot write the file: No space left on device");
  const Ran full = run("compress noise", "ulimit -f 16;");
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("noise.statera: cannot write the file"), std::string::npos) << full.err;
  ASSERT_EQ(run("compress noise").code, 0) << read("err.txt");
  fs::remove(path("noise"));
  EXPECT_EQ(run("decompress noise.statera", "ulimit -f 16;").code, 1);
  EXPECT_EQ(names(), (std::vector<std::string>{"err.txt", "licence.txt", "noise.statera", "out.txt"}));
}

TEST_F(Compress, AnInterruptedOneLeavesNothing) {
  write("noise", noise(20'000'000));
  Ran ran = run_and_signal("compress noise", ".noise.statera.statera-partial", SIGINT, 300);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(names(), (std::vector<std::string>{"err.txt", "licence.txt", "noise", "out.txt"}));
  // while it waits for a pipe
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const pid_t child = start("compress - --out p.statera <>pipe", ".p.statera.statera-partial");
  EXPECT_EQ(end(child, SIGTERM), 130);
  EXPECT_FALSE(fs::exists(path("p.statera")));
  ran = run_and_signal("compress noise", ".noise.statera.statera-partial", SIGKILL, 300);
  EXPECT_EQ(ran.code, 128 + SIGKILL);
  EXPECT_FALSE(fs::exists(path("noise.statera")));
}

TEST_F(Compress, AReaderThatHasGoneIsNoError) {
  write("noise", noise(600'000));
  static_cast<void>(run("compress noise --out -", "with() { { \"$@\"; echo $? >code.txt; } | head -c 10; }; with"));
  EXPECT_EQ(read("code.txt"), std::to_string(128 + SIGPIPE) + "\n");
  EXPECT_EQ(read("err.txt"), "");
}

TEST_F(Compress, WhatWasPrivateStaysPrivate) {
  write("secret", "nobody else may read this, this, this");
  std::filesystem::permissions(path("secret"),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto open_to_others = [&](const std::string& name) {
    using std::filesystem::perms;
    return std::filesystem::status(path(name)).permissions() & (perms::group_all | perms::others_all);
  };
  ASSERT_EQ(run("compress secret").code, 0);
  EXPECT_EQ(open_to_others("secret.statera"), std::filesystem::perms::none);
  ASSERT_EQ(run("decompress secret.statera --out again").code, 0);
  EXPECT_EQ(open_to_others("again"), std::filesystem::perms::none);
}

}  // namespace
}  // namespace statera
