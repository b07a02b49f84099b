// generate, score and info through the program; what all verbs have in common; models that cannot be used.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

using nlohmann::json;

std::string line_of_text(int i) {
  return "Zeile " + std::to_string(i * i % 97) + ": Gr\u00fc\u00dfe \u2014 \u732b\n";
}  // of one to three bytes a character

bool whole_utf8(const std::string& text) {
  try {
    static_cast<void>(json(text).dump());  // strict: throws at a byte that belongs to no character
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

// A model of two layers in the folder `m`, of one in `a`, trained for a moment on windows of 32 bytes.
class Verbs : public Program {
 protected:
  Verbs() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += line_of_text(i);
    write("text.txt", text);
    write("config.json", test::config_of(test::Keeps::fixed, 32, "m", R"("norm": "layer")"));
    write("keys.json", test::config_of(test::Keeps::growing, 32));
    EXPECT_EQ(
        run("train text.txt --config config.json --steps 40 --lr 0.01 --length 32 --batch 4 --no-baselines --out m")
            .code,
        0);
  }
  json good(const std::string& arguments) const {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 0) << arguments << "\n" << ran.err;
    const json parsed = json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << ran.out;
    return parsed;
  }
};

TEST_F(Verbs, HelpShowsExamples) {
  for (const char* verb : {"train", "generate", "score", "info", "bench", "report", "convert", "segments"}) {
    const Ran ran = run(std::string(verb) + " --help");
    EXPECT_EQ(ran.code, 0) << verb;
    EXPECT_NE(ran.out.find("Examples:\n"), std::string::npos) << ran.out;
    EXPECT_NE(run("--help").out.find(verb), std::string::npos);
  }
  for (const char* wrong : {"train x", "generate x", "score x y", "info x", "bench", "report x"})
    fails(wrong + std::string(" --no-such-flag"), 2, "--no-such-flag");
  fails("", 2, "--help");
}

TEST_F(Verbs, GenerateStreamsWholeCharacters) {
  const std::string unseeded = "generate m --prompt Zeile --max-bytes 300 ", flags = unseeded + "--seed 3 ";
  const Ran text = run(flags);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(whole_utf8(text.out)) << text.out;
  EXPECT_LE(text.out.size(), 300u);
  EXPECT_GE(text.out.size(), 297u);
  EXPECT_EQ(run(flags).out, text.out);
  const Ran other = run(unseeded + "--seed 4");
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.out, text.out);
  const json parsed = good(flags + "--json");
  EXPECT_EQ(parsed["text"], text.out);
  EXPECT_EQ(parsed["prompt"], "Zeile");
  write("prompt.txt", "Zeile");
  EXPECT_EQ(run("generate m --prompt - --max-bytes 300 --seed 3 <prompt.txt").out, text.out);
  const std::string stop = text.out.substr(20, 4);
  EXPECT_EQ(run(flags + "--stop '" + stop + "'").out, text.out.substr(0, text.out.find(stop)));
  EXPECT_EQ(run(flags + "--raw").out.size(), 300u);
  EXPECT_EQ(run("generate m --max-bytes 100 --temperature 0 --seed 1").out,
            run("generate m --max-bytes 100 --temperature 0 --seed 2").out);
}

TEST_F(Verbs, AnInputThatCannotBeReadIsNoEmptyPrompt) {
  for (const char* input : {"<.", "<&-"}) {
    fails(std::string("generate m --prompt - ") + input, 1, "cannot read the standard input");
    fails(std::string("score m - ") + input, 1, "cannot read the standard input");
  }
}

TEST_F(Verbs, StopTextsMayHaveLineEnds) {
  const std::string text = run("generate m --prompt Zeile --max-bytes 300 --seed 3").out;
  const size_t end = text.find('\n');
  ASSERT_NE(end, std::string::npos) << text;
  EXPECT_EQ(run("generate m --prompt Zeile --max-bytes 300 --seed 3 --stop '\\n'").out, text.substr(0, end));
}

TEST_F(Verbs, WhatCannotBeWrittenIsAnError) {
  for (const std::string verb :
       {"generate m --max-bytes 50", "generate m --max-bytes 50 --json", "score m text.txt", "info m", "--help"}) {
    const Ran ran = run(verb, "exec 3>/dev/full; write() { \"$@\" >&3; }; write");
    EXPECT_EQ(ran.code, 1) << verb;
    EXPECT_NE(ran.err.find("cannot write the output"), std::string::npos) << verb << ran.err;
  }
  fails("score m text.txt --per-byte /dev/full", 1, "/dev/full: cannot write");
  fails("score m text.txt --per-byte no/such/folder", 1, "no/such/folder: cannot create");
}

