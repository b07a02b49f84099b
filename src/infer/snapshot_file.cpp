// Snapshots on disk: a safetensors file with the tensors of every layer's state, the logits, and the position in its metadata.
#include <algorithm>
#include <charconv>

#include "core/check.hpp"
#include "infer/session_data.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
std::string tensor_name(size_t layer, const StateTensor& tensor) { return "layers." + std::to_string(layer) + "." + tensor.name; }

int64_t number(const SafetensorsFile& file, const std::string& key) {
  const auto it = file.metadata().find(key);
  require(it != file.metadata().end(), ErrorCode::io, file.path(), ": metadata ", key, " is missing; this is no snapshot");
  int64_t value = -1;
  const auto [end, error] = std::from_chars(it->second.data(), it->second.data() + it->second.size(), value);
  require(error == std::errc() && end == it->second.data() + it->second.size() && value >= 0, ErrorCode::io, file.path(), ": metadata ", key,
          " is '", it->second, "', not a count");
  return value;
}

void load_layer(const SafetensorsFile& file, size_t index, int64_t rows, State& state) {
  const int64_t first = number(file, "layers." + std::to_string(index) + ".first_block");
  std::vector<View> growing;
  for (size_t i = 0; i < state.layout().size(); ++i) {
    const StateTensor& tensor = state.layout()[i];
    const View from = file.at(tensor_name(index, tensor));
    const std::string where = file.path() + ": " + tensor_name(index, tensor);
    require(from.dtype == state.dtype(), ErrorCode::config, where, ": dtype ", name_of(from.dtype), ", but the model's is ", name_of(state.dtype()));
    if (!tensor.grows) {
      require(from.shape == tensor.shape, ErrorCode::config, where, ": shape ", from.shape, ", but the model's is ", tensor.shape);
      copy(from, state.fixed(i));
      continue;
    }
    const int64_t last = (rows + State::block_positions - 1) / State::block_positions;
    require(from.shape.rank() == 2 && from.cols() == tensor.shape.elements() && first + from.rows() >= last && first <= last, ErrorCode::config,
            where, ": shape ", from.shape, " does not hold the blocks up to row ", rows);
    growing.push_back(from);
  }
  state.load_blocks(first, growing);
  state.set_position(rows);
}
}  // namespace

void Snapshot::save(const std::string& path) const {
  std::vector<Tensor> joined;  // keeps the Views alive
  std::vector<std::pair<std::string, size_t>> joined_names;
  std::vector<NamedView> tensors;
  std::map<std::string, std::string> metadata = {{"format", "statera snapshot 1"},
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
  write_safetensors(path, tensors, metadata);
}

Snapshot Snapshot::load(const std::string& path, const Model& model) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  auto data = std::make_shared<Data>();
  data->state = model.layers().new_state(model.dtype());
  data->position = number(file, "position");
  const int64_t rows = number(file, "rows");
  require(rows == 0 ? data->position == 0 : rows == data->position + (model.config().begin ? 1 : 0), ErrorCode::io, path, ": ", rows,
          " rows at position ", data->position, " do not fit; the file is damaged");
  for (size_t l = 0; l < data->state.layers.size(); ++l) load_layer(file, l, rows, data->state.layers[l]);
  const View logits = file.at("logits");
  require(logits.elements() == 0 || logits.elements() == model.config().vocab_size, ErrorCode::config, path, ": logits ", logits.shape,
          " for a vocabulary of ", model.config().vocab_size);
  data->logits.assign(logits.as<float>(), logits.as<float>() + logits.elements());
  Snapshot snapshot;
  snapshot.data_ = std::move(data);
  return snapshot;
}

}  // namespace statera
