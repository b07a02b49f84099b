#include "lab/compare/pace.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

TEST(Pace, SaysOnceThatTheMachineIsSlower) {
  Pace pace;
  EXPECT_EQ(pace.times(), 1);
  pace.add(10, 12);
  EXPECT_FALSE(pace.slower(40, 15, 60)) << "a fifth longer is usual";
  pace.add(10, 28);  // 40 s instead of 20
  EXPECT_EQ(pace.times(), 2);
  EXPECT_EQ(pace.slower(30, 45, 60),
            "this machine is slower than when it was measured: about 1 m 45 s instead of 1 m 00 s, since the numbers "
            "of steps stay as they are");
  EXPECT_FALSE(pace.slower(30, 45, 60));
}

TEST(Pace, WhereNothingWasPromisedItIsWhatWasPlanned) {
  Pace pace;
  pace.add(10, 30);
  const std::string line = pace.slower(20, 35, {}).value_or("");
  EXPECT_NE(line.find("about 1 m 35 s instead of 35"), std::string::npos) << line;
}

TEST(Pace, AFractionOfASecondIsNothing) {
  Pace pace;
  pace.add(0.1, 0.9);
  EXPECT_FALSE(pace.slower(1, 1, 10));
}

}  // namespace
}  // namespace statera
