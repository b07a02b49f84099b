// Golden files: inputs, outputs and gradients in double precision from public reference implementations (their format:
// tests/golden/README.md). An adapter turns a file of its kind into a GoldenCase: how to run the engine on it, and what
// must come out, in the engine's layout.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/rows.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "support/op_run.hpp"

namespace statera::test {

struct GoldenTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
  int64_t dim(size_t axis) const { return shape.at(axis); }
};

class GoldenFile {
 public:
  explicit GoldenFile(const std::string& path);
  const std::string& kind() const { return kind_; }  // the operation, or the module of a layer file
  const nlohmann::json& config() const { return config_; }
  const std::string& path() const { return file_.path(); }
  const std::string& metadata(const std::string& key) const { return file_.metadata().at(key); }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  GoldenTensor tensor(const std::string& name) const;            // F64
  std::vector<int64_t> integers(const std::string& name) const;  // I64
  // Tensors that nobody has asked for: an adapter that misspells a name would compare nothing.
  std::vector<std::string> unread() const;
  // For a tensor that says nothing that another one does not say. It need not be there.
  void said_elsewhere(const std::string& name) const { read_.insert(name); }

 private:
  mutable std::set<std::string> read_;
  SafetensorsFile file_;
  std::string kind_;
  nlohmann::json config_;
};

struct GoldenCase {
  std::function<OpResult(DType, const Device&)> run;
  OpResult expected;  // what is here is compared
  int64_t reduction = 1;
  std::string kernel;  // what the fast path is called
};

// Each kind of file has an adapter, in x_golden.cpp beside what it runs, which adds itself before main.
using GoldenAdapter = GoldenCase (*)(const GoldenFile&);
bool add_golden(const std::string& kind, GoldenAdapter make);  // true
GoldenAdapter find_golden(const std::string& kind);            // null if nobody added it

// [B, C, T] <-> [B T, C]
std::vector<double> rows_from_channels(const std::vector<double>& v, int64_t batch, int64_t channels, int64_t length);

// Gives `input` of the case to the engine, or leaves it out if the file has none.
struct OpCaseBuilder {
  const GoldenFile& file;
  OpCase op_case;
  NamedDoubles inputs, douts;
  OpResult expected;

  explicit OpCaseBuilder(const GoldenFile& f) : file(f) { op_case.op = f.kind(); }
  using Layout = std::function<std::vector<double>(const GoldenTensor&)>;
  bool input(const std::string& name, const Shape& shape, const Layout& layout = {});
  void output(const std::string& ours, const std::string& theirs, const Layout& layout = {});
  GoldenCase finish(int64_t reduction, std::string kernel);
};

// Offsets and starts of B sequences of T rows, or of cu_seqlens.
struct GoldenRows {
  std::vector<int32_t> offsets;
  std::vector<int64_t> start;
  GoldenRows(const GoldenFile& file, int64_t batch, int64_t length, int64_t first = 0);
  Rows rows() const { return {offsets, start}; }
  int64_t sequences() const { return static_cast<int64_t>(start.size()); }
};
constexpr int64_t later = 64;  // the place of a first row that goes on from a state: anything but 0

Var find(const NamedVars& vars, const std::string& name);  // Var{} if there is none
double limit(const nlohmann::json& value);                 // infinity where it is no number
OpCaseBuilder::Layout rows_of(const GoldenTensor& like);   // [B, C, T] -> [B T, C]
std::vector<double> state_rows(const GoldenTensor& t);     // [B, C, W] -> [B, W, C]
// B or C [B, N, L] or grouped [B, G, N, L] -> [B L, G N]
OpCaseBuilder::Layout grouped_rows(int64_t batch, int64_t width, int64_t length);

}  // namespace statera::test
