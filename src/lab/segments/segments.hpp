// Where the inner stacks of a model cut a text, and a page that shows it.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "statera/model.hpp"

namespace statera {

struct Segment {
  int64_t begin = 0;       // the byte at which it begins; it ends where the next one does
  double probability = 0;  // of the cut
};

// What one inner stack reads, outer stacks first.
struct SegmentStage {
  std::vector<Segment> segments;  // in order; the first begins at byte 0
  double bytes_per_segment = 0;
};

// Reads `text` as one document. `often` is called now and then with the number of bytes read; it may throw. Throws
// ErrorCode::unsupported if the model has no inner stack, ErrorCode::config if it does not read bytes.
std::vector<SegmentStage> segments_of(const Model& model, std::string_view text,
                                      const std::function<void(size_t)>& often = {});

// Where the inner stacks cut a sequence of any ids (`begin` included, where there is one), outer stacks first.
struct Cut {
  int64_t row = 0;         // of the sequence
  double probability = 0;  // that the router gave it
};
// `often` is called now and then with the number of rows read. Throws ErrorCode::unsupported if the model has no inner
// stack.
std::vector<std::vector<Cut>> cuts_of(const Model& model, std::span<const int32_t> ids,
                                      const std::function<void(size_t)>& often = {});

// A page in one file, without anything from elsewhere: the text once per stage, with its segments, light or dark as the
// reader prefers, and printable. A cut within a character is shown at the character. Bytes that are no UTF-8 and
// control characters appear as \xNN.
std::string segments_page(const std::string& title, std::string_view text, std::span<const SegmentStage> stages);

}  // namespace statera
