// Element types of tensors, in memory and on disk.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace statera {

enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, boolean };

size_t size_of(DType) noexcept;            // bytes of one element
std::string_view name_of(DType) noexcept;  // "f32"

// How the matrices and tables of the layers are stored for inference. f32: as trained. int8, int4: whole numbers with
// one scale per 32 of them (src/ops/matmul/quantised.md); matrices are then multiplied with activations in 8 bits.
enum class WeightFormat : uint8_t { f32, int8, int4 };

inline constexpr WeightFormat weight_formats[] = {WeightFormat::f32, WeightFormat::int8, WeightFormat::int4};
std::string_view name_of(WeightFormat) noexcept;  // "int8"
// Throws ErrorCode::config for an unknown name, naming `where` it stands and the known ones.
WeightFormat weight_format(const std::string& name, const std::string& where);

template <class T>
struct dtype_of;
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct dtype_of<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct dtype_of<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct dtype_of<uint8_t> {
  static constexpr DType value = DType::u8;
};

}  // namespace statera
