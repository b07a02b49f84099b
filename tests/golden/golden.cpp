// golden FILE...: runs golden files through the kernel tables that training and inference call, and compares.
// Exit status: 0 all is well, 1 something differs or cannot be read, 3 a kind that the engine does not have.
#include <cstdio>
#include <string>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "golden/golden_case.hpp"
#include "statera/error.hpp"

namespace statera::test {
namespace {

constexpr double double_tolerance = 1e-9;

bool row(const std::string& kernel, const std::string& isa, const std::string& tensor, double error, double allowed) {
  const bool good = error <= allowed;
  std::printf("  %-22s %-9s %-26s %9.2e  allowed %9.2e  %s\n", kernel.c_str(), isa.c_str(), tensor.c_str(), error,
              allowed, good ? "ok" : "FAILED");
  return good;
}

bool compare(const GoldenCase& c, const char* prefix, const NamedDoubles& expected, const NamedDoubles& exact,
             const NamedDoubles& plain, const NamedDoubles& quick) {
  const std::vector<double> none;
  const auto of = [&](const NamedDoubles& from, const std::string& name) -> const std::vector<double>& {
    const auto it = from.find(name);
    return it == from.end() ? none : it->second;
  };
  bool good = true;
  for (const auto& [name, truth] : expected) {
    const double plain_error = relative_l2(of(plain, name), truth);
    const double allowed = computed_tolerance(plain_error, c.reduction, truth.size());
    good &= row(c.kernel + "_ref f64", "-", prefix + name, max_error(of(exact, name), truth), double_tolerance);
    good &= row(c.kernel + "_ref f32", "-", prefix + name, plain_error, 1e-4);
    good &= row(c.kernel + "_cpu f32", instruction_set(), prefix + name, relative_l2(of(quick, name), truth), allowed);
  }
  return good;
}

bool run_file(const GoldenFile& file) {
  const GoldenAdapter make = find_golden(file.kind());
  if (!make) throw Error(ErrorCode::unsupported, file.kind());
  const GoldenCase c = make(file);
  require(!c.expected.outputs.empty(), ErrorCode::io, file.path(), ": the adapter compares no output");
  const std::vector<std::string> unread = file.unread();
  std::string names;
  for (const std::string& name : unread) names += (names.empty() ? "" : ", ") + name;
  require(unread.empty(), ErrorCode::io, file.path(), ": the adapter reads no ", names);
  const Device reference = Device::cpu({.threads = 1, .kernels = KernelChoice::reference});
  const OpResult exact = c.run(DType::f64, reference), plain = c.run(DType::f32, reference),
                 quick = c.run(DType::f32, Device::cpu());
  const bool outputs = compare(c, "", c.expected.outputs, exact.outputs, plain.outputs, quick.outputs);
  const bool grads = compare(c, "d ", c.expected.grads, exact.grads, plain.grads, quick.grads);
  return outputs && grads;
}

int run_files(int count, char** paths) {
  int failed = 0, unsupported = 0, passed = 0;
  for (int i = 0; i < count; ++i) {
    std::printf("%s\n", paths[i]);
    try {
      (run_file(GoldenFile(paths[i])) ? passed : failed)++;
    } catch (const Error& error) {
      const bool lacks = error.code() == ErrorCode::unsupported;
      std::printf("  %s: %s\n", lacks ? "unsupported" : "error", error.what());
      ++(lacks ? unsupported : failed);
    } catch (const std::exception& error) {
      std::printf("  error: %s\n", error.what());
      ++failed;
    }
  }
  std::printf("%d passed, %d failed, %d unsupported\n", passed, failed, unsupported);
  return failed ? 1 : unsupported ? 3 : 0;
}

}  // namespace
}  // namespace statera::test

int main(int argc, char** argv) {
  if (argc < 2 || std::string_view(argv[1]) == "--help") {
    std::printf(
        "usage: golden FILE.safetensors...\nCompares the engine's kernels with golden files (tests/golden/README.md).\n"
        "Exit status: 0 all is well, 1 not, 3 a kind that the engine does not have.\n");
    return argc < 2 ? 2 : 0;
  }
  statera::Arena::set_poison(true);
  return statera::test::run_files(argc - 1, argv + 1);
}
