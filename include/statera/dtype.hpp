// Element types of tensors, in memory and on disk.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace statera {

enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, boolean };

size_t size_of(DType) noexcept;                  // bytes of one element
std::string_view name_of(DType) noexcept;        // "f32"

template <class T> struct dtype_of;
template <> struct dtype_of<double> { static constexpr DType value = DType::f64; };
template <> struct dtype_of<float> { static constexpr DType value = DType::f32; };
template <> struct dtype_of<int64_t> { static constexpr DType value = DType::i64; };
template <> struct dtype_of<int32_t> { static constexpr DType value = DType::i32; };
template <> struct dtype_of<uint8_t> { static constexpr DType value = DType::u8; };

}  // namespace statera
