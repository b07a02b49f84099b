// A Counts as bytes: a magic number, the version, the options, the state, and a checksum of all that. Numbers lie least
// significant byte first. Parts of the tables that nobody used are left out.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "counts/counts.hpp"

namespace statera {

using namespace counts;

namespace {

constexpr std::string_view magic = "statera counts\n";
// Changes with the format and with everything that makes a saved model go on differently.
constexpr uint32_t version = 4;

uint64_t checksum(std::span<const uint8_t> bytes) {
  Checksum sum;
  sum.add(bytes.data(), bytes.size());
  return sum.value();
}

[[noreturn]] void damaged(const char* what) {
  fail(ErrorCode::io, "[counts] the saved model is damaged: ", what, "; save it again");
}

template <class T>
concept Number = std::integral<T> && !std::same_as<T, bool>;

constexpr size_t part_size = 64;  // values of a large table that are saved together

template <class T, class Do>
void each_used_part(const Zeroed<T>& values, Do&& use) {
  static_assert(std::has_unique_object_representations_v<T>);
  static constexpr std::array<T, part_size> zeros{};
  for (size_t begin = 0; begin < values.size(); begin += part_size)
    if (std::memcmp(&values[begin], zeros.data(), std::min(part_size, values.size() - begin) * sizeof(T)) != 0)
      use(begin);
}

class Writer {
 public:
  template <Number T>
  void operator()(const T& value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (size_t i = 0; i < sizeof(T); ++i, bits = static_cast<std::make_unsigned_t<T>>(uint64_t{bits} >> 8))
      bytes_ += static_cast<char>(bits & 255);
  }
  void operator()(const bool& value) { (*this)(static_cast<uint8_t>(value)); }
  void operator()(const double& value) { (*this)(std::bit_cast<uint64_t>(value)); }
  template <class Values>
  requires requires(const Values& v) { v.begin() + v.size(); }
  void operator()(const Values& values) {
    for (size_t i = 0; i < values.size(); ++i) element(values[i]);
  }
  template <class Values>
  void within(const Values& values, int64_t, int64_t) {
    (*this)(values);
  }
  template <class Values>
  void between(const Values& values, double, double) {
    for (const double value : values) (*this)(value);
  }
  template <class Values>
  void below(const Values& values, uint64_t) {
    (*this)(values);
  }
  // The parts that are not all zero, each with its number.
  template <class T>
  void operator()(const Zeroed<T>& values) {
    uint64_t count = 0;
    each_used_part(values, [&](size_t) { ++count; });
    (*this)(count);
    each_used_part(values, [&](size_t begin) {
      (*this)(static_cast<uint64_t>(begin / part_size));
      for (size_t i = begin; i < std::min(begin + part_size, values.size()); ++i) element(values[i]);
    });
  }
  std::string finish() {
    const uint64_t sum = checksum({reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size()});
    (*this)(sum);
    return std::move(bytes_);
  }
  void text(std::string_view text) { bytes_ += text; }

