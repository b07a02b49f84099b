#include "io/safetensors.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"

namespace statera {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {
using nlohmann::json;
constexpr uint64_t max_header = 100'000'000;  // the limit of the reference implementation
constexpr std::string_view metadata_key = "__metadata__";
// In the metadata of our files: the checksum of the header, computed with zeros in place of these digits, and of the
// data.
constexpr std::string_view checksum_key = "statera_checksum";
constexpr std::string_view no_checksum = "0000000000000000";

// The order of the reference implementation, which writes larger types first so that all are aligned.
constexpr std::pair<std::string_view, DType> dtypes[] = {
    {"BOOL", DType::boolean}, {"U8", DType::u8},   {"I8", DType::i8},   {"I16", DType::i16}, {"F16", DType::f16},
    {"BF16", DType::bf16},    {"I32", DType::i32}, {"F32", DType::f32}, {"F64", DType::f64}, {"I64", DType::i64}};

size_t order_of(DType dtype) {
  return static_cast<size_t>(
      std::find_if(std::begin(dtypes), std::end(dtypes), [&](const auto& d) { return d.second == dtype; }) - dtypes);
}

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  std::vector<uint64_t> offsets;
};

// Reads the header while it is parsed and stops at the first error, so that a hostile header of any form costs no more
// memory than a valid one of its length.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(size_t) override {
    if (depth_ == 1) {
      in_metadata_ = name_ == metadata_key;
      if (!in_metadata_)
        entries.push_back({name_, {}, {}, {}});
      else if (std::exchange(has_metadata_, true))
        wrong("expected it once");
    } else if (depth_ > 1) {
      wrong("got an object inside");
    }
    ++depth_;
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1 && !in_metadata_) {
      const Entry& entry = entries.back();
      if (!entry.dtype || !entry.shape || entry.offsets.size() != 2)
        wrong("expected dtype, shape and two data_offsets");
    }
    return true;
  }

  bool key(string_t& key) override {
    if (depth_ == 1) {
      name_ = key;
      return true;
    }
    field_ = key;
    if (!in_metadata_ && key != "dtype" && key != "shape" && key != "data_offsets")
      wrong("unknown key " + in_quotes(key));
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      if (!metadata.emplace(field_, text).second) wrong("the key " + in_quotes(field_) + " occurs twice");
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") wrong("got the string " + in_quotes(text));
    const auto known =
        std::find_if(std::begin(dtypes), std::end(dtypes), [&](const auto& d) { return d.first == text; });
    require(known != std::end(dtypes), ErrorCode::unsupported, path_, ": tensor ", in_quotes(name_), ": element type ",
            in_quotes(text), "; known: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
    if (entries.back().dtype) wrong("dtype occurs twice");
    entries.back().dtype = known->second;
    return true;
  }

  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || field_ == "dtype") wrong("got a list");
    if (field_ == "shape" && entries.back().shape) wrong("shape occurs twice");
    if (field_ == "shape")
      entries.back().shape.emplace();
    else if (!entries.back().offsets.empty())
      wrong("data_offsets occurs twice");
    ++depth_;
    return true;
  }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3) wrong("got the number " + std::to_string(value));
    Entry& entry = entries.back();
    if (field_ == "shape") {
      require(entry.shape->rank() < Shape::max_rank, ErrorCode::unsupported, path_, ": tensor ", in_quotes(name_),
              ": more than ", Shape::max_rank, " axes");
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        wrong("a dimension of " + std::to_string(value));
      entry.shape->push_back(static_cast<int64_t>(value));
    } else {
      if (entry.offsets.size() == 2) wrong("expected two data_offsets");
      entry.offsets.push_back(value);
    }
    return true;
  }

  bool number_integer(number_integer_t value) override { wrong("expected numbers >= 0, got " + std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override {
    wrong("expected whole numbers, got " + in_quotes(text));
  }
  bool null() override { wrong("got null"); }
  bool boolean(bool) override { wrong("got true or false"); }
  bool binary(binary_t&) override { wrong("got binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(ErrorCode::io, path_, ": no safetensors file: the header is no valid JSON at its byte ", position);
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    fail(ErrorCode::io, path_, ": no safetensors file: ",
         depth_ == 0             ? "header"
         : name_ == metadata_key ? ""
                                 : "tensor ",
         depth_ == 0 ? "" : in_quotes(name_), ": ", what);
  }

  const std::string& path_;
  int depth_ = 0;  // 1: in the header, 2: in a tensor or the metadata, 3: in a list of a tensor
  bool in_metadata_ = false, has_metadata_ = false;
  std::string name_, field_;
};

// The size of a tensor in bytes; empty if it, or a product of its dimensions, does not fit 63 bits.
std::optional<uint64_t> bytes_of(const Shape& shape, DType dtype) {
  int64_t product = static_cast<int64_t>(size_of(dtype));
  bool none = false;
  for (int64_t dim : shape) {
    none = none || dim == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(dim, 1), &product)) return {};
  }
  return none ? 0 : static_cast<uint64_t>(product);
}

