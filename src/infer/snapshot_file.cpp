// Snapshots on disk: a safetensors file with the tensors of all states and the logits. The metadata hold the position
// and the fingerprint of the model, since the numbers mean nothing to another model.
#include <algorithm>
#include <charconv>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "infer/session_data.hpp"
#include "io/printable.hpp"
#include "infer/snapshot_parts.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
// Before format 4, names had the layer only (layers.3.k for layers.3.mixer.k), and the file held the first block of
// each layer, which follows from the position. Format 2 had no checksum.
constexpr const char *format = "statera snapshot 4", *format_3 = "statera snapshot 3", *format_2 = "statera snapshot 2";
constexpr int64_t most_rows = int64_t{1} << 53;

std::string rows_key(size_t clock) { return clock == 0 ? "rows" : "rows." + std::to_string(clock); }

std::string name_before_4(std::string name) {
  constexpr std::string_view part = ".mixer.";
  if (const size_t at = name.find(part); at != std::string::npos) name.replace(at, part.size(), ".");
  return name;
}

void check_model(const PartsReader& file, const Model& model) {
  const std::string& found = file.text("format");
  require(found != "statera snapshot 1", ErrorCode::io, file.path(),
          ": is of an older statera, which did not keep what model a snapshot is of; make it "
          "again from the text");
  require(found == format || found == format_3 || found == format_2, ErrorCode::io, file.path(), ": format ",
          in_quotes(found), ", expected '", format, "'");
  if (found != format_2) file.require_checksum();
  require(file.text("model") == fingerprint_text(model.fingerprint()), ErrorCode::config, file.path(),
          ": is of another model, or of other weights of this one; load the model that it was made with");
}

// Which blocks a state has after `rows` rows is determined: from the first that a query can still see to the last
// row's.
void load_slot(PartsReader& file, const std::string& name, size_t slot, int64_t max_keys, State& state) {
  const StateSlot& declared = state.layout().slots[slot];
  if (!declared.grows) return copy(file.tensor(name, state.dtype(slot), declared.shape), state.fixed(slot));
  const int64_t rows = state.position(declared.clock),
                first = first_looked_at(declared.window, rows, max_keys) / State::block_positions;
  const int64_t end = (rows + State::block_positions - 1) / State::block_positions;
  state.load_blocks(slot, first, file.tensor(name, state.dtype(slot), {end - first, declared.shape.elements()}));
}
}  // namespace

const std::string& PartsReader::text(const std::string& key) const {
  const auto it = file_.metadata().find(key);
  require(it != file_.metadata().end(), ErrorCode::io, path(), ": is no ", what_, " of statera: '", key,
          "' is missing");
  return it->second;
}

int64_t PartsReader::number(const std::string& key) const {
  const std::string& digits = text(key);
  int64_t value = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  require(error == std::errc() && end == digits.data() + digits.size() && value >= 0 && value <= most_rows,
          ErrorCode::io, path(), ": ", key, " is ", in_quotes(digits), ", not a count");
  return value;
}

const FileTensor& PartsReader::found(const std::string& name, DType dtype, const Shape& shape) {
  const FileTensor& one = file_.at(name);
  require(one.dtype == dtype && one.shape == shape, ErrorCode::io, path(), ": ", name, " is ", name_of(one.dtype), " ",
          one.shape, ", expected ", name_of(dtype), " ", shape, "; the file is damaged");
  asked_.insert(name);
  return one;
}

Tensor PartsReader::tensor(const std::string& name, DType dtype, const Shape& shape) {
  return file_.read_finite(found(name, dtype, shape));
}

Tensor PartsReader::any_values(const std::string& name, DType dtype, const Shape& shape) {
  return file_.read(found(name, dtype, shape));
}

void PartsReader::check_all_asked() const {
  for (const FileTensor& tensor : file_.tensors())
    require(asked_.contains(tensor.name), ErrorCode::io, path(), ": ", in_quotes(tensor.name), " is no tensor of a ",
            what_, " of this model; the file is damaged");
}

void SnapshotParts::add(const Snapshot& snapshot, std::vector<NamedView>& tensors,
                        std::map<std::string, std::string>& metadata, std::vector<Tensor>& owned) {
  const Snapshot::Data& data = *snapshot.data_;
  const State& state = data.state;
  metadata["position"] = std::to_string(data.position);
  for (size_t clock = 0; clock < state.layout().clocks; ++clock)
    metadata[rows_key(clock)] = std::to_string(state.position(clock));
  for (size_t i = 0; i < state.layout().slots.size(); ++i) {
    const StateSlot& slot = state.layout().slots[i];
    if (slot.grows)
      tensors.push_back({slot.name, owned.emplace_back(state.join_blocks(i))});
    else
      tensors.push_back({slot.name, state.fixed(i)});
  }
  Tensor& logits = owned.emplace_back(DType::f32, Shape{static_cast<int64_t>(data.logits.size())});
  std::ranges::copy(data.logits, logits.as<float>());
  tensors.push_back({"logits", logits});
}

Snapshot SnapshotParts::read(PartsReader& file, const Model& model, bool before_4) {
  auto data = std::make_shared<Snapshot::Data>(
      Snapshot::Data{.state = modules_of(model).new_state(model.dtype()), .logits = {}, .model = model.fingerprint()});
  data->position = file.number("position");
  State& state = data->state;
  for (size_t clock = 0; clock < state.layout().clocks; ++clock)
    state.set_position(file.number(rows_key(clock)), clock);
  const int64_t rows = state.position();
  for (size_t clock = 1; clock < state.layout().clocks; ++clock)
    require(state.position(clock) <= rows, ErrorCode::io, file.path(), ": ", rows_key(clock), " is above ", rows,
            "; the file is damaged");
  require(rows == 0 ? data->position == 0 : rows == data->position + (model.config().begin ? 1 : 0), ErrorCode::io,
          file.path(), ": ", rows, " rows at position ", data->position, " do not fit; the file is damaged");
  for (size_t i = 0; i < state.layout().slots.size(); ++i) {
    const std::string& name = state.layout().slots[i].name;
    load_slot(file, before_4 ? name_before_4(name) : name, i, model.config().context, state);
  }
  const Tensor logits = file.tensor("logits", DType::f32, {rows > 0 ? model.config().vocab_size : 0});
  data->logits.assign(logits.as<float>(), logits.as<float>() + logits.shape().elements());
  Snapshot snapshot;
  snapshot.data_ = std::move(data);
  return snapshot;
}

void Snapshot::save(const std::string& path) const {
  std::vector<Tensor> owned;
  std::vector<NamedView> tensors;
  std::map<std::string, std::string> metadata = {{"format", format}, {"model", fingerprint_text(data_->model)}};
  SnapshotParts::add(*this, tensors, metadata, owned);
  OutputPlace place(path);
  place.may_replace = "statera snapshot";
  write_with_checksum(place, tensors, metadata);
}

Snapshot Snapshot::load(const std::string& path, const Model& model) {
  PartsReader file(path, "snapshot");
  check_model(file, model);
  Snapshot snapshot = SnapshotParts::read(file, model, file.text("format") != format);
  file.check_all_asked();
  return snapshot;
}

}  // namespace statera
