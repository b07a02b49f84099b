// What an OnlineModel has learned, as one safetensors file: weights, the means of the optimizer, the text that steps
// may still learn from, and the state of the session.
#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "infer/snapshot_parts.hpp"
#include "io/json_fields.hpp"
#include "statera/online.hpp"

namespace statera {

namespace {
constexpr const char *format_1 = "statera learner 1", *format = "statera learner 2";  // 1: all parameters learn

std::string weight_name(const Parameter& p) { return "weight." + p.name; }
std::string mean_name(const Parameter& p) { return "mean." + p.name; }
std::string square_name(const Parameter& p) { return "square." + p.name; }
std::string touched_name(const Parameter& p) { return "touched." + p.name; }

// Means of squares, which are never below 0.
void check_squares(const PartsReader& file, const std::string& name, const Tensor& squares) {
  const View view = squares.view();
  const auto good = [n = view.elements()](const auto* x) {
    return std::all_of(x, x + n, [](auto v) { return v >= 0; });
  };
  require(view.dtype == DType::f64 ? good(view.as<double>()) : good(view.as<float>()), ErrorCode::io, file.path(), ": ",
          name, " has a value below 0; the file is damaged");
}

// Numbers of 32 bits from `least` to `most`.
std::vector<int32_t> numbers(PartsReader& file, const std::string& name, int64_t count, int64_t least, int64_t most) {
  const Tensor read = file.any_values(name, DType::i32, {count});
  const auto* x = read.as<int32_t>();
  require(std::all_of(x, x + count, [&](int32_t v) { return v >= least && v <= most; }), ErrorCode::io, file.path(),
          ": ", name, " has a value that is not in ", least, " to ", most, "; the file is damaged");
  return {x, x + count};
}
}  // namespace

void OnlineModel::save(const std::string& path) const {
  std::vector<Tensor> owned;
  std::vector<NamedView> tensors;
  OnlineOptions options = options_;
  std::map<std::string, std::string> metadata = {{"format", format},
                                                 {"model", fingerprint_text(trained_fingerprint_)},
                                                 {"options", write_fields(options)},
                                                 {"steps", std::to_string(optimizer_.steps())},
                                                 {"document", std::to_string(document_)},
                                                 {"unlearned", std::to_string(unlearned_)}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = *parameters_[i];
    tensors.push_back({weight_name(p), p.value});
    tensors.push_back({mean_name(p), optimizer_.mean(i)});
    tensors.push_back({square_name(p), optimizer_.square(i)});
    if (p.by_rows) tensors.push_back({touched_name(p), optimizer_.touched_at(i)});
  }
  Tensor& text = owned.emplace_back(DType::i32, Shape{static_cast<int64_t>(text_.size())});
  std::ranges::copy(text_, text.as<int32_t>());
  tensors.push_back({"text", text});
  SnapshotParts::add(session_.snapshot(), tensors, metadata, owned);
  OutputPlace place(path);
  place.may_replace = "statera learner";
  write_with_checksum(place, tensors, metadata);
}

OnlineModel OnlineModel::restore(const std::string& path, Model model) {
  PartsReader file(path, "learner");
  const std::string found = file.text("format");
  require(found == format || found == format_1, ErrorCode::io, path, ": format '", found, "', expected '", format,
          "' or '", format_1, "'");
  file.require_checksum();
  require(file.text("model") == fingerprint_text(model.fingerprint()), ErrorCode::config, path,
          ": is of another model, or of other weights of this one; load the model that it was made with");
  OnlineOptions options;
  read_fields({file.text("options"), path + ": options"}, options);
  OnlineModel learner(std::move(model), options);
  learner.take(file);
  return learner;
}

void OnlineModel::take(PartsReader& file) {
  const int64_t steps = file.number("steps");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& p = *parameters_[i];
    const DType dtype = p.value.dtype();
    copy(file.tensor(weight_name(p), dtype, p.shape), p.value);
    p.changed();
    copy(file.tensor(mean_name(p), dtype, p.shape), optimizer_.mean(i));
    const Tensor squares = file.any_values(square_name(p), dtype, p.shape);
    check_squares(file, square_name(p), squares);
    copy(squares, optimizer_.square(i));
    if (!p.by_rows) continue;
    const View touched = optimizer_.touched_at(i);
    std::ranges::copy(numbers(file, touched_name(p), touched.elements(), 0, steps), touched.as<int32_t>());
  }
  optimizer_.set_steps(steps);
  const FileTensor& text = file.at("text");
  const int64_t length = text.shape.rank() == 1 ? text.shape[0] : 0, document = file.number("document");
  text_ = numbers(file, "text", length, 0, model_.config().vocab_size);
  unlearned_ = file.number("unlearned");
  require(length > 0 && document < length && unlearned_ < options_.segment, ErrorCode::io, file.path(),
          ": a document at ", document, " and ", unlearned_, " ids to learn do not fit ", length,
          " ids of text; the file is damaged");
  document_ = static_cast<size_t>(document);
  session_.restore(SnapshotParts::read(file, model_));
  file.check_all_asked();
}

}  // namespace statera
