// What is special to Mamba-1 beside the laws of tests/conformance: initial values and bad configs.
#include "mixers/mamba1/mamba1.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "statera/error.hpp"
#include "support/kept.hpp"

namespace statera {
namespace {

const Place place{24, 24, 0, 0.5, "m"};

struct Initialise : ParameterVisitor {
  std::map<std::string, std::vector<double>> values;
  std::map<std::string, bool> decay;
  void visit(Parameter& p) override {
    p.allocate(DType::f64, false);
    p.initialise(1);
    const double* v = p.value.as<double>();
    values[p.name] = std::vector<double>(v, v + p.elements());
    decay[p.name] = p.decay;
  }
};

TEST(Mamba1, StartsLikeTheOriginal) {
  Mamba1 mixer({R"({"type": "mamba1", "d_state": 8, "dt_min": 0.01, "dt_max": 0.2})", "test"}, place);
  Initialise visitor;
  mixer.visit_parameters(visitor);
  const auto& values = visitor.values;
  for (double bias : values.at("m.dt_proj.bias")) {
    const double dt = std::log1p(std::exp(bias));
    EXPECT_TRUE(dt >= 0.00999 && dt <= 0.20001) << dt;
  }
  const auto& A_log = values.at("m.A_log");
  ASSERT_EQ(A_log.size(), size_t{48 * 8});
  for (size_t i = 0; i < A_log.size(); ++i) EXPECT_NEAR(std::exp(A_log[i]), static_cast<double>(i % 8 + 1), 1e-5);
  for (double d : values.at("m.D")) EXPECT_EQ(d, 1);
  for (double w : values.at("m.dt_proj.weight")) EXPECT_LE(std::abs(w), 1 / std::sqrt(2.0) + 1e-6);
  for (double w : values.at("m.out_proj.weight")) EXPECT_LE(std::abs(w), 0.5 / std::sqrt(48.0) + 1e-6);
  EXPECT_EQ(values.at("m.in_proj.weight").size(), size_t{24 * 2 * 48});
  EXPECT_EQ(values.at("m.x_proj.weight").size(), size_t{48 * (2 + 2 * 8)});
  EXPECT_EQ(values.at("m.conv1d.weight").size(), size_t{48 * 4});
  EXPECT_EQ(values.size(), 9u);
  for (const auto& [name, decay] : visitor.decay) EXPECT_EQ(decay, name.ends_with(".weight")) << name;
}

TEST(Mamba1, ABlockKeepsWhatItMust) {
  const int64_t d = test::kept_width, inner = 2 * d;  // x z, dt B C, states of every 8th, y, the sum
  test::expect_kept(2 * inner + (4 + 2 * 16) + 2 * inner + inner + d, R"({"type": "mamba1"})");
}

TEST(Mamba1, BadConfigsAreNamed) {
  const auto message = [](const std::string& fields) -> std::string {
    try {
      Mamba1 mixer({R"({"type": "mamba1", )" + fields + "}", "test"}, place);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      return error.what();
    }
  };
  EXPECT_EQ(message(R"("dt_rank": 5)"), "");
  EXPECT_NE(message(R"("d_state": 0)").find("d_state 0"), std::string::npos);
  EXPECT_NE(message(R"("d_conv": 1)").find("d_conv 1"), std::string::npos);
  EXPECT_NE(message(R"("expand": 1000000000000)").find("expand"), std::string::npos);
  EXPECT_NE(message(R"("dt_rank": -1)").find("dt_rank -1"), std::string::npos);
  EXPECT_NE(message(R"("dt_min": 0.2)").find("dt_min 0.2"), std::string::npos);
  EXPECT_NE(message(R"("dt_max": "inf")").find("dt_max"), std::string::npos);
  EXPECT_NE(message(R"("headdim": 8)").find("headdim"), std::string::npos);
}

}  // namespace
}  // namespace statera