// The tensors, in the order of their data, must cover the data without gaps, each with the bytes of its shape.
void check_layout(const std::string& path, std::span<Entry> entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    const auto must = [&](bool good, const auto&... what) {
      require(good, ErrorCode::io, path, ": tensor ", in_quotes(entry.name), ": ", what...);
    };
    const uint64_t from = entry.offsets[0], to = entry.offsets[1];
    must(from <= to, "data_offsets ", from, " to ", to, " run backwards");
    must(to <= data_bytes, "data_offsets end at ", to, ", but the file has ", data_bytes,
         " bytes of data (is it complete?)");
    must(from == end, "expected its data at ", end, ", got ", from,
         from < end ? " (it overlaps another tensor)" : " (there is a gap)");
    const std::optional<uint64_t> bytes = bytes_of(*entry.shape, *entry.dtype);
    must(bytes.has_value(), "shape ", entry.shape->str(), " overflows");
    must(*bytes == to - from, "shape ", entry.shape->str(), " of ", name_of(*entry.dtype), " needs ", *bytes,
         " bytes, got ", to - from);
    end = to;
  }
  require(end == data_bytes, ErrorCode::io, path, ": the tensors end at ", end, ", but the file has ", data_bytes,
          " bytes of data");
}
}  // namespace

namespace {
// The position of the checksum's digits in a header that we wrote; npos if there are none.
size_t checksum_place(std::string_view header) {
  const std::string before = "\"" + std::string(checksum_key) + "\":\"";
  const size_t at = header.find(before);  // a name cannot contain this, since quotes are escaped there
  return at == header.npos || header.size() - at < before.size() + no_checksum.size() ? header.npos
                                                                                      : at + before.size();
}

// `by_hand`: advice for somebody who changed the file on purpose.
void check_checksum(const InputFile& file, std::string header, const std::string& wanted, const std::string& by_hand) {
  const auto check = [&](bool good) {
    require(good, ErrorCode::io, file.path(),
            ": the bytes do not have the checksum that the file holds: it is damaged; take an earlier copy, or make it "
            "again",
            by_hand);
  };
  const size_t place = checksum_place(header);
  check(place != header.npos && header.compare(place, wanted.size(), wanted) == 0 &&
        wanted.size() == no_checksum.size());
  header.replace(place, no_checksum.size(), no_checksum);
  Checksum sum;
  sum.add(header.data(), header.size());
  std::vector<char> piece(size_t{1} << 20);
  for (uint64_t at = sizeof(uint64_t) + header.size(); at < file.size(); at += piece.size()) {
    const size_t bytes = std::min<uint64_t>(piece.size(), file.size() - at);
    file.read(at, piece.data(), bytes);
    sum.add(piece.data(), bytes);
  }
  check(fingerprint_text(sum.value()) == wanted);
}
}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path, Check check, const std::string& by_hand) {
  SafetensorsFile result;
  result.file_ = InputFile::open(path);
  const uint64_t size = result.file_.size();
  uint64_t header = 0;
  require(size >= sizeof(header), ErrorCode::io, path, ": no safetensors file: ", size, " bytes are too short");
  result.file_.read(0, &header, sizeof(header));
  require(header <= max_header, ErrorCode::io, path, ": no safetensors file: a header of ", header,
          " bytes, expected at most ", max_header);
  require(header <= size - sizeof(header), ErrorCode::io, path, ": a header of ", header, " bytes in a file of ", size,
          " (is it complete?)");
  std::string text(header, '\0');
  result.file_.read(sizeof(header), text.data(), text.size());
  require(text.starts_with('{'), ErrorCode::io, path, ": no safetensors file: the header does not begin with '{'");
  HeaderReader reader(path);
  const PointOfC point;
  json::sax_parse(text.begin(), text.end(), &reader);

  const uint64_t data = sizeof(header) + header;
  check_layout(path, reader.entries, size - data);
  if (const auto checksum = reader.metadata.extract(std::string(checksum_key)); !checksum.empty()) {
    if (check == Check::all) check_checksum(result.file_, text, checksum.mapped(), by_hand);
    result.has_checksum_ = true;
  }
  result.metadata_ = std::move(reader.metadata);
  result.tensors_.reserve(reader.entries.size());
  for (Entry& entry : reader.entries)
    result.tensors_.push_back({std::move(entry.name), *entry.dtype, *entry.shape, data + entry.offsets[0]});
  std::sort(result.tensors_.begin(), result.tensors_.end(),
            [](const FileTensor& a, const FileTensor& b) { return a.name < b.name; });
  for (size_t i = 1; i < result.tensors_.size(); ++i)
    require(result.tensors_[i - 1].name != result.tensors_[i].name, ErrorCode::io, path, ": two tensors have the name ",
            in_quotes(result.tensors_[i].name));
  return result;
}

const FileTensor* SafetensorsFile::find(std::string_view name) const {
  const auto it = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const FileTensor& t, std::string_view n) { return t.name < n; });
  return it != tensors_.end() && it->name == name ? &*it : nullptr;
}

