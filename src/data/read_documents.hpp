// Documents of any size, piece by piece, for work that reads each byte once and keeps none.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/function_ref.hpp"
#include "statera/data.hpp"

namespace statera {

struct DocumentsRead {
  int64_t bytes = 0, documents = 0;
  std::string cut;                    // as ByteSource::cut()
  std::vector<std::string> left_out;  // as ByteSource::left_out()
};

// Reads what ByteSource reads under the same path with the same options, in the same order, and keeps none of it.
// `piece` gets the bytes of one document after the other, at most 1 MiB at a time, cut anywhere; `end` is called after
// each document that has bytes. Throws ErrorCode::io as the constructor of ByteSource does, but not for too many bytes,
// and maybe after pieces were given; what the two throw ends the reading.
DocumentsRead read_documents(const std::string& path, const ReadOptions& options,
                             FunctionRef<void(std::span<const uint8_t>)> piece, FunctionRef<void()> end);

}  // namespace statera
