// What is special to Mamba-2 beside the laws of tests/conformance: initial values and bad configs.
#include "mixers/mamba2/mamba2.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "statera/error.hpp"
#include "support/kept.hpp"

namespace statera {
namespace {

const Place place{24, 24, 0, 0.5, "m"};

std::map<std::string, std::vector<double>> initial_values(Mamba2& mixer) {
  struct Initialise : ParameterVisitor {
    std::map<std::string, std::vector<double>> values;
    void visit(Parameter& p) override {
      p.allocate(DType::f64, false);
      p.initialise(1);
      const double* v = p.value.as<double>();
      values[p.name] = std::vector<double>(v, v + p.elements());
    }
  } visitor;
  mixer.visit_parameters(visitor);
  return visitor.values;
}

TEST(Mamba2, StartsLikeTheOriginal) {
  Mamba2 mixer({R"({"type": "mamba2", "headdim": 2, "d_state": 8, "dt_min": 0.01, "dt_max": 0.2})", "test"}, place);
  const auto values = initial_values(mixer);
  for (double bias : values.at("m.dt_bias")) {
    const double dt = std::log1p(std::exp(bias));
    EXPECT_TRUE(dt >= 0.00999 && dt <= 0.20001) << dt;
  }
  for (double a : values.at("m.A_log")) EXPECT_TRUE(a >= 0 && a <= std::log(16) + 1e-6) << a;
  for (double d : values.at("m.D")) EXPECT_EQ(d, 1);
  for (double w : values.at("m.out_proj.weight")) EXPECT_LE(std::abs(w), 0.5 / std::sqrt(48.0) + 1e-6);
  for (const char* name : {"m.in_proj.weight", "m.conv1d.weight", "m.conv1d.bias", "m.norm.weight"})
    EXPECT_TRUE(values.contains(name)) << name;
  EXPECT_EQ(values.size(), 8u);
  EXPECT_EQ(values.at("m.in_proj.weight").size(), size_t{24 * (2 * 48 + 2 * 8 + 24)});
}

TEST(Mamba2, ABlockKeepsWhatItMust) {
  const int64_t d = test::kept_width, inner = 2 * d;  // z x B C dt, y, the sum
  test::expect_kept(2 * inner + (2 * 16 + 4) + inner + d, R"({"type": "mamba2", "d_state": 16, "headdim": 32})");
}

TEST(Mamba2, BadConfigsAreNamed) {
  const auto message = [](const std::string& fields) -> std::string {
    try {
      Mamba2 mixer({R"({"type": "mamba2", )" + fields + "}", "test"}, place);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      return error.what();
    }
  };
  EXPECT_EQ(message(R"("headdim": 8)"), "");
  EXPECT_NE(message(R"("headdim": 7)").find("headdim 7 does not divide d_inner 48"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "n_groups": 4)").find("n_groups 4"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "d_state": 0)").find("d_state 0"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "expand": 1000000000000)").find("expand"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "dt_limit_min": 1, "dt_limit_max": 0.5)").find("dt_limit"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "dt_max": "inf")").find("dt_max"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8, "norm_eps": 0)").find("norm_eps"), std::string::npos);
  EXPECT_NE(message(R"("headdin": 8)").find("headdin"), std::string::npos);
}

}  // namespace
}  // namespace statera