TEST_F(Verbs, ScoreCountsEveryByteOfOneStream) {
  const json whole = good("score m text.txt --json");
  const std::string text = read("text.txt");
  EXPECT_EQ(whole["bytes"], text.size());
  const double bits = whole["bits_per_byte"];
  EXPECT_GT(bits, 0);
  EXPECT_LT(bits, 8);
  EXPECT_NEAR(whole["nats_per_byte"].get<double>(), bits * std::log(2), 1e-9);
  EXPECT_EQ(good("score m - --json <text.txt")["bits_per_byte"], bits);

  const Ran ran = run("score m text.txt --per-byte costs.tsv");
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::istringstream table(read("costs.tsv"));
  std::string head;
  std::getline(table, head);
  EXPECT_EQ(head, "position\tbyte\tbits");
  double total = 0, cost = 0;
  size_t position = 0, byte = 0, n = 0;
  for (; table >> position >> byte >> cost; ++n) {
    ASSERT_EQ(position, n);
    ASSERT_EQ(byte, static_cast<unsigned char>(text[n]));
    total += cost;
  }
  EXPECT_EQ(n, text.size());
  EXPECT_NEAR(total / static_cast<double>(n), bits, 1e-4);
  write("half.txt", text.substr(0, text.size() / 2));
  run("score m half.txt --per-byte half.tsv");
  EXPECT_EQ(read("costs.tsv").rfind(read("half.tsv"), 0), 0u);  // what comes later changes no cost
}

TEST_F(Verbs, ScoreTellsWhatLearningWhileReadingIsWorth) {
  const json out = good("score m text.txt --json --adapt --adapt-segment 100 --counts --before text.txt"),
             frozen = good("score m text.txt --json");
  EXPECT_EQ(out["bits_per_byte"], frozen["bits_per_byte"]);
  EXPECT_LT(out["adaptive_bits_per_byte"], frozen["bits_per_byte"]);
  EXPECT_GT(out["drift"], 0);
  EXPECT_LT(out["counts_bits_per_byte"], 1);  // it has read the same text before
  EXPECT_LT(out["mixed_bits_per_byte"], 1.1 * out["counts_bits_per_byte"].get<double>() + 0.05);
  const json still = good("score m text.txt --json --adapt --adapt-lr 0");
  EXPECT_NEAR(still["adaptive_bits_per_byte"], still["bits_per_byte"], 1e-6);
  EXPECT_FALSE(still.contains("counts_bits_per_byte"));
  const json all = good("score m text.txt --json --adapt"),
             norms = good("score m text.txt --json --adapt --adapt-parameters norm");
  EXPECT_GT(norms["drift"], 0);
  EXPECT_NE(norms["adaptive_bits_per_byte"], all["adaptive_bits_per_byte"]);
  fails("score m text.txt --adapt --adapt-parameters norm,nothing", 1, "no parameter's name holds 'nothing'");
  fails("score m text.txt --adapt-parameters norm", 2, "--adapt-parameters requires --adapt");
  fails("score m text.txt --adapt --weights int8", 2, "leave --weights out");
  fails("score m text.txt --adapt --adapt-from text.txt", 1, "text.txt: was not written by --adapt-save");
  EXPECT_NE(run("score m text.txt --counts").out.find("\n  mixed     "), std::string::npos);
  fails("score m text.txt --adapt-lr 0.1", 2, "--adapt");
}

TEST_F(Verbs, WeightsInFewerBitsSayWhatTheyCost) {
  const json f32 = good("score m text.txt --json");
  EXPECT_EQ(f32["weights"], "f32");
  EXPECT_FALSE(f32.contains("loss_bits_per_byte"));
  for (const char* format : {"int8", "int4"}) {
    const json small = good("score m text.txt --json --weights " + std::string(format));
    EXPECT_EQ(small["weights"], format);
    EXPECT_EQ(small["f32_bits_per_byte"], f32["bits_per_byte"]);
    EXPECT_NE(small["bits_per_byte"], f32["bits_per_byte"]);
    EXPECT_EQ(small["loss_bits_per_byte"].get<double>(),
              small["bits_per_byte"].get<double>() - f32["bits_per_byte"].get<double>());
    EXPECT_LT(small["weight_bytes"], f32["weight_bytes"]);
  }
  const Ran text = run("score m text.txt --weights int8 --per-byte costs.tsv");
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("int8 costs "), std::string::npos) << text.out;
  EXPECT_NE(read("costs.tsv"), "");
  EXPECT_EQ(run("score m text.txt --weights f32").out, run("score m text.txt").out);
  EXPECT_NE(run("generate m --max-bytes 200 --seed 1 --weights int4").out,
            run("generate m --max-bytes 200 --seed 1").out);
  EXPECT_EQ(good("generate m --max-bytes 50 --seed 1 --weights int8 --json"),
            good("generate m --max-bytes 50 --seed 1 --weights int8 --json"));
  fails("score m text.txt --weights int5", 2, "unknown weights 'int5'; known: f32, int8, int4");
  fails("generate m --weights ''", 2, "--weights");
}

