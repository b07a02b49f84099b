// Which instruction set the fast kernels use, and how to forbid better ones.
#include <cstdlib>
#include <string>

#include "core/check.hpp"
#include "core/isa.hpp"
#include "hwy/targets.h"
#include "statera/device.hpp"

namespace statera {

namespace {
constexpr int64_t compiled = HWY_AVX3 | HWY_AVX2 | HWY_NEON | HWY_EMU128 | HWY_SCALAR;

int64_t allowed_from(const std::string& name) {
  for (int64_t bit = 1; bit > 0 && bit <= HWY_SCALAR; bit <<= 1)
    if ((bit & compiled) && name == hwy::TargetName(bit)) {
      require((hwy::SupportedTargets() | HWY_EMU128) & bit, ErrorCode::device, "[isa] this machine has no ", name);
      return ~(bit - 1);  // a lower bit is a better target
    }
  fail(ErrorCode::device, "[isa] unknown instruction set '", name, "'; known: AVX3, AVX2, NEON, EMU128");
}

void apply(int64_t allowed) {
  hwy::SetSupportedTargetsForTest(0);
  const int64_t targets = (hwy::SupportedTargets() | HWY_EMU128) & compiled & allowed;
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(targets);
}
}  // namespace

void apply_environment_isa() {
  static const bool applied = [] {  // if this throws, the next call tries again
    if (const char* name = std::getenv("STATERA_ISA"); name && *name) apply(allowed_from(name));
    // otherwise the pointer of a kernel is at first Highway's chooser, which takes 14 us per call
    else
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return true;
  }();
  static_cast<void>(applied);
}

bool has_avx512_vnni() noexcept {
#if HWY_ARCH_X86
  static const bool found = __builtin_cpu_supports("avx512vnni");
  return found;
#else
  return false;
#endif
}

bool has_avx512_bf16() noexcept {
#if HWY_ARCH_X86
  static const bool found = __builtin_cpu_supports("avx512bf16");
  return found;
#else
  return false;
#endif
}

bool multiplies_bf16() { return instruction_set() == "AVX3" && has_avx512_bf16(); }

std::string instruction_set() {
  apply_environment_isa();
  const int64_t targets = (hwy::SupportedTargets() | HWY_EMU128) & compiled;
  return hwy::TargetName(targets & -targets);
}

void limit_instruction_set(const std::string& name) {
  apply_environment_isa();  // now, so that it does not undo this later
  apply(allowed_from(name));
}

}  // namespace statera
