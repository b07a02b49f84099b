// Errors at the edges: loading, constructing and entering an operation may throw. Kernels are noexcept.
#pragma once
#include <stdexcept>
#include <string>

namespace statera {

enum class ErrorCode { config, shape, io, device, unsupported, numeric };

// what() is one line: the place, what was expected, what came, and a fix where one is known.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace statera
