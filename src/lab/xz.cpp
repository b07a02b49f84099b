#include "lab/xz.hpp"

#include <lzma.h>

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "core/check.hpp"

namespace statera {

namespace {

// Returns the size of a .xz stream. `dictionary`: no larger than the text, since memory grows with it.
class Encoder {
 public:
  Encoder(uint32_t dictionary, const std::function<void()>& often) : often_(often) {
    lzma_options_lzma options;
    lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME);
    options.dict_size = std::min(options.dict_size, dictionary);
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    check(lzma_stream_encoder(&stream_, filters, LZMA_CHECK_CRC64));
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { lzma_end(&stream_); }

  void add(const ByteSource& source) {
    for (int64_t i = 0; i < source.documents(); ++i) {
      const std::span<const uint8_t> text = source.document(i);
      for (size_t done = 0; done < text.size(); done += piece) {
        if (often_) often_();
        stream_.next_in = text.data() + done;
        stream_.avail_in = std::min(piece, text.size() - done);
        while (stream_.avail_in > 0) code(LZMA_RUN);
      }
    }
  }
  int64_t finish() {
    while (code(LZMA_FINISH) != LZMA_STREAM_END) {
    }
    return static_cast<int64_t>(stream_.total_out);
  }

 private:
  static constexpr size_t piece = size_t{1} << 17;

  lzma_ret code(lzma_action action) {
    std::array<uint8_t, 1 << 14> thrown_away;
    stream_.next_out = thrown_away.data();
    stream_.avail_out = thrown_away.size();
    return check(lzma_code(&stream_, action));
  }
  static lzma_ret check(lzma_ret result) {
    require(result == LZMA_OK || result == LZMA_STREAM_END, ErrorCode::io, "[xz] liblzma failed with code ",
            static_cast<int>(result), result == LZMA_MEM_ERROR ? ": too little memory for a text of this size" : "");
    return result;
  }

  const std::function<void()>& often_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

double xz_cost(const ByteSource& train, const ByteSource& held_out, const std::function<void()>& often) {
  const int64_t bytes = train.bytes() + held_out.bytes();
  const auto dictionary =
      static_cast<uint32_t>(std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(bytes, 1 << 12, 1 << 30))));
  Encoder alone(dictionary, often);
  alone.add(train);
  const int64_t without = alone.finish();
  Encoder together(dictionary, often);
  together.add(train);
  together.add(held_out);
  return 8.0 * static_cast<double>(together.finish() - without) / static_cast<double>(held_out.bytes());
}

}  // namespace statera
