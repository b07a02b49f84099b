// What an error says.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "statera/error.hpp"

namespace statera::test {

// "" where there is none.
inline std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Of one with this code; none fails the test.
inline std::string error_of(const std::function<void()>& f, ErrorCode code) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace statera::test