TEST_F(Verbs, ConvertSavesWeightsInFewerBits) {
  const std::string text = run("generate m --max-bytes 200 --seed 1 --weights int4").out,
                    trained = read("m/model.safetensors");
  const json made = good("convert m --weights int4 --out small --json");
  EXPECT_EQ(made["weights"], "int4");
  EXPECT_LT(read("small/model.safetensors").size(), trained.size());
  EXPECT_EQ(read("small/config.json"), read("m/config.json"));
  EXPECT_EQ(run("generate small --max-bytes 200 --seed 1").out, text);
  EXPECT_EQ(good("score small text.txt --json")["weights"], "int4");
  EXPECT_NE(run("score small text.txt --weights int4").out.find("as they were saved"), std::string::npos);
  fails("score small text.txt --weights int8", 1, "'small' holds weights in int4");
  fails("convert small --weights f32 --out again", 1, "'small' holds weights in int4");
  fails("train text.txt --init small --out other --steps 2", 1, "'small' holds weights in int4");
  fails("convert m --weights int8 --out m", 1, "m holds a model already");
  fails("convert m --out new", 2, "--weights");
  fails("convert m --weights int8", 2, "--out");
  fails("convert m --weights int8 --out text.txt", 1, "text.txt");
  EXPECT_EQ(read("m/model.safetensors"), trained);
  EXPECT_FALSE(std::filesystem::exists(path("again")) || std::filesystem::exists(path("other")) ||
               std::filesystem::exists(path("new")));
}

// A state that keeps its size reads on, and nothing is wrong; attention sees no more than in training.
TEST_F(Verbs, OnlyAModelThatLooksBackIsSaidToSeeLessAndOnce) {
  STATERA_NEEDS(test::Keeps::growing);
  ASSERT_EQ(run("train text.txt --config keys.json --steps 2 --length 32 --batch 4 --no-baselines --out keys").code, 0);
  for (const std::string verb : {"score m text.txt", "generate m --max-bytes 200"}) {
    EXPECT_EQ(run(verb).err, "") << verb;
    std::string keys = verb;
    const Ran ran = run(keys.replace(keys.find(" m "), 3, " keys "));
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find(": the text is longer than the 32 positions that the model was trained with: layers that "
                           "keep keys and values see the last 32 only; train with a larger --length if they should "
                           "see more\n"),
              std::string::npos)
        << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
}

TEST_F(Verbs, InfoShowsModelsAndPresets) {
  const json model = good("info m --json");
  const std::string name = test::any_preset(test::Keeps::growing, "small");
  const json preset = good("info " + name + " --json --tensors");
  EXPECT_GT(model["parameters"], 0);
  int64_t count = 0;
  for (const auto& [name, shape] : preset["tensors"].items()) {
    int64_t n = 1;
    for (int64_t dim : shape) n *= dim;
    count += n;
  }
  EXPECT_EQ(preset["parameters"], count);
  EXPECT_EQ(model["state_bytes"]["256"], model["state_bytes"]["65536"]);
  if (test::lacking(test::Keeps::growing).empty()) {
    EXPECT_LT(preset["state_bytes"]["256"], preset["state_bytes"]["65536"]);
  }
  EXPECT_GT(model["flops_per_byte"]["training"], model["flops_per_byte"]["forward"]);
  const std::string text = run("info " + name + " --tensors").out;
  for (const char* word : {"parameters", "FLOPs per byte", "bytes of state", "embedding"})
    EXPECT_NE(text.find(word), std::string::npos) << word;
  EXPECT_NE(run("info").out.find(test::any_preset(test::Keeps::fixed) + "\n"), std::string::npos);
  fails("info small-hybird", 1, name);
}