const FileTensor& SafetensorsFile::at(std::string_view name) const {
  if (const FileTensor* tensor = find(name)) return *tensor;
  std::vector<std::string_view> names;
  for (const FileTensor& tensor : tensors_) names.push_back(tensor.name);
  fail(ErrorCode::io, path(), ": no tensor ", in_quotes(name), did_you_mean(name, names));
}

void SafetensorsFile::require_checksum() const {
  require(has_checksum_, ErrorCode::io, path(), ": '", checksum_key,
          "' is missing in its metadata, which files of this format have: it is damaged; take an "
          "earlier copy, or make it again");
}

Tensor SafetensorsFile::read(const FileTensor& tensor) const {
  Tensor result(tensor.dtype, tensor.shape);
  file_.read(tensor.offset, result.view().data, tensor.bytes());
  return result;
}

Tensor SafetensorsFile::read_finite(const FileTensor& tensor) const {
  Tensor result = read(tensor);
  const auto finite = [n = tensor.shape.elements()](const auto* p) {
    return std::all_of(p, p + n, [](auto x) { return std::isfinite(x); });
  };
  require(tensor.dtype == DType::f64 ? finite(result.as<double>()) : finite(result.as<float>()), ErrorCode::io, path(),
          ": ", tensor.name, ": holds a value that is not finite; the file is damaged or its training diverged");
  return result;
}

namespace {
// Rows of a View that is not dense are not adjacent.
template <class Add>
void for_each_piece(const View& view, Add add) {
  const size_t size = size_of(view.dtype), row = static_cast<size_t>(view.cols()) * size;
  if (view.dense())
    add(view.data, view.bytes());
  else
    for (int64_t r = 0; r < view.rows(); ++r)
      add(static_cast<const char*>(view.data) + static_cast<size_t>(r * view.stride) * size, row);
}

void write(AtomicFile& file, std::span<const NamedView> tensors, const std::map<std::string, std::string>& metadata) {
  const std::string& path = file.path();
  std::vector<const NamedView*> sorted;
  for (const NamedView& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const NamedView* a, const NamedView* b) {
    const size_t x = order_of(a->view.dtype), y = order_of(b->view.dtype);
    return x != y ? x > y : a->name < b->name;
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(metadata_key)] = metadata;
  uint64_t end = 0;
  std::string text;
  for (const NamedView* tensor : sorted) {
    const View& view = tensor->view;
    require(tensor->name != metadata_key, ErrorCode::config, path, ": a tensor cannot have the name '", metadata_key,
            "'");
    require(!view.empty() || view.elements() == 0, ErrorCode::config, path, ": tensor ", in_quotes(tensor->name),
            " has no data");
    const uint64_t begin = std::exchange(end, end + view.bytes());
    header[tensor->name] = {{"dtype", dtypes[order_of(view.dtype)].first},
                            {"shape", std::vector<int64_t>(view.shape.begin(), view.shape.end())},
                            {"data_offsets", {begin, end}}};
  }
  require(header.size() == sorted.size() + !metadata.empty(), ErrorCode::config, path,
          ": two tensors have the same name");
  try {
    text = header.dump();
  } catch (const nlohmann::ordered_json::exception&) {
    fail(ErrorCode::config, path, ": a name or a text of the metadata is no UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');

  if (metadata.contains(std::string(checksum_key))) {
    Checksum sum;
    sum.add(text.data(), text.size());
    for (const NamedView* tensor : sorted)
      for_each_piece(tensor->view, [&](const void* data, size_t bytes) { sum.add(data, bytes); });
    text.replace(checksum_place(text), no_checksum.size(), fingerprint_text(sum.value()));
  }
  const uint64_t length = text.size();
  file.write(&length, sizeof(length));
  file.write(text);
  for (const NamedView* tensor : sorted)
    for_each_piece(tensor->view, [&](const void* data, size_t bytes) { file.write(data, bytes); });
}
}  // namespace

std::string format_in(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return "";
  uint64_t header = 0;
  std::string text;
  if (::pread(file, &header, sizeof(header), 0) == sizeof(header) && header <= max_header) text.resize(header);
  const bool whole =
      !text.empty() && ::pread(file, text.data(), text.size(), sizeof(header)) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (!whole) return "";
  try {
    HeaderReader reader(path);
    const PointOfC point;
    json::sax_parse(text.begin(), text.end(), &reader);
    return reader.metadata["format"];
  } catch (const Error&) {
    return "";
  }
}

void write_safetensors(const OutputPlace& place, std::span<const NamedView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  require(!metadata.contains(std::string(checksum_key)), ErrorCode::config, place.path, ": '", checksum_key,
          "' in the metadata is not for the caller to give");
  AtomicFile file(place);
  write(file, tensors, metadata);
  file.commit();
}

void write_with_checksum(AtomicFile& file, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> with = metadata;
  with[std::string(checksum_key)] = no_checksum;
  write(file, tensors, with);
}

void write_with_checksum(const OutputPlace& place, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata) {
  AtomicFile file(place);
  write_with_checksum(file, tensors, metadata);
  file.commit();
}

}  // namespace statera
