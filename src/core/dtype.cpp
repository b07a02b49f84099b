#include "statera/dtype.hpp"

#include "core/check.hpp"

namespace statera {

size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

std::string_view name_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::i16:
      return "i16";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

std::string_view name_of(WeightFormat format) noexcept {
  switch (format) {
    case WeightFormat::f32:
      return "f32";
    case WeightFormat::int8:
      return "int8";
    case WeightFormat::int4:
      return "int4";
  }
  return "?";
}

WeightFormat weight_format(const std::string& name, const std::string& where) {
  std::string known;
  for (WeightFormat format : weight_formats) {
    if (name == name_of(format)) return format;
    known.append(known.empty() ? "" : ", ").append(name_of(format));
  }
  fail(ErrorCode::config, where, ": unknown weights '", name, "'; known: ", known);
}

}  // namespace statera