 private:
  template <class T>
  void element(const T& value) {
    if constexpr (requires { T::visit(value, *this); })
      T::visit(value, *this);
    else
      (*this)(value);
  }
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  template <Number T>
  void operator()(T& value) {
    if (bytes_.size() < sizeof(T)) damaged("it ends too early");
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) bits |= uint64_t{bytes_[i]} << (8 * i);
    value = static_cast<T>(bits);
    bytes_ = bytes_.subspan(sizeof(T));
  }
  void operator()(bool& value) {
    uint8_t byte;
    (*this)(byte);
    if (byte > 1) damaged("a flag is neither on nor off");
    value = byte != 0;
  }
  void operator()(double& value) {
    uint64_t bits;
    (*this)(bits);
    value = std::bit_cast<double>(bits);
    if (!(std::abs(value) <= 1e30)) damaged("a number is out of range");
  }
  template <class Values>
  requires requires(const Values& v) { v.begin() + v.size(); }
  void operator()(Values& values) {
    for (size_t i = 0; i < values.size(); ++i) element(values[i]);
  }
  // Values that the arithmetic relies on.
  template <class Values>
  void within(Values& values, int64_t least, int64_t most) {
    (*this)(values);
    for (const auto value : values)
      if (std::cmp_less(value, least) || std::cmp_greater(value, most)) damaged("a weight is out of range");
  }
  template <class Values>
  void between(Values&& values, double least, double most) {
    for (double& value : values) {
      (*this)(value);
      if (!(value >= least && value <= most)) damaged("a number is out of range");
    }
  }
  void below(uint32_t& value, uint64_t limit) {
    (*this)(value);
    if (value >= limit) damaged("a number is out of range");
  }
  template <class T>
  void operator()(Zeroed<T>& values) {
    uint64_t count = 0, number = 0;
    (*this)(count);
    for (uint64_t k = 0; k < count; ++k) {
      (*this)(number);
      if (number > values.size() / part_size) damaged("a part lies outside of its table");
      const size_t begin = static_cast<size_t>(number) * part_size;
      for (size_t i = begin; i < std::min(begin + part_size, values.size()); ++i) element(values[i]);
    }
  }
  void text(std::string_view wanted) {
    if (bytes_.size() < wanted.size() || std::memcmp(bytes_.data(), wanted.data(), wanted.size()) != 0)
      fail(ErrorCode::io, "[counts] these are not the bytes of a saved model: they do not begin with '",
           wanted.substr(0, wanted.size() - 1), "'");
    bytes_ = bytes_.subspan(wanted.size());
  }
  size_t left() const { return bytes_.size(); }

 private:
  template <class T>
  void element(T& value) {
    if constexpr (requires { T::visit(value, *this); })
      T::visit(value, *this);
    else
      (*this)(value);
  }
  std::span<const uint8_t> bytes_;
};

template <class Options, class Visitor>
void visit_options(Options& options, Visitor& visitor) {
  visitor(options.memory_bytes), visitor(options.outside);
  auto& p = options.parts;
  for (auto* part : {&p.words, &p.sparse, &p.records, &p.samples, &p.runs, &p.matches, &p.refined, &p.sets})
    visitor(*part);
}

}  // namespace

template <class Self, class Visitor>
void Counts::visit(Self& self, Visitor& visitor) {
  Text::visit(self.text_, visitor);
  Table::visit(self.table_, visitor);
  Contexts::visit(self.contexts_, visitor);
  visitor(self.matches_);
  visitor(self.history_cells_), visitor(self.run_cells_), visitor(self.match_cells_), visitor(self.direct_cells_);
  InnerMixer::visit(self.inner_, visitor), LastMixer::visit(self.last_, visitor), BothMixer::visit(self.both_, visitor);
  Shares<most_opinions>::visit(self.shares_, visitor), Shares<own_opinions>::visit(self.own_shares_, visitor);
  visitor(self.refinements_);
  visitor(self.random_), visitor(self.begun_);
  visitor.below(self.prefix_, 256);
}

std::string Counts::save() const {
  Writer writer;
  writer.text(magic);
  writer(version);
  visit_options(options_, writer);
  visit(*this, writer);
  return writer.finish();
}

Counts Counts::restore(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  reader.text(magic);
  uint32_t found = 0;
  reader(found);
  require(found == version, ErrorCode::io, "[counts] the saved model has version ", found,
          " of the format: this program reads ", version);
  if (reader.left() < sizeof(uint64_t)) damaged("it ends too early");
  uint64_t sum = 0;
  Reader end(bytes.last(sizeof(sum)));
  end(sum);
  if (sum != checksum(bytes.first(bytes.size() - sizeof(sum)))) damaged("its checksum is wrong");
  CountsOptions options;
  visit_options(options, reader);
  Counts model(options);
  visit(model, reader);
  if (reader.left() != sizeof(sum)) damaged("it is too long");
  if (model.prefix_ == 0) damaged("a number is out of range");
  const uint32_t prefix = std::exchange(model.prefix_, 1);
  if (!model.begun_) return model;
  model.begin_byte();
  for (int shift = std::bit_width(prefix) - 2; shift >= 0; --shift) model.update(static_cast<int>(prefix >> shift & 1));
  return model;
}

}  // namespace statera
