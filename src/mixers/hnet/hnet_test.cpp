// What is special to a stage of H-Net beside the laws of tests/conformance: initial values and bad configs. What it
// does in a model: src/models/inner_stack_test.cpp.
#include "mixers/hnet/hnet.hpp"

#include <gtest/gtest.h>

#include "conformance/mixer_run.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

constexpr const char* stack = R"("stack": {"d_model": 6, "layers": "f", "mixers": {"f": {"type": "ffn", "d_ff": 8}}})";

std::unique_ptr<Mixer> made(const std::string& fields, LossNames& losses, int64_t d_out = 4, int64_t ids = 256) {
  return make_any_mixer({R"({"type": "hnet", )" + fields + "}", "test"}, {.d_in = 4,
                                                                          .d_out = d_out,
                                                                          .layer = 0,
                                                                          .residual_scale = 1,
                                                                          .scope = "m",
                                                                          .make = make_any_mixer,
                                                                          .make_stack = make_inner_stack,
                                                                          .losses = &losses,
                                                                          .ids = ids});
}

TEST(Hnet, StartsByComparingNeighboursAsTheyAre) {
  LossNames losses;
  const auto mixer = made(stack, losses);
  struct Initialise : ParameterVisitor {
    int seen = 0;
    void visit(Parameter& p) override {
      p.allocate(DType::f64, false);
      p.initialise(1);
      const double* v = p.value.as<double>();
      for (int64_t i = 0; i < p.elements(); ++i) {
        if (p.name == "m.q_proj.weight" || p.name == "m.k_proj.weight")
          EXPECT_EQ(v[i], i / 4 == i % 4 ? 1 : 0) << p.name << " " << i;
        else if (p.name == "m.residual_proj.weight" || p.name == "m.pad")
          EXPECT_EQ(v[i], 0) << p.name;
        else if (p.name == "m.residual_proj.bias")
          EXPECT_LE(std::abs(v[i]), 0.5) << i;
        else
          continue;
        ++seen;
      }
    }
  } initialise;
  mixer->visit_parameters(initialise);
  EXPECT_EQ(initialise.seen, 3 * 16 + 4 + 2);
  EXPECT_EQ(losses, LossNames{"m.ratio"});
}

TEST(Hnet, WhatDecidesAboutCutsIsNotRounded) {
  LossNames losses;
  const auto mixer = made(stack, losses);
  struct Formats : ParameterVisitor {
    int exact = 0, rounded = 0;
    void visit(Parameter& p) override {
      const bool own = p.name.find("_proj") != std::string::npos;
      EXPECT_TRUE(!own || format_for(p, WeightFormat::int4) == WeightFormat::f32) << p.name;
      ++(own ? exact : rounded);
    }
  } formats;
  mixer->visit_parameters(formats);
  EXPECT_EQ(formats.exact, 4);  // q, k, the residual's weight and bias
}

TEST(Hnet, FixedRoutersLearnNothingAboutCuts) {
  for (const char* router : {"stride", "spaces"}) {
    LossNames losses;
    const auto mixer = made(std::string(stack) + R"(, "router": ")" + router + '"', losses);
    struct Names : ParameterVisitor {
      void visit(Parameter& p) override { EXPECT_EQ(p.name.find("q_proj"), std::string::npos) << p.name; }
    } names;
    mixer->visit_parameters(names);
    EXPECT_TRUE(losses.empty());
  }
}

TEST(Hnet, BadConfigsAreNamed) {
  const auto message = [](const std::string& fields, int64_t d_out = 4, int64_t ids = 256) -> std::string {
    try {
      LossNames losses;
      made(fields, losses, d_out, ids);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      return error.what();
    }
  };
  const std::string with_stack = std::string(stack) + ", ";
  EXPECT_EQ(message(stack), "");
  for (const auto& [fields, part] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("router": "magic")", "router is 'magic'; known: learned, stride, spaces"},
           {R"("confidence": "much")", "confidence is 'much'"},
           {R"("ratio": 1)", "ratio 1 is not above 1"},
           {R"("ratio_from": 0.5)", "ratio_from 0.5 is not above 1"},
           {R"("router": "stride", "ratio": 2.5)", "ratio 2.5 is no whole number"},
           {R"("router": "spaces", "cut_at": "")", "cut_at is empty"},
           {R"("ratio_weight": -1)", "ratio_weight -1"},
           {R"("lr_scale": -1)", "lr_scale -1"},
           {R"("router": "spaces", "cut_at": "\u00e9")", "takes ASCII"},
           {R"("router": "stride", "confidence": "plain")", "confidence is of the learned router"},
           {R"("router": "spaces", "ratio_from": 2)", "ratio_from is of the learned router"},
           {R"("router": "stride", "ratio_weight": 0.1)", "ratio_weight is of the learned router"},
           {R"("cut_at": " ")", "cut_at is of the router spaces"},
           {R"("rato": 2)", "rato"}})
    EXPECT_NE(message(with_stack + fields).find(part), std::string::npos) << message(with_stack + fields);
  EXPECT_NE(message(R"("ratio": 2)").find("needs a \"stack\""), std::string::npos);
  EXPECT_NE(message(R"("stack": {"d_model": 3, "layers": "f", "mixers": {"f": {"type": "ffn", "d_ff": 8}}})")
                .find("d_model 3"),
            std::string::npos);
  EXPECT_EQ(message(with_stack + R"("router": "stride")", 4, 1024), "");
  EXPECT_NE(message(with_stack + R"("router": "spaces")", 4, 1024).find("cuts at bytes, and this model reads 1024"),
            std::string::npos);
  EXPECT_NE(message(stack, 5).find("between widths 4 and 5"), std::string::npos);
}

}  // namespace
}  // namespace statera
