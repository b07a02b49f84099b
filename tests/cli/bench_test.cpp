// statera bench through the program: the parts, what they say, what is left out. No figure is judged: the machine that
// tests may be busy.
#include <nlohmann/json.hpp>

#include "cli/program.hpp"

namespace statera {
namespace {

using nlohmann::json;

class BenchVerb : public Program {
 protected:
  BenchVerb() {
    write("ssm.json", test::config_of(test::Keeps::fixed, 16, "m2"));
    write("keys.json", test::config_of(test::Keeps::growing, 16, "m2", R"("mlp": {"d_ff": 32})"));
    write("window.json", test::config_of(test::Keeps::windowed, 16, "m2"));
  }
  json good(const std::string& arguments) const {
    const Ran ran = run("bench " + arguments + " --json");
    EXPECT_EQ(ran.code, 0) << arguments << "\n" << ran.err;
    const json parsed = json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << ran.out;
    return parsed;
  }
};

TEST_F(BenchVerb, TellsMachineCommitAndSettings) {
  const json report = good("--roof --threads 1,2");
  for (const char* key : {"statera", "commit", "command", "date"})
    EXPECT_FALSE(report[key].get<std::string>().empty()) << key;
  for (const char* key :
       {"cpu", "cores", "memory_bytes", "l1_bytes", "l2_bytes", "l3_bytes", "load", "instruction_set"})
    EXPECT_TRUE(report["machine"].contains(key)) << key;
  EXPECT_EQ(report["settings"]["threads"], json({1, 2}));
  ASSERT_EQ(report["roof"].size(), 2u);
  for (const json& roof : report["roof"])
    for (const char* key : {"fp32_fma_gflops", "memory_read_gb_per_s", "memory_copy_gb_per_s"})
      EXPECT_GT(roof[key], 0) << key;
  EXPECT_GE(report["roof"][0]["bf16_dot_gflops"], 0);
  EXPECT_FALSE(report.contains("training"));
}

TEST_F(BenchVerb, TrainsByLengthBatchAndThreads) {
  const json report =
      good("--train ssm.json,keys.json --length 96,32 --batch 1,2 --threads 2,1 --checkpoint --out report.json");
  EXPECT_EQ(json::parse(read("report.json")), report);
  ASSERT_EQ(report["training"].size(), 16u);
  const json& first = report["training"][0];
  EXPECT_EQ(first["model"], "ssm.json");
  EXPECT_EQ(first["length"], 32);
  EXPECT_EQ(first["threads"], 1);
  for (const json& row : report["training"]) {
    EXPECT_TRUE(row["checkpoint"]);
    for (const char* key : {"parameters", "runs", "step_seconds", "positions_per_s", "fma_share", "tape_bytes"})
      EXPECT_GT(row[key], 0) << key;
    EXPECT_GE(row["spread_seconds"], 0);
  }
  const Ran table = run("bench --train --config keys.json --length 32 --batch 1");
  EXPECT_EQ(table.code, 0) << table.err;
  for (const char* word : {"keys.json", "1 x 32", "positions/s", "load"})
    EXPECT_NE(table.out.find(word), std::string::npos) << word << table.out;
}

TEST_F(BenchVerb, TrainsInBothPrecisions) {
  const Ran table = run("bench --train ssm.json --length 32 --batch 1 --threads 1,2 --precision bf16,fp32,bf16");
  EXPECT_EQ(table.code, 0) << table.err;
  std::vector<std::string> rows;
  std::istringstream lines(table.out);
  for (std::string line; std::getline(lines, line);)
    if (line.find("ssm.json") != std::string::npos || line.find("positions/s") != std::string::npos)
      rows.push_back(line);
  ASSERT_EQ(rows.size(), 5u) << table.out;  // a heading; each number of threads, in fp32 and in bf16
  for (const char* column : {"precision", "threads", "against fewest threads", "against first precision"})
    EXPECT_NE(rows[0].find(column), std::string::npos) << rows[0];
  int bf16 = 0;
  for (const std::string& row : rows) bf16 += row.find("bf16") != std::string::npos;
  EXPECT_EQ(bf16, 2) << table.out;
  EXPECT_EQ(run("bench --train ssm.json --length 32 --batch 1 --threads 1").out.find("precision"), std::string::npos);
  fails("bench --infer ssm.json --precision bf16", 2, "--precision");
}

TEST_F(BenchVerb, InfersByContextAndBatch) {
  STATERA_NEEDS(test::Keeps::windowed);
  const json report = good("--infer --config ssm.json,keys.json,window.json --length 1024,64,1000000000 --batch 3");
  ASSERT_EQ(report["inference"].size(), 8u);
  std::map<std::string, json> states;
  for (const json& row : report["inference"]) {
    for (const char* key : {"step_seconds", "step_positions_per_s", "prefill_positions_per_s", "read_share", "slice"})
      EXPECT_GT(row[key], 0) << key << row;
    EXPECT_GT(row["step_bytes"], row["state_bytes"]);
    states[row["model"]].push_back(row["state_bytes"]);
  }
  EXPECT_EQ(states["ssm.json"][0], states["ssm.json"][2]);
  EXPECT_EQ(16 * states["keys.json"][0].get<double>(), states["keys.json"][1]);  // 64 positions and 1024
  EXPECT_EQ(states["window.json"][1], states["window.json"][2]);                 // more than the window has
  ASSERT_EQ(report["left_out"].size(), 1u);
  EXPECT_NE(report["left_out"][0]["what"].get<std::string>().find("keys.json, batch 3, context 1000000000"),
            std::string::npos);
  EXPECT_NE(report["left_out"][0]["why"].get<std::string>().find("free"), std::string::npos);
}

TEST_F(BenchVerb, InfersWithSmallWeights) {
  const json rows = good("--infer keys.json --length 64 --batch 1 --weights f32,int8,int4")["inference"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1]["weights"], "int8");
  EXPECT_LT(rows[1]["step_bytes"], rows[0]["step_bytes"]);
  EXPECT_LT(rows[2]["step_bytes"], rows[1]["step_bytes"]);
}

TEST_F(BenchVerb, StreamsAndStarts) {
  STATERA_NEEDS(test::Keeps::growing);
  const json report = good("--stream ssm.json,keys.json --bytes 400 --start --config ssm.json --length 32");
  ASSERT_EQ(report["streams"].size(), 4u);
  EXPECT_EQ(report["streams"][1]["position"], 400);
  EXPECT_EQ(report["streams"][0]["state_bytes"], report["streams"][1]["state_bytes"]);
  EXPECT_LT(report["streams"][2]["state_bytes"], report["streams"][3]["state_bytes"]);
  EXPECT_EQ(report["start"]["model"], "ssm.json");
  EXPECT_GT(report["start"]["tenth_step_seconds"], 0);
  EXPECT_GT(report["start"]["first_step_seconds"], 0);
}

TEST_F(BenchVerb, OperationsHavePassesAndShares) {
  const json report = good("--ops --budget 1s");
  std::map<std::string, int> passes;
  for (const json& row : report["operations"]) {
    ++passes[row["pass"]];
    for (const char* key : {"seconds", "gb_per_s", "roof_share", "runs"}) EXPECT_GT(row[key], 0) << key << row;
    EXPECT_TRUE(row["bound"] == "arithmetic" || row["bound"] == "traffic") << row;
  }
  EXPECT_EQ(passes["forward"], passes["backward"]);
  EXPECT_GT(passes["step"], 5);
}

TEST_F(BenchVerb, WhatTheTimeDoesNotAllowIsListed) {
  const json report = good("--train --config ssm.json,keys.json --length 65536 --budget 1s --threads 1");
  EXPECT_EQ(report["training"].size() + report["left_out"].size(), 2u);
  ASSERT_GE(report["left_out"].size(), 1u);
  const json& last = report["left_out"].back();
  EXPECT_EQ(last["what"], "training keys.json, batch 1 x 65536");
  EXPECT_NE(last["why"].get<std::string>().find("of its share are left"), std::string::npos) << last;
}

TEST_F(BenchVerb, WrongUseGetsOneClearLine) {
  fails("bench --train tiny-magic", 1, "tiny-magic");
  fails("bench --infer ssm.json,no.json", 1, "no.json");
  fails("bench --stream no.json", 1, "no.json");
  fails("bench --bytes 0", 2, "--bytes");
  fails("bench --train --length 0", 2, "--length 0");
  fails("bench --train --length 1,x", 2, "--length");
  fails("bench --infer --batch 5000", 2, "--batch 5000");
  fails("bench --train --batch 4096 --length 65536", 2, "--length 65536");
  fails("bench --roof --threads 2000", 2, "--threads");
  fails("bench --roof --checkpoint", 2, "--checkpoint");
  fails("bench --infer --weights int9", 2, "int9");
  fails("bench --roof --weights int8", 2, "--weights");
  fails("bench --start ssm.json keys.json", 2, "--start");
  fails("bench --roof --budget soon", 2, "--budget");
  fails("bench --roof --out no/such/folder/file.json", 1, "no/such/folder");
}

}  // namespace
}  // namespace statera