TEST_F(Verbs, InfoPrintsTheFingerprintOfWeights) {
  const std::string fingerprint = good("info m --json --fingerprint")["fingerprint"];
  EXPECT_EQ(fingerprint.size(), 16u) << fingerprint;
  EXPECT_NE(run("info m --fingerprint").out.find("fingerprint: " + fingerprint + "\n"), std::string::npos);
  EXPECT_FALSE(good("info m --json").contains("fingerprint"));
  fails("info " + test::any_preset(test::Keeps::fixed) + " --fingerprint", 1, "has no weights");
}

// The header of the weights is read, their values are not.
TEST_F(Verbs, InfoTellsOfTheWeights) {
  const json f32 = good("info m --json")["weights"];
  EXPECT_EQ(f32["format"], "statera 2");
  EXPECT_EQ(f32["weights"], "f32");
  EXPECT_EQ(f32["tensors"], good("info m --json --tensors")["tensors"].size());
  EXPECT_EQ(f32["bytes"], 4 * good("info m --json")["parameters"].get<int64_t>());
  EXPECT_EQ(f32["element_types"], json({{"f32", f32["tensors"]}}));
  EXPECT_NE(run("info m").out.find("weights: format statera 2, in f32, " + f32["tensors"].dump() + " tensors (" +
                                   f32["tensors"].dump() + " f32), "),
            std::string::npos);
  EXPECT_FALSE(good("info " + test::any_preset(test::Keeps::fixed) + " --json").contains("weights"));
  EXPECT_FALSE(good("info m/config.json --json").contains("weights"));

  ASSERT_EQ(run("convert m --weights int8 --out small").code, 0);
  const json int8 = good("info small --json")["weights"];
  EXPECT_EQ(int8["weights"], "int8");
  EXPECT_GT(int8["element_types"]["i8"], 0);
  EXPECT_EQ(int8["tensors"], int8["element_types"]["i8"].get<int64_t>() + int8["element_types"]["f32"].get<int64_t>());
  EXPECT_LT(int8["bytes"], f32["bytes"]);

  std::string changed = read("m/model.safetensors");
  changed.back() = static_cast<char>(changed.back() ^ 1);
  write("m/model.safetensors", changed);
  fails("score m text.txt", 1, "checksum");
  EXPECT_EQ(good("info m --json")["weights"], f32) << "values are not read";
}

TEST_F(Verbs, InfoListsEveryKeyOfAConfig) {
  const json keys = good("info --keys --json");
  const json config = good("info m --json")["config"];
  for (const auto& [name, value] : config.items()) EXPECT_TRUE(keys["config"].contains(name)) << name;
  const std::string sublayer = "config.blocks.NAME, one sublayer", layered = "config.mixers.NAME, type hnet";
  for (const char* name : {"mixers", "mlp", "blocks", "shared", "inner"})
    EXPECT_TRUE(keys["config"].contains(name)) << name;
  EXPECT_EQ(keys["config"]["mixers"]["default"], json::object());
  EXPECT_EQ(keys["config"]["inner"]["default"], json::array());
  EXPECT_TRUE(keys[sublayer].contains("mixer"));
  if (keys.contains(layered)) {
    EXPECT_TRUE(keys[layered].contains("stack"));
  }
  for (const auto& [where, fields] : keys.items())
    for (const auto& [name, key] : fields.items())
      EXPECT_FALSE(key["help"].get<std::string>().empty()) << where << "." << name;
  for (const std::string& type : test::sequence_mixer_types())
    EXPECT_FALSE(keys["config.mixers.NAME, type " + type].empty()) << type;
  EXPECT_TRUE(keys["config.mlp, type swiglu"].contains("d_ff"));
  EXPECT_EQ(keys["config.mixers.NAME, type ffn"]["activation"]["default"], "gelu");
  EXPECT_NE(run("info --keys").out.find("  activation         \"gelu\""), std::string::npos);
  EXPECT_EQ(keys["config"]["layers"]["since"], 1);
  EXPECT_EQ(keys["config"]["blocks"]["since"], 2);
  EXPECT_NE(run("info --keys").out.find("soft cap c of the logits, c tanh(logits / c); 0: none (format 2)"),
            std::string::npos);
}

