// Snapshots on disk: a safetensors file with the tensors of every layer's state and the logits; in its metadata the position and the
// fingerprint of the model, since under other weights the same numbers mean nothing.
#include <algorithm>
#include <charconv>
#include <set>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "infer/session_data.hpp"
#include "io/printable.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
constexpr const char* format = "statera snapshot 3", *format_without_checksum = "statera snapshot 2";
constexpr int64_t most_rows = int64_t{1} << 53;

std::string tensor_name(size_t layer, const StateTensor& tensor) { return "layers." + std::to_string(layer) + "." + tensor.name; }

// A file, and which of its tensors were asked for.
class Reader {
 public:
  explicit Reader(const std::string& path) : file_(SafetensorsFile::open(path)) {}

  const std::string& text(const std::string& key) const {
    const auto it = file_.metadata().find(key);
    require(it != file_.metadata().end(), ErrorCode::io, path(), ": is no snapshot of statera: '", key, "' is missing");
    return it->second;
  }
  int64_t number(const std::string& key) const {
    const std::string& digits = text(key);
    int64_t value = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    require(error == std::errc() && end == digits.data() + digits.size() && value >= 0 && value <= most_rows, ErrorCode::io, path(), ": ", key, " is ",
            in_quotes(digits), ", not a count");
    return value;
  }
  // Its values, all finite.
  Tensor tensor(const std::string& name, DType dtype, const Shape& shape) {
    const FileTensor& found = file_.at(name);
    require(found.dtype == dtype && found.shape == shape, ErrorCode::io, path(), ": ", name, " is ", name_of(found.dtype), " ", found.shape,
            ", expected ", name_of(dtype), " ", shape, "; the file is damaged");
    asked_.insert(name);
    return file_.read_finite(found);
  }
  void require_checksum() const { file_.require_checksum(); }
  void check_all_asked() const {
    for (const FileTensor& tensor : file_.tensors())
      require(asked_.contains(tensor.name), ErrorCode::io, path(), ": ", in_quotes(tensor.name), " is no tensor of a snapshot of this model; the file is damaged");
  }
  const std::string& path() const { return file_.path(); }

 private:
  SafetensorsFile file_;
  std::set<std::string> asked_;
};

void check_model(const Reader& file, const Model& model) {
  const std::string& found = file.text("format");
  require(found != "statera snapshot 1", ErrorCode::io, file.path(), ": is of an older statera, which did not keep what model a snapshot is of; make it "
          "again from the text");
  require(found == format || found == format_without_checksum, ErrorCode::io, file.path(), ": format ", in_quotes(found), ", expected '", format, "'");
  if (found == format) file.require_checksum();
  require(file.text("model") == fingerprint_text(model.fingerprint()), ErrorCode::config, file.path(),
          ": is of another model, or of other weights of this one; load the model that it was made with");
}

// What a stream leaves behind `rows` rows is determined: blocks from the first that is still looked at to the last row.
void load_layer(Reader& file, size_t index, int64_t rows, int64_t first_block, State& state) {
  const std::string key = "layers." + std::to_string(index) + ".first_block";
  const int64_t first = file.number(key), end = (rows + State::block_positions - 1) / State::block_positions;
  require(first == first_block, ErrorCode::io, file.path(), ": ", key, " is ", first, ", expected ", first_block, " at row ", rows, "; the file is damaged");
  std::vector<Tensor> growing;
  for (size_t i = 0; i < state.layout().size(); ++i) {
    const StateTensor& tensor = state.layout()[i];
    if (tensor.grows) growing.push_back(file.tensor(tensor_name(index, tensor), state.dtype(), {end - first, tensor.shape.elements()}));
    else copy(file.tensor(tensor_name(index, tensor), state.dtype(), tensor.shape), state.fixed(i));
  }
  state.load_blocks(first, {growing.begin(), growing.end()});
  state.set_position(rows);
}
}  // namespace

void Snapshot::save(const std::string& path) const {
  std::vector<Tensor> joined;  // keeps the Views alive
  std::vector<std::pair<std::string, size_t>> joined_names;
  std::vector<NamedView> tensors;
  std::map<std::string, std::string> metadata = {{"format", format},
                                                 {"model", fingerprint_text(data_->model)},
                                                 {"position", std::to_string(data_->position)},
                                                 {"rows", std::to_string(data_->state.rows())}};
  for (size_t l = 0; l < data_->state.layers.size(); ++l) {
    const State& state = data_->state.layers[l];
    metadata["layers." + std::to_string(l) + ".first_block"] = std::to_string(state.first_block());
    std::vector<Tensor> blocks = state.join_blocks();
    size_t next = 0;
    for (size_t i = 0; i < state.layout().size(); ++i) {
      if (!state.layout()[i].grows) {
        tensors.push_back({tensor_name(l, state.layout()[i]), state.fixed(i)});
        continue;
      }
      joined_names.emplace_back(tensor_name(l, state.layout()[i]), joined.size());
      joined.push_back(std::move(blocks[next++]));
    }
  }
  for (const auto& [name, index] : joined_names) tensors.push_back({name, joined[index]});
  std::vector<float> logits = data_->logits;
  tensors.push_back({"logits", View(logits.data(), DType::f32, {static_cast<int64_t>(logits.size())})});
  write_with_checksum(path, tensors, metadata);
}

Snapshot Snapshot::load(const std::string& path, const Model& model) {
  Reader file(path);
  check_model(file, model);
  auto data = std::make_shared<Data>();
  data->state = model.layers().new_state(model.dtype());
  data->model = model.fingerprint();
  data->position = file.number("position");
  const int64_t rows = file.number("rows");
  require(rows == 0 ? data->position == 0 : rows == data->position + (model.config().begin ? 1 : 0), ErrorCode::io, path, ": ", rows,
          " rows at position ", data->position, " do not fit; the file is damaged");
  for (size_t l = 0; l < data->state.layers.size(); ++l)
    load_layer(file, l, rows, model.layers().first_looked_at(l, rows, model.config().context) / State::block_positions, data->state.layers[l]);
  const Tensor logits = file.tensor("logits", DType::f32, {rows > 0 ? model.config().vocab_size : 0});
  data->logits.assign(logits.as<float>(), logits.as<float>() + logits.shape().elements());
  file.check_all_asked();
  Snapshot snapshot;
  snapshot.data_ = std::move(data);
  return snapshot;
}

}  // namespace statera
