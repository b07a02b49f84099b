#include "io/json_fields.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "statera/error.hpp"

namespace statera {
namespace {

struct Config {
  int64_t d_state = 64;
  double eps = 1e-5;
  float dt_max = 0.1f;
  bool norm = true;
  std::string kind = "silu";
  void visit(FieldVisitor& v) {
    v.field("d_state", d_state, "");
    v.field("eps", eps, "");
    v.field("dt_max", dt_max, "");
    v.field("norm", norm, "");
    v.field("kind", kind, "");
  }
};

Config read(const std::string& text) {
  Config config;
  read_fields({text, "x.json: mixers.m"}, config, {"type"});
  return config;
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    const std::string what = error.what();
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    EXPECT_EQ(what.rfind("x.json: mixers.m: ", 0), 0u) << what;
    return what.substr(18);
  }
  ADD_FAILURE() << "no error for " << text.substr(0, 100);
  return {};
}

TEST(JsonFields, ReadsWhatIsThereAndKeepsTheRest) {
  const Config c = read(R"({"type": "mamba2", "d_state": 16, "dt_max": 1, "norm": false})");
  EXPECT_EQ(c.d_state, 16);
  EXPECT_EQ(c.eps, 1e-5);
  EXPECT_EQ(c.dt_max, 1.0f);
  EXPECT_FALSE(c.norm);
  EXPECT_EQ(c.kind, "silu");
}

TEST(JsonFields, WritesWhatItReads) {
  Config c{.d_state = std::numeric_limits<int64_t>::min(),
           .eps = 0.1 + 0.2,
           .dt_max = 0.1f,
           .norm = false,
           .kind = "a \"b\" \n \xC3\xA4"};
  const std::string text = write_fields(c, {{"type", "mamba2"}});
  EXPECT_NE(text.find(R"("dt_max":0.1,)"), std::string::npos) << text;
  EXPECT_EQ(text.rfind(R"({"type":"mamba2","d_state":)", 0), 0u) << text;
  EXPECT_TRUE(differing_fields(read(text), c).empty());
  c.dt_max = std::numeric_limits<float>::infinity();
  c.eps = -std::numeric_limits<double>::infinity();
  EXPECT_TRUE(differing_fields(read(write_fields(c)), c).empty());
  c.eps = std::nan("");
  EXPECT_THROW(write_fields(c), Error);
}

TEST(JsonFields, NamesWhatDiffers) {
  EXPECT_EQ(differing_fields(Config{}, Config{.d_state = 128, .kind = "x"}),
            (std::vector<std::string>{"d_state: 64 and 128", "kind: \"silu\" and \"x\""}));
}

TEST(JsonFields, UnknownKeysNameTheNearest) {
  EXPECT_EQ(error_of(R"({"d_stat": 1})"), "unknown key 'd_stat'; did you mean 'd_state'?");
  EXPECT_EQ(error_of(R"({"window": 1})"), "unknown key 'window'");
  EXPECT_EQ(error_of("{\"a\\nb\": 1}"), "unknown key 'a\\x0ab'");
}

TEST(JsonFields, WrongTypesNameKeyAndType) {
  EXPECT_EQ(error_of(R"({"d_state": "64"})"), "key 'd_state' expected a whole number of 64 bits, got '64'");
  EXPECT_EQ(error_of(R"({"d_state": 1.5})"), "key 'd_state' expected a whole number of 64 bits, got 1.5");
  EXPECT_EQ(error_of(R"({"d_state": null})"), "key 'd_state' expected a whole number of 64 bits, got null");
  EXPECT_EQ(error_of(R"({"norm": 1})"), "key 'norm' expected true or false, got 1");
  EXPECT_EQ(error_of(R"({"kind": ["a"]})"), "key 'kind' expected a string, got an array");
  EXPECT_EQ(error_of(R"({"eps": {}})"), "key 'eps' expected a finite number (or \"inf\"), got an object");
}

TEST(JsonFields, NumbersMustFit) {
  EXPECT_EQ(read(R"({"d_state": 9223372036854775807})").d_state, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(read(R"({"d_state": 1e6})").d_state, 1000000);
  EXPECT_NE(error_of(R"({"d_state": 9223372036854775808})").find("d_state"), std::string::npos);
  EXPECT_NE(error_of(R"({"d_state": 1e19})").find("d_state"), std::string::npos);
  EXPECT_NE(error_of(R"({"dt_max": 1e39})").find("dt_max"), std::string::npos);
  EXPECT_NE(error_of(R"({"eps": "nan"})").find("eps"), std::string::npos);
  error_of(R"({"eps": 1e999})");
  EXPECT_EQ(read(R"({"dt_max": "inf"})").dt_max, std::numeric_limits<float>::infinity());
}

TEST(JsonFields, BadJson) {
  EXPECT_EQ(error_of(R"({"d_state": 1, "d_state": 2})"), "the key 'd_state' occurs twice");
  EXPECT_EQ(error_of("[1]"), "expected a JSON object, got array");
  error_of("");
  error_of("{\"d_state\": 1");
  error_of("{\"kind\": \"\xff\"}");
  error_of("{} {}");
  for (const char* opening : {"[", "{\"a\":"}) {
    std::string deep;
    while (deep.size() < 900000) deep += opening;
    EXPECT_EQ(error_of(deep), "JSON nested deeper than 32 levels");
  }
  EXPECT_NE(error_of("{}" + std::string(1 << 20, ' ')).find("more than 1048576"), std::string::npos);
}

TEST(JsonFields, NothingIsReadFromABadObject) {
  Config c;
  EXPECT_THROW(read_fields({R"({"d_state": 1, "zzz": 2})", "x"}, c), Error);
  EXPECT_EQ(c.d_state, 64);
}

TEST(JsonFields, Files) {
  const auto code = [](const std::string& path) {
    try {
      read_json_file(path);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind(path, 0), 0u) << error.what();
      return error.code() == ErrorCode::io;
    }
    return false;
  };
  EXPECT_TRUE(code("/no/such/file.json"));
  EXPECT_TRUE(code(testing::TempDir()));
  EXPECT_TRUE(code("/dev/null"));
  EXPECT_TRUE(code("/dev/zero"));
  const std::string fifo = testing::TempDir() + "/fields.fifo";
  std::filesystem::remove(fifo);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const auto pipe_error = [&] {
    try {
      read_json_file(fifo, 0.01);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(pipe_error(), fifo + ": nothing came from this pipe for 0.01 s: does somebody write to it? Give a file");
  const int writer = ::open(fifo.c_str(), O_RDWR);
  EXPECT_NE(pipe_error().find("nothing came"), std::string::npos);
  ASSERT_EQ(::write(writer, "{\"d_state\": 3}", 14), 14);
  EXPECT_NE(pipe_error().find("nothing came"), std::string::npos);  // its writer has not ended
  ::close(writer);
  std::filesystem::remove(fifo);
  const std::string path = testing::TempDir() + "/fields.json";
  std::ofstream(path) << R"({"d_state": 2})";
  Config c;
  read_fields(read_json_file(path), c);
  EXPECT_EQ(c.d_state, 2);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace statera