TEST_F(Verbs, BadModelsGetOneClearLine) {
  const std::string weights = read("m/model.safetensors"), config = read("m/config.json");
  const auto all_fail = [&](const std::string& part, bool of_values = false) {
    fails("generate m", 1, part);
    fails("score m text.txt", 1, part);
    if (!of_values) fails("info m", 1, part);
    fails("train text.txt --init m --out other --steps 2", 1, part);
    EXPECT_FALSE(std::filesystem::exists(path("other")));
    write("m/model.safetensors", weights);
    write("m/config.json", config);
  };
  write("m/model.safetensors", weights.substr(0, weights.size() - 4));
  all_fail("model.safetensors");
  write("m/model.safetensors", "");
  all_fail("model.safetensors");
  write("m/model.safetensors", std::string(8, '\xff') + weights.substr(8));  // a header beyond the file
  all_fail("header");
  std::string changed = weights;
  const float nan = std::nanf("");
  std::memcpy(changed.data() + changed.size() - 4, &nan, 4);
  write("m/model.safetensors", changed);
  all_fail("checksum", true);
  changed.replace(changed.find("statera_checksum"), 7, "another");  // as another program might write it
  changed.replace(changed.find("statera 2"), 7, "another");
  write("m/model.safetensors", changed);
  all_fail("not finite", true);
  changed = config;
  changed.replace(changed.find("\"layers\": \"m\""), 13, "\"layers\": \"m3\"");
  write("m/config.json", changed);
  all_fail("missing");
  changed = config;
  changed.replace(changed.find("\"tied\": true"), 12, "\"tied\": false");
  write("m/config.json", changed);
  all_fail("output.weight: missing");
  std::filesystem::remove(path("m/model.safetensors"));
  all_fail("model.safetensors");
  changed = config;
  changed.replace(changed.find("\"begin\": true"), 13, "\"begin\": false");
  write("m/config.json", changed);
  all_fail("embedding.weight: shape [257, ");
  changed = config;
  changed.replace(changed.find("\"norm\": \"layer\""), 15, "\"norm\": \"layer_no_bias\"");
  write("m/config.json", changed);
  all_fail("norm.bias: unexpected");
  write("m/config.json", "{");
  all_fail("config.json");
  std::filesystem::remove(path("m/config.json"));
  all_fail("config.json");
  fails("generate nowhere", 1, "'nowhere' is not a model folder");
  const std::string preset = test::any_preset(test::Keeps::fixed);
  fails("generate " + preset, 1, "'" + preset + "' is not a model folder");
  fails("generate", 2, "MODEL");
  fails("score m", 2, "FILE");
  fails("score m nowhere.txt", 1, "nowhere.txt");
}

// Finite, so they load; what is computed with them is not.
TEST_F(Verbs, WeightsTooLargeToComputeWithAreAnError) {
  std::string huge = read("m/model.safetensors");
  for (const auto& [ours, other] :
       {std::pair<std::string, std::string>("\"statera ", "\"another "), {"statera_checksum", "another_checksum"}})
    huge.replace(huge.find(ours), ours.size(), other);
  uint64_t header = 0;
  std::memcpy(&header, huge.data(), sizeof(header));
  const float large = 1e30f;
  for (size_t at = sizeof(header) + header; at < huge.size(); at += sizeof(large))
    std::memcpy(huge.data() + at, &large, sizeof(large));
  write("m/model.safetensors", huge);
  for (const char* how : {"", "--json", "--per-byte costs.tsv", "--weights int8"})
    fails("score m text.txt " + std::string(how), 1,
          "statera score: error: what the id at position 0 costs is not finite");
  EXPECT_FALSE(std::filesystem::exists(path("costs.tsv")));
}

TEST_F(Verbs, AdviceAboutADamagedFileHolds) {
  std::string changed = read("m/model.safetensors");
  changed.back() = static_cast<char>(changed.back() ^ 1);
  write("m/model.safetensors", changed);
  fails("score m text.txt", 1, "leave 'statera_checksum' and 'format' out of its metadata");
  for (const std::string key : {"statera_checksum", "format"})
    changed.replace(changed.find("\"" + key + "\":") + 1, 1, "_");
  write("m/model.safetensors", changed);
  EXPECT_EQ(run("score m text.txt").code, 0) << read("err.txt");
  std::string checkpoint = read("m/checkpoint/state.safetensors");
  checkpoint.back() = static_cast<char>(checkpoint.back() ^ 1);
  write("m/checkpoint/state.safetensors", checkpoint);
  fails("train text.txt --config config.json --steps 50 --length 32 --batch 4 --no-baselines --out m --resume", 1,
        "it is damaged; take an earlier copy, or make it again");
  EXPECT_EQ(read("err.txt").find("metadata"), std::string::npos) << read("err.txt");
}

