#include "golden/golden_case.hpp"

#include <limits>
#include <map>

#include "core/check.hpp"

namespace statera::test {

namespace {
std::map<std::string, GoldenAdapter>& adapters() {
  static std::map<std::string, GoldenAdapter> all;
  return all;
}
}  // namespace

bool add_golden(const std::string& kind, GoldenAdapter make) {
  require(adapters().emplace(kind, make).second, ErrorCode::config, "two adapters of golden files of ", kind);
  return true;
}

GoldenAdapter find_golden(const std::string& kind) {
  const auto found = adapters().find(kind);
  return found == adapters().end() ? nullptr : found->second;
}

GoldenFile::GoldenFile(const std::string& path) : file_(SafetensorsFile::open(path)) {
  const auto& metadata = file_.metadata();
  const auto kind = metadata.count("op") ? metadata.find("op") : metadata.find("module");
  require(kind != metadata.end() && metadata.count("config"), ErrorCode::io, path,
          ": metadata has no op or module, or no config");
  kind_ = kind->second;
  config_ = parse_json(metadata.at("config"), path + ": config");
}

GoldenTensor GoldenFile::tensor(const std::string& name) const {
  const Tensor t = file_.read(file_.at(name));
  read_.insert(name);
  require(t.dtype() == DType::f64, ErrorCode::io, file_.path(), ": ", name, " is not F64");
  return {{t.shape().begin(), t.shape().end()}, to_doubles(t)};
}

std::vector<int64_t> GoldenFile::integers(const std::string& name) const {
  const Tensor t = file_.read(file_.at(name));
  read_.insert(name);
  const int64_t* p = t.as<int64_t>();
  return {p, p + t.shape().elements()};
}

std::vector<std::string> GoldenFile::unread() const {
  std::vector<std::string> names;
  for (const FileTensor& tensor : file_.tensors())
    if (!read_.contains(tensor.name)) names.push_back(tensor.name);
  return names;
}

std::vector<double> rows_from_channels(const std::vector<double>& v, int64_t batch, int64_t channels, int64_t length) {
  std::vector<double> out(v.size());
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < length; ++t)
        out[static_cast<size_t>((b * length + t) * channels + c)] =
            v[static_cast<size_t>((b * channels + c) * length + t)];
  return out;
}

bool OpCaseBuilder::input(const std::string& name, const Shape& shape, const Layout& layout) {
  if (!file.has("in." + name)) return false;
  const auto laid_out = [&](const GoldenTensor& t) { return layout ? layout(t) : t.values; };
  const bool gradient = file.has("grad." + name);
  op_case.inputs.push_back({name, shape, -1, 1, gradient});
  inputs[name] = laid_out(file.tensor("in." + name));
  if (gradient) expected.grads[name] = laid_out(file.tensor("grad." + name));
  return true;
}

void OpCaseBuilder::output(const std::string& ours, const std::string& theirs, const Layout& layout) {
  if (!file.has("out." + theirs)) return;
  const auto laid_out = [&](const GoldenTensor& t) { return layout ? layout(t) : t.values; };
  expected.outputs[ours] = laid_out(file.tensor("out." + theirs));
  if (file.has("dout." + theirs)) douts[ours] = laid_out(file.tensor("dout." + theirs));
}

GoldenCase OpCaseBuilder::finish(int64_t reduction, std::string kernel) {
  auto run = [c = op_case, in = inputs, d = douts](DType dtype, const Device& device) {
    return run_case(c, dtype, device, in, &d);
  };
  return {run, expected, reduction, std::move(kernel)};
}

GoldenRows::GoldenRows(const GoldenFile& file, int64_t batch, int64_t length, int64_t first) {
  if (file.has("in.cu_seqlens")) {
    file.said_elsewhere("in.seq_idx");
    for (int64_t offset : file.integers("in.cu_seqlens")) offsets.push_back(static_cast<int32_t>(offset));
  } else {
    for (int64_t b = 0; b <= batch; ++b) offsets.push_back(static_cast<int32_t>(b * length));
  }
  start.assign(offsets.size() - 1, first);
}

Var find(const NamedVars& vars, const std::string& name) {
  const auto it = vars.find(name);
  return it == vars.end() ? Var() : it->second;
}

std::vector<double> state_rows(const GoldenTensor& t) {
  return rows_from_channels(t.values, t.dim(0), t.dim(1), t.dim(2));
}

OpCaseBuilder::Layout rows_of(const GoldenTensor& like) {
  return [batch = like.dim(0), channels = like.dim(1), length = like.dim(2)](const GoldenTensor& t) {
    return rows_from_channels(t.values, batch, channels, length);
  };
}

OpCaseBuilder::Layout grouped_rows(int64_t batch, int64_t width, int64_t length) {
  return [=](const GoldenTensor& t) { return rows_from_channels(t.values, batch, width, length); };
}

double limit(const nlohmann::json& value) {
  return value.is_string() || value.is_object() ? std::numeric_limits<double>::infinity() : value.get<double>();
}

}  // namespace statera::test