// Which room of the code threw is nothing that a user can act on.
TEST_F(Verbs, AnErrorBeginsWithWhatIsWrong) {
  fails("score m nowhere.txt", 1, "statera score: error: cannot read nowhere.txt: ");
  fails("score m text.txt --adapt --adapt-segment 0", 1, "statera score: error: segment is 0; expected 1 to ");
  fails("train text.txt --steps 2 --batch 0 --out b", 1, "statera train: error: batch 0 x length ");
  fails("compare text.txt --seeds 0", 1, "statera compare: error: seeds is 0; ");
  fails("frob", 2, "statera: error: no verb 'frob'");
  // but a name of the user's that looks like one stays
  write("[data] x.txt", "");
  fails("score m '[data] x.txt'", 1, "[data] x.txt is empty");
}

TEST_F(Verbs, AnInterruptedScoreSavesWhatItLearned) {
  const std::string text = read("text.txt");
  std::string much;
  while (much.size() < 2'000'000) much += text;
  write("much.txt", much);
  const std::string command = "score m much.txt --adapt --adapt-segment 32 --adapt-save ";
  Ran ran = run_and_signal(command + "early", "out.txt", SIGINT, 100);  // while the frozen model reads
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_NE(ran.err.find("nothing was learned yet, so early was not written\n"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(path("early")));
  const pid_t child = start(command + "learned", "out.txt");
  for (int waits = 0; waits < 12000 && read("out.txt").empty(); ++waits) usleep(10'000);
  usleep(300'000);
  EXPECT_EQ(end(child, SIGINT), 130) << read("err.txt");
  const std::string err = read("err.txt"), said = "statera score: what was learned from ";
  const size_t at = err.find(said);
  ASSERT_NE(at, std::string::npos) << err;
  const int bytes = std::stoi(err.substr(at + said.size()));
  EXPECT_GT(bytes, 0);
  EXPECT_LT(bytes, std::ssize(much));
  // what the same bytes teach without an interruption
  write("part.txt", much.substr(0, static_cast<size_t>(bytes)));
  ASSERT_EQ(run("score m part.txt --adapt --adapt-segment 32 --adapt-save whole").code, 0);
  EXPECT_TRUE(read("learned") == read("whole"));
}

TEST_F(Verbs, WrongUseIsSaidPlainly) {
  write("-dash", read("text.txt"));
  fails("score m -dash", 2, "-dash is no option; for a file of that name write ./-dash");
  EXPECT_EQ(run("score m ./-dash").code, 0);
  fails("frob", 2, "no verb 'frob'; the verbs: compare, report, train, ");
  fails("trian text.txt", 2, "no verb 'trian'; did you mean 'train'? The verbs: compare, ");
  fails("train text.txt --lenght 64", 2, "no option '--lenght'; did you mean '--length'? (see statera train --help)");
  fails("train text.txt --frobnicate", 2, "no option '--frobnicate' (see statera train --help)");
  fails("info tiny-atention", 1, "no preset and no file is called 'tiny-atention'; did you mean 'tiny-attention'? ");
  fails("train text.txt --steps 1 --steps 2", 2, "--steps is given 2 times; give it once");
  fails("train text.txt --steps x", 2, "--steps: 'x' is no whole number");
  EXPECT_EQ(read("err.txt").find("2^63"), std::string::npos);
  fails("train text.txt --steps 99999999999999999999", 2,
        "'99999999999999999999' does not fit a whole number of 64 bits");
  fails("generate m --temperature 1e40", 2, "'1e40' is too large");
  std::filesystem::create_symlink("nowhere", path("dang"));
  fails("train text.txt --out dang", 1, "dang: is a link that leads nowhere");
  fails("train text.txt --out dang/below", 1, "dang: is a link that leads nowhere");
}

TEST_F(Verbs, BadSamplingFlagsAreNamed) {
  fails("generate m --max-bytes 0", 2, "--max-bytes");
  fails("generate m --temperature -1", 1, "temperature");
  fails("generate m --temperature nan", 2, "temperature");
  fails("generate m --top-p 0", 1, "top_p");
  fails("generate m --top-k -1", 1, "top_k");
  fails("generate m --min-p 2", 1, "min_p");
  fails("generate m --repetition-penalty 0", 1, "repetition_penalty");
  for (const char* seed : {"x", "-1"}) fails("generate m --seed " + std::string(seed), 2, "--seed");
}

}  // namespace
}  // namespace statera
